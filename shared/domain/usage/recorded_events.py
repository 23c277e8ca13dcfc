"""Events as they were recorded: with their total, cost and exchange rate."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.kernel.money import ZERO
from shared.domain.provider_costs.costs import NO_COST, CostedEvent, EventCost
from shared.domain.usage.events import TotalKey


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):  # repair makes millions: quicker than a dataclass
    """An event that was metered, as it is stored until it expires."""

    key: str
    id: str
    """As its sender chose it."""
    source: str
    type: str
    time: str
    """Text of `times.to_text`."""
    run: str | None
    data: Mapping[str, Any]
    content: str
    """The hash of `AcceptedEvent.content`."""
    total: TotalKey
    """The total that it was added to."""
    cost: EventCost = NO_COST
    exchange_rate: Decimal | None = None
    """From the currency of its amounts to the organization's, where they differ."""
    returned_at: str | None = None
    """As `MeteredEvent.returned_at`."""
    reporter: str | None = None
    """As `AcceptedEvent.reporter`; None for what was recorded before all events had it."""
    standard_terms: bool = False
    """As `AcceptedEvent.standard_terms`."""

    paid_with: str | None = None
    """As `AcceptedEvent.paid_with`."""
    beyond_payment: Decimal = ZERO
    """What it costs beyond what its payment keeps, in the organization's currency."""
    payment_version: int = 0
    """Counts the changes of that."""
    payment_taken_off: bool = False
    """Whether the operator took the payment off."""

    @property
    def is_paid(self) -> bool:
        """Whether it costs nothing but what goes beyond its payment."""
        return self.paid_with is not None and not self.payment_taken_off

    def costed(self) -> CostedEvent:
        """The event as meters read it, with its recorded cost and exchange rate."""
        return CostedEvent(
            self.type,
            self.data,
            self.time,
            self.key,
            self.cost.amount,
            self.cost.category,
            self.exchange_rate,
            returned_at=self.returned_at,
        )

    @property
    def cost_difference(self) -> Decimal | None:
        """The cost of an LLM call minus the reported one; None unless both are known."""
        return self.cost.difference
