"""Cost charge: provider costs passed on with a markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import StringConstraints

from shared.domain.kernel.money import EXACT, ZERO, NonNegativeAmount, plain
from shared.domain.kernel.validation import Length
from shared.domain.kernel.validation_messages import Expected
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.metering.gauges import Event, Measure
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope, is_one_version
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.modifiers import ModifiedCharge
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import percent_of
from shared.domain.provider_costs.costs import COST_TYPE, LLM

MAXIMUM_CATEGORIES = 100
_NAMED = 5
"""How many categories the description of a line names."""

Category = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,190}$"), Expected("1 to 190 letters, digits and _ . : / -")
]


class CostCharge(ModifiedCharge):
    """Provider costs of some categories, or of all, passed on with a markup.

    Costs are in the organization's currency, converted at the exchange rate of the event's time.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope", "categories", "settles")

    type: Literal["cost"]
    categories: Annotated[tuple[Category, ...], Length(1, MAXIMUM_CATEGORIES)] | None = None
    """Which categories are passed on, null for all; `llm` is the category of LLM calls."""
    markup_percent: NonNegativeAmount = ZERO
    """Added to the costs, in percent of them."""
    scope: Scope = "agent"

    @property
    def purpose(self) -> str:
        categories = "all" if self.categories is None else ", ".join(self.categories[:_NAMED])
        more = "" if self.categories is None or len(self.categories) <= _NAMED else " and more"
        markup = f" plus {plain(self.markup_percent)} %" if self.markup_percent else ""
        return f"{categories}{more} costs{markup}"

    @cached_property
    def meters(self) -> Mapping[str, Measure]:
        return {self.key: _CostMeter(None if self.categories is None else frozenset(self.categories))}

    def takes(self, event_type: str) -> bool:
        if event_type == LLM_CALL:
            category = LLM
        elif event_type.startswith(COST_TYPE):
            category = event_type.removeprefix(COST_TYPE)
        else:
            return False
        return self.categories is None or category in self.categories

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        costs = [_cost(segment) for segment in segments]
        usage = [_usage_steps(segment, cost) for segment, cost in zip(segments, costs, strict=True)]
        quantity = sum(costs, Fraction(0))
        return RatedCharge(
            quantity=quantity,
            unit="cost",
            unit_amount=_with_markup(segments[0].charge) if is_one_version(segments) else None,
            steps=cls.modified_steps(segments, usage, quantity),
        )

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        del span
        estimate.allow_only("quantity", "value", "values")
        if not estimate.has_values:  # the quantity of a cost is its amount
            return {self.key: CountAndSum(1, Fraction(estimate.quantity or 0))}
        events = estimate.events(each_needed=False, value_needed=False)
        return {self.key: CountAndSum(events.count, events.sum)}


@dataclass(frozen=True, slots=True)
class _CostMeter:
    """Counts and adds up the costs of some categories, or of all."""

    categories: frozenset[str] | None

    aggregation: ClassVar[str] = "sum"

    @property
    def event_type(self) -> str:
        if self.categories is None or len(self.categories) > 1:
            return COST_TYPE.rstrip(".")
        return COST_TYPE + next(iter(self.categories))

    @property
    def nothing(self) -> CountAndSum:
        return CountAndSum()

    def measure(self, event: Event) -> CountAndSum | None:
        if event.cost is None or (self.categories is not None and event.cost_category not in self.categories):
            return None
        return CountAndSum(1, event.cost)

    def quantity(self, reading: Reading, span: Span) -> Fraction:  # noqa: ARG002  the same in any period
        if not isinstance(reading, CountAndSum):
            raise TypeError("costs are added up")
        return Fraction(reading.sum)


def _cost(segment: LineSegment[CostCharge]) -> Fraction:
    charge = segment.charge
    return charge.meters[charge.key].quantity(segment.readings[charge.key], segment.span)


def _usage_steps(segment: LineSegment[CostCharge], cost: Fraction) -> list[ExactStep]:
    if not cost:
        return []
    charge, version = segment.charge, segment.version
    steps = [ExactStep("unit", amount=cost, version=version, quantity=cost, unit_amount=Decimal(1))]
    markup = percent_of(cost, charge.markup_percent)
    if markup:
        steps.append(ExactStep("premium", amount=markup, version=version, rate=charge.markup_percent))
    return steps


def _with_markup(charge: CostCharge) -> Decimal:
    """What one unit of cost is passed on at."""
    return EXACT.divide(EXACT.add(Decimal(100), charge.markup_percent), Decimal(100))
