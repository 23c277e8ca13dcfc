"""What a path is: something that hosts do, and what must have come of it."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.bootstrap import Application
from shared.domain.kernel.errors import UnavailableError
from shared.services.billing.invoice_runs import Task
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.worlds.invoiced_organization import (
    ORGANIZATION,
    Scene,
    billed,
    counted,
    delivered,
    february,
    issued,
    january,
    march,
)

CLOSINGS = (datetime(2026, 4, 5, tzinfo=UTC), datetime(2026, 5, 10, tzinfo=UTC))
TRIES = 8
UNFINISHED = (UnavailableError, asyncio.CancelledError)
"""Ends of a walk after which the broker delivers again, or the client repeats its call."""


@dataclass(frozen=True)
class Result:
    exact: Any
    """The same whatever failed."""
    undisturbed: Any
    """The same unless another host did something else meanwhile or a read was stale: which invoice bills an amount may
    differ then, but not how much is billed in all."""


class Path(ABC):
    """One thing that a client, the broker or a timer makes a host do."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    async def prepare(self) -> None:  # noqa: B027  most need nothing
        """What happens between the history and the walk."""

    @abstractmethod
    async def walk(self, host: Application) -> None:
        """Safe to repeat as a whole. Raises one of `UNFINISHED` where the broker or the client would repeat it."""

    async def do_other(self, host: Application) -> None:
        """What another host does meanwhile: meter usage of three months."""
        queue = MemoryQueue()
        accepting = self.scene.host_with(self.scene.store, queue)
        events = [january("j-other", 1), february("f-other", 1), march("m-other", 5)]
        await accepting.events.accept(events, partial=False)
        await host.metering.meter(delivered(queue.waiting["usage"]))

    async def result(self) -> Result:
        """After all months are closed: the totals, and the amounts of the documents."""
        await self.scene.drain()
        await self.do_other(self.scene.host())
        for closing in CLOSINGS:
            self.scene.clock.set(closing)
            await self.scene.host().invoice_runs.run(Task(organization_id=ORGANIZATION))
        await self.scene.drain()
        documents = await issued(self.scene)
        totals = [(document.number, document.total) for document, _ in documents]
        return Result((await counted(self.scene), billed(documents)), totals)


async def until_done(path: Path, host: Application) -> None:
    for _ in range(TRIES):
        with suppress(*UNFINISHED):
            return await path.walk(host)
    raise AssertionError("It is never done")
