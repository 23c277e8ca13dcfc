"""A fee for every seat."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from shared.domain.kernel.money import NonNegativeQuantity
from shared.domain.pricing.charges.charge import Headcount, HeadcountName, LineSegment, RatedCharge, only_version
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.headcount import HeadcountCharge, HeadcountSegment, headcount_steps

_NO_SEATS = "is neither members, seats nor a whole number from 0 on"


def _refused_as_one(value: object, validate: ValidatorFunctionWrapHandler) -> HeadcountName | Decimal:
    """Instead of what is wrong with it as a name, and as a number."""
    try:
        number: HeadcountName | Decimal = validate(value)
    except pydantic.ValidationError:
        raise ValueError(_NO_SEATS) from None
    if isinstance(number, Decimal) and number != int(number):
        raise ValueError(_NO_SEATS)
    return number


SeatNumber = Annotated[
    HeadcountName | NonNegativeQuantity, Field(union_mode="left_to_right"), WrapValidator(_refused_as_one)
]
"""Which of an organization's numbers, or a set one, which is whole."""


class SeatCharge(HeadcountCharge):
    """Priced by the organization's members, its seats, or a set number of them, each for the days that it had them."""

    type: Literal["seat"]
    quantity: SeatNumber = "members"
    scope: Literal["organization"] = "organization"

    @property
    def headcount(self) -> HeadcountName | None:
        return self.quantity if isinstance(self.quantity, str) else None

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        groups = [group for segment in segments for group in _groups(segment)]
        return RatedCharge(
            quantity=sum((group.end * group.share for group in groups), Fraction(0)),
            unit="seat",
            unit_amount=segments[0].charge.pricing.single_price if only_version(segments) else None,
            steps=headcount_steps(groups),
        )

    def with_estimate(self, estimate: Sequence[Estimate], agents: Fraction) -> Self:
        """With the number that is stated, else its own set number, else as many as there are agents."""
        seats = agents if self.headcount is not None else None
        numbers = [
            (each, each.headcount("quantity", Fraction(each.quantity)))
            for each in estimate
            if each.quantity is not None
        ]
        for each, number in numbers:
            if number != numbers[0][1]:
                raise each.refused("quantity", "is not what another entry of this charge says")
            seats = number
        return self if seats is None else self.model_copy(update={"quantity": Decimal(int(seats))})


def _groups(segment: LineSegment[SeatCharge]) -> Sequence[HeadcountSegment]:
    """One for each number of seats that there was; a set number holds all the time."""
    charge = segment.charge
    fixed = None if isinstance(charge.quantity, str) else Headcount(Fraction(charge.quantity), segment.share)
    return [
        HeadcountSegment(
            version=segment.version,
            pricing=charge.pricing,
            discount=charge.discount,
            start=Fraction(0),
            end=headcount.number,
            total=headcount.number,
            share=headcount.share,
            line_share=headcount.share,
        )
        for headcount in (segment.headcounts if fixed is None else [fixed])
    ]
