"""Each part of the value at the rate of the tier it falls into."""

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.pricing.lines import Part
from shared.domain.pricing.rules.per_event import fixed_part
from shared.domain.pricing.rules.rule import Portion, PricingRule, percent_of
from shared.domain.pricing.rules.tiers import PercentageTiers, shares


class GraduatedPercentage(PricingRule):
    """A tier's flat amount is due once it is reached."""

    BY_VALUE: ClassVar[bool] = True
    COUNTS_UNITS: ClassVar[bool] = False

    type: Literal["graduated_percentage"]
    tiers: PercentageTiers
    fixed_per_event: NonNegativeAmount = ZERO

    @property
    def most_steps(self) -> int:
        return len(self.tiers)

    def parts(self, portion: Portion, version: int) -> Sequence[Part]:
        parts = [
            Part(
                "percentage",
                amount=percent_of(share.quantity, share.tier.rate) + Fraction(share.flat_amount),
                version=version,
                lower=share.lower,
                upper=share.tier.up_to,
                quantity=share.quantity,
                rate=share.tier.rate,
                flat_amount=share.flat_amount,
            )
            for share in shares(self.tiers, portion)
        ]
        return parts + fixed_part(self.fixed_per_event, portion.events, version)
