"""Discounts on a whole line, from a quantity on."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount, NonNegativeQuantity
from shared.domain.kernel.validation import refusal
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import percent_of

_HUNDRED = Decimal(100)


class Discount(BaseModel):
    """In percent, or an amount for the period."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_quantity: NonNegativeQuantity = ZERO
    percent: NonNegativeAmount | None = None
    amount: NonNegativeAmount | None = None

    @field_validator("percent")
    @classmethod
    def _not_beyond_all(cls, percent: Decimal | None) -> Decimal | None:
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
    """What a segment is due before its version's discount, its share of the period, and the quantity that decides
    whether it has the discount.
    """

    discount: Discount | None
    version: int
    due: Fraction
    share: Fraction
    quantity: Fraction


def discount_steps(segments: Sequence[DiscountedSegment]) -> list[list[ExactStep]]:
    """What is taken off each segment. Amounts are taken off all that
    is due under them together, never more than that.
    """
    discounts = [
        each.discount if each.discount is not None and each.quantity >= each.discount.from_quantity else None
        for each in segments
    ]
    by_amount = [
        (each, Fraction(discount.amount))
        for each, discount in zip(segments, discounts, strict=True)
        if discount is not None and discount.amount is not None
    ]
    room = max(Fraction(0), sum((each.due for each, _ in by_amount), Fraction(0)))
    wanted = sum((amount * each.share for each, amount in by_amount), Fraction(0))
    granted = min(room, wanted) / wanted if wanted else Fraction(0)
    return [_off(each, discount, granted) for each, discount in zip(segments, discounts, strict=True)]


def _off(segment: DiscountedSegment, discount: Discount | None, granted: Fraction) -> list[ExactStep]:
    if discount is None:
        return []
    if discount.percent is not None:
        off = percent_of(segment.due, discount.percent)
    else:
        off = Fraction(discount.amount or 0) * segment.share * granted
    return [ExactStep("discount", amount=-off, version=segment.version, rate=discount.percent)] if off else []
