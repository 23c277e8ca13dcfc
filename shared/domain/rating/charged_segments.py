"""Charged segments: the segments of each line, with the days that they pay for.

Fees, minima, maxima and included units are prorated by these days (docs/billing.md, "Days").
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from shared.domain.periods.periods import Day, Period
from shared.domain.pricing.charges.charge import Charge, Recurrence
from shared.domain.rating.facts import Cycle, Segment
from shared.domain.usage.events import POOLED


@dataclass(frozen=True, slots=True)
class LineKey:
    """Names a line; the same in every period (`{model}/{charge}/{agent or -}`)."""

    model_id: str
    charge_key: str
    agent_id: str

    def __str__(self) -> str:
        return f"{self.model_id}/{self.charge_key}/{self.agent_id}"


@dataclass(frozen=True, slots=True)
class ChargedSegment:
    """A segment with one charge of its version.

    Days are indexes of the period's local days: `agent_days` belong to the segment, `line_days` are those of them that
    count for the charge's line. `on_model_since` is when the agent came to the model, before earlier versions of it.
    """

    segment: Segment
    charge: Charge
    on_model_since: datetime
    agent_days: AbstractSet[int]
    line_days: AbstractSet[int]


def charged_segments(cycle: Cycle, recurrence: Recurrence) -> dict[LineKey, list[ChargedSegment]]:
    """The segments of every line of charges with this recurrence, ordered by (start, agent id).

    A pooled line counts each day once, for the first segment that the day belongs to. Commitments hold at places only.
    """
    if not any(charge.recurrence == recurrence for segment in cycle.segments for charge in _charges_of(segment)):
        return {}
    lines: dict[LineKey, list[ChargedSegment]] = {}
    pooled_days: dict[LineKey, set[int]] = {}
    previous: dict[tuple[str, str, bool], tuple[datetime, datetime]] = {}
    for segment, agent_days in _segments_with_days(cycle):
        agent_and_model = (segment.agent_id, segment.version.model_id, segment.has_usage)
        since, until = previous.get(agent_and_model, (segment.start, segment.start))
        since = since if until == segment.start else segment.start
        previous[agent_and_model] = (since, segment.end)
        for charge in _charges_of(segment):
            if charge.recurrence != recurrence or not segment.is_priced_by(charge):
                continue
            pooled = charge.scope == "organization"
            key = LineKey(segment.version.model_id, charge.key, POOLED if pooled else segment.agent_id)
            line_days = agent_days
            if pooled:
                taken = pooled_days.setdefault(key, set())
                line_days = agent_days - taken
                taken |= line_days
            lines.setdefault(key, []).append(ChargedSegment(segment, charge, since, agent_days, line_days))
    return lines


def _charges_of(segment: Segment) -> Sequence[Charge]:
    return segment.version.charges if segment.place is None else segment.version.priced


def first_days_of_models(periods: Iterable[tuple[Period, Sequence[Segment]]]) -> dict[str, datetime]:
    """When each billing model first has a day of a subscription, by model id.

    `periods` are in order, each with its segments. A model that is left on the day it came has no day,
    and a trial has no fees.
    """
    starts: dict[str, datetime] = {}
    for period, segments in periods:
        of_places = [segment for segment in segments if segment.place is not None and segment.has_days]
        for segment, _ in _segments_with_days(Cycle(period, of_places, closes=period.end)):
            if segment.version.charges:
                starts.setdefault(segment.version.model_id, max(segment.start, period.start))
    return starts


def _segments_with_days(cycle: Cycle) -> list[tuple[Segment, AbstractSet[int]]]:
    """The days of each segment, per agent and place. What has no day of a subscription has no fee of it."""
    by_agent: dict[tuple[str, str | None], list[Segment]] = {}
    for segment in (segment for segment in cycle.segments if segment.has_days):
        by_agent.setdefault((segment.agent_id, segment.place), []).append(segment)
    days = cycle.period.days()
    with_days: list[tuple[Segment, AbstractSet[int]]] = [
        (segment, agent_days)
        for segments in by_agent.values()
        for segment, agent_days in _with_days_of_agent(segments, days)
        if agent_days or segment.place is None
    ]
    with_days += [(segment, frozenset()) for segment in cycle.segments if not segment.has_days]
    return sorted(with_days, key=lambda owned: (max(owned[0].start, cycle.period.start), owned[0].agent_id))


def _with_days_of_agent(segments: Sequence[Segment], days: Sequence[Day]) -> list[tuple[Segment, AbstractSet[int]]]:
    """One agent's segments with their days. A day belongs to the last segment in force on it."""
    if len(segments) == 1 and segments[0].start <= days[0].start and segments[0].end >= days[-1].end:
        return [(segments[0], frozenset(range(len(days))))]
    with_days: list[tuple[Segment, AbstractSet[int]]] = []
    taken: set[int] = set()
    for segment in sorted(segments, key=lambda segment: segment.start, reverse=True):
        first = bisect_right(days, segment.start, key=lambda day: day.end)
        end = bisect_left(days, segment.end, key=lambda day: day.start)
        owned = frozenset(range(first, end)) - taken
        taken |= owned
        with_days.append((segment, owned))
    return with_days
