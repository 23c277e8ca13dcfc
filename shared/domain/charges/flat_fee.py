"""A fee per period, whatever happens in it."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator

from shared.domain.charges.charge import Charge, LineSegment, RatedCharge, Scope
from shared.domain.charges.fees import Fee, fee_parts
from shared.domain.lines import Timing
from shared.domain.money import NonNegativeAmount


def _supported(interval: object) -> object:
    if interval in ("quarter", "year"):
        raise ValueError(f"{interval} is not supported yet; supported is: month")
    return interval


class FlatFee(Charge):
    type: Literal["flat_fee"]
    amount: NonNegativeAmount
    interval: Annotated[Literal["month"], BeforeValidator(_supported)] = "month"
    timing: Timing = "arrears"
    scope: Scope = "organization"

    @property
    def billed(self) -> Timing:
        return self.timing

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        fees = [Fee(segment.version, segment.charge.amount, segment.share) for segment in segments]
        amounts = {segment.charge.amount for segment in segments}
        return RatedCharge(
            quantity=Fraction(1),
            unit="month",
            unit_amount=amounts.pop() if len({segment.version for segment in segments}) == 1 else None,
            parts=fee_parts(fees, each_whole=False),
        )
