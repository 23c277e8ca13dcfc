"""Work that takes the interpreter for long: one piece at a time, in a thread, so that other requests go on.

Between its parts it stands still while short requests are on their way (`kernel/pauses.py`).
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.pauses import pausing_by
from shared.turns import Turns, turns_of_request

MOST_WAITING = 32
SWITCH_SECONDS = 0.0002
"""After so long the thread lets others run. A request takes the interpreter ten times; by Python's default it would
wait 5 ms for each of them."""

Result = TypeVar("Result")


class OneAtATime:
    """Runs functions one after the other in a thread of its own."""

    def __init__(self, name: str, most_waiting: int = MOST_WAITING) -> None:
        sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._most_waiting = most_waiting
        self._waiting = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """The result of the work. Raises whatever it raises; `UnavailableError` where too much waits already."""
        if self._waiting >= self._most_waiting:
            raise UnavailableError("Too much waits here already")
        turns = turns_of_request()
        if turns is not None:
            turns.becomes_long()
        self._waiting += 1
        started = self._thread.submit(_making_room, turns, work)
        started.add_done_callback(self._ended_in(asyncio.get_running_loop()))
        try:
            return await asyncio.wrap_future(started)
        finally:
            del started  # an error that it keeps names this frame: together they would stay until a full collection

    def close(self) -> None:
        """Begin nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _ended_in(self, loop: asyncio.AbstractEventLoop) -> Callable[[Future[Result]], None]:
        """Counts in the loop's thread; a loop that is closed has nobody waiting."""

        def ended(_: Future[Result]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._count_down)

        return ended

    def _count_down(self) -> None:
        self._waiting -= 1


def _making_room(turns: Turns | None, work: Callable[[], Result]) -> Result:
    """The result of work that a request waits for, which makes room for other requests."""
    pausing_by(None if turns is None else turns.of_thread().pause_if_over)
    return work()
