"""Prices for a number of heads, agents or seats, by the days that they were there."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.domain.kernel.validation import refusal
from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.discount import Discount, DiscountedSegment, discount_steps
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.fees import RecurringCharge, proration_steps
from shared.domain.pricing.lines import ExactStep, exact_sum
from shared.domain.pricing.rules import Pricing
from shared.domain.pricing.rules.rule import PricingRule, UnitRange


class HeadcountCharge(RecurringCharge):
    """Priced by a number of heads; `tier` is a label for people."""

    pricing: Pricing
    discount: Discount | None = None
    tier: Annotated[str, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _counts_heads(self) -> Self:
        """Heads are counted, they are worth nothing and carry no prices."""
        if not self.pricing.COUNTS_UNITS:
            detail = f"{self.pricing.type} needs events; for heads use per_unit, graduated, volume or package"
            raise refusal((("pricing", "type"), detail))
        return self

    @property
    def purpose(self) -> str:
        purpose = f"per {self.type} and {self.interval}"
        return purpose if self.tier is None else f"{purpose}, {self.tier}"

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        del span
        estimate.only("quantity")
        return {}


@dataclass(frozen=True, slots=True)
class HeadcountSegment:
    """The heads (start, end] of a line, of `total` at the same time, which were there for a share of its days under one
    version's price. Of those days `line_share` count for the line, so that each day counts once.
    """

    version: int
    pricing: PricingRule
    discount: Discount | None
    start: Fraction
    end: Fraction
    total: Fraction
    share: Fraction
    line_share: Fraction


def headcount_steps(groups: Sequence[HeadcountSegment]) -> list[ExactStep]:
    """What they cost for the whole time, then what proration and discounts take off."""
    whole = [
        group.pricing.steps(UnitRange(group.start, group.end, group.total, first=group.start == 0), group.version)
        for group in groups
    ]
    due = [exact_sum(steps) * group.share for steps, group in zip(whole, groups, strict=True)]
    result = [step for steps, group in zip(whole, groups, strict=True) if group.share for step in steps]
    for group, steps, own in zip(groups, whole, due, strict=True):
        result += proration_steps(own - exact_sum(steps), group.version) if group.share else []
    discounted = [
        DiscountedSegment(group.discount, group.version, own, group.line_share, group.total)
        for group, own in zip(groups, due, strict=True)
    ]
    return result + [step for off in discount_steps(discounted) for step in off]
