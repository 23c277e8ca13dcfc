"""Long work on the event loop, in short turns: other requests go on between them, however many do such work."""

import asyncio
import time
from contextvars import ContextVar, Token
from typing import Self

TURN_SECONDS = 0.001
"""A request needs several rounds of the loop, and each of them waits for one turn at most."""
TURNS_IN_A_ROW = 5
"""Of one request. From then on, its turns make room for short requests."""
ROOM_SECONDS = 0.001
"""Between two turns, while a short request is on its way: long work has half of the processor then."""


class Turns:
    """Where long work of several requests waits, so that each round of the event loop has one turn of it.

    Whoever only pauses does not bound that: ten long requests would take ten turns in each round.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self.short_requests = 0
        """That are on their way."""

    def request(self) -> "Request":
        """One that is short until it takes turns."""
        return Request(self)

    def begun(self) -> "Turn":
        """The first turn begins at once: what is done within it waits for nobody."""
        return Turn(self)

    async def one(self) -> None:
        """Wait for a turn for what cannot pause. It lasts as long as this round of the loop."""
        self.becomes_long()
        await self.acquire()
        loop = asyncio.get_running_loop()
        if self.short_requests:
            loop.call_later(ROOM_SECONDS, self.release)
        else:
            loop.call_soon(self.release)

    async def acquire(self) -> None:
        await self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def becomes_long(self) -> None:
        """From now on, nobody makes room for the request that is being answered."""
        request = _current.get()
        if request is not None:
            request.becomes_long()

    async def make_room(self, turns: int) -> None:
        """Let others go on, after so many turns. Whoever has the turn keeps it meanwhile, so that nobody takes one."""
        is_in_the_way = turns >= TURNS_IN_A_ROW and self.short_requests
        await asyncio.sleep(ROOM_SECONDS if is_in_the_way else 0)


class Request:
    """A request on its way, as long as its block runs."""

    __slots__ = ("_is_long", "_token", "_turns")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._is_long = False

    def __enter__(self) -> None:
        self._turns.short_requests += 1
        self._token: Token[Request | None] = _current.set(self)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
        if not self._is_long:
            self._turns.short_requests -= 1

    def becomes_long(self) -> None:
        if not self._is_long:
            self._is_long = True
            self._turns.short_requests -= 1


_current: ContextVar[Request | None] = ContextVar("request", default=None)


class Turn:
    """What one request does between two pauses. The last one ends with its block."""

    __slots__ = ("_began", "_is_held", "_number", "_turns")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._is_held = False
        self._number = 1
        self._began = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    async def pause_if_over(self) -> None:
        """Let others go on where the turn has lasted long enough, and wait for the next one."""
        if time.perf_counter() - self._began < TURN_SECONDS:
            return
        self._turns.becomes_long()
        await self._turns.make_room(self._number)
        self._end()
        await self._turns.acquire()
        self._is_held = True
        self._number += 1
        self._began = time.perf_counter()

    def _end(self) -> None:
        if self._is_held:
            self._is_held = False
            self._turns.release()
