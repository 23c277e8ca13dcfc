"""The days of October, and which agent and version each of them belongs to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from shared.domain.kernel.times import to_text
from tests.doubles.worlds.generated_usage import Assignment, Reported

ZERO = Fraction(0)
BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHTS = [datetime(2026, 10, day, tzinfo=BERLIN) for day in range(1, 32)] + [datetime(2026, 11, 1, tzinfo=BERLIN)]
DAYS = range(31)


@dataclass
class LineSegment:
    """An agent under one version: its events, its days, and the days that it has in its line.

    In a pooled line each day belongs to one agent only. `ended_days` are the days at whose end it was there. `times`
    are from when to when it was there, each with how often the agent had been away from the model before.
    """

    agent: str
    version: int
    events: list[Reported]
    own_days: set[int]
    line_days: set[int]
    ended_days: set[int]
    times: list[tuple[datetime, datetime, int]]


def share(days: Iterable[object]) -> Fraction:
    """The part of the month that these days are."""
    return Fraction(len(list(days)), len(DAYS))


def segments_by_line(
    assignments: Sequence[Assignment], pooled: bool, events: Sequence[Reported]
) -> dict[str, list[LineSegment]]:
    found: dict[str, dict[tuple[str, int], LineSegment]] = {}
    taken: dict[str, set[int]] = {}
    for assignment in sorted(assignments, key=lambda each: (each.start, each.agent)):
        line = "-" if pooled else assignment.agent
        segments = found.setdefault(line, {})
        place = (assignment.agent, assignment.version)
        segment = segments.get(place)
        if segment is None:
            segment = segments[place] = LineSegment(*place, [], set(), set(), set(), [])
        absences = absences_before(assignment, list(segments.values()))
        segment.times.append((assignment.start, assignment.end, absences))
        start, end = to_text(assignment.start), to_text(assignment.end)
        segment.events += [each for each in events if each.agent == assignment.agent and start <= each.time < end]
        days = {day for day in DAYS if last_of_day(day, assignment.agent, assignments) is assignment}
        segment.own_days |= days
        segment.ended_days |= {day for day in DAYS if assignment.start < MIDNIGHTS[day + 1] <= assignment.end}
        segment.line_days |= days - taken.setdefault(line, set())
        taken[line] |= days
    return {line: list(own.values()) for line, own in found.items()}


def absences_before(assignment: Assignment, segments: Sequence[LineSegment]) -> int:
    before = [time for segment in segments if segment.agent == assignment.agent for time in segment.times]
    if not before:
        return 0
    _, end, absences = max(before)
    return absences + (end < assignment.start)


def last_of_day(day: int, agent: str, assignments: Sequence[Assignment]) -> Assignment | None:
    there = [
        assignment
        for assignment in assignments
        if assignment.agent == agent and assignment.start < MIDNIGHTS[day + 1] and assignment.end > MIDNIGHTS[day]
    ]
    return max(there, key=lambda assignment: assignment.start, default=None)
