"""All units at the price of the tier that the whole quantity reaches."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from shared.domain.kernel.money import ZERO
from shared.domain.pricing.lines import Part
from shared.domain.pricing.rules.rule import Portion, PricingRule
from shared.domain.pricing.rules.tiers import Tiers, reached


class Volume(PricingRule):
    """The flat amount of that tier is due once, by the first portion."""

    type: Literal["volume"]
    tiers: Tiers

    def parts(self, portion: Portion, version: int) -> Sequence[Part]:
        if not portion.quantity and not portion.first:
            return []
        tier, lower = reached(self.tiers, portion.total)
        flat_amount = tier.flat_amount if portion.first else ZERO
        return [
            Part(
                "tier",
                amount=portion.quantity * Fraction(tier.unit_amount) + Fraction(flat_amount),
                version=version,
                lower=lower,
                upper=tier.up_to,
                quantity=portion.quantity,
                unit_amount=tier.unit_amount,
                flat_amount=flat_amount,
            )
        ]
