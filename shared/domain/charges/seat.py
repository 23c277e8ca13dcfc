"""A fee for every seat."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

import pydantic
from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from shared.domain.charges.charge import (
    Charge,
    Level,
    LevelName,
    LineSegment,
    RatedCharge,
    Recurrence,
    only_version,
)
from shared.domain.charges.discount import Discount
from shared.domain.charges.fees import Interval, recurrence_of
from shared.domain.charges.heads import Heads, head_parts, heads_purpose, refusals_of_heads
from shared.domain.charges.stated import Stated
from shared.domain.lines import Timing
from shared.domain.money import NonNegativeQuantity
from shared.domain.periods import Span
from shared.domain.pricing import Pricing
from shared.domain.readings import Reading
from shared.domain.validation import refusal

_NO_SEATS = "is neither members, seats nor a whole number from 0 on"


def _refused_as_one(value: object, validate: ValidatorFunctionWrapHandler) -> LevelName | Decimal:
    """Instead of what is wrong with it as a name, and as a number."""
    try:
        number: LevelName | Decimal = validate(value)
    except pydantic.ValidationError:
        raise ValueError(_NO_SEATS) from None
    if isinstance(number, Decimal) and number != int(number):
        raise ValueError(_NO_SEATS)
    return number


SeatNumber = Annotated[
    LevelName | NonNegativeQuantity, Field(union_mode="left_to_right"), WrapValidator(_refused_as_one)
]
"""Which of an organization's numbers, or a set one, which is whole."""


class Seat(Charge):
    """Priced by the organization's members, its seats, or a set number of them, each for the days that it had them."""

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope", "interval", "timing")

    type: Literal["seat"]
    quantity: SeatNumber = "members"
    pricing: Pricing
    interval: Interval = "month"
    timing: Timing = "arrears"
    discount: Discount | None = None
    tier: Annotated[str, Field(max_length=200)] | None = None
    scope: Literal["organization"] = "organization"

    @model_validator(mode="after")
    def _counts_seats(self) -> Self:
        wrong = list(refusals_of_heads(self.pricing))
        if wrong:
            raise refusal(*wrong)
        return self

    @property
    def billed(self) -> Timing:
        return self.timing

    @property
    def recurs(self) -> Recurrence:
        return recurrence_of(self.interval)

    @property
    def purpose(self) -> str:
        return heads_purpose("seat", self.tier, self.interval)

    @property
    def level(self) -> LevelName | None:
        return self.quantity if isinstance(self.quantity, str) else None

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        groups = [group for segment in segments for group in _groups(segment)]
        return RatedCharge(
            quantity=sum((group.end * group.share for group in groups), Fraction(0)),
            unit="seat",
            unit_amount=segments[0].charge.pricing.single_price if only_version(segments) else None,
            parts=head_parts(groups),
        )

    def readings_of(self, stated: Stated, span: Span) -> dict[str, Reading]:
        del span
        stated.only("quantity")
        return {}

    def calculated_with(self, stated: Sequence[Stated], agents: Fraction) -> Self:
        """With the number that is stated, else its own set number, else as many as there are agents."""
        seats = agents if self.level is not None else None
        numbers = [
            (each, each.heads("quantity", Fraction(each.quantity))) for each in stated if each.quantity is not None
        ]
        for each, number in numbers:
            if number != numbers[0][1]:
                raise each.refused("quantity", "is not what another entry of this charge says")
            seats = number
        return self if seats is None else self.model_copy(update={"quantity": Decimal(int(seats))})


def _groups(segment: LineSegment[Seat]) -> Sequence[Heads]:
    """One for each number of seats that there was; a set number holds all the time."""
    charge = segment.charge
    fixed = None if isinstance(charge.quantity, str) else Level(Fraction(charge.quantity), segment.share)
    return [
        Heads(
            version=segment.version,
            pricing=charge.pricing,
            discount=charge.discount,
            start=Fraction(0),
            end=level.number,
            total=level.number,
            share=level.share,
            line_share=level.share,
        )
        for level in (segment.levels if fixed is None else [fixed])
    ]
