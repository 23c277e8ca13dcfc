"""One price for every unit."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.pricing.lines import Part
from shared.domain.pricing.rules.rule import Portion, PricingRule


class PerUnit(PricingRule):
    type: Literal["per_unit"]
    unit_amount: NonNegativeAmount

    @property
    def single_price(self) -> Decimal:
        return self.unit_amount

    def parts(self, portion: Portion, version: int) -> Sequence[Part]:
        if not portion.quantity and not portion.first:
            return []
        return [
            Part(
                "unit",
                amount=portion.quantity * Fraction(self.unit_amount),
                version=version,
                quantity=portion.quantity,
                unit_amount=self.unit_amount,
            )
        ]
