"""Cycles: the quarters and years of a place, counted from the day on which its fees began (docs/subscriptions.md).

Anchors go by days, so that a change that is undone the same day moves none. A cycle starts with the first day that is
paid at an empty place, on another interval, or after a change that asked for a new anchor; it cuts the one before it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import zip_longest

from shared.domain.kernel.histories import History
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


def cycles_at(history: History[Terms], months: int, periods: Sequence[Period], span: Span) -> list[PlaceCycle]:
    """The cycles of so many months at a place that a span has a part of.

    `periods` are in order, without a gap, from before the first entry to more than a year after the span.
    """
    days = _Days(periods)
    anchors = [*_anchors(history, days)]
    cycles: list[PlaceCycle] = []
    for anchor, following in zip_longest(anchors, anchors[1:]):
        cut = None if following is None else following.day.start
        if anchor.day.start < span.end and (cut is None or span.start < cut):
            cycles += _cycles_from(anchor, cut, months, days, span)
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
    previous: _Run | None = None
    for run in _runs(history, days):
        if run.terms.status == "trialing":
            continue
        if previous is None or _begins_cycles(previous, run, history, days):
            yield _Anchor(run.day, run.terms)
        previous = run


def _begins_cycles(previous: _Run, run: _Run, history: History[Terms], days: _Days) -> bool:
    if run.terms.resets_anchor or run.terms.interval != previous.terms.interval:
        return True
    return any(
        previous.day.start < interval.start and days.of(interval.start - _INSTANT).end < days.of(interval.end).start
        for interval in history.intervals()
        if interval.value.status == "canceled" and interval.end is not None and interval.end <= run.day.end
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
        uncut = Period(
            start=uncut_start, end=first_instant(anchor.boundary(number, months), timezone), timezone=timezone
        )
        end = uncut.end if cut is None else min(uncut.end, cut)
        if end > span.start:
            yield PlaceCycle(Period(start=start, end=end, timezone=timezone), uncut, number - 1)
        start = uncut_start = uncut.end
