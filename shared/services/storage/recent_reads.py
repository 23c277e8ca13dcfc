"""What was read lately, for work that may rest on it."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from shared.ports.clock import Clock

Key = TypeVar("Key")
Value = TypeVar("Value")


class RecentReads(Generic[Key, Value]):
    """A bounded cache, whose entries are forgotten after a while by the clock of the app.

    Every request looks into several, so a look is one step: `cachetools` also orders the entries anew at each.
    """

    def __init__(self, size: int, kept: timedelta, clock: Clock) -> None:
        self._size = size
        self._kept = kept
        self._clock = clock
        self._entries = OrderedDict[Key, tuple[Value, datetime]]()
        """Each with the time when it is forgotten, the earliest first."""

    def __setitem__(self, key: Key, value: Value) -> None:
        """Keep what was just read. Where there is no room, what was read first is forgotten."""
        now = self._clock.now()
        self._entries[key] = (value, now + self._kept)
        self._entries.move_to_end(key)
        while len(self._entries) > self._size or next(iter(self._entries.values()))[1] <= now:
            self._entries.popitem(last=False)

    def find(self, key: Key) -> Value | None:
        entry = self._entries.get(key)
        return entry[0] if entry is not None and self._clock.now() < entry[1] else None

    def forget(self, key: Key) -> None:
        """Read it again at the next time."""
        self._entries.pop(key, None)
