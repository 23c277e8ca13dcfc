"""The services of subscriptions, wired with each other."""

from collections.abc import Mapping

from shared.ports.clock import Clock
from shared.services.agents.agents import Agents
from shared.services.billing.bills import Bills
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.interims import INTERIM_DUE, Interims
from shared.services.billing.issuing import Issuing
from shared.services.billing.plan_choices import PlanChoices
from shared.services.billing.subscription_commands import SubscriptionCommands
from shared.services.billing.subscriptions import Subscriptions
from shared.services.periods.periods import Periods
from shared.services.pricing.places import PlaceHistories
from shared.services.pricing.plans import Plans
from shared.services.storage import Outbox, Owners
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
        outbox: Outbox,
    ) -> None:
        commands = SubscriptionCommands(PlanChoices(agents, plans), periods)
        self.subscriptions = Subscriptions(
            clock, owners, organizations, periods, place_histories, commands, bills, documents, outbox
        )
        self._interims = Interims(clock, organizations, periods, place_histories, issuing)

    def receivers(self) -> Mapping[str, Receiver]:
        """What their effects do."""
        return {INTERIM_DUE: self._interims.issue}
