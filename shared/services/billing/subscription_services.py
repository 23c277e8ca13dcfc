"""The services of subscriptions, wired with each other."""

from collections.abc import Mapping

from shared.ports.clock import Clock
from shared.services.agents.agents import Agents
from shared.services.billing.bills import Bills
from shared.services.billing.cycle_grants import GRANTS_DUE, CycleGrants
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.dunning import INVOICE_SETTLED
from shared.services.billing.entitlements import EntitlementChecks
from shared.services.billing.facts import FactsReader
from shared.services.billing.interim_moments import INTERIM_DUE, InterimMoments
from shared.services.billing.interims import Interims
from shared.services.billing.issuing import Issuing
from shared.services.billing.overdue_places import OverduePlaces
from shared.services.billing.paid_cycles import PaidCycles
from shared.services.billing.plan_choices import PlanChoices
from shared.services.billing.plan_cycles import PlanCycles
from shared.services.billing.subscription_commands import SubscriptionCommands
from shared.services.billing.subscriptions import Subscriptions
from shared.services.credits.ledger import Ledger
from shared.services.credits.monthly_credits import MonthlyCredits
from shared.services.periods.periods import Periods
from shared.services.pricing.places import PlaceHistories
from shared.services.pricing.plans import Plans
from shared.services.storage import Outbox, Owners, Store
from shared.services.storage.outbox import Receiver
from shared.services.tenancy.organizations import Organizations


class SubscriptionServices:
    def __init__(  # noqa: PLR0913  what they need of the services below and beside them
        self,
        clock: Clock,
        owners: Owners,
        organizations: Organizations,
        agents: Agents,
        periods: Periods,
        plans: Plans,
        place_histories: PlaceHistories,
        bills: Bills,
        documents: BillingDocuments,
        issuing: Issuing,
        moments: InterimMoments,
        outbox: Outbox,
        store: Store,
        facts: FactsReader,
        ledger: Ledger,
        monthly_credits: MonthlyCredits,
    ) -> None:
        cycles = PlanCycles(periods)
        commands = SubscriptionCommands(PlanChoices(agents, plans), cycles)
        paid = PaidCycles(clock, periods, place_histories, bills, documents)
        self._cycle_grants = cycle_grants = CycleGrants(
            *(store, clock, organizations, periods, place_histories, cycles, paid, documents, ledger, outbox)
        )
        overdue = OverduePlaces(clock, place_histories, documents)
        self.subscriptions = Subscriptions(
            *(clock, owners, organizations, periods, place_histories, cycles, commands),
            *(bills, documents, cycle_grants, overdue, outbox),
        )
        self.entitlements = EntitlementChecks(store, clock, organizations, periods, facts, monthly_credits)
        self.interims = Interims(clock, organizations, periods, place_histories, moments, issuing)

    def receivers(self) -> Mapping[str, Receiver]:
        """What their effects do."""
        return {
            INTERIM_DUE: self.interims.issue,
            GRANTS_DUE: self._cycle_grants.grant,
            INVOICE_SETTLED: self._cycle_grants.grant_paid,
        }
