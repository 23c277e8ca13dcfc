"""Long work in short turns: other requests go on between them, however many do such work."""

import asyncio
import time
from contextvars import ContextVar, Token
from typing import Self

TURN_SECONDS = 0.001
"""A request needs several rounds of the loop, and each of them waits for one turn at most."""
TURNS_IN_A_ROW = 2
"""Of one request. From then on, its turns make room for short requests."""
ROOM_SECONDS = 0.004
"""Before a turn, while short requests are on their way, at most: long work has a fifth of the processor then."""
LOOK_SECONDS = 0.001
"""How often long work looks whether they are answered."""


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
        try:
            await self.make_room()
        finally:
            asyncio.get_running_loop().call_soon(self.release)

    async def acquire(self) -> None:
        await self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def becomes_long(self) -> None:
        """From now on, nobody makes room for the request that is being answered."""
        request = _current.get()
        if request is not None:
            request.becomes_long()

    @property
    def is_long(self) -> bool:
        """Whether the request that is being answered has become long."""
        request = _current.get()
        return request is not None and request.is_long

    async def make_room(self) -> None:
        """Let short requests be answered. Whoever has the turn keeps it meanwhile, so that nobody takes one."""
        until = time.perf_counter() + ROOM_SECONDS
        while self.short_requests and time.perf_counter() < until:  # noqa: ASYNC110  it changes with every request
            await asyncio.sleep(LOOK_SECONDS)

    def of_thread(self) -> "ThreadTurns":
        """For long work in a thread beside the loop."""
        return ThreadTurns(self)


class Request:
    """A request on its way, as long as its block runs."""

    __slots__ = ("_token", "is_long", "turns")

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.is_long = False

    def __enter__(self) -> None:
        self.turns.short_requests += 1
        self._token: Token[Request | None] = _current.set(self)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
        if not self.is_long:
            self.turns.short_requests -= 1

    def becomes_long(self) -> None:
        if not self.is_long:
            self.is_long = True
            self.turns.short_requests -= 1


def turns_of_request() -> Turns | None:
    """Those of the request that is being answered; None outside of requests, as for messages of a queue."""
    request = _current.get()
    return None if request is None else request.turns


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

    @property
    def is_over(self) -> bool:
        """Whether it has lasted long enough, so that others want to go on. Asked often, so it is no coroutine."""
        return time.perf_counter() - self._began >= TURN_SECONDS

    async def pause(self) -> None:
        """Let others go on, and wait for the next turn."""
        self._turns.becomes_long()
        await asyncio.sleep(0)
        if self._number >= TURNS_IN_A_ROW:
            await self._turns.make_room()
        self._end()
        await self._turns.acquire()
        self._is_held = True
        self._number += 1
        self._began = time.perf_counter()

    def _end(self) -> None:
        if self._is_held:
            self._is_held = False
            self._turns.release()


class ThreadTurns:
    """The turns of long work in a thread, which shares the interpreter with the loop."""

    __slots__ = ("_began", "_turns")

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._began = time.perf_counter()

    def pause_if_over(self) -> None:
        """Stand still while short requests are on their way, where the turn has lasted long enough."""
        if time.perf_counter() - self._began < TURN_SECONDS:
            return
        until = time.perf_counter() + ROOM_SECONDS
        while self._turns.short_requests and time.perf_counter() < until:
            time.sleep(LOOK_SECONDS)
        self._began = time.perf_counter()
