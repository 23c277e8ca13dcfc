"""Charges for a number of agents or seats (docs/billing.md, "Heads by the day").

The number is counted at each local day's end: a day with n of them costs the price of n over the days of the period.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Self, TypeVar

from pydantic import Field, model_validator

from shared.domain.kernel.validation import refusal
from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.charge import Headcount, LineSegment, RatedCharge, is_one_version
from shared.domain.pricing.charges.discount import Discount, DiscountedSegment, discount_steps
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.fees import RecurringCharge, proration_steps
from shared.domain.pricing.lines import ExactStep, exact_sum
from shared.domain.pricing.rules import Pricing
from shared.domain.pricing.rules.rule import UnitRange


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

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        days = _days_by_number(segments)
        return RatedCharge(
            quantity=sum((counted.number * counted.share for counted in days), Fraction(0)),
            unit=segments[0].charge.type,
            unit_amount=segments[0].charge.pricing.single_price if is_one_version(segments) else None,
            steps=_headcount_steps(days),
        )

    @classmethod
    @abstractmethod
    def headcounts(cls, segment: LineSegment[Self]) -> Sequence[Headcount]:
        """The days of a segment by the number that is priced on them."""

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        del span
        estimate.allow_only("quantity")
        return {}


@dataclass(frozen=True, slots=True)
class _Days:
    """The share of days that ended with one number under one version."""

    version: int
    charge: HeadcountCharge
    number: Fraction
    share: Fraction

    @property
    def whole_period(self) -> Sequence[ExactStep]:
        """What the number would cost for the whole period."""
        return self.charge.pricing.steps(UnitRange.whole(self.number), self.version)


H = TypeVar("H", bound=HeadcountCharge)


def _days_by_number(segments: Sequence[LineSegment[H]]) -> list[_Days]:
    """The days of a line, in the order of their segments."""
    days: dict[tuple[int, Fraction], _Days] = {}
    for segment in segments:
        for headcount in segment.charge.headcounts(segment):
            place = (segment.version, headcount.number)
            before = days[place].share if place in days else Fraction(0)
            days[place] = _Days(segment.version, segment.charge, headcount.number, before + headcount.share)
    return list(days.values())


def _headcount_steps(days: Sequence[_Days]) -> list[ExactStep]:
    """For each number the whole period's price, then proration and discounts."""
    steps: list[ExactStep] = []
    proration: list[ExactStep] = []
    discounted: list[DiscountedSegment] = []
    for counted in days:
        whole_period = counted.whole_period
        whole = exact_sum(whole_period)
        due = whole * counted.share
        if counted.share:
            steps += whole_period
            proration += proration_steps(due - whole, counted.version)
        discounted.append(
            DiscountedSegment(counted.charge.discount, counted.version, due, counted.share, quantity=counted.number)
        )
    discounts = [step for of_number in discount_steps(discounted) for step in of_number]
    return [*steps, *proration, *discounts]
