"""Discounts: a percentage or an amount off, once a quantity is reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Self

from pydantic import field_validator, model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount, NonNegativeQuantity
from shared.domain.kernel.validation import refusal
from shared.domain.kernel.value import Value
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import percent_of

_HUNDRED = Decimal(100)


class Discount(Value):
    """A percentage, or an amount per period, off a line."""

    from_quantity: NonNegativeQuantity = ZERO
    """The line's quantity from which on the discount is given."""
    percent: NonNegativeAmount | None = None
    """In percent of what is due; at most 100."""
    amount: NonNegativeAmount | None = None
    """For a whole period; never more than what is due."""

    @field_validator("percent")
    @classmethod
    def _at_most_all(cls, percent: Decimal | None) -> Decimal | None:
        if percent is not None and percent > _HUNDRED:
            raise ValueError("is more than 100")
        return percent

    @model_validator(mode="after")
    def _percent_or_amount(self) -> Self:
        if (self.percent is None) == (self.amount is None):
            raise refusal((("percent",), "is needed, or amount in its place, but not both"))
        return self


@dataclass(frozen=True, slots=True)
class DiscountedSegment:
    """A segment of a line with its discount.

    `due` is what the segment costs before it, `share` the days of the segment over those of the period, `quantity`
    what decides whether the discount is given.
    """

    discount: Discount | None
    version: int
    due: Fraction
    share: Fraction
    quantity: Fraction

    @property
    def given(self) -> Discount | None:
        """The discount, where the quantity reaches it."""
        return self.discount if self.discount is not None and self.quantity >= self.discount.from_quantity else None

    @property
    def wanted_amount(self) -> Fraction:
        """The segment's share of a discount by an amount; 0 for a percentage."""
        return Fraction(0) if self.given is None else Fraction(self.given.amount or 0) * self.share


def discount_steps(segments: Sequence[DiscountedSegment]) -> list[list[ExactStep]]:
    """What the discounts take off each segment.

    Discounts by an amount take off at most what all segments that have one are due together; where that is less,
    each is reduced in the same proportion.
    """
    limit = sum((segment.due for segment in segments if _is_by_amount(segment.given)), Fraction(0))
    wanted = sum((segment.wanted_amount for segment in segments), Fraction(0))
    granted = min(max(Fraction(0), limit), wanted) / wanted if wanted else Fraction(0)
    return [_steps_of_segment(segment, granted) for segment in segments]


def _is_by_amount(discount: Discount | None) -> bool:
    return discount is not None and discount.amount is not None


def _steps_of_segment(segment: DiscountedSegment, granted: Fraction) -> list[ExactStep]:
    discount = segment.given
    if discount is None:
        return []
    if discount.percent is not None:
        reduction = percent_of(segment.due, discount.percent)
    else:
        reduction = segment.wanted_amount * granted
    if not reduction:
        return []
    return [ExactStep("discount", amount=-reduction, version=segment.version, rate=discount.percent)]
