"""Volume percentage: the whole value at the rate of the tier that it reaches."""

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.per_event import per_event_steps
from shared.domain.pricing.rules.rule import Basis, PricingRule, UnitRange, percent_of
from shared.domain.pricing.rules.tiers import PercentageTiers, tier_at


class VolumePercentage(PricingRule):
    """The whole value costs the rate of the tier that it reaches.

    The tier's flat amount is due once.
    """

    BASIS: ClassVar[Basis] = "values"

    type: Literal["volume_percentage"]
    tiers: PercentageTiers
    """In rising order; the last one is open."""
    fixed_per_event: NonNegativeAmount = ZERO
    """Due for every event besides."""

    def steps(self, units: UnitRange, version: int) -> Sequence[ExactStep]:
        return self._percentage_steps(units, version) + per_event_steps(self.fixed_per_event, units.events, version)

    def _percentage_steps(self, units: UnitRange, version: int) -> list[ExactStep]:
        if not units.quantity and not units.first:
            return []
        tier, lower = tier_at(self.tiers, units.total)
        flat_amount = tier.flat_amount if units.first else ZERO
        return [
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
