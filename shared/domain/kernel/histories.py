"""Histories: values with the times from which they are in force.

They grow only at their end and only ahead of time (docs/billing.md, "Histories").
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Generic, Self, TypeVar

from pydantic import Field, model_validator

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.times import BEGINNING, Instant, to_text
from shared.domain.kernel.validation import refusal
from shared.domain.kernel.value import Value

T = TypeVar("T")

MINIMUM_LEAD = timedelta(minutes=10)
"""A new entry takes effect at least this far ahead.

Metering caches histories for up to a minute, and events may be 5 minutes ahead of the clock.
"""

_INSTANT = timedelta(microseconds=1)
"""By which an entry follows one of the same instant."""

MAXIMUM_LEAD = timedelta(days=731)
"""A new entry takes effect at most this far ahead."""


def check_start(start: datetime, now: datetime, back: timedelta, pointer: str) -> None:
    """Raise `ValidationError` for a start more than `back` ago or more than `MAXIMUM_LEAD` ahead."""
    if start < now - back:
        raise ValidationError.at(pointer, f"must not be before {to_text(now - back)}")
    if start > now + MAXIMUM_LEAD:
        raise ValidationError.at(pointer, f"must not be after {to_text(now + MAXIMUM_LEAD)}")


def _check_lead(start: datetime, now: datetime, pointer: str) -> None:
    earliest = now + MINIMUM_LEAD
    if start < earliest:
        minutes = MINIMUM_LEAD.seconds // 60
        detail = f"has to be {minutes} minutes ahead or more, so {to_text(earliest)} or later"
        raise ValidationError.at(pointer, detail)
    if start > now + MAXIMUM_LEAD:
        raise ValidationError.at(pointer, f"must not be after {to_text(now + MAXIMUM_LEAD)}")


def _check_repeated(start: datetime | None, in_force_from: datetime, pointer: str) -> None:
    """Raises `ValidationError` for another start than that of what is in force."""
    if start not in (None, in_force_from):
        since = "the beginning" if in_force_from == BEGINNING else to_text(in_force_from)
        raise ValidationError.at(pointer, f"has to be left out: this is in force from {since} on, which stays")


class Entry(Value, Generic[T]):
    """A value and the time from which it is in force."""

    effective_from: Instant
    value: T


@dataclass(frozen=True, slots=True)
class Interval(Generic[T]):
    """The time [start, end) in which a value is in force, or from `start` on."""

    start: datetime
    end: datetime | None
    value: T


def last_return(intervals: Sequence[Interval[T]], instant: datetime) -> datetime | None:
    """Since when the value of the last interval is in force again, where it was before with a gap between.

    `intervals` are in order; None where the last one ends before the instant.
    """
    if not intervals or (intervals[-1].end is not None and intervals[-1].end <= instant):
        return None
    *earlier, current = intervals
    start = current.start
    for interval in reversed(earlier):
        if interval.value == current.value and interval.end != start:
            return start
        start = interval.start if interval.value == current.value else start
    return None


class History(Value, Generic[T]):
    """Entries in the order of their times, no two at the same. Before the first one nothing is in force."""

    entries: tuple[Entry[T], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        times = [entry.effective_from for entry in self.entries]
        for index in range(1, len(times)):
            if times[index] <= times[index - 1]:
                raise refusal((("entries", index, "effective_from"), "is not after the entry before it"))
        return self

    @classmethod
    def starting(cls, value: T, at: datetime = BEGINNING) -> Self:
        return cls(entries=(Entry(effective_from=at, value=value),))

    @property
    def first(self) -> T:
        return self.entries[0].value

    @property
    def last(self) -> T:
        return self.entries[-1].value

    @property
    def last_start(self) -> datetime:
        """When the last value takes effect."""
        return self.entries[-1].effective_from

    def at(self, instant: datetime) -> T | None:
        """The value in force at an instant; None before the first entry."""
        index = self.index_at(instant)
        return None if index is None else self.entries[index].value

    def index_at(self, instant: datetime) -> int | None:
        """The place of the entry in force at an instant; None before the first entry."""
        index = self._after(instant)
        return index - 1 if index else None

    def begins_at(self, instant: datetime) -> bool:
        """Whether a value takes effect at an instant."""
        index = self.index_at(instant)
        return index is not None and self.entries[index].effective_from == instant

    def _after(self, instant: datetime) -> int:
        """How many entries are in effect at an instant: the index of the next one."""
        return bisect_right(self.entries, instant, key=lambda entry: entry.effective_from)

    def appended(self, value: T, effective_from: datetime, now: datetime, pointer: str = "/effective_from") -> Self:
        """The history with one more entry.

        Raises `ValidationError` at `pointer` where the entry takes effect less than `MINIMUM_LEAD` or more than
        `MAXIMUM_LEAD` ahead, or not after the last entry.
        """
        _check_lead(effective_from, now, pointer)
        last = self.entries[-1].effective_from
        if effective_from <= last:
            raise ValidationError.at(pointer, f"has to be after the entry that takes effect at {to_text(last)}")
        return type(self)(entries=(*self.entries, Entry(effective_from=effective_from, value=value)))

    def scheduled(self, value: T, effective_from: datetime | None, now: datetime, pointer: str) -> Self:
        """The history with this value as its only entry to come.

        The value in force withdraws what was to come. Without `effective_from` an entry keeps the time that it has,
        and a new one takes effect as early as it may. What is less than `MINIMUM_LEAD` ahead counts as in force.

        Raises `ValidationError` at `pointer` for a time less than `MINIMUM_LEAD` or more than `MAXIMUM_LEAD` ahead, and
        for another time of the value in force.
        """
        fixed = bisect_left(self.entries, now + MINIMUM_LEAD, key=lambda entry: entry.effective_from)
        in_force, to_come = self.entries[:fixed], self.entries[fixed:]
        if to_come and to_come[-1].value == value and effective_from in (None, to_come[-1].effective_from):
            return self
        if value == (in_force[-1].value if in_force else None):
            _check_repeated(effective_from, in_force[-1].effective_from if in_force else BEGINNING, pointer)
            return type(self)(entries=in_force) if in_force else type(self).starting(value)
        start = effective_from or now + MINIMUM_LEAD
        _check_lead(start, now, pointer)
        return type(self)(entries=(*in_force, Entry(effective_from=start, value=value)))

    def replaced(self, value: T, start: datetime, now: datetime) -> Self:
        """The history with this value from `start` on, which may be now, in place of all entries ahead of now.

        Only for what no process remembers. The value that is in force then adds no entry.
        """
        begun = self.entries[: self._after(now)]
        if begun and begun[-1].value == value:
            return type(self)(entries=begun)
        start = max(start, begun[-1].effective_from + _INSTANT) if begun else start
        return type(self)(entries=(*begun, Entry(effective_from=start, value=value)))

    def intervals(self) -> Iterator[Interval[T]]:
        """All intervals, contiguous; the last has no end."""
        return self._intervals(0, len(self.entries))

    def next_after(self, instant: datetime, limit: int) -> Iterator[Interval[T]]:
        """At most `limit` intervals that start after an instant, earliest first."""
        index = self._after(instant)
        return self._intervals(index, index + limit)

    def last_before(self, instant: datetime | None, limit: int) -> Iterator[Interval[T]]:
        """At most `limit` intervals that start before an instant, earliest first.

        Without an instant, the last of all.
        """
        index = len(self.entries)
        if instant is not None:
            index = bisect_left(self.entries, instant, key=lambda entry: entry.effective_from)
        return self._intervals(max(0, index - limit), index)

    def _intervals(self, start: int, stop: int) -> Iterator[Interval[T]]:
        followed = self.entries[start : stop + 1]
        for entry, following in zip_longest(followed[: stop - start], followed[1:]):
            yield Interval(entry.effective_from, following.effective_from if following else None, entry.value)

    def within(self, start: datetime, end: datetime) -> Iterator[Interval[T]]:
        """The intervals in [start, end), clipped to it."""
        first = max(0, self._after(start) - 1)
        last = bisect_left(self.entries, end, key=lambda entry: entry.effective_from)
        for interval in self._intervals(first, last):
            clipped_start = max(interval.start, start)
            clipped_end = end if interval.end is None else min(interval.end, end)
            if clipped_start < clipped_end:
                yield Interval(clipped_start, clipped_end, interval.value)
