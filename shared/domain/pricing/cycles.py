"""Cycles: the quarters and years of a place, counted from the day on which its fees began (docs/subscriptions.md).

Anchors go by days, so that a change that is undone the same day moves none. A cycle starts with the first day that is
paid at an empty place, on another interval, or after a change that asked for a new anchor; it cuts the one before it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import zip_longest

from shared.domain.kernel.histories import History, Interval
from shared.domain.periods.periods import Day, Period, Span, first_instant, month_after
from shared.domain.pricing.places import Terms

_INSTANT = timedelta(microseconds=1)
_JANUARY = 1


@dataclass(frozen=True, slots=True)
class PlaceCycle:
    """A quarter or year of a place. `uncut` is all of it, where it began late or another one cuts it."""

    period: Period
    uncut: Period
    number: int
    """Counted from 0 since the anchor."""


class PlaceCycles:
    """The cycles of one place. Its anchors are found once, from the whole history."""

    def __init__(self, history: History[Terms], periods: Sequence[Period]) -> None:
        """`periods` are in order, without a gap, from before the first entry to more than a year after any span."""
        self._periods = periods
        self._days = _Days(periods)
        self._anchors = [*_anchors(history, self._days)]

    def go_by(self, periods: Sequence[Period]) -> bool:
        """Whether all these periods, which are in order without a gap, are among its own."""
        first = bisect_left(self._periods, periods[0].start, key=lambda period: period.start)
        return self._periods[first : first + len(periods)] == periods

    def within(self, span: Span, months: int) -> list[PlaceCycle]:
        """The cycles of so many months that a span has a part of, in order."""
        cycles: list[PlaceCycle] = []
        for anchor, following in zip_longest(self._anchors, self._anchors[1:]):
            cut = None if following is None else following.day.start
            if anchor.day.start < span.end and (cut is None or span.start < cut):
                cycles += _cycles_from(anchor, cut, months, self._days, span)
        return cycles


class _Days:
    """The local days of an organization, each in the timezone of its billing period."""

    def __init__(self, periods: Sequence[Period]) -> None:
        self._periods = periods

    def reach(self, instant: datetime) -> bool:
        return instant < self._periods[-1].end

    def period_of(self, instant: datetime) -> Period:
        return self._periods[bisect_right(self._periods, instant, key=lambda period: period.start) - 1]

    def of(self, instant: datetime) -> Day:
        days = self.period_of(instant).days()
        return days[bisect_right(days, instant, key=lambda day: day.start) - 1]


@dataclass(frozen=True, slots=True)
class _Run:
    """Days in a row of one entry, from `day` on."""

    day: Day
    terms: Terms


@dataclass(frozen=True, slots=True)
class _Anchor:
    """The day from which cycles are counted."""

    day: Day
    terms: Terms

    def boundary(self, number: int, months: int) -> date:
        """The first day of a cycle, counted from 0: in January, or on the day of the month on which they began."""
        if self.terms.anchor == "anniversary":
            return month_after(self.day.date, number * months)
        month = _JANUARY + (self.day.date.month - _JANUARY) // months * months
        return month_after(date(self.day.date.year, month, 1), number * months)


def _runs(history: History[Terms], days: _Days) -> Iterator[_Run]:
    """Who has which days: a day belongs to the last plan in force on it."""
    in_force = [each for each in history.intervals() if each.value.has_plan and days.reach(each.start)]
    for interval, following in zip_longest(in_force, in_force[1:]):
        first = days.of(interval.start)
        last = interval.end - _INSTANT if interval.end is not None and days.reach(interval.end) else None
        end = None if last is None else days.of(last).end
        if following is not None:
            next_start = days.of(following.start).start
            end = next_start if end is None else min(end, next_start)
        if end is None or first.start < end:
            yield _Run(first, interval.value)


def _anchors(history: History[Terms], days: _Days) -> Iterator[_Anchor]:
    ended = [each for each in history.intervals() if each.value.status == "canceled" and each.end is not None]
    previous: _Run | None = None
    for run in _runs(history, days):
        if run.terms.status == "trialing":
            continue
        if previous is None or _begins_cycles(previous, run, ended, days):
            yield _Anchor(run.day, run.terms)
        previous = run


def _begins_cycles(previous: _Run, run: _Run, ended: Sequence[Interval[Terms]], days: _Days) -> bool:
    """`ended` are the times between two subscriptions."""
    if run.terms.resets_anchor or run.terms.interval != previous.terms.interval:
        return True
    return any(
        days.of(interval.start - _INSTANT).end < days.of(interval.end).start
        for interval in ended
        if previous.day.start < interval.start and interval.end is not None and interval.end <= run.day.end
    )


def _cycles_from(anchor: _Anchor, cut: datetime | None, months: int, days: _Days, span: Span) -> Iterator[PlaceCycle]:
    """Those of one anchor, until the next one cuts them."""
    until = span.end if cut is None else min(span.end, cut)
    start = anchor.day.start
    timezone = days.period_of(start).timezone
    uncut_start = min(start, first_instant(anchor.boundary(0, months), timezone))
    number = 0
    while start < until:
        number += 1
        timezone = days.period_of(start).timezone
        uncut_end = first_instant(anchor.boundary(number, months), timezone)
        end = uncut_end if cut is None else min(uncut_end, cut)
        if end > span.start:
            uncut = Period(start=uncut_start, end=uncut_end, timezone=timezone)
            yield PlaceCycle(Period(start=start, end=end, timezone=timezone), uncut, number - 1)
        start = uncut_start = uncut_end
