"""Assigns each event to a total, and works out what it adds to it."""

from dataclasses import replace
from datetime import datetime

from shared.domain.kernel.ids import is_id
from shared.domain.kernel.times import from_text, to_text
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import BillingModel, Version
from shared.domain.pricing.plan_versions import is_of_plans
from shared.domain.provider_costs.costs import CostedEvent, CostRules, CostTerms
from shared.domain.provider_costs.exchange_rates import reported_currency
from shared.domain.runs.event_worth import event_worth
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import NO_VERSION, AcceptedEvent, TotalKey
from shared.domain.usage.outcomes import is_outcome, new_outcome, system_totals_of
from shared.domain.usage.totals import contribution, paid_contribution, unpriced_contribution
from shared.ports.usage import MeteredEvent
from shared.services.periods.periods import Periods
from shared.services.periods.rebilling import Rebilling
from shared.services.pricing.billing_models import BillingModels
from shared.services.pricing.plan_usage import PlanUsage
from shared.services.usage.event_payments import CannotBeMeteredError, EventPayments
from shared.services.usage.worths import UsedBy, Worths


class Assigners:
    def __init__(  # noqa: PLR0913  its neighbours
        self,
        billing_models: BillingModels,
        plan_usage: PlanUsage,
        periods: Periods,
        rebilling: Rebilling,
        worths: Worths,
        payments: EventPayments,
    ) -> None:
        self._billing_models = billing_models
        self._plan_usage = plan_usage
        self._worths = worths
        self._periods = periods
        self._rebilling = rebilling
        self._payments = payments

    def of(self, organization: Organization, costs: CostRules, now: datetime) -> "Assigner":
        """For events of an organization that are metered together."""
        return Assigner(
            *(self._billing_models, self._plan_usage, self._periods, self._rebilling, self._worths, self._payments),
            *(organization, costs, now),
        )


class Assigner:
    """Keeps the models, versions and the period that it has read, as most events need the same."""

    def __init__(  # noqa: PLR0913  its neighbours, and what all its events have in common
        self,
        billing_models: BillingModels,
        plan_usage: PlanUsage,
        periods: Periods,
        rebilling: Rebilling,
        worths: Worths,
        payments: EventPayments,
        organization: Organization,
        costs: CostRules,
        now: datetime,
    ) -> None:
        self._billing_models = billing_models
        self._plan_usage = plan_usage
        self._worths = worths
        self._periods = periods
        self._rebilling = rebilling
        self._payments = payments
        self._organization = organization
        self._costs = costs
        self._now = now
        self._models: dict[str, BillingModel] = {}
        self._versions: dict[str, Version] = {}
        self._period: Period | None = None

    async def assign(self, agent: Agent | None, event: AcceptedEvent) -> MeteredEvent:
        """Period, agent and model version are those of the event's own time, whenever it arrives.

        Raises `CannotBeMeteredError`, `UnmeterableError`, `NoExchangeRateError`, `UnavailableError`.
        """
        at = from_text(event.time)
        if agent is None and not is_id(event.agent, "agt"):
            raise CannotBeMeteredError(f"there is no agent {event.agent}; make one with this external id and replay it")
        if agent is None or agent.ended_by(at):
            raise CannotBeMeteredError("the agent was deleted before the event happened")
        organization, costs, now = self._organization, self._costs, self._now
        period = await self._period_containing(at)
        version = await self._version(agent, at)
        terms = CostTerms(organization.settings.reported_llm_costs, not event.standard_terms)
        cost = costs.of(event.type, event.data, at, organization.currency, terms, organization.id)
        rate = costs.rates.rate(reported_currency(event.data, organization.currency), organization.currency, at)
        returned = await self._returned_at(agent, version, at, period.start)
        returned_at = None if returned is None else to_text(returned)
        costed = CostedEvent(
            event.type, event.data, event.time, event.key, cost.amount, cost.category, rate, returned_at=returned_at
        )
        if version is None:
            added = unpriced_contribution(costed, cost.readings())
        else:
            added = contribution(costed, version.charges, organization.currency, cost.readings())
        total = TotalKey(period.start, agent.id, version.id if version else NO_VERSION)
        outcome = None
        if is_outcome(event.type):
            charges = version.charges if version else ()
            outcome = new_outcome(event, total, charges, added, organization.currency, now, rate)
            by_status = system_totals_of(outcome, organization.currency)
            added = replace(added, system_totals=(*added.system_totals, *by_status))
        entry = self._rebilling.entry(organization, period, now)
        if event.paid_with is not None:
            worth = event_worth(added, agent.id, version, period, organization.currency)
            entry = await self._payments.entry(organization, event.paid_with, event.key, at, worth)
            added = paid_contribution(costed, added.system_totals)
        return MeteredEvent(
            event=event,
            total=total,
            contribution=added,
            cost=cost,
            outcome=outcome,
            exchange_rate=rate,
            returned_at=returned_at,
            rebilling=entry,
            worth=await self._worths.of(organization, UsedBy(agent.id, at, event.run, event.reporter), version, period),
        )

    async def _period_containing(self, at: datetime) -> Period:
        period = self._period
        if period is None or not period.start <= at < period.end:
            period = self._period = await self._periods.containing(self._organization, at)
        return period

    async def _returned_at(
        self, agent: Agent, version: Version | None, at: datetime, since: datetime
    ) -> datetime | None:
        """When what prices the agent came back to it: levels of before do not go on."""
        if version is None or not is_of_plans(version.id):
            return agent.returned_at(at, since)
        return await self._plan_usage.returned_at(self._organization.id, agent, version, at, since)

    async def _version(self, agent: Agent, at: datetime) -> Version | None:
        model_id = agent.models.at(at)
        if model_id is None:
            return await self._plan_usage.at(self._organization.id, at)
        model = self._models.get(model_id)
        if model is None:
            model = self._models[model_id] = await self._billing_models.cached(self._organization.id, model_id)
        reference = model.versions.at(at)
        if reference is None:
            return None
        version = self._versions.get(reference.id)
        if version is None:
            version = self._versions[reference.id] = await self._billing_models.version(model, reference)
        return version
