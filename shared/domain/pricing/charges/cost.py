"""What agents cost at other providers, passed on with a markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import StringConstraints

from shared.domain.kernel.money import EXACT, ZERO, NonNegativeAmount, plain
from shared.domain.kernel.validation import Length
from shared.domain.metering.meters import Event, Measure
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope, only_version
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.modifiers import ModifiedCharge
from shared.domain.pricing.lines import ExactStep
from shared.domain.pricing.rules.rule import percent_of
from shared.domain.provider_costs.costs import COST_TYPE

MAXIMUM_CATEGORIES = 100
_NAMED = 5

Category = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,190}$")]


class CostCharge(ModifiedCharge):
    """The costs of some categories, LLM calls among them (`llm`), or of all where none is named; in the organization's
    currency.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope", "categories")

    type: Literal["cost"]
    categories: Annotated[tuple[Category, ...], Length(1, MAXIMUM_CATEGORIES)] | None = None
    markup_percent: NonNegativeAmount = ZERO
    scope: Scope = "agent"

    @property
    def purpose(self) -> str:
        categories = "all" if self.categories is None else ", ".join(self.categories[:_NAMED])
        more = "" if self.categories is None or len(self.categories) <= _NAMED else " and more"
        markup = f" plus {plain(self.markup_percent)} %" if self.markup_percent else ""
        return f"{categories}{more} costs{markup}"

    @cached_property
    def meters(self) -> Mapping[str, Measure]:
        return {self.key: _Amounts(None if self.categories is None else frozenset(self.categories))}

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        amounts = [_amount(segment) for segment in segments]
        used = [_passed_on(segment, amount) for segment, amount in zip(segments, amounts, strict=True)]
        quantity = sum(amounts, Fraction(0))
        return RatedCharge(
            quantity=quantity,
            unit="cost",
            unit_amount=_with_markup(segments[0].charge) if only_version(segments) else None,
            steps=cls.modified(segments, used, quantity),
        )

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        del span
        estimate.only("quantity", "value", "values")
        if estimate.value is None and estimate.values is None:  # the quantity of a cost is its amount
            return {self.key: CountAndSum(1, Fraction(estimate.quantity or 0))}
        events = estimate.events(each_needed=False, value_needed=False)
        return {self.key: CountAndSum(events.count, events.sum)}


@dataclass(frozen=True, slots=True)
class _Amounts:
    """How many costs, and what they come to."""

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


def _amount(segment: LineSegment[CostCharge]) -> Fraction:
    return segment.charge.meters[segment.charge.key].quantity(segment.readings[segment.charge.key], segment.span)


def _passed_on(segment: LineSegment[CostCharge], amount: Fraction) -> list[ExactStep]:
    if not amount:
        return []
    charge, version = segment.charge, segment.version
    markup = percent_of(amount, charge.markup_percent)
    passed_on = ExactStep("unit", amount=amount, version=version, quantity=amount, unit_amount=Decimal(1))
    return (
        [passed_on, ExactStep("premium", amount=markup, version=version, rate=charge.markup_percent)]
        if markup
        else [passed_on]
    )


def _with_markup(charge: CostCharge) -> Decimal:
    """What one unit of cost comes to."""
    return EXACT.divide(EXACT.add(Decimal(100), charge.markup_percent), Decimal(100))
