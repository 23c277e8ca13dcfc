"""Each unit at the price of the tier it falls into."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from shared.domain.lines import Part
from shared.domain.money import ZERO
from shared.domain.pricing.quantity_pricing import Portion, QuantityPricing
from shared.domain.pricing.tiers import Tiers


class Graduated(QuantityPricing):
    """A tier's flat amount is due once it is reached. A quantity at a bound is in the lower tier, between two tiers
    in the upper one; no quantity at all is in the first tier.
    """

    type: Literal["graduated"]
    tiers: Tiers

    def parts(self, portion: Portion, version: int) -> Sequence[Part]:
        parts = []
        lower = ZERO
        for tier in self.tiers:
            reached_before = portion.start > lower or (lower == 0 and not portion.first)
            if portion.end <= lower and not (lower == 0 and portion.first):
                break
            upper = portion.end if tier.up_to is None else min(portion.end, Fraction(tier.up_to))
            quantity = max(Fraction(0), upper - max(portion.start, Fraction(lower)))
            if quantity or not reached_before:
                flat_amount = ZERO if reached_before else tier.flat_amount
                parts.append(
                    Part(
                        "tier",
                        amount=quantity * Fraction(tier.unit_amount) + Fraction(flat_amount),
                        version=version,
                        lower=lower,
                        upper=tier.up_to,
                        quantity=quantity,
                        unit_amount=tier.unit_amount,
                        flat_amount=flat_amount,
                    )
                )
            if tier.up_to is not None:
                lower = tier.up_to
        return parts
