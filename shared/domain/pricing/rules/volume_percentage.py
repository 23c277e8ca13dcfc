"""The whole value at the rate of the tier that it reaches."""

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.per_event import fixed_steps
from shared.domain.pricing.rules.rule import PricingRule, UnitRange, percent_of
from shared.domain.pricing.rules.tiers import PercentageTiers, tier_at


class VolumePercentage(PricingRule):
    """The flat amount of that tier is due once, by the first portion."""

    BY_VALUE: ClassVar[bool] = True
    COUNTS_UNITS: ClassVar[bool] = False

    type: Literal["volume_percentage"]
    tiers: PercentageTiers
    fixed_per_event: NonNegativeAmount = ZERO

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        steps = []
        if units.quantity or units.first:
            tier, lower = tier_at(self.tiers, units.total)
            flat_amount = tier.flat_amount if units.first else ZERO
            steps = [
                ExactStep(
                    "percentage",
                    amount=percent_of(units.quantity, tier.rate) + Fraction(flat_amount),
                    version=version,
                    lower=lower,
                    upper=tier.up_to,
                    quantity=units.quantity,
                    rate=tier.rate,
                    flat_amount=flat_amount,
                )
            ]
        return steps + fixed_steps(self.fixed_per_event, units.events, version)
