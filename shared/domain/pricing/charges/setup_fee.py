"""A fee once, when a model is first used."""

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal, Self

from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.pricing.charges.charge import Charge, LineSegment, RatedCharge, Recurrence, Scope
from shared.domain.pricing.lines import ExactStep, Timing


class SetupFee(Charge):
    """Due in the period of its model's first segment ever in the organization, or with the scope `agent`, of each
    agent's first segment on it. Never prorated. One that a later version adds is due in full where that version is in
    force in that period, and never later.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope", "timing")

    type: Literal["setup_fee"]
    amount: NonNegativeAmount
    timing: Timing = "arrears"
    scope: Scope = "organization"

    @property
    def billing_timing(self) -> Timing:
        return self.timing

    @property
    def recurrence(self) -> Recurrence:
        return "once"

    @property
    def purpose(self) -> str:
        return "once"

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        first = segments[0]
        amount, times = first.charge.amount, first.times
        fee = ExactStep(
            "base_fee", amount=Fraction(amount) * times, version=first.version, quantity=times, unit_amount=amount
        )
        return RatedCharge(quantity=times, unit="setup", unit_amount=amount, steps=[fee])
