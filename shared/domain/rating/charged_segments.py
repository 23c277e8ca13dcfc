"""Charged segments: the segments of each line, with the days that they pay for.

Fees, minima, maxima and included units are prorated by these days (docs/billing.md, "Days").
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Day, Period
from shared.domain.pricing.charges.charge import Charge, Headcount, LineSegment, Recurrence
from shared.domain.rating.facts import POOLED, Cycle, Facts, InconsistentFactsError, MeterReadings, Segment

_INSTANT = timedelta(microseconds=1)


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
    count for the charge's line.
    """

    segment: Segment
    charge: Charge
    agent_days: AbstractSet[int]
    line_days: AbstractSet[int]


def charged_segments(cycle: Cycle, recurrence: Recurrence) -> dict[LineKey, list[ChargedSegment]]:
    """The segments of every line of charges with this recurrence, ordered by (start, agent id).

    A pooled line counts each day once, for the first segment that the day belongs to.
    """
    lines: dict[LineKey, list[ChargedSegment]] = {}
    pooled_days: dict[LineKey, set[int]] = {}
    for segment, agent_days in _segments_with_days(cycle):
        for charge in segment.version.charges:
            if charge.recurrence != recurrence:
                continue
            pooled = charge.scope == "organization"
            key = LineKey(segment.version.model_id, charge.key, POOLED if pooled else segment.agent_id)
            line_days = agent_days
            if pooled:
                taken = pooled_days.setdefault(key, set())
                line_days = agent_days - taken
                taken |= line_days
            lines.setdefault(key, []).append(ChargedSegment(segment, charge, agent_days, line_days))
    return lines


def _segments_with_days(cycle: Cycle) -> list[tuple[Segment, AbstractSet[int]]]:
    by_agent: dict[str, list[Segment]] = {}
    for segment in cycle.segments:
        by_agent.setdefault(segment.agent_id, []).append(segment)
    days = cycle.period.days()
    with_days = [owned for segments in by_agent.values() for owned in _with_days_of_agent(segments, days)]
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


def line_segments(facts: Facts, period: Period, charged: Sequence[ChargedSegment]) -> list[LineSegment[Charge]]:
    """What a line is rated from: one line segment per agent and version.

    They are in the order of first starts. A version that returns adds to its first segment. `period` is the time that
    the charge is for.
    """
    by_agent_and_version: dict[tuple[str, str], list[ChargedSegment]] = {}
    for charged_segment in charged:
        segment = charged_segment.segment
        by_agent_and_version.setdefault((segment.agent_id, segment.version.id), []).append(charged_segment)
    return [_line_segment(facts, period, of_one) for of_one in by_agent_and_version.values()]


def _line_segment(facts: Facts, period: Period, charged: Sequence[ChargedSegment]) -> LineSegment[Charge]:
    """All segments of one agent under one version as one."""
    segment, charge = charged[0].segment, charged[0].charge
    days = period.days()
    agent_days = sum(len(charged_segment.agent_days) for charged_segment in charged)
    line_days = {day for charged_segment in charged for day in charged_segment.line_days}
    return LineSegment(
        charge=charge,
        version=segment.version.number,
        agent_id=segment.agent_id,
        share=Fraction(len(line_days), len(days)),
        agent_share=Fraction(agent_days, len(days)),
        readings=_readings(facts.totals.get((segment.agent_id, segment.version.id)), charge),
        span=period.span,
        agents=segment.agents,
        headcounts=_headcounts(facts, charge, line_days, days),
    )


def _readings(totals: MeterReadings | None, charge: Charge) -> Mapping[str, Reading]:
    return {
        name: (None if totals is None else totals.reading(name)) or gauge.nothing
        for name, gauge in charge.gauges.items()
    }


def _headcounts(facts: Facts, charge: Charge, counted: AbstractSet[int], days: Sequence[Day]) -> list[Headcount]:
    """The charge's headcount over the counted days, by number."""
    if charge.headcount is None:
        return []
    if charge.headcount not in facts.headcounts:
        raise InconsistentFactsError(f"The organization's {charge.headcount} are missing")
    history = facts.headcounts[charge.headcount]
    days_by_number: dict[int, int] = {}
    for day in sorted(counted):
        number = history.at(days[day].end - _INSTANT) or 0  # as it is at the day's end
        days_by_number[number] = days_by_number.get(number, 0) + 1
    return [Headcount(Fraction(number), Fraction(count, len(days))) for number, count in days_by_number.items()]
