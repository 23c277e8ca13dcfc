"""Answers about what agents cost and earn, for one agent and for groups of them."""

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
    """A month such as 2026-10; without it the open period."""


class FiguresAnswer(Schema):
    """Amounts are in `currency`."""

    provider_cost: ExactDecimal
    """What providers charge for what the agents did."""
    billed_amount: RoundedAmount
    """What the organization is billed for it."""
    outcome_value: ExactDecimal
    """What verified outcomes are worth."""
    margin: ExactDecimal
    """(billed_amount - provider_cost) / billed_amount; 0 where nothing is billed."""
    return_ratio: ExactDecimal = Field(serialization_alias="return")
    """(outcome_value - billed_amount) / outcome_value; 0 where outcomes are worth nothing."""


class CountAnswer(Schema):
    event_type: str
    """`*` stands for all types beyond those that are told apart."""
    count: int
    """How many events."""


class CategoryCost(Schema):
    category: str
    """`llm`, `compute`, `api`, `labor`, `tools` or any other that was reported."""
    amount: ExactDecimal
    """What providers charge."""


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
    """What the senders of LLM calls say that these cost. It is not part of `provider_cost`."""
    unpriced: UnpricedAnswer
    """Their cost is not known, and so not in `provider_cost`."""
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
