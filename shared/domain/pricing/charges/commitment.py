"""Commitments: usage beyond an agreed quantity costs a multiple of its price."""

from decimal import Decimal
from fractions import Fraction

from pydantic import field_validator

from shared.domain.kernel.money import NonNegativeAmount, NonNegativeQuantity
from shared.domain.kernel.value import Value
from shared.domain.pricing.lines import ExactStep

_ONE = Decimal(1)


class Commitment(Value):
    """An agreed quantity, and the multiple that usage beyond it costs.

    Of one metered quantity, the units beyond the commitment cost the multiple, flat amounts of tiers never do. Of all
    types of workflows together, exceeding it multiplies all that is due for usage.
    """

    quantity: NonNegativeQuantity
    """The agreed quantity in a period; included units count towards it."""
    overage_multiplier: NonNegativeAmount
    """What usage beyond it costs, as a multiple of its price; 1 or more."""

    @field_validator("overage_multiplier")
    @classmethod
    def _no_reduction(cls, multiplier: Decimal) -> Decimal:
        if multiplier < _ONE:
            raise ValueError("is less than 1, which would be a discount")
        return multiplier

    def overage(self, amount: Fraction, version: int) -> list[ExactStep]:
        """What the multiple adds to an amount; no step where that is nothing."""
        added = amount * (Fraction(self.overage_multiplier) - 1)
        return [ExactStep("overage", amount=added, version=version)] if added else []
