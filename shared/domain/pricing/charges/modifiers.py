"""What usage charges put around the price of usage: a fee, a discount, a maximum and a minimum."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Self

from pydantic import model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.kernel.validation import refusal
from shared.domain.pricing.charges.charge import Charge, LineSegment
from shared.domain.pricing.charges.discount import Discount, DiscountedSegment, discount_steps
from shared.domain.pricing.charges.fees import BaseFee, Fee, fee_steps
from shared.domain.pricing.lines import ExactStep, exact_sum


class ModifiedCharge(Charge):
    """A charge for usage with its modifiers. They cover all of the line: first the base fee is added, then the discount
    taken off; the sum is cut to the maximum and lifted to the minimum.
    """

    base_fee: BaseFee | None = None
    discount: Discount | None = None
    minimum: NonNegativeAmount | None = None
    minimum_when_unused: bool = True
    maximum: NonNegativeAmount | None = None

    @model_validator(mode="after")
    def _minimum_below_maximum(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise refusal((("minimum",), "is more than the maximum"))
        return self

    @classmethod
    def modified(
        cls, segments: Sequence[LineSegment[Self]], used: Sequence[Sequence[ExactStep]], quantity: Fraction
    ) -> list[ExactStep]:
        """The parts of a line, from what each segment's usage costs and the quantity of the whole line."""
        fees = [_fee(segment) for segment in segments]
        steps = fee_steps(fees) + [step for own in used for step in own]
        due = [exact_sum(own) + fee.due for own, fee in zip(used, fees, strict=True)]
        discounts = discount_steps(
            [
                DiscountedSegment(segment.charge.discount, segment.version, own, segment.share, quantity)
                for segment, own in zip(segments, due, strict=True)
            ]
        )
        steps += [step for own in discounts for step in own]
        due = [own + exact_sum(off) for own, off in zip(due, discounts, strict=True)]
        steps += cls.maximum_steps(segments, fees, due)
        return steps + _minimum_steps(segments, exact_sum(steps), unused=quantity == 0)

    @classmethod
    def maximum_steps(
        cls, segments: Sequence[LineSegment[Self]], fees: Sequence[Fee], due: Sequence[Fraction]
    ) -> list[ExactStep]:
        """Segments with a maximum are capped together; the others add their own part."""
        del fees
        capped = Fraction(0)
        maximum = Fraction(0)
        for segment, own in zip(segments, due, strict=True):
            if segment.charge.maximum is not None:
                capped += own
                maximum += Fraction(segment.charge.maximum) * segment.share
        return [ExactStep("maximum", amount=maximum - capped)] if capped > maximum else []


def _fee(segment: LineSegment[ModifiedCharge]) -> Fee:
    base_fee = segment.charge.base_fee
    if base_fee is None:
        return Fee(segment.version, ZERO, Fraction(0))
    if base_fee.per == "agent":
        return Fee(segment.version, base_fee.amount, segment.agent_share, times=segment.agents, shared=False)
    return Fee(segment.version, base_fee.amount, segment.share)


def _minimum_steps(segments: Sequence[LineSegment[ModifiedCharge]], due: Fraction, *, unused: bool) -> list[ExactStep]:
    """The line is lifted to the sum of its minima; an unused line only by those that hold when unused."""
    minimum = sum(
        (
            Fraction(segment.charge.minimum) * segment.share
            for segment in segments
            if segment.charge.minimum is not None and (segment.charge.minimum_when_unused or not unused)
        ),
        Fraction(0),
    )
    return [ExactStep("minimum", amount=minimum - due)] if due < minimum else []
