"""Whether the store and the queue answer, asked seldom however many want to know."""

import asyncio
import time
from collections.abc import Callable

from shared.containers import TENANTS
from shared.domain.kernel.errors import UnavailableError
from shared.ports.queue import Queue
from shared.ports.store import Store

SECONDS_READY = 10.0
"""How long an answer holds: anybody may ask, and each look is a paid request to the store and the broker."""
SECONDS_UNREADY = 1.0
LONGEST_LOOK_SECONDS = 10.0


class Readiness:
    """Keeps the last answer. Who asks while it is looked for waits for the same one."""

    def __init__(self, store: Store, queue: Queue, seconds: Callable[[], float] = time.monotonic) -> None:
        """`seconds` is a monotonic clock."""
        self._store = store
        self._queue = queue
        self._seconds = seconds
        self._looking = asyncio.Lock()
        self._holds_until = float("-inf")
        self._failure: Exception | None = None

    async def check(self) -> None:
        """Raises `UnavailableError` where the store or the queue did not answer when it was last asked."""
        async with self._looking:
            if self._seconds() >= self._holds_until:
                self._failure = await self._look()
                self._holds_until = self._seconds() + (SECONDS_UNREADY if self._failure else SECONDS_READY)
            failure = self._failure
        if failure is not None:
            raise UnavailableError("The store or the queue does not answer") from failure

    async def _look(self) -> Exception | None:
        try:
            async with asyncio.timeout(LONGEST_LOOK_SECONDS):
                await self._store.get(TENANTS.name, "health", "health")
                await self._queue.pending("usage", [])
        except Exception as failure:  # noqa: BLE001  whatever it is, they are not ready
            return failure
        return None
