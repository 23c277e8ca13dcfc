"""A fee per period, quarter or year, whatever happens in it."""

from collections.abc import Sequence
from typing import Literal, Self

from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope, only_version
from shared.domain.pricing.charges.fees import Fee, RecurringCharge, fee_steps


class FlatFee(RecurringCharge):
    type: Literal["flat_fee"]
    amount: NonNegativeAmount
    scope: Scope = "organization"

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
            steps=fee_steps(
                Fee(segment.version, segment.charge.amount, segment.share, segment.times, shared=segment.times == 1)
                for segment in segments
            ),
        )
