"""What a model's prices make of the counts of a call."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import msgspec

from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.usage_counts import Count, Counts


class PriceStep(msgspec.Struct, frozen=True):
    """What one unit of a call costs."""

    unit: str
    """Its usage key."""
    quantity: Decimal
    """Without what is inside it and has a price of its own."""
    unit_amount: Decimal
    """The price of `per` of them."""
    per: int
    amount: Decimal
    """Exact."""


class PricedModel(Protocol):
    """The prices of a model, from a list or from the operator."""

    @property
    def name(self) -> str:
        """Its `provider/model`."""
        ...

    @property
    def currency(self) -> str: ...

    def cost(self, counts: Counts, tier: str, at: datetime) -> Decimal | Unpriced:
        """What a call costs, rounded half up to 12 places.

        Unpriced where a unit, or the service tier, has no price in force at that time.
        """
        ...

    def rates(self, context: Count, tier: str, at: datetime) -> Mapping[str, Decimal]:
        """The prices in force for a number of input tokens, by usage key; empty without any."""
        ...

    def steps(self, counts: Counts, tier: str, at: datetime) -> list[PriceStep]:
        """How a priced call's cost comes about."""
        ...

    def is_free(self, tier: str, at: datetime) -> bool:
        """Whether all its prices at that time are 0."""
        ...
