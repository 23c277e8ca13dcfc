"""Modifiers around the price of usage: base fee, discount, maximum and minimum."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Self

from pydantic import model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.kernel.validation import refusal
from shared.domain.pricing.charges.charge import Charge, LineSegment
from shared.domain.pricing.charges.discount import Discount, DiscountedSegment, discount_steps
from shared.domain.pricing.charges.fees import BaseFee, Fee, fee_steps
from shared.domain.pricing.lines import ExactStep, SettlingSide, exact_sum


class ModifiedCharge(Charge):
    """A charge for usage with modifiers of the whole line.

    The base fee is added first, then the discount taken off; the sum is capped at the maximum and raised to the
    minimum. Amounts are for a whole period and prorated by day (docs/billing.md, "Once per line").
    """

    settles: SettlingSide = "wallet"
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    base_fee: BaseFee | None = None
    """Due besides the price of usage."""
    discount: Discount | None = None
    """Off base fee and usage."""
    minimum: NonNegativeAmount | None = None
    """What the line costs at least."""
    minimum_when_unused: bool = True
    """Whether the minimum is due without any usage."""
    maximum: NonNegativeAmount | None = None
    """What the line costs at most."""

    @property
    def is_due_for_each_agent(self) -> bool:
        return self.scope == "agent" or (self.base_fee is not None and self.base_fee.per == "agent")

    @model_validator(mode="after")
    def _minimum_below_maximum(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise refusal((("minimum",), "is more than the maximum"))
        return self

    @classmethod
    def modified_steps(
        cls, segments: Sequence[LineSegment[Self]], usage: Sequence[Sequence[ExactStep]], quantity: Fraction
    ) -> list[ExactStep]:
        """All steps of a line; `usage` are the steps of each segment's usage.

        `quantity` is that of the whole line.
        """
        fees = [_base_fee(segment) for segment in segments]
        steps = fee_steps(fees) + [step for of_segment in usage for step in of_segment]
        due = [exact_sum(of_segment) + fee.due for of_segment, fee in zip(usage, fees, strict=True)]
        discounts = discount_steps(
            [
                DiscountedSegment(segment.charge.discount, segment.version, amount, segment.share, quantity)
                for segment, amount in zip(segments, due, strict=True)
            ]
        )
        steps += [step for of_segment in discounts for step in of_segment]
        due = [amount + exact_sum(discount) for amount, discount in zip(due, discounts, strict=True)]
        steps += cls.maximum_steps(segments, fees, due)
        return steps + _minimum_steps(segments, exact_sum(steps), unused=quantity == 0)

    @classmethod
    def maximum_steps(
        cls, segments: Sequence[LineSegment[Self]], fees: Sequence[Fee], due: Sequence[Fraction]
    ) -> list[ExactStep]:
        """What the maximum takes off.

        The sum of all maxima caps the sum of the segments that have one.
        """
        del fees
        capped = Fraction(0)
        maximum = Fraction(0)
        for segment, amount in zip(segments, due, strict=True):
            if segment.charge.maximum is not None:
                capped += amount
                maximum += Fraction(segment.charge.maximum) * segment.share
        return [ExactStep("maximum", amount=maximum - capped)] if capped > maximum else []


def _base_fee(segment: LineSegment[ModifiedCharge]) -> Fee:
    base_fee = segment.charge.base_fee
    if base_fee is None:
        return Fee(segment.version, ZERO, Fraction(0))
    if base_fee.per == "agent":
        return Fee(segment.version, base_fee.amount, segment.agent_share, times=segment.agents, per_line=False)
    return Fee(segment.version, base_fee.amount, segment.share)


def _minimum_steps(segments: Sequence[LineSegment[ModifiedCharge]], due: Fraction, *, unused: bool) -> list[ExactStep]:
    """What raises the line to the sum of its minima.

    Without usage, only minima that are due without usage count.
    """
    minimum = sum(
        (
            Fraction(segment.charge.minimum) * segment.share
            for segment in segments
            if segment.charge.minimum is not None and (segment.charge.minimum_when_unused or not unused)
        ),
        Fraction(0),
    )
    return [ExactStep("minimum", amount=minimum - due)] if due < minimum else []
