"""Wires adapters and services, and connects effects with what receives them.

No other module does so.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import cache

from shared.adapters.otlp.decoder import OtlpDecoder
from shared.adapters.usage.item_parked_events import ItemParkedEvents
from shared.adapters.usage.item_usage import ItemUsage
from shared.chosen_adapters import Ports, chosen_ports, opened, price_list
from shared.credit_services import CreditServices
from shared.document_services import DocumentServices
from shared.domain.access.accounts import Account, AddressClaim
from shared.domain.kernel.entity import Entity
from shared.domain.tenancy.organizations import SlugClaim
from shared.leaving_services import LeavingServices
from shared.logs import structure_handlers
from shared.mailed_link_services import MailedLinkServices
from shared.one_at_a_time import OneAtATime
from shared.payment_services import PaymentServices
from shared.recorded_usage_services import RecordedUsageServices
from shared.services.access.api_keys import KEY_CHANGED, ApiKeys
from shared.services.access.audit import AuditReader
from shared.services.access.authentication import Authentication
from shared.services.access.erasures import USER_ERASED
from shared.services.access.first_operator import FirstOperator
from shared.services.access.key_uses import KeyUses
from shared.services.access.letters import ACCESS_MAIL, Composer
from shared.services.access.limits import Limits
from shared.services.access.mailed_links import MailedLinks
from shared.services.access.member_organizations import MEMBERSHIP_CHANGED, MemberOrganizations
from shared.services.access.members import Members
from shared.services.access.owner_counts import OwnerCounts
from shared.services.access.rate_limits import RateLimits
from shared.services.access.request_rates import RequestRates
from shared.services.access.tokens import Tokens
from shared.services.access.users import Users
from shared.services.agents.activity import AgentActivities
from shared.services.agents.agent_making import AgentMaking
from shared.services.agents.agents import AGENT_STARTED, Agents
from shared.services.billing.account_services import AccountServices
from shared.services.billing.agent_pricing import AgentPricing
from shared.services.billing.bills import Bills
from shared.services.billing.drawn_amounts import DrawnAmountsStore
from shared.services.billing.draws import DRAWN_LOWERED, Draws, DueDraw
from shared.services.billing.facts import FactsReader
from shared.services.billing.interim_moments import InterimMoments
from shared.services.billing.invoice_jobs import Job
from shared.services.billing.plan_cycles import PlanCycles
from shared.services.billing.subscription_services import SubscriptionServices
from shared.services.billing.summaries import Summaries
from shared.services.billing.unbilled_outcomes import UnbilledOutcomes
from shared.services.billing.workflow_estimates import WorkflowEstimates
from shared.services.ingestion.answers import Answers
from shared.services.ingestion.calls import CallSender
from shared.services.ingestion.litellm import LiteLlmReader
from shared.services.ingestion.protocol_events import ProtocolEvents
from shared.services.ingestion.reading import TraceReader
from shared.services.ingestion.stored_traces import StoredTraces
from shared.services.ingestion.trace_memories import CALLS_DECIDED, TraceMemories
from shared.services.ingestion.trace_records import TraceRecord
from shared.services.ingestion.trace_warnings import TraceWarnings
from shared.services.ingestion.traces import Traces
from shared.services.ingestion.usage_queue import UsageQueue
from shared.services.ingestion.waiting_calls import WaitingCalls
from shared.services.notifications.mails import Mails
from shared.services.periods.periods import Periods
from shared.services.periods.rebilling import PERIOD_CHANGED, USAGE_ADDED, Rebilling
from shared.services.pricing.billing_models import BillingModels
from shared.services.pricing.places import PlaceHistories
from shared.services.pricing.plan_usage import PlanUsage
from shared.services.pricing.plans import Plans
from shared.services.provider_costs.costs import Costs
from shared.services.provider_costs.exchange_rates import ExchangeRateBook
from shared.services.provider_costs.llm_calls import LlmCallReader
from shared.services.provider_costs.llm_costs import LlmCosts
from shared.services.provider_costs.llm_prices import PriceOverrides, UnpricedModels
from shared.services.provider_costs.model_aliases import ModelAliases
from shared.services.runs.figures import RunFiguresReader
from shared.services.runs.runs import Runs
from shared.services.runs.threads import Threads
from shared.services.storage import Outbox, Owners
from shared.services.storage.audit.store import AuditedStore
from shared.services.storage.audit.trail import AUDITED
from shared.services.storage.audit.verification import Verification
from shared.services.storage.idempotency import Idempotency
from shared.services.storage.outbox import Completion, Receiver
from shared.services.storage.readiness import Readiness
from shared.services.storage.sealed_values import SealedValues
from shared.services.tenancy.allocation_targets import AllocationTargets
from shared.services.tenancy.departments import Departments
from shared.services.tenancy.exports import EXPORT_ASKED
from shared.services.tenancy.organizations import Organizations
from shared.services.tenancy.payers import PayerChanges
from shared.services.tenancy.projects import Projects
from shared.services.usage.acceptance_checks import AcceptanceChecks
from shared.services.usage.assigning import Assigners
from shared.services.usage.events import Events
from shared.services.usage.ingestion_counts import IngestionCounts
from shared.services.usage.metered_versions import MeteredVersions
from shared.services.usage.metering import Metering
from shared.services.usage.parked_events import ParkedEvents
from shared.services.usage.reconciliation import Reconciliation
from shared.services.usage.reports import UsageReports
from shared.services.usage.worths import Worths
from shared.settings import Settings, settings
from shared.sign_in_services import SignInServices
from shared.turns import Turns

SECONDS_PER_DAY = 24 * 60 * 60


class Application:
    """All services, wired. One per process; it keeps no state that correctness rests on."""

    def __init__(  # noqa: PLR0915  the one place that wires all services
        self, ports: Ports, chosen: Settings, opened: AsyncExitStack | None = None
    ) -> None:
        """`opened` closes what the ports may have opened; without it they stay as they are."""
        clock = ports.clock
        self.audited_store = store = AuditedStore(ports.store, clock, ports.secrets)
        self._opened = opened or AsyncExitStack()
        self.settings, self.clock, self.turns = chosen, clock, Turns()
        self._readiness = Readiness(store, ports.queue)
        self.usage = ItemUsage(store, chosen.event_retention_days * SECONDS_PER_DAY, chosen.maximum_distinct_values)
        self.audit, self.audit_verification = AuditReader(store, store.personal), Verification(store, store.keys)
        self.outbox = Outbox(store, clock)
        self.outbox.sender(AUDITED)
        self.owners, self.idempotency = Owners(store), Idempotency(store)
        self.mailed_links = MailedLinks(ports.secrets, store, clock, chosen.public_origin)
        self.sealed_values, self.periods = SealedValues(ports.secrets, clock), Periods(store)
        self.rebilling = Rebilling(self.periods, clock, self.outbox)
        self.organizations = Organizations(store, clock, self.periods, self.outbox, chosen)
        self.payer_changes = PayerChanges(clock, self.organizations, self.periods)
        self.tokens = Tokens(ports.secrets, clock, chosen)
        self.limits, self.rate_limits = Limits(store, clock), RateLimits(store, clock)
        self.request_rates, self.key_uses = RequestRates(store, clock), KeyUses(store, clock)
        self._opened.push_async_callback(self.key_uses.close)
        self.authentication = Authentication(store, clock, self.tokens, self.organizations, self.key_uses, chosen)
        self.member_organizations = MemberOrganizations(store, self.outbox)
        sign_in = SignInServices(
            *(store, clock, ports.secrets, chosen, self._opened),
            *(self.outbox, self.tokens, self.sealed_values, self.organizations),
            *(self.owners, ports.outbound, self.member_organizations),
        )
        self.sessions, self.accounts, self.passkeys = sign_in.sessions, sign_in.accounts, sign_in.passkeys
        self.pending_sign_ins, self.second_factors = sign_in.pending, sign_in.second_factors
        self.single_sign_on, self.identity_providers = sign_in.single_sign_on, sign_in.identity_providers
        self.password_changes = sign_in.password_changes
        self.first_operator = FirstOperator(store, self.accounts)
        self.owner_counts = OwnerCounts(store, self.organizations)
        self.members = Members(store, clock, self.owner_counts, self.member_organizations)
        self.users = Users(store, clock, self.members, self.owner_counts, self.sessions)
        self.api_keys = ApiKeys(store, clock, self.owners, self.key_uses, self.outbox)
        self.service_accounts, self.workload_clients = sign_in.service_accounts, sign_in.workload_clients
        leaving = LeavingServices(
            *(store, clock, chosen, ports.remnants, self.owners, self.sealed_values),
            *(self.outbox, self.users, self.members, self.sessions, self.api_keys, self.idempotency),
        )
        self.exports, self.erasures = leaving.exports, leaving.erasures
        self._mailed = mailed = MailedLinkServices(
            *(store, clock, self.outbox, self.mailed_links, sign_in, self.api_keys),
            *(self.organizations, self.members, self.owner_counts, self.member_organizations),
        )
        self.email_verification, self.password_resets = mailed.email_verification, mailed.password_resets
        self.invitations, self.provider_links = mailed.invitations, mailed.provider_links
        self.billing_models = BillingModels(store, clock, self.owners, self.organizations, chosen)
        self.plans = Plans(store, clock, self.billing_models)
        self.place_histories = PlaceHistories(store, self.plans, self.billing_models)
        plan_usage = PlanUsage(clock, self.place_histories, self.billing_models)
        self.projects, self.departments = Projects(store, clock, self.owners), Departments(store, clock, self.owners)
        self.agents = Agents(
            store, clock, self.owners, self.organizations, self.billing_models, self.periods, self.outbox, chosen
        )
        self.agent_activities, prices = AgentActivities(store, clock), price_list(chosen)
        self.llm_prices = PriceOverrides(store, clock, chosen, prices)
        self.unpriced_models, self.llm_costs = UnpricedModels(self.usage), LlmCosts(self.usage)
        self.model_aliases = ModelAliases(store, clock, chosen, prices, self.llm_prices)
        self.exchange_rates = ExchangeRateBook(store, clock, chosen)
        self.llm_calls = LlmCallReader(prices)
        self.costs = Costs(clock, prices, self.llm_prices, self.model_aliases, self.exchange_rates)
        self.ingestion_counts = IngestionCounts(store, clock)
        self._opened.push_async_callback(self.ingestion_counts.close)
        self.events = Events(
            *(ports.queue, clock, self.organizations, self.agents, self.llm_calls),
            *(AcceptanceChecks(self.billing_models, plan_usage, self.costs), self.ingestion_counts, self.turns),
        )
        parked_event_store = ItemParkedEvents(store, clock)
        worths = Worths(clock, self.organizations, self.agents)
        retention = timedelta(days=chosen.event_retention_days)
        metered_versions = MeteredVersions(self.agents, self.billing_models, plan_usage)
        self._recorded = RecordedUsageServices(
            *(store, clock, self.outbox, self.usage, self.organizations, self.periods),
            *(self.costs, metered_versions, self.rebilling, retention, self.agents, worths),
        )
        self.outcomes, self.outcome_decisions = self._recorded.outcomes, self._recorded.outcome_decisions
        self.recorded_events, outcome_store = self._recorded.events, self._recorded.outcome_store
        self.paid_usage, self.late_pricing = self._recorded.paid_usage, self._recorded.late_pricing
        self.repair = self._recorded.repair
        assigners = Assigners(
            *(self.billing_models, plan_usage, self.periods, self.rebilling, worths, self._recorded.payments)
        )
        self.metering = Metering(
            *(self.usage, parked_event_store, clock, self.organizations, self.agents, self.agent_activities),
            *(self.costs, assigners, self.outbox, self.ingestion_counts, self.turns),
        )
        exports = OneAtATime("exports")
        self._opened.callback(exports.close)
        self.reconciliation = Reconciliation(self.usage, self.organizations, self.costs, exports)
        self.parked_events = ParkedEvents(parked_event_store, self.usage, clock, self.events, retention)
        self.usage_reports = UsageReports(store, self.usage, self.agents, metered_versions)
        self.agent_pricing = AgentPricing(clock, self.billing_models)
        self.calculations = OneAtATime("calculation")
        self._opened.callback(self.calculations.close)
        self.workflow_estimates = WorkflowEstimates(
            clock, self.agents, self.agent_pricing, self.periods, self.calculations
        )
        plan_cycles = PlanCycles(self.periods)
        self.facts = FactsReader(
            *(self.agents, self.billing_models, self.place_histories, self.members),
            *(self.periods, plan_cycles, self.usage),
        )
        self.summaries = Summaries(self.agents, self.projects, self.departments, self.facts)
        self.credits = CreditServices(
            *(store, clock, self.organizations, self.agents, self.outbox, ports.store_time),
            *(self.departments, self.periods, self.api_keys, self.events),
        )
        self.account = AccountServices(
            *(store, clock, self.owners, self.organizations, self.periods, self.outbox),
            *(ports.printer, self.plans, self.exchange_rates),
        )
        self.billing_documents = self.account.documents
        self.documents = DocumentServices(
            *(store, clock, self.outbox, self.account, self.organizations, self.mailed_links),
            *(ports.printer, ports.e_invoices, self.calculations),
        )
        drawn_amounts = DrawnAmountsStore(store)
        self.draws = Draws(
            *(clock, self.organizations, self.periods, self.facts, self.credits.wallets, self.credits.ledger),
            *(drawn_amounts, self.outbox),
        )
        moments = InterimMoments(store, self.place_histories, plan_cycles)
        self.bills = Bills(
            *(clock, self.periods, self.facts, self.billing_documents, drawn_amounts, self.account.taxes, moments),
            *(self.account.redemptions,),
        )
        self.issuing = self.account.issuing(self.bills, self.draws)
        self._subscribing = SubscriptionServices(
            *(clock, self.owners, self.organizations, self.agents, self.periods, self.plans, self.place_histories),
            *(self.bills, self.billing_documents, self.issuing, moments, self.outbox),
            *(store, self.facts, self.credits.ledger, self.credits.monthly),
        )
        self.subscriptions, self.entitlements = self._subscribing.subscriptions, self._subscribing.entitlements
        self.unbilled_outcomes = UnbilledOutcomes(
            *(clock, self.periods, self.billing_documents, self.outcomes, self.agents, metered_versions)
        )
        self.threads = Threads(store, clock, self.owners)
        self.runs = Runs(
            *(store, clock, self.owners, self.agents, self.threads, self.credits.run_limits),
            *(self.organizations, self.periods),
        )
        self.run_figures = RunFiguresReader(self.usage, outcome_store, clock, metered_versions, self.periods)
        self.invoice_jobs, self.invoice_runs = self.account.runs(ports.queue, self.issuing, self._subscribing.interims)
        self.allocation_targets = AllocationTargets(store)
        self.agent_making = AgentMaking(store, clock, self.agents, chosen)
        trace_reader = TraceReader(OtlpDecoder(), chosen)
        self._opened.callback(trace_reader.close)
        answers = Answers(store, clock, self.turns)
        self.trace_calls = CallSender(self.events, self.agent_making, self.llm_calls, answers, self.turns)
        self.waiting_calls = WaitingCalls(store, clock, chosen)
        self.protocol_events = ProtocolEvents(clock, self.events, self.agents, self.agent_making, self.ingestion_counts)
        self.litellm_reader = LiteLlmReader(chosen)
        self._opened.callback(self.litellm_reader.close)
        stored_traces = StoredTraces(store, clock, self.outbox)
        trace_memories = TraceMemories(stored_traces, clock, self.outbox, answers, self.turns)
        self._opened.callback(trace_memories.close)
        self.traces = Traces(
            *(ports.queue, clock, self.organizations, trace_reader, trace_memories, answers, self.trace_calls),
            *(self.waiting_calls, TraceWarnings(self.ingestion_counts), self.outbox),
        )
        self.usage_queue = UsageQueue(self.metering, self.traces)
        self.payments = PaymentServices(
            *(store, clock, ports.queue, self.outbox, ports.payment_events, ports.payments),
            *(chosen, self.erasures),
        )
        self.mails = Mails(ports.mail, store, clock, chosen.sender, self.composers())
        self.outbox.connect(self.receivers(), self.completions())

    def receivers(self) -> Mapping[str, Receiver]:
        """What each effect does: the one way from a service to those above it."""
        return {
            AGENT_STARTED: self.agents.rebill_since_start,
            PERIOD_CHANGED: self.rebilling.note_change,
            USAGE_ADDED: self.draws.draw,
            DRAWN_LOWERED: self.draws.lower,
            KEY_CHANGED: self.api_keys.apply_change,
            EXPORT_ASKED: self.exports.note,
            USER_ERASED: self.erasures.carry_out,
            MEMBERSHIP_CHANGED: self.member_organizations.follow,
            CALLS_DECIDED: self.trace_calls.receive,
            ACCESS_MAIL: self.mails.receive,
            AUDITED: self.audited_store.trail.receive,
            **self.credits.receivers(),
            **self._recorded.receivers(),
            **self._subscribing.receivers(),
            **self.account.receivers(),
        }

    def composers(self) -> Mapping[str, Composer]:
        """What makes the letter of each template of mails."""
        return {**self._mailed.composers(), **self.account.composers(), **self.documents.composers()}

    def completions(self) -> Mapping[type[Entity], Completion]:
        """What finishes the entities that are due."""
        return {
            AddressClaim: self.accounts.complete_due,
            Account: self.accounts.complete_due_of_before,
            SlugClaim: self.organizations.complete_due,
            Job: self.invoice_runs.complete_due,
            TraceRecord: self.traces.complete_due,
            **self.credits.completions(),
            DueDraw: self.draws.complete_due,
            **self.payments.completions(),
        }

    @property
    def public_origin(self) -> str:
        """Where people reach this application, without a path."""
        return self.mailed_links.public_url

    async def check_ready(self) -> None:
        """Raises `UnavailableError` where the store or the queue does not answer."""
        await self._readiness.check()

    async def close(self) -> None:
        """Let go of the store, the queue, the secrets and the broker: at the end, in the event loop that used them."""
        await self._opened.aclose()


@cache
def application() -> Application:
    """This process's application, made at the first call."""
    chosen = settings()
    structure_handlers()
    return Application(chosen_ports(), chosen, opened())
