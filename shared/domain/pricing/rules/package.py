"""Units in packages, each at one price, the begun one included."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, Self

from pydantic import model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount, NonNegativeQuantity
from shared.domain.kernel.validation import refusal
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import PricingRule, UnitRange


class Package(PricingRule):
    """`free_units` come before the first package. With `rounding` down, only full packages are paid."""

    type: Literal["package"]
    package_size: NonNegativeQuantity
    package_amount: NonNegativeAmount
    free_units: NonNegativeQuantity = ZERO
    rounding: Literal["up", "down"] = "up"

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.package_size == 0:
            raise refusal((("package_size",), "has to be more than 0"))
        return self

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        packages = self._packages(units.end) - self._packages(units.start)
        if not packages and not units.first:
            return []
        return [
            ExactStep(
                "package",
                amount=packages * Fraction(self.package_amount),
                version=version,
                quantity=packages,
                unit_amount=self.package_amount,
            )
        ]

    def _packages(self, quantity: Fraction) -> Fraction:
        paid = max(Fraction(0), quantity - Fraction(self.free_units)) / Fraction(self.package_size)
        return Fraction(paid // 1 if self.rounding == "down" else -(-paid // 1))
