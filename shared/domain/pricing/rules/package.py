"""Package: units are sold in packages, a started package in full."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, Self

from pydantic import model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount, NonNegativeQuantity
from shared.domain.kernel.validation import refusal
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import PricingRule, UnitRange


class Package(PricingRule):
    """Units are sold in packages of a fixed size and price."""

    type: Literal["package"]
    package_size: NonNegativeQuantity
    """Units in one package, more than 0."""
    package_amount: NonNegativeAmount
    """The price of one package."""
    free_units: NonNegativeQuantity = ZERO
    """Units that are free before the first package starts."""
    rounding: Literal["up", "down"] = "up"
    """`up` charges a started package in full, `down` charges full packages only."""

    @model_validator(mode="after")
    def _size_is_positive(self) -> Self:
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
        """How many packages a quantity needs."""
        packages = max(Fraction(0), quantity - Fraction(self.free_units)) / Fraction(self.package_size)
        return Fraction(packages // 1 if self.rounding == "down" else -(-packages // 1))
