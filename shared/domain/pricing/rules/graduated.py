"""Graduated: each unit at the price of the tier it falls into."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import PricingRule, UnitRange
from shared.domain.pricing.rules.tiers import Tiers, split_by_tier


class Graduated(PricingRule):
    """Each unit costs the price of its tier. A tier's flat amount is due once it is reached."""

    type: Literal["graduated"]
    tiers: Tiers
    """In rising order; the last one is open."""

    @property
    def expected_steps(self) -> int:
        return len(self.tiers)

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        return [
            ExactStep(
                "tier",
                amount=part.quantity * Fraction(part.tier.unit_amount) + Fraction(part.flat_amount),
                version=version,
                lower=part.lower,
                upper=part.tier.up_to,
                quantity=part.quantity,
                unit_amount=part.tier.unit_amount,
                flat_amount=part.flat_amount,
            )
            for part in split_by_tier(self.tiers, units)
        ]
