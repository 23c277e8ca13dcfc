"""Commitments: what goes beyond an agreed quantity costs a multiple."""

from decimal import Decimal
from fractions import Fraction

from pydantic import BaseModel, ConfigDict, field_validator

from shared.domain.kernel.money import NonNegativeAmount, NonNegativeQuantity
from shared.domain.pricing.lines import ExactStep

_ONE = Decimal(1)


class Commitment(BaseModel):
    """Inside one type it multiplies the units above, never flat amounts; of all types, all that is due for usage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: NonNegativeQuantity
    overage_multiplier: NonNegativeAmount

    @field_validator("overage_multiplier")
    @classmethod
    def _no_reduction(cls, multiplier: Decimal) -> Decimal:
        if multiplier < _ONE:
            raise ValueError("is less than 1, which would be a discount")
        return multiplier

    def overage(self, amount: Fraction, version: int, workflow: str | None = None) -> list[ExactStep]:
        """What comes on top of an amount that is multiplied."""
        on_top = amount * (Fraction(self.overage_multiplier) - 1)
        if not on_top:
            return []
        return [ExactStep("overage", amount=on_top, version=version, workflow=workflow)]
