"""Wires what reads and changes recorded usage: outcomes, payments with credits, late prices, repair."""

from collections.abc import Mapping
from datetime import timedelta

from shared.adapters.credits.item_wallets import ItemWallets
from shared.adapters.usage.item_late_prices import ItemLatePrices
from shared.adapters.usage.item_outcomes import ItemOutcomes
from shared.adapters.usage.item_paid_events import ItemPaidEvents
from shared.adapters.usage.item_usage_shards import ItemUsageShards
from shared.ports.clock import Clock
from shared.ports.store import Store
from shared.ports.usage import Usage
from shared.services.agents.agents import Agents
from shared.services.periods.periods import Periods
from shared.services.periods.rebilling import Rebilling
from shared.services.provider_costs.costs import Costs
from shared.services.storage import Outbox
from shared.services.storage.outbox import Receiver
from shared.services.tenancy.organizations import Organizations
from shared.services.usage.event_payments import EventPayments
from shared.services.usage.late_pricing import LatePricing
from shared.services.usage.metered_versions import MeteredVersions
from shared.services.usage.outcome_decisions import OutcomeDecisions
from shared.services.usage.outcomes import Outcomes
from shared.services.usage.paid_usage import (
    EVENT_PAID,
    EVENT_SETTLED,
    PAYMENT_CHANGED,
    PAYMENT_PASSED,
    PAYMENT_UNSETTLED,
    PaidUsage,
)
from shared.services.usage.payment_lookup import PaymentLookup
from shared.services.usage.recorded_events import RecordedEvents
from shared.services.usage.repair import Repair
from shared.services.usage.settled_events import SettledEvents
from shared.services.usage.worths import Worths


class RecordedUsageServices:
    def __init__(  # noqa: PLR0913  what all of them stand on
        self,
        store: Store,
        clock: Clock,
        outbox: Outbox,
        usage: Usage,
        organizations: Organizations,
        periods: Periods,
        costs: Costs,
        metered_versions: MeteredVersions,
        rebilling: Rebilling,
        retention: timedelta,
        agents: Agents,
        worths: Worths,
    ) -> None:
        """`retention` is the time until a recorded event expires."""
        seconds = int(retention.total_seconds())
        self.outcome_store = ItemOutcomes(store, seconds)
        self.events = RecordedEvents(usage, self.outcome_store, clock, agents, metered_versions)
        self.outcomes = Outcomes(self.outcome_store, usage, clock, agents, periods)
        self.outcome_decisions = OutcomeDecisions(
            self.outcome_store, clock, self.outcomes, metered_versions, periods, rebilling, worths, outbox
        )
        lookup = PaymentLookup(ItemWallets(store))
        self.paid_usage = PaidUsage(store, clock, usage, lookup, outbox, seconds)
        self.payments = EventPayments(lookup, self.paid_usage)
        self._settled_events = SettledEvents(
            ItemPaidEvents(store, seconds), clock, organizations, periods, metered_versions, rebilling, worths, outbox
        )
        self.late_pricing = LatePricing(
            *(ItemLatePrices(store, seconds), usage, clock, organizations, periods),
            *(costs, metered_versions, rebilling, worths, outbox),
            self.payments,
        )
        self.repair = Repair(ItemUsageShards(store), clock, metered_versions, rebilling, outbox, retention)

    def receivers(self) -> Mapping[str, Receiver]:
        """What effects do here."""
        return {
            EVENT_PAID: self.paid_usage.take,
            PAYMENT_CHANGED: self.paid_usage.change,
            PAYMENT_UNSETTLED: self.paid_usage.settle,
            EVENT_SETTLED: self._settled_events.settle,
            PAYMENT_PASSED: self.paid_usage.note_passed,
        }
