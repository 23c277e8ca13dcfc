"""Levels: weighted sums in the time for which their agent is on the billing model (docs/billing.md, "Levels")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from shared.domain.kernel.times import to_text
from shared.domain.metering.aggregations import bounded_level
from shared.domain.metering.readings import Reading, Weighted, merge_all
from shared.domain.periods.periods import Period
from shared.domain.rating.charged_segments import ChargedSegment


@dataclass(frozen=True, slots=True)
class _Assignment:
    """The time [start, end) of one version in an assignment of its model to an agent, which began at `since`."""

    since: datetime
    start: datetime
    end: datetime


class Levels:
    """Passes the levels of a line from version to version, until their agent leaves the billing model."""

    def __init__(self, period: Period) -> None:
        self._end = period.end
        self._last: dict[str, tuple[datetime, dict[str, Fraction]]] = {}
        """By agent: since when it was on the model, and its levels at the end of its last segment."""

    def bounded(self, charged: Sequence[ChargedSegment], readings: Mapping[str, Reading]) -> dict[str, Reading]:
        """An agent's readings under the next version, with levels only while the version prices the agent.

        `charged` are the segments of the agent under the version.
        """
        levels = {name: reading for name, reading in readings.items() if isinstance(reading, Weighted)}
        if not levels:
            return dict(readings)
        agent_id, assignments = charged[0].segment.agent_id, self._assignments(charged)
        since, before = self._last.get(agent_id, (assignments[0].since, {}))
        after: dict[str, Fraction] = {}
        bounded: dict[str, Reading] = {}
        for name, reading in levels.items():
            level = before.get(name, Fraction(0)) if since == assignments[0].since else Fraction(0)
            bounded[name], after[name] = _bounded(reading, assignments, level)
        self._last[agent_id] = (assignments[-1].since, after)
        return {**readings, **bounded}

    def _assignments(self, charged: Sequence[ChargedSegment]) -> list[_Assignment]:
        assignments: list[_Assignment] = []
        for each in charged:
            start, end = each.segment.start, min(each.segment.end, self._end)
            if assignments and assignments[-1].since == each.on_model_since:
                start = assignments.pop().start
            assignments.append(_Assignment(each.on_model_since, start, end))
        return assignments


def _bounded(reading: Weighted, assignments: Sequence[_Assignment], level: Fraction) -> tuple[Weighted, Fraction]:
    """The reading with levels in these assignments only, and the level at the end of the last.

    `level` is that at the start of the first.
    """
    first, last = assignments[0], assignments[-1]
    if len(assignments) > 1 and reading.last >= to_text(first.end):
        # Totals of before do not keep apart what happened after a return: its levels last meanwhile, as they did.
        together = reading.together()
        return bounded_level(together, level, first.start, last.end), level + Fraction(together.sum)
    bounded = Weighted()
    for assignment, changes in zip(assignments, _by_assignment(reading, assignments), strict=True):
        level = level if assignment is first else Fraction(0)
        bounded = bounded.merge(bounded_level(changes, level, assignment.start, assignment.end))
        level += Fraction(changes.sum)
    return bounded, level


def _by_assignment(reading: Weighted, assignments: Sequence[_Assignment]) -> list[Weighted]:
    """What happened in each. A return belongs to the one that it begins."""
    changes: list[list[Weighted]] = [[] for _ in assignments]
    changes[0].append(Weighted(reading.sum, reading.moments))
    for time, after_return in reading.returns.items():
        place = next(
            (place for place, assignment in enumerate(assignments) if time < to_text(assignment.end)),
            len(assignments) - 1,
        )
        changes[place].append(after_return)
    return [merge_all(changes_in_one) if changes_in_one else Weighted() for changes_in_one in changes]
