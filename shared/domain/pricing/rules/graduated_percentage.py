"""Each part of the value at the rate of the tier it falls into."""

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.per_event import fixed_steps
from shared.domain.pricing.rules.rule import PricingRule, UnitRange, percent_of
from shared.domain.pricing.rules.tiers import PercentageTiers, split_by_tier


class GraduatedPercentage(PricingRule):
    """A tier's flat amount is due once it is reached."""

    BY_VALUE: ClassVar[bool] = True
    COUNTS_UNITS: ClassVar[bool] = False

    type: Literal["graduated_percentage"]
    tiers: PercentageTiers
    fixed_per_event: NonNegativeAmount = ZERO

    @property
    def expected_steps(self) -> int:
        return len(self.tiers)

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        steps = [
            ExactStep(
                "percentage",
                amount=percent_of(share.quantity, share.tier.rate) + Fraction(share.flat_amount),
                version=version,
                lower=share.lower,
                upper=share.tier.up_to,
                quantity=share.quantity,
                rate=share.tier.rate,
                flat_amount=share.flat_amount,
            )
            for share in split_by_tier(self.tiers, units)
        ]
        return steps + fixed_steps(self.fixed_per_event, units.events, version)
