"""Many events of many organizations, one of which sends half of them over 8 shards: every total is exact, the host's
memory does not grow with them, and repair finds nothing; and of a total that is damaged by hand just that one.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from time import monotonic
from typing import Any

import aiohttp
import pytest

from shared.adapters.secret_file.secrets import LocalSecrets
from shared.adapters.sqlite import Database, SqliteStore
from shared.adapters.sqlite.queue import LocalQueue
from shared.bootstrap import Application, Ports
from shared.containers import LEDGERS
from shared.services.usage.repair import ShardReport
from shared.settings import Settings
from tests.doubles.clients import command_line
from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.numbered_usage import MONTH, assert_counted_once, event, organization_with_agents

MakeProcess = Callable[..., XyraProcess]

EVENTS = int(os.environ.get("XYRA_MANY_EVENTS", "4000"))
"""`make many-events` takes 100,000 and `make million` so many."""
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
ORGANIZATIONS = 100
SHARDS = 8
SENDERS = 4
BATCH = 500
QUEUED = 300
"""Messages. Where so many wait the senders pause: a queue that grows on and on says nothing of memory."""
PAGE_CACHE_MB = 64.0
"""Of the embedded store. It fills with the first 80,000 events or so."""
GROWTH_MB = 40.0
"""What memory may grow by besides, however many events follow: all organizations and agents come to be remembered."""


@dataclass(frozen=True)
class Load:
    organization: Organization
    numbers: range

    def batches(self) -> list[tuple["Load", range]]:
        return [(self, self.numbers[start : start + BATCH]) for start in range(0, len(self.numbers), BATCH)]


@dataclass
class Sending:
    """Several senders; `memory` is what the host had after how many events, in MB."""

    process: XyraProcess
    session: aiohttp.ClientSession
    sent: int = 0
    memory: list[tuple[int, float]] = field(default_factory=list)

    async def send(self, loads: Sequence[Load]) -> None:
        batches = [batch for load in loads for batch in load.batches()]
        Random(EVENTS).shuffle(batches)
        waiting = iter(batches)
        await asyncio.gather(*(self._send_some(waiting) for _ in range(SENDERS)))

    async def _send_some(self, waiting: Iterator[tuple[Load, range]]) -> None:
        for load, numbers in waiting:
            body = json.dumps([event(number, time_of(number)) for number in numbers]).encode()
            headers = {**load.organization.key.headers, "Content-Type": "application/json"}
            async with self.session.post("/api/v1/events", data=body, headers=headers) as response:
                assert response.status == 202, await response.text()
            self.sent += len(numbers)
            self.measure()
            while await self._queued() > QUEUED:  # noqa: ASYNC110  another process's queue
                await asyncio.sleep(0.05)

    async def _queued(self) -> int:
        async with self.session.get("/admin/host/status") as response:
            return int((await response.json())["queued"])

    def measure(self) -> None:
        self.memory.append((self.sent, self.process.memory_mb()))

    @property
    def grown_mb(self) -> float:
        """Since the first request."""
        return max(megabytes for _, megabytes in self.memory) - self.memory[0][1]


def time_of(number: int) -> str:
    """Spread over the month up to now, a millisecond for each."""
    return (FIRST + timedelta(milliseconds=number * 1249 % (14 * 24 * 3600 * 1000))).isoformat()


async def organizations(xyra: Xyra) -> list[Organization]:
    """The first of them has the shards."""
    first = await organization_with_agents(xyra, shard_count=SHARDS)
    others = [await organization_with_agents(xyra) for _ in range(ORGANIZATIONS - 1)]
    return [first, *others]


def loads_of(made: Sequence[Organization]) -> list[Load]:
    each = EVENTS // 2 // (ORGANIZATIONS - 1)
    sizes = [EVENTS - each * (ORGANIZATIONS - 1), *[each] * (ORGANIZATIONS - 1)]
    return [Load(organization, range(size)) for organization, size in zip(made, sizes, strict=True)]


@contextmanager
def application_on(process: XyraProcess) -> Iterator[Application]:
    """Beside the host, on the same file."""
    database = Database(process.data_dir / "xyra.db")
    clock = SettableClock(NOW)
    ports = Ports(
        SqliteStore(database, clock), LocalQueue(database), clock, LocalSecrets(process.data_dir / "secrets.json")
    )
    try:
        yield Application(ports, Settings(data_dir=process.data_dir))
    finally:
        database.close()


async def repair(application: Application, organization: Organization) -> AsyncIterator[ShardReport]:
    of = await application.organizations.get(organization.id)
    period = await application.periods.containing(of, datetime.fromisoformat(f"{MONTH}-15T00:00:00Z"))
    async for report in application.repair.run(of, period, mend=False):
        yield report


async def damage(process: XyraProcess, organization: Organization, shard: int) -> dict[str, Any]:
    """One total of one shard, by hand: what it was."""
    database = Database(process.data_dir / "xyra.db")
    store = SqliteStore(database, SettableClock(NOW))
    partition = f"{organization.id}:usage:{shard}"
    try:
        item = (await store.query(LEDGERS.name, partition, "total", limit=1)).items[0]
        wrong: dict[str, Any] = json.loads(json.dumps(item.document))
        wrong["totals"]["meters"]["summed"]["sum"] = "12345"
        await store.replace(LEDGERS.name, partition, wrong, item.etag)
    finally:
        database.close()
    return item.document


def run_repair(process: XyraProcess, organization: Organization, *mend: str) -> tuple[int, list[str]]:
    end = command_line.run(
        *("repair", "--organization", organization.slug, "--period", MONTH, *mend),
        XYRA_DATA_DIR=str(process.data_dir),
        XYRA_CLOCK_FILE=str(process.clock_file),
    )
    return end.returncode, end.stdout.splitlines()


def figures(sending: Sending, seconds: float, repair_seconds: float) -> str:
    shown = sending.memory[:: max(1, len(sending.memory) // 10)]
    return "\n".join(
        [
            f"\n{EVENTS:,} events of {ORGANIZATIONS} organizations",
            f"accepted and metered per second: {EVENTS / seconds:,.0f}",
            f"resident memory in MB: {', '.join(f'{megabytes:.0f} after {sent:,}' for sent, megabytes in shown)}",
            f"grown by {sending.grown_mb:.0f} MB, of which the store's page cache may be {PAGE_CACHE_MB:.0f}",
            f"repaired per second: {EVENTS / repair_seconds:,.0f}, with no difference",
        ]
    )


@pytest.mark.own_target
async def test_totals_are_exact_memory_is_flat_and_repair_finds_what_is_damaged(new_process: MakeProcess) -> None:
    host = new_process(XYRA_LOG_LEVEL="WARNING")
    served = await Served.by(host)
    async with served.clients() as xyra:
        made = await organizations(xyra)
        loads = loads_of(made)
        async with aiohttp.ClientSession(host.base) as session:
            sending = Sending(host, session)
            start = monotonic()
            await sending.send(loads)
            await xyra.idle()
            seconds = monotonic() - start
            sending.measure()
        for load in loads:
            await assert_counted_once(load.organization, load.numbers)
        assert sending.sent == EVENTS
        assert sending.grown_mb < PAGE_CACHE_MB + GROWTH_MB, sending.memory
        start = monotonic()
        with application_on(host) as application:
            reports = [report for each in made async for report in repair(application, each)]
        print(figures(sending, seconds, monotonic() - start))  # noqa: T201  `-s` shows it
        assert sum(report.events for report in reports) == EVENTS
        assert [report for report in reports if report.wrong or report.unsteady] == []

        large = made[0]
        right = await damage(host, large, shard=5)
        status, lines = run_repair(host, large)
        assert status == 6
        (line, _) = lines
        assert line == (
            f"shard 5, agent {right['agent_id']}, version {right['version_id']}, summed: "
            f"kept count {right['totals']['meters']['summed']['count']}, sum 12345; "
            f"recomputed count {right['totals']['meters']['summed']['count']}, "
            f"sum {right['totals']['meters']['summed']['sum']}"
        )
        status, lines = run_repair(host, large, "--mend")
        assert (status, lines[-1].split(", ")[2:]) == (0, ["1 wrong", "mended"])
        status, lines = run_repair(host, large)
        assert (status, len(lines), lines[-1].split(", ")[2]) == (0, 1, "0 wrong")
        await assert_counted_once(large, loads[0].numbers)
