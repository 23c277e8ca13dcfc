"""Histories: what holds from when. They grow only at their end, and only ahead of time (billing rules, "Histories")."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.times import BEGINNING, Instant, to_text
from shared.domain.kernel.validation import refusal

T = TypeVar("T")

LEAD = timedelta(minutes=10)
"""How far ahead a new entry takes effect at least: raters cache histories, and events may be a little ahead of the
clock.
"""


REACH = timedelta(days=731)
"""How far ahead an entry may take effect at most."""


def check_start(start: datetime, now: datetime, back: timedelta, pointer: str) -> None:
    """Raises `ValidationError` at `pointer` for a beginning more than `back` ago or more than `REACH` ahead."""
    if start < now - back:
        raise ValidationError.at(pointer, f"must not be before {to_text(now - back)}")
    if start > now + REACH:
        raise ValidationError.at(pointer, f"must not be after {to_text(now + REACH)}")


class Entry(BaseModel, Generic[T]):
    model_config = ConfigDict(frozen=True, extra="forbid")

    effective_from: Instant
    value: T


@dataclass(frozen=True, slots=True)
class Interval(Generic[T]):
    """Half-open: from `start` up to, not including, `end`; without an end it goes on."""

    start: datetime
    end: datetime | None
    value: T


class History(BaseModel, Generic[T]):
    """The entries in the order of their times, which differ. Before the first entry nothing holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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

    def at(self, instant: datetime) -> T | None:
        """What holds then; None before the first entry."""
        index = self._after(instant)
        return self.entries[index - 1].value if index else None

    def _after(self, instant: datetime) -> int:
        """How many entries have taken effect by then, so the index of the next one."""
        return bisect_right(self.entries, instant, key=lambda entry: entry.effective_from)

    def appended(self, value: T, effective_from: datetime, now: datetime, pointer: str = "/effective_from") -> Self:
        """With one entry more. Raises `ValidationError` at `pointer` for a time less than `LEAD` ahead, or not after
        the last entry.
        """
        if effective_from < now + LEAD:
            raise ValidationError.at(
                pointer, f"has to be {LEAD.seconds // 60} minutes ahead or more, so {to_text(now + LEAD)} or later"
            )
        if effective_from > now + REACH:
            raise ValidationError.at(pointer, f"must not be after {to_text(now + REACH)}")
        last = self.entries[-1].effective_from
        if effective_from <= last:
            raise ValidationError.at(pointer, f"has to be after the entry that takes effect at {to_text(last)}")
        return type(self)(entries=(*self.entries, Entry(effective_from=effective_from, value=value)))

    def intervals(self) -> Iterator[Interval[T]]:
        """All of it, as contiguous intervals; the last has no end."""
        return self._intervals(0, len(self.entries))

    def next_after(self, instant: datetime, limit: int) -> Iterator[Interval[T]]:
        """The first intervals that begin later."""
        index = self._after(instant)
        return self._intervals(index, index + limit)

    def last_before(self, instant: datetime | None, limit: int) -> Iterator[Interval[T]]:
        """The last intervals that begin earlier; without an instant, of all. In the order of their times."""
        index = len(self.entries)
        if instant is not None:
            index = bisect_left(self.entries, instant, key=lambda entry: entry.effective_from)
        return self._intervals(max(0, index - limit), index)

    def _intervals(self, start: int, stop: int) -> Iterator[Interval[T]]:
        followed = self.entries[start : stop + 1]
        for entry, following in zip_longest(followed[: stop - start], followed[1:]):
            yield Interval(entry.effective_from, following.effective_from if following else None, entry.value)

    def within(self, start: datetime, end: datetime) -> Iterator[Interval[T]]:
        """The intervals that lie in [start, end), cut to it."""
        for interval in self.intervals():
            cut_start = max(interval.start, start)
            cut_end = end if interval.end is None else min(interval.end, end)
            if cut_start < cut_end:
                yield Interval(cut_start, cut_end, interval.value)
