"""Locks by name: callers in one process go one after the other. They spare lost races, and decide nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from weakref import WeakValueDictionary

LONGEST_WAIT_SECONDS = 1.0
"""After this a caller goes on without the lock: what holds it may wait for a store that does not answer."""


class NamedLocks:
    """A lock lives as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks = WeakValueDictionary[str, asyncio.Lock]()

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(name, asyncio.Lock())
        is_held = False
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                is_held = await lock.acquire()
        try:
            yield
        finally:
            if is_held:
                lock.release()
