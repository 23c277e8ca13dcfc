"""Rating: from a whole period's facts to its lines. The only place where a price comes about (billing rules, "Due")."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Protocol

from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.histories import History
from shared.domain.kernel.money import round_half_up, truncate
from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Day, Period, Span
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.charges.charge import Charge, Headcount, HeadcountName, LineSegment, Recurrence
from shared.domain.pricing.lines import Line, exact_sum, merged_steps, truncated_steps
from shared.domain.usage.totals import SYSTEM

POOLED = "-"
"""Stands in a line's key for the agent, where the line is the organization's."""

RECURRENCES: tuple[Recurrence, ...] = ("period", "quarter", "year", "once")

_INSTANT = timedelta(microseconds=1)


class InconsistentFactsError(XyraError):
    """The facts contradict each other: usage of what was not in force. A bug, never the caller's fault."""


class MeterReadings(Protocol):
    """What the gauges of one agent under one version have come to (`Totals`)."""

    def meters(self) -> Collection[str]:
        """The names of those that have come to anything."""
        ...

    def reading(self, name: str) -> Reading | None: ...


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a period, half-open, in which an agent, or `agents` alike, was priced by a version."""

    agent_id: str
    version: Version
    start: datetime
    end: datetime
    agents: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Cycle:
    """A quarter or year, as the whole billing periods that it consists of: its segments, and when the last period ends
    that is billed in it.
    """

    period: Period
    segments: Sequence[Segment]
    closes: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """All that decides what is due for a period. `totals` are by agent id and version id. `first_starts` says when a
    model was first used, by model id and agent id, and by `POOLED` for any agent; `stretches` are the quarter and the
    year that the period belongs to; `headcounts` are the organization's numbers. They are needed only where a charge is
    about them.
    """

    period: Period
    currency: str
    segments: Sequence[Segment]
    totals: Mapping[tuple[str, str], MeterReadings]
    first_starts: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    cycles: Mapping[Recurrence, Cycle] = field(default_factory=dict)
    headcounts: Mapping[HeadcountName, History[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RatedLine:
    line: Line
    segments: Sequence[LineSegment[Charge]]


@dataclass(frozen=True, slots=True)
class _Stay:
    """A segment with the days, by their place in the period, that belong to it."""

    segment: Segment
    days: AbstractSet[int]


@dataclass(frozen=True, slots=True)
class _Charged:
    """A stay with one of its version's charges, and the days that count for that charge's line."""

    stay: _Stay
    charge: Charge
    days: AbstractSet[int]


@dataclass(frozen=True, slots=True)
class _LineName:
    model_id: str
    charge_key: str
    agent_id: str

    @property
    def key(self) -> str:
        return f"{self.model_id}/{self.charge_key}/{self.agent_id}"


def segments(
    span: Span, agents: Iterable[tuple[str, History[str | None]]], models: Mapping[str, History[Version]]
) -> list[Segment]:
    """All segments of a period or a longer time: each agent's history of models, cut by each model's history of
    versions.

    Raises `InconsistentFactsError` for an agent's model that is not among `models`.
    """
    found = []
    for agent_id, assigned in agents:
        for assignment in assigned.within(span.start, span.end):
            if assignment.value is None:
                continue
            if assignment.value not in models:
                raise InconsistentFactsError(f"The model {assignment.value} of agent {agent_id} is missing")
            versions = models[assignment.value].within(assignment.start, assignment.end or span.end)
            found += [Segment(agent_id, version.value, version.start, version.end or span.end) for version in versions]
    return found


def first_starts(found: Iterable[Segment]) -> dict[tuple[str, str], datetime]:
    """When each model was first used, by each agent and by any (`POOLED`), out of all segments ever."""
    starts: dict[tuple[str, str], datetime] = {}
    for segment in found:
        for agent_id in (segment.agent_id, POOLED):
            key = (segment.version.model_id, agent_id)
            starts[key] = min(segment.start, starts.get(key, segment.start))
    return starts


def rate(facts: Facts) -> list[Line]:
    """What is due for the period: a line for every charge that was in force in it, ordered by key, amounts of zero
    included; for what is due by quarter or year, or once, only in the period that it falls to.

    Raises `InconsistentFactsError` for usage of a version, or of a gauge, that was not in force.
    """
    return [rated.line for rated in rate_by_segment(facts)]


def rate_by_segment(facts: Facts) -> list[RatedLine]:
    """The same lines, each with the agents and versions that it is made of."""
    _refuse_stray_totals(facts)
    lines = [
        _line(facts, recurrence, name, charged)
        for recurrence in RECURRENCES
        for name, charged in _charged_by_line(facts, recurrence).items()
        if _falls_here(facts, recurrence, name, charged)
    ]
    return sorted(lines, key=lambda rated: rated.line.key)


def _refuse_stray_totals(facts: Facts) -> None:
    metered = {
        (segment.agent_id, segment.version.id): {name for charge in segment.version.charges for name in charge.gauges}
        for segment in facts.segments
    }
    for (agent_id, version_id), readings in facts.totals.items():
        known = metered.get((agent_id, version_id))
        if known is None:
            raise InconsistentFactsError(
                f"Agent {agent_id} has usage under {version_id}, which was not in force for it"
            )
        stray = {name for name in readings.meters() if not name.startswith(SYSTEM)} - known
        if stray:
            raise InconsistentFactsError(
                f"Agent {agent_id} has usage of {sorted(stray)}, which {version_id} does not price"
            )


def _window(facts: Facts, recurrence: Recurrence) -> tuple[Period, Sequence[Segment]]:
    """The days and segments over which such charges are rated."""
    if recurrence in ("period", "once"):
        return facts.period, facts.segments
    cycle = facts.cycles.get(recurrence)
    return (facts.period, ()) if cycle is None else (cycle.period, cycle.segments)


def _charged_by_line(facts: Facts, recurrence: Recurrence) -> dict[_LineName, list[_Charged]]:
    """For each line its stays, ordered by (start, agent), with the days that count: an agent's own, or in a pooled
    line each day once, for the first stay that it belongs to.
    """
    period, found = _window(facts, recurrence)
    lines: dict[_LineName, list[_Charged]] = {}
    taken: dict[_LineName, set[int]] = {}
    for stay in _stays(period, found):
        segment = stay.segment
        for charge in segment.version.charges:
            if charge.recurrence != recurrence:
                continue
            pooled = charge.scope == "organization"
            name = _LineName(segment.version.model_id, charge.key, POOLED if pooled else segment.agent_id)
            days = stay.days
            if pooled:
                days = days - taken.setdefault(name, set())
                taken[name] |= days
            lines.setdefault(name, []).append(_Charged(stay, charge, days))
    return lines


def _falls_here(facts: Facts, recurrence: Recurrence, name: _LineName, charged: Sequence[_Charged]) -> bool:
    """Whether the line is due in this period: what is due once when it starts, a fee by quarter or year in the last
    period of it, or in advance in the first one in which it is in force.
    """
    match recurrence:
        case "period":
            return True
        case "once":
            return facts.period.contains(_first_start(facts, name))
        case _:
            cycle = facts.cycles[recurrence]
            if charged[0].charge.billing_timing == "arrears":
                return facts.period.start < cycle.closes <= facts.period.end
            first = min(one.stay.segment.start for one in charged)
            return facts.period.contains(max(first, cycle.period.start))


def _first_start(facts: Facts, name: _LineName) -> datetime:
    start = facts.first_starts.get((name.model_id, name.agent_id))
    if start is None:
        raise InconsistentFactsError(f"When the model {name.model_id} was first used is missing")
    return start


def _stays(period: Period, found: Sequence[Segment]) -> list[_Stay]:
    by_agent: dict[str, list[Segment]] = {}
    for segment in found:
        by_agent.setdefault(segment.agent_id, []).append(segment)
    days = period.days()
    stays = [stay for own in by_agent.values() for stay in _stays_of_agent(own, days)]
    return sorted(stays, key=lambda stay: (max(stay.segment.start, period.start), stay.segment.agent_id))


def _stays_of_agent(own: Sequence[Segment], days: Sequence[Day]) -> list[_Stay]:
    """A day belongs to the last segment that was in force in it."""
    if len(own) == 1 and own[0].start <= days[0].start and own[0].end >= days[-1].end:
        return [_Stay(own[0], frozenset(range(len(days))))]
    stays = []
    taken: set[int] = set()
    for segment in sorted(own, key=lambda segment: segment.start, reverse=True):
        first = bisect_right(days, segment.start, key=lambda day: day.end)
        beyond = bisect_left(days, segment.end, key=lambda day: day.start)
        mine = frozenset(range(first, beyond)) - taken
        taken |= mine
        stays.append(_Stay(segment, mine))
    return stays


def _line(facts: Facts, recurrence: Recurrence, name: _LineName, charged: Sequence[_Charged]) -> RatedLine:
    charge = charged[0].charge
    period, _ = _window(facts, recurrence)
    segments_of_line = _line_segments(facts, period, charged)
    rated = type(charge).rated(segments_of_line)
    steps = merged_steps(rated.steps)
    due = exact_sum(steps)
    line = Line(
        key=name.key,
        type=charge.type,
        model_id=name.model_id,
        charge=charge.key,
        agent_id=None if name.agent_id == POOLED else name.agent_id,
        description=_description(charge),
        quantity=truncate(rated.quantity),
        unit=rated.unit,
        unit_amount=rated.unit_amount,
        steps=truncated_steps(steps),
        exact_amount=truncate(due),
        amount=round_half_up(due, facts.currency),
        period=facts.period.span,
        covers=None if recurrence in ("period", "once") else period.span,
        timing=charge.billing_timing,
    )
    return RatedLine(line, segments_of_line)


def _line_segments(facts: Facts, period: Period, charged: Sequence[_Charged]) -> list[LineSegment[Charge]]:
    """One for each agent and version, where it first starts: a version that returns adds to what it was before."""
    together: dict[tuple[str, str], list[_Charged]] = {}
    for one in charged:
        together.setdefault((one.stay.segment.agent_id, one.stay.segment.version.id), []).append(one)
    days = period.days()
    return [
        LineSegment(
            charge=stays[0].charge,
            version=stays[0].stay.segment.version.number,
            agent_id=agent_id,
            share=Fraction(sum(len(one.days) for one in stays), len(days)),
            agent_share=Fraction(sum(len(one.stay.days) for one in stays), len(days)),
            readings=_readings(facts.totals.get((agent_id, version_id)), stays[0].charge),
            span=period.span,
            agents=stays[0].stay.segment.agents,
            headcounts=_headcounts(facts, stays, days),
        )
        for (agent_id, version_id), stays in together.items()
    ]


def _readings(totals: MeterReadings | None, charge: Charge) -> dict[str, Reading]:
    return {
        name: (None if totals is None else totals.reading(name)) or gauge.nothing
        for name, gauge in charge.gauges.items()
    }


def _headcounts(facts: Facts, stays: Sequence[_Charged], days: Sequence[Day]) -> list[Headcount]:
    """The charge's number over the days that count; a day has the last one in force in it."""
    headcount = stays[0].charge.headcount
    if headcount is None:
        return []
    if headcount not in facts.headcounts:
        raise InconsistentFactsError(f"The organization's {headcount} are missing")
    history = facts.headcounts[headcount]
    numbers: dict[int, int] = {}
    for day in sorted({day for one in stays for day in one.days}):
        number = history.at(days[day].end - _INSTANT) or 0
        numbers[number] = numbers.get(number, 0) + 1
    return [Headcount(Fraction(number), Fraction(count, len(days))) for number, count in numbers.items()]


def _description(charge: Charge) -> str:
    """The charge's key as words, with what it is for: `Cached input (per 1,000,000 cached input tokens)`."""
    words = charge.key.replace("_", " ").replace("-", " ").strip() or charge.key
    return f"{words[0].upper()}{words[1:]} ({charge.purpose})"
