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


class CategoryCost(Schema):
    category: str
    amount: ExactDecimal


class UnpricedAnswer(Schema):
    """LLM calls of models that have no price."""

    calls: int
    tokens: ExactDecimal


class ActivityAnswer(FiguresAnswer):
    currency: str
    period: SpanAnswer
    costs: list[CategoryCost]
    """The parts of `provider_cost`."""
    stated_cost: ExactDecimal
    """What the senders of LLM calls say that these cost. It is not part of `provider_cost`."""
    unpriced: UnpricedAnswer
    """Their cost is not known, and so not in `provider_cost`."""
    events: list[CountAnswer]


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
