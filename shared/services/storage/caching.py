"""A bounded cache whose entries are forgotten after a while, by our clock."""

from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from shared.ports.clock import Clock

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_NOW = timedelta(0)


class Cache(Generic[Key, Value]):
    """Holds what was found, never that nothing was found, so what has just been made is seen at once."""

    def __init__(self, clock: Clock, lifetime: timedelta, size: int = 10_000) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._size = size
        self._kept: dict[Key, tuple[datetime, Value]] = {}

    def peek(self, key: Key) -> Value | None:
        kept = self._kept.get(key)
        if kept is None or not _NOW <= self._clock.now() - kept[0] < self._lifetime:
            return None
        return kept[1]

    def keep(self, key: Key, value: Value) -> None:
        if len(self._kept) >= self._size:
            self._kept.clear()
        self._kept[key] = (self._clock.now(), value)

    def forget(self, key: Key) -> None:
        self._kept.pop(key, None)

    async def get(self, key: Key, load: Callable[[], Awaitable[Value | None]]) -> Value | None:
        value = self.peek(key)
        if value is None:
            value = await load()
            if value is not None:
                self.keep(key, value)
        return value
