"""What holds from when, where the one change that has not begun may be replaced until 10 minutes before it begins."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Generic, TypeVar

LEAD = timedelta(minutes=10)

T = TypeVar("T")


class Schedule(Generic[T]):
    """By the tests' own reading of the rule."""

    def __init__(self, start: datetime, value: T) -> None:
        self._entries = [(start, value)]

    def fixed(self, now: datetime) -> tuple[datetime, T]:
        """The last entry that can no longer be replaced."""
        return [entry for entry in self._entries if entry[0] < now + LEAD][-1]

    def decide(self, now: datetime, value: T, start: datetime | None) -> None:
        """Without a start what was to come is withdrawn."""
        self._entries = [entry for entry in self._entries if entry[0] < now + LEAD]
        if start is not None:
            self._entries.append((start, value))

    @property
    def last_start(self) -> datetime:
        return self._entries[-1][0]

    def at(self, time: datetime) -> T | None:
        begun = [value for start, value in self._entries if start <= time]
        return begun[-1] if begun else None

    def returned_at(self, time: datetime, since: datetime) -> datetime | None:
        """When the value at a time came back, where another took its place after `since`."""
        begun = [entry for entry in self._entries if entry[0] <= time]
        if not begun:
            return None
        start, value = begun[-1]
        left = [end for (_, earlier), (end, _) in pairwise(begun) if earlier == value and since < end < start]
        return start if left else None
