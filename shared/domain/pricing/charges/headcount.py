"""Charges for a number of agents or seats, prorated by day (docs/billing.md, "Heads by the day")."""

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
    """A fee by the number of agents or seats."""

    pricing: Pricing
    """The price of a number of agents or seats, for a whole interval."""
    discount: Discount | None = None
    """Given from a number of agents or seats on."""
    tier: Annotated[str, Field(max_length=200)] | None = None
    """A label for people, such as the name of a plan."""

    @model_validator(mode="after")
    def _prices_units(self) -> Self:
        if self.pricing.BASIS != "units":
            detail = f"{self.pricing.type} needs events; for heads use per_unit, graduated, volume or package"
            raise refusal((("pricing", "type"), detail))
        return self

    @property
    def purpose(self) -> str:
        purpose = f"per {self.type} and {self.interval}"
        return purpose if self.tier is None else f"{purpose}, {self.tier}"

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        del span
        estimate.allow_only("quantity")
        return {}


@dataclass(frozen=True, slots=True)
class HeadcountSegment:
    """The agents or seats (start, end] of a line that one version prices for a share of the days.

    `total` is the line's whole number at the time. `share` are the days over which they are paid, `line_share` those
    that count for the line, where each day counts once.
    """

    version: int
    pricing: PricingRule
    discount: Discount | None
    start: Fraction
    end: Fraction
    total: Fraction
    share: Fraction
    line_share: Fraction

    @property
    def whole_period(self) -> Sequence[ExactStep]:
        """What they would cost for the whole period."""
        units = UnitRange(self.start, self.end, self.total, first=self.start == 0)
        return self.pricing.steps(units, self.version)


def headcount_steps(segments: Sequence[HeadcountSegment]) -> list[ExactStep]:
    """The price of the whole period, then what proration and discounts take off."""
    steps: list[ExactStep] = []
    proration: list[ExactStep] = []
    discounted: list[DiscountedSegment] = []
    for segment in segments:
        whole_period = segment.whole_period
        whole = exact_sum(whole_period)
        due = whole * segment.share
        if segment.share:
            steps += whole_period
            proration += proration_steps(due - whole, segment.version)
        discounted.append(
            DiscountedSegment(segment.discount, segment.version, due, segment.line_share, quantity=segment.total)
        )
    discounts = [step for of_segment in discount_steps(discounted) for step in of_segment]
    return [*steps, *proration, *discounts]
