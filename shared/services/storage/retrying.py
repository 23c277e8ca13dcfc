"""Waiting for what passes by itself: reads that lag behind; transient faults, inside the lock of a message, so that an
outage does not use up its delivery count.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

from shared.domain.kernel.errors import UnavailableError

RETRIED_FOR = timedelta(seconds=45)
"""Well below a message's lock."""
SECOND_LOOK_SECONDS = 0.25
"""After it, what a read may have missed is read once more: longer than the replicas of a store differ."""
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

_log = logging.getLogger(__name__)


async def retry_while_unavailable(act: Callable[[], Awaitable[None]]) -> None:
    """Repeat `act`, which must be safe to repeat, while it raises `UnavailableError`; after 45 s raise that."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + RETRIED_FOR.total_seconds()
    pause = _FIRST_PAUSE
    while True:
        try:
            return await act()
        except UnavailableError:
            if loop.time() + pause > give_up:
                raise
            _log.warning("waiting for a fault to pass", exc_info=True)
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  jitter
        pause = min(2 * pause, _LONGEST_PAUSE)
