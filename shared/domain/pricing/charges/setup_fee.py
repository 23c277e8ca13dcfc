"""Setup fee: an amount once, when a billing model is first used."""

from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar, Literal, Self

from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.pricing.charges.charge import Charge, LineSegment, RatedCharge, Recurrence, Scope
from shared.domain.pricing.lines import ExactStep, Timing


class SetupFee(Charge):
    """An amount once, in the period in which its billing model is first used.

    It is never prorated. First used by any agent of the organization, or with the scope `agent` by each agent. A fee
    that a later version adds is due in full where that version is in force in the period of the first use, and else
    never.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope", "timing", "settles")

    type: Literal["setup_fee"]
    amount: NonNegativeAmount
    """Due in full."""
    timing: Timing = "arrears"
    """Whether it is billed after the period of the first use or in advance."""
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
