"""Waiting for messages: at once for those of this process, by looking now and then for those of others."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

LOOK_SECONDS = 0.1
"""How late what another process sent may be noticed."""

ANY_SESSION = ""


class Arrival:
    """Something that one receiver waits for."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()

    def announce(self) -> None:
        with suppress(RuntimeError):  # its loop was closed
            self._loop.call_soon_threadsafe(self._came.set)

    async def before(self, deadline: float, is_there: Callable[[], Awaitable[bool]]) -> bool:
        """Wait until it is worth looking again.

        Returns False when the deadline, on the loop's clock, has passed.
        """
        while (left := deadline - self._loop.time()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    await self._came.wait()
                self._came.clear()
                return True
            if await is_there():
                return True
        return False


class Arrivals:
    """Who waits for what, in this process."""

    def __init__(self) -> None:
        self._expected: defaultdict[tuple[str, str], set[Arrival]] = defaultdict(set)

    @contextmanager
    def expected(self, queue: str, session_id: str = ANY_SESSION) -> Iterator[Arrival]:
        """Begin before the first look, so that nothing comes unnoticed between looking and waiting."""
        arrival = Arrival()
        waiting = self._expected[queue, session_id]
        waiting.add(arrival)
        try:
            yield arrival
        finally:
            waiting.discard(arrival)
            if not waiting:
                self._expected.pop((queue, session_id), None)

    def announce(self, queue: str, session_id: str = ANY_SESSION) -> None:
        for arrival in tuple(self._expected.get((queue, session_id), ())):
            arrival.announce()
