"""Graduated percentage: each part of the value at the rate of its tier."""

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.per_event import per_event_steps
from shared.domain.pricing.rules.rule import Basis, PricingRule, UnitRange, percent_of
from shared.domain.pricing.rules.tiers import PercentageTiers, split_by_tier


class GraduatedPercentage(PricingRule):
    """Each part of the value costs the rate of its tier.

    A tier's flat amount is due once it is reached.
    """

    BASIS: ClassVar[Basis] = "values"

    type: Literal["graduated_percentage"]
    tiers: PercentageTiers
    """In rising order; the last one is open."""
    fixed_per_event: NonNegativeAmount = ZERO
    """Due for every event besides."""

    @property
    def expected_steps(self) -> int:
        return len(self.tiers)

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        steps = [
            ExactStep(
                "percentage",
                amount=percent_of(part.quantity, part.tier.rate) + Fraction(part.flat_amount),
                version=version,
                lower=part.lower,
                upper=part.tier.up_to,
                quantity=part.quantity,
                rate=part.tier.rate,
                flat_amount=part.flat_amount,
            )
            for part in split_by_tier(self.tiers, units)
        ]
        return steps + per_event_steps(self.fixed_per_event, units.events, version)
