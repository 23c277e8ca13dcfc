"""Flat fee: an amount per period, quarter or year."""

from collections.abc import Sequence
from typing import Literal, Self

from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope, is_one_version
from shared.domain.pricing.charges.fees import Fee, RecurringCharge, fee_steps


class FlatFee(RecurringCharge):
    """An amount per period, quarter or year, with or without usage."""

    type: Literal["flat_fee"]
    amount: NonNegativeAmount
    """For a whole interval."""
    scope: Scope = "organization"

    @property
    def purpose(self) -> str:
        return f"fee per {self.interval}"

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        charge = segments[0].charge
        return RatedCharge(
            quantity=segments[-1].times,
            unit=charge.interval,
            unit_amount=charge.amount if is_one_version(segments) else None,
            steps=fee_steps(
                Fee(segment.version, segment.charge.amount, segment.share, segment.times) for segment in segments
            ),
        )
