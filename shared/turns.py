"""Long work on the event loop, in short turns: other requests go on between them, however many do such work."""

import asyncio
import time
from typing import Self

TURN_SECONDS = 0.001
"""A request needs several rounds of the loop, and each of them waits for one turn at most."""


class Turns:
    """Where long work of several requests waits, so that each round of the event loop has one turn of it.

    Whoever only pauses does not bound that: ten long requests would take ten turns in each round.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    def begun(self) -> "Turn":
        """The first turn begins at once: what is done within it waits for nobody."""
        return Turn(self._lock)


class Turn:
    """What one request does between two pauses. The last one ends with its block."""

    __slots__ = ("_began", "_is_held", "_lock")

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._is_held = False
        self._began = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    async def pause_if_over(self) -> None:
        """Let others go on where the turn has lasted long enough, and wait for the next one."""
        if time.perf_counter() - self._began < TURN_SECONDS:
            return
        await asyncio.sleep(0)  # the turn is kept until the round is over: nobody else takes one in it
        self.end()
        await self._lock.acquire()
        self._is_held = True
        self._began = time.perf_counter()

    def end(self) -> None:
        if self._is_held:
            self._is_held = False
            self._lock.release()
