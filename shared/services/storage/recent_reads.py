"""What was read lately, for work that may rest on it."""

from datetime import datetime, timedelta
from typing import TypeVar

from cachetools import TTLCache

from shared.ports.clock import Clock

Key = TypeVar("Key")
Value = TypeVar("Value")


class RecentReads(TTLCache[Key, Value, datetime]):
    """A bounded cache, whose entries are forgotten after a while by the clock of the app."""

    def __init__(self, size: int, kept: timedelta, clock: Clock) -> None:
        super().__init__(size, kept, timer=clock.now)

    def find(self, key: Key) -> Value | None:
        """As `get`, which looks three times and asks for the time at each, even where the entry is there."""
        try:
            value: Value = self[key]
        except KeyError:
            return None
        return value
