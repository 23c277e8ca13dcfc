"""Per unit: the same price for every unit."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import PricingRule, UnitRange


class PerUnit(PricingRule):
    """The same price for every unit."""

    type: Literal["per_unit"]
    unit_amount: NonNegativeAmount
    """The price of one unit."""

    @property
    def single_price(self) -> Decimal:
        return self.unit_amount

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        if not units.quantity and not units.first:
            return []
        return [
            ExactStep(
                "unit",
                amount=units.quantity * Fraction(self.unit_amount),
                version=version,
                quantity=units.quantity,
                unit_amount=self.unit_amount,
            )
        ]
