"""Answers about cost and revenue, for one agent or a group of agents."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from functions.fields import SpanAnswer
from shared.domain.kernel.money import ExactDecimal, RoundedAmount
from shared.domain.provider_costs.costs import REPORTED_COST, UNPRICED
from shared.domain.rating.figures import ActivityTotals
from shared.http import Query, Schema


class SummaryQuery(Query):
    period: str | None = Field(default=None, max_length=7)
    """A month such as 2026-10; by default the open period."""


class FiguresAnswer(Schema):
    """Cost and revenue, in `currency`."""

    provider_cost: ExactDecimal
    """The cost at providers."""
    billed_amount: RoundedAmount
    """The revenue: what the organization is billed."""
    outcome_value: ExactDecimal
    """The value of verified outcomes."""
    margin: ExactDecimal
    """(billed_amount - provider_cost) / billed_amount; 0 where nothing is billed."""
    return_ratio: ExactDecimal = Field(serialization_alias="return")
    """(outcome_value - billed_amount) / outcome_value; 0 where outcomes are worth nothing."""


class CountAnswer(Schema):
    event_type: str
    """`*` stands for all types beyond those that are counted one by one."""
    count: int
    """How many events."""


class CategoryCost(Schema):
    category: str
    """`llm`, `compute`, `api`, `labor`, `tools` or any other that was reported."""
    amount: ExactDecimal
    """The cost at providers."""


class UnpricedAnswer(Schema):
    """LLM calls of models that have no price."""

    calls: int
    """How many."""
    tokens: ExactDecimal
    """Input and output together."""


class ActivityAnswer(FiguresAnswer):
    currency: str
    period: SpanAnswer
    """The billing period that the figures are of."""
    costs: list[CategoryCost]
    """The parts of `provider_cost`."""
    stated_cost: ExactDecimal
    """The cost of LLM calls as their senders report it. Not part of `provider_cost`."""
    unpriced: UnpricedAnswer
    """LLM calls without a price. Their cost is unknown, so it is not in `provider_cost`."""
    events: list[CountAnswer]
    """How many of each type."""


def counted_events(activity: ActivityTotals) -> list[CountAnswer]:
    return [CountAnswer(event_type=event_type, count=count) for event_type, count in sorted(activity.counts.items())]


def activity_fields(activity: ActivityTotals) -> Mapping[str, Any]:
    """The fields of an `ActivityAnswer` that say what agents did."""
    return {
        "costs": [CategoryCost(category=name, amount=amount) for name, amount in activity.costs.items()],
        "stated_cost": activity.sum_of(REPORTED_COST),
        "unpriced": UnpricedAnswer(calls=activity.count_of(UNPRICED), tokens=activity.sum_of(UNPRICED)),
        "events": counted_events(activity),
    }
