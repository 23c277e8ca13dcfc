"""`python -m bench.sessions`: whether anybody starves while sessions compete for their places.

For each row: the most events per second that are accepted and metered, then, beside half of it, how long an
acknowledged event takes to its total, for the busy organization and for the sparse ones. Single messages against
batches, one host and several on one data directory.
"""

import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.load import PROBE, Request, Sender, Shape, batch_of, new_organization, post, signed_in
from bench.server import Server
from bench.tables import WIDTH

SLOTS = 64
"""`maxConcurrentSessions` of host.json."""
CONNECTIONS = 16
MOST_CONNECTIONS = 200
"""Fewer than a host takes from one address."""
MAXIMUM_SECONDS = 10.0
MEASURED_SECONDS = 60.0
SPARSE_SECONDS = 30.0
"""Between the events of a sparse organization."""
LOOK_SECONDS = 0.01
HOSTS = (1, 4)
TRIGGERS = {"single": "local", "batches": "bench.batch_host"}
"""By the modules that serve with them."""


@dataclass(frozen=True, slots=True)
class Row:
    """`steady` organizations share half of the traffic, or all where there is no busy one; `sparse` have none of it."""

    name: str
    busy: int
    steady: int
    sparse: int
    events_per_request: int = 10
    requests_per_second: float | None = None
    """Of all but the sparse ones, instead of half of the maximum."""

    @property
    def organizations(self) -> int:
        return self.busy + self.steady + self.sparse


ROWS = (
    Row("1", busy=1, steady=0, sparse=0),
    Row("8: 1 busy, 5 others, 2 sparse", busy=1, steady=5, sparse=2),
    Row("50, below the slots: 1 busy, 29 others, 20 sparse", busy=1, steady=29, sparse=20),
    Row("200, above the slots: 1 busy, 99 others, 100 sparse", busy=1, steady=99, sparse=100),
    Row(
        "100, above the slots: 80 with 1.5 messages a second each, 20 sparse",
        busy=0,
        steady=80,
        sparse=20,
        events_per_request=1,
        requests_per_second=120,
    ),
)


@dataclass(slots=True)
class Measured:
    row: Row
    trigger: str
    hosts: int
    maximum: float
    """Events per second."""
    busy: list[float] = field(default_factory=list)
    """Seconds from acknowledgement to total."""
    sparse: list[float] = field(default_factory=list)


class Scene:
    """The organizations of a row, and the hosts that serve them."""

    def __init__(self, row: Row, bases: Sequence[str], senders: Sequence[Sender]) -> None:
        self._bases = itertools.cycle(bases)
        self._admin = bases[0]
        self._events_per_request = row.events_per_request
        self.busy = senders[: row.busy]
        self.steady = senders[row.busy : row.busy + row.steady]
        self.sparse = senders[row.busy + row.steady :]
        self._random = random.Random(1)  # noqa: S311  load

    async def maximum(self, session: aiohttp.ClientSession) -> float:
        """Events per second, from the first request until all are metered."""
        sent = 0
        start = time.perf_counter()

        async def send() -> None:
            nonlocal sent
            while time.perf_counter() < start + MAXIMUM_SECONDS:
                await self._send(session, self._next_sender())
                sent += self._events_per_request

        await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
        await self._until_metered(session)
        return sent / (time.perf_counter() - start)

    async def measure(self, session: aiohttp.ClientSession, measured: Measured) -> None:
        """Beside a steady load, whether or not answers keep up."""
        half = measured.maximum / 2 / self._events_per_request
        load = asyncio.create_task(self._send_steadily(session, measured.row.requests_per_second or half))
        try:
            async with asyncio.TaskGroup() as group:
                for sender in self.busy:
                    group.create_task(self._probe(session, sender, measured.busy, pause=0.5))
                for sender in self.sparse:
                    group.create_task(self._probe(session, sender, measured.sparse, pause=SPARSE_SECONDS))
        finally:
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
        await self._until_metered(session)

    def _next_sender(self) -> Sender:
        """The busy one every other time."""
        if not self.steady or (self.busy and self._random.random() < 0.5):  # noqa: PLR2004  half of the traffic
            return self._random.choice(self.busy)
        return self._random.choice(self.steady)

    async def _send_steadily(self, session: aiohttp.ClientSession, per_second: float) -> None:
        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                await asyncio.sleep(start + number / per_second - time.perf_counter())
                group.create_task(self._send(session, self._next_sender()))

    async def _send(self, session: aiohttp.ClientSession, sender: Sender) -> None:
        path = f"{next(self._bases)}/api/v1/events"
        await post(session, sender, Request(path, batch_of(self._events_per_request, "load")))

    async def _probe(self, session: aiohttp.ClientSession, sender: Sender, found: list[float], *, pause: float) -> None:
        """An event now and then, beginning anywhere within a pause.

        One that is not seen in twice the time of the measurement counts with what it has waited until then.
        """
        end = time.perf_counter() + MEASURED_SECONDS
        await asyncio.sleep(self._random.uniform(0, pause))
        while time.perf_counter() < end:
            base = next(self._bases)
            before = await self._total(session, base, sender)
            await post(session, sender, Request(f"{base}/api/v1/events", batch_of(1, "probe", [PROBE])))
            start = time.perf_counter()
            await self._until_changed(session, base, sender, before, end + MEASURED_SECONDS)
            found.append(time.perf_counter() - start)
            await asyncio.sleep(max(start + pause - time.perf_counter(), 0))

    async def _until_changed(
        self, session: aiohttp.ClientSession, base: str, sender: Sender, before: int, give_up_at: float
    ) -> None:
        while await self._total(session, base, sender) == before:
            if time.perf_counter() > give_up_at:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _total(self, session: aiohttp.ClientSession, base: str, sender: Sender) -> int:
        query = {"agent": PROBE}
        async with session.get(f"{base}/api/v1/usage", params=query, headers=sender.headers) as response:
            response.raise_for_status()
            return sum(int(row["quantity"]) for row in (await response.json())["data"])

    async def _until_metered(self, session: aiohttp.ClientSession) -> None:
        while True:
            async with session.get(f"{self._admin}/admin/host/status") as response:
                if not (await response.json())["queued"]:
                    return
            await asyncio.sleep(LOOK_SECONDS)


async def measured(row: Row, trigger: str, hosts: int, data_dir: Path) -> Measured:
    settings = {} if trigger == "single" else {"AzureWebJobs.rate_usage.Disabled": "true"}
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(
                Server(data_dir, metering=True, settings=settings, module=TRIGGERS[trigger])
            )
            for _ in range(hosts)
        ]
        async with signed_in(servers[0].base) as operator:
            senders = [await new_organization(operator, Shape()) for _ in range(row.organizations)]
        scene = Scene(row, [server.base for server in servers], senders)
        connector = aiohttp.TCPConnector(limit=MOST_CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector) as session:
            result = Measured(row, trigger, hosts, await scene.maximum(session))
            await scene.measure(session, result)
        return result


def table_of(results: Sequence[Measured]) -> Table:
    table = Table(title=f"Acknowledged to visible beside half of the maximum, {SLOTS} session slots on each host")
    table.add_column("organizations")
    table.add_column("trigger")
    for column in ("hosts", "events/s at most", "busy p50", "p99", "sparse p50", "p99"):
        table.add_column(column, justify="right")
    for each in results:
        table.add_row(
            each.row.name,
            each.trigger,
            str(each.hosts),
            f"{each.maximum:,.0f}",
            *_percentiles(each.busy),
            *_percentiles(each.sparse),
        )
    return table


def _percentiles(seconds: Sequence[float]) -> tuple[str, str]:
    if not seconds:
        return "", ""
    ordered = sorted(seconds)
    return tuple(f"{ordered[int(len(ordered) * part)] * 1000:,.0f} ms" for part in (0.5, 0.99))  # type: ignore[return-value]  two parts


async def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    results: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="xyra-sessions-") as folder:
        for number, (row, hosts, trigger) in enumerate(itertools.product(ROWS, HOSTS, TRIGGERS)):
            results.append(await measured(row, trigger, hosts, Path(folder) / str(number)))
            console.print(table_of(results[-1:]))
    console.print(table_of(results))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
