"""Volume: all units at the price of the tier that the line's whole quantity reaches."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from shared.domain.kernel.money import ZERO
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import PricingRule, UnitRange
from shared.domain.pricing.rules.tiers import Tiers, tier_at


class Volume(PricingRule):
    """All units cost the price of the tier that the whole quantity reaches.

    The tier's flat amount is due once.
    """

    type: Literal["volume"]
    tiers: Tiers
    """In rising order; the last one is open."""

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        if not units.quantity and not units.first:
            return []
        tier, lower = tier_at(self.tiers, units.total)
        flat_amount = tier.flat_amount if units.first else ZERO
        return [
            ExactStep(
                "tier",
                amount=units.quantity * Fraction(tier.unit_amount) + Fraction(flat_amount),
                version=version,
                lower=lower,
                upper=tier.up_to,
                quantity=units.quantity,
                unit_amount=tier.unit_amount,
                flat_amount=flat_amount,
            )
        ]
