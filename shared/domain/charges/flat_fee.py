"""A fee per period, quarter or year, whatever happens in it."""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from shared.domain.charges.charge import Charge, LineSegment, RatedCharge, Recurrence, Scope, only_version
from shared.domain.charges.fees import Fee, Interval, fee_parts, recurrence_of
from shared.domain.lines import Timing
from shared.domain.money import NonNegativeAmount


class FlatFee(Charge):
    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope", "interval", "timing")

    type: Literal["flat_fee"]
    amount: NonNegativeAmount
    interval: Interval = "month"
    timing: Timing = "arrears"
    scope: Scope = "organization"

    @property
    def billed(self) -> Timing:
        return self.timing

    @property
    def recurs(self) -> Recurrence:
        return recurrence_of(self.interval)

    @property
    def purpose(self) -> str:
        return f"fee per {self.interval}"

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        charge = segments[0].charge
        return RatedCharge(
            quantity=segments[0].times,
            unit=charge.interval,
            unit_amount=charge.amount if only_version(segments) else None,
            parts=fee_parts(
                Fee(segment.version, segment.charge.amount, segment.share, segment.times, shared=segment.times == 1)
                for segment in segments
            ),
        )
