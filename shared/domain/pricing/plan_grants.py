"""Grants of plans: credits that a subscription brings in each cycle, by its days at each plan.

A cycle's credits converge on the days (docs/subscriptions.md, "Credits"): each plan's grant counts by the days that
belong to the plan, as fees do. Only what has begun counts; what is known to end counts up to its end.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from shared.domain.kernel.histories import History, Interval
from shared.domain.kernel.money import ZERO, NonNegativeAmount, plain, round_to
from shared.domain.kernel.validation import Length, refusal
from shared.domain.kernel.validation_messages import Expected
from shared.domain.kernel.value import Value
from shared.domain.periods.periods import Period
from shared.domain.pricing.cycles import PlaceCycle
from shared.domain.pricing.places import Terms
from shared.domain.pricing.plan_intervals import PlanInterval

CREDIT_PLACES = 6
GrantedOn = Literal["start", "paid"]
MAXIMUM_GRANTS = 10
"""Of a plan."""


def _credits(amount: Decimal) -> Decimal:
    if amount != round_to(amount, CREDIT_PLACES):
        raise ValueError(f"has more than {CREDIT_PLACES} decimal places: credits are counted in millionths")
    return Decimal(plain(amount))


def _positive(amount: Decimal) -> Decimal:
    if not amount:
        raise ValueError("has to be more than 0")
    return amount


class PlanGrant(Value):
    """Credits that a plan brings in each of its cycles."""

    key: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9_-]{1,64}$"),
        Expected("1 to 64 small letters, digits, _ and -, such as included"),
    ]
    """Names the grant over all versions and plans of a place: after a change the other plan's goes on under it."""
    amount: Annotated[NonNegativeAmount, AfterValidator(_credits), AfterValidator(_positive)]
    """Credits for a whole cycle, with at most 6 decimals."""
    kind: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$"),
        Expected("a name of at most 40 small letters, digits, _ and -"),
    ] = "default"
    """The kind of credits. Kinds never mix."""
    promotional: bool = True
    """Whether they burn before bought ones of the same priority and expiry."""
    every: Literal["cycle"] = "cycle"
    """They are given once for each cycle."""
    on: GrantedOn = "start"
    """`start`: they are there from the cycle's start on. `paid`: as soon as nothing of the plan's fees in advance for
    the cycle is owed.
    """
    expires: Literal["cycle", "never"] = "cycle"
    """`cycle`: what is left at the cycle's end is gone, but for `rollover`. `never`: they stay."""
    rollover: Annotated[NonNegativeAmount, AfterValidator(_credits)] = ZERO
    """How many of them at most go on for one more cycle."""


def _each_key_once(grants: tuple[PlanGrant, ...]) -> tuple[PlanGrant, ...]:
    first: dict[str, int] = {}
    for index, grant in enumerate(grants):
        if first.setdefault(grant.key, index) != index:
            raise refusal(((index, "key"), f"is that of grant {first[grant.key]}, too"))
        if grant.rollover and grant.expires == "never":
            raise refusal(((index, "rollover"), "is for credits that expire with the cycle; these never do"))
    return grants


PlanGrants = Annotated[tuple[PlanGrant, ...], Length(0, MAXIMUM_GRANTS), AfterValidator(_each_key_once)]


@dataclass(frozen=True, slots=True)
class GrantName:
    """What credits of a place are kept apart by: a grant's key and kind."""

    key: str
    kind: str


@dataclass(frozen=True, slots=True)
class DueGrant:
    """What a place brings in a cycle under one name."""

    amount: Decimal
    """Half up to 6 decimals, over all plans once."""
    terms: PlanGrant
    """Of the plan that brought some of it last."""


def due_grants(
    history: History[Terms],
    grants: Mapping[str, Sequence[PlanGrant]],
    cycle: PlaceCycle,
    interval: PlanInterval,
    now: datetime,
) -> dict[GrantName, DueGrant]:
    """What plans of an interval bring at a place in a cycle of theirs, by what has begun by now.

    `grants` are those of the plan versions, by their id. Shares divide by all days of a cycle that was cut.
    """
    whole_days = len(cycle.uncut.days())
    exact: dict[GrantName, Fraction] = {}
    terms: dict[GrantName, PlanGrant] = {}
    for in_force, days in _with_days(history, cycle.period):
        had = in_force.value
        if had.status != "active" or had.interval != interval or in_force.start > now:
            continue
        for grant in grants[had.plan_version_id]:
            name = GrantName(grant.key, grant.kind)
            share = Fraction(grant.amount) * had.quantity * Fraction(days, whole_days)
            exact[name] = exact.get(name, Fraction(0)) + share
            terms[name] = grant
    return {
        name: DueGrant(Decimal(plain(round_to(amount, CREDIT_PLACES))), terms[name]) for name, amount in exact.items()
    }


def _with_days(history: History[Terms], cycle: Period) -> Iterator[tuple[Interval[Terms], int]]:
    """The plans at a place with the number of their days: a day belongs to the last plan in force on it."""
    intervals = [each for each in history.within(cycle.start, cycle.end) if each.value.has_plan]
    days: dict[int, int] = {}
    for day in cycle.days():
        on_day = [
            index
            for index, each in enumerate(intervals)
            if each.start < day.end and (each.end is None or each.end > day.start)
        ]
        if on_day:
            days[on_day[-1]] = days.get(on_day[-1], 0) + 1
    for index, number in days.items():
        yield intervals[index], number
