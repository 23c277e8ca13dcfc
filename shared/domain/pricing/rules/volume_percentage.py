"""The whole value at the rate of the tier that it reaches."""

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.pricing.lines import Part
from shared.domain.pricing.rules.per_event import fixed_part
from shared.domain.pricing.rules.rule import Portion, PricingRule, percent_of
from shared.domain.pricing.rules.tiers import PercentageTiers, reached


class VolumePercentage(PricingRule):
    """The flat amount of that tier is due once, by the first portion."""

    BY_VALUE: ClassVar[bool] = True
    COUNTS_UNITS: ClassVar[bool] = False

    type: Literal["volume_percentage"]
    tiers: PercentageTiers
    fixed_per_event: NonNegativeAmount = ZERO

    def parts(self, portion: Portion, version: int) -> Sequence[Part]:
        parts = []
        if portion.quantity or portion.first:
            tier, lower = reached(self.tiers, portion.total)
            flat_amount = tier.flat_amount if portion.first else ZERO
            parts = [
                Part(
                    "percentage",
                    amount=percent_of(portion.quantity, tier.rate) + Fraction(flat_amount),
                    version=version,
                    lower=lower,
                    upper=tier.up_to,
                    quantity=portion.quantity,
                    rate=tier.rate,
                    flat_amount=flat_amount,
                )
            ]
        return parts + fixed_part(self.fixed_per_event, portion.events, version)
