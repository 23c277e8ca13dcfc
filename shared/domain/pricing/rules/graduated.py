"""Each unit at the price of the tier it falls into."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import PricingRule, UnitRange
from shared.domain.pricing.rules.tiers import Tiers, split_by_tier


class Graduated(PricingRule):
    """A tier's flat amount is due once it is reached."""

    type: Literal["graduated"]
    tiers: Tiers

    @property
    def expected_steps(self) -> int:
        return len(self.tiers)

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        return [
            ExactStep(
                "tier",
                amount=share.quantity * Fraction(share.tier.unit_amount) + Fraction(share.flat_amount),
                version=version,
                lower=share.lower,
                upper=share.tier.up_to,
                quantity=share.quantity,
                unit_amount=share.tier.unit_amount,
                flat_amount=share.flat_amount,
            )
            for share in split_by_tier(self.tiers, units)
        ]
