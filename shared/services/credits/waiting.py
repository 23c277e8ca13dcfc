"""Commands that wait for one payer in one process: taken in packs, one pack at a time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.credits.commands import AnyCommand
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.errors import XyraError

MAXIMUM_WAITING = 2_000
"""Commands of one payer. More are refused at once."""
PACK = 45
"""The most commands that are tried in one batch."""


@dataclass(slots=True)
class Waiting:
    """A command, and the call that waits for what comes of it."""

    command: AnyCommand
    since: datetime
    done: "asyncio.Future[Transfer]"

    def answer(self, transfer: Transfer) -> None:
        if not self.done.done():
            self.done.set_result(transfer)

    def fail(self, error: BaseException) -> None:
        if self.done.done():
            return
        if isinstance(error, asyncio.CancelledError):
            self.done.cancel()
        else:
            self.done.set_exception(error)


@dataclass(slots=True)
class _Lane:
    waiting: deque[Waiting] = field(default_factory=deque)
    runner: "asyncio.Task[None] | None" = None


RunPack = Callable[[str, Sequence[Waiting]], Awaitable[Sequence[Waiting]]]
"""Answers commands of a payer, and returns those that it left."""


class Lanes:
    """One lane for each payer with commands that wait."""

    def __init__(self, run_pack: RunPack, too_many: Callable[[], XyraError]) -> None:
        """`too_many` makes what is raised where too many wait."""
        self._run_pack = run_pack
        self._too_many = too_many
        self._lanes: dict[str, _Lane] = {}

    async def run(self, payer: str, command: AnyCommand, now: datetime) -> Transfer:
        """What comes of a command. Raises what `run_pack` fails it with."""
        lane = self._lanes.setdefault(payer, _Lane())
        if len(lane.waiting) >= MAXIMUM_WAITING:
            raise self._too_many()
        waiting = Waiting(command, now, asyncio.get_running_loop().create_future())
        lane.waiting.append(waiting)
        if lane.runner is None:
            lane.runner = asyncio.create_task(self._drain(payer, lane))
        try:
            return await waiting.done
        finally:
            del waiting  # an error that it keeps names this frame: together they would stay until a full collection

    async def _drain(self, payer: str, lane: _Lane) -> None:
        """Until nothing waits any more. Calls that were given up on are not begun."""
        pack: list[Waiting] = []
        try:
            while lane.waiting:
                pack = [lane.waiting.popleft() for _ in range(min(PACK, len(lane.waiting)))]
                pack = [waiting for waiting in pack if not waiting.done.done()]
                if pack:
                    left = await self._run_pack(payer, pack)
                    lane.waiting.extendleft(reversed(left))
        except BaseException as error:
            for waiting in (*pack, *lane.waiting):
                waiting.fail(error)
            lane.waiting.clear()
            if not isinstance(error, Exception):
                raise
        finally:
            lane.runner = None
            self._lanes.pop(payer, None)
