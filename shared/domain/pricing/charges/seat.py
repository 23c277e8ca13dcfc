"""Seat charge: a fee by the number of an organization's members or seats."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from shared.domain.kernel.money import NonNegativeQuantity
from shared.domain.pricing.charges.charge import Headcount, LineSegment
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.headcount import HeadcountCharge

SeatHeadcount = Literal["members", "seats"]

_NO_SEATS = "is neither members, seats nor a whole number from 0 on"


def _one_refusal(value: object, validate: ValidatorFunctionWrapHandler) -> SeatHeadcount | Decimal:
    """One error in place of two, one for each type of the union."""
    try:
        number: SeatHeadcount | Decimal = validate(value)
    except pydantic.ValidationError:
        raise ValueError(_NO_SEATS) from None
    if isinstance(number, Decimal) and number != int(number):
        raise ValueError(_NO_SEATS)
    return number


SeatNumber = Annotated[
    SeatHeadcount | NonNegativeQuantity, Field(union_mode="left_to_right"), WrapValidator(_one_refusal)
]
"""A headcount of the organization, or a fixed whole number."""


class SeatCharge(HeadcountCharge):
    """A fee by a fixed number of seats, or by members or seats each day."""

    type: Literal["seat"]
    quantity: SeatNumber = "members"
    """Which headcount of the organization is priced, or a fixed whole number."""
    scope: Literal["organization"] = "organization"

    @property
    def headcount(self) -> SeatHeadcount | None:
        return self.quantity if isinstance(self.quantity, str) else None

    @classmethod
    def headcounts(cls, segment: LineSegment[Self]) -> Sequence[Headcount]:
        """A fixed number holds on all days of the segment."""
        quantity = segment.charge.quantity
        return segment.headcounts if isinstance(quantity, str) else [Headcount(Fraction(quantity), segment.share)]

    def with_estimates(self, estimates: Sequence[Estimate], agents: Fraction) -> Self:
        """With the estimated number of seats, else its fixed number, else one per agent."""
        seats = agents if self.headcount is not None else None
        numbers = [
            (estimate, estimate.whole_number("quantity", Fraction(estimate.quantity)))
            for estimate in estimates
            if estimate.quantity is not None
        ]
        for estimate, number in numbers:
            if number != numbers[0][1]:
                raise estimate.refused("quantity", "is not what another entry of this charge says")
            seats = number
        return self if seats is None else self.model_copy(update={"quantity": Decimal(int(seats))})
