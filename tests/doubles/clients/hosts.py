"""Fixtures for tests over HTTP: running hosts and clients of them.

`xyra` is a client of a host that the tests of one pytest worker share, each with organizations of its own.
`time_machine` is a client of another host, whose clock tests set. `small_host` is for tests that compare the whole
store before and after.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from tests.doubles.clients.xyra_client import OPERATOR_SCOPES, Description, Xyra
from tests.doubles.clients.xyra_process import OPERATOR, XyraProcess

NOW = datetime(2026, 11, 18, 10, 5, 30, tzinfo=UTC)
"""Just after the hourly timer: it does not fire while tests look at the store."""


@dataclass(frozen=True)
class Served:
    """A running host, with the API description and a key for its clients."""

    process: XyraProcess
    description: Description
    operator_key: str

    @classmethod
    async def by(cls, process: XyraProcess) -> "Served":
        """Start the process and sign in once. The operator has an API key, which outlives any move of the clock."""
        await asyncio.to_thread(process.start)
        async with aiohttp.ClientSession(process.base) as session:
            async with session.get("/api/v1/openapi.json") as response:
                description = Description(json.loads(await response.read()))
            operator = await Xyra(session, description, "").sign_in(*OPERATOR)
            made = await operator.post("api-keys", {"name": "Tests", "scopes": OPERATOR_SCOPES, "force": True})
        return cls(process, description, made["token"])

    @asynccontextmanager
    async def clients(self) -> AsyncIterator[Xyra]:
        async with aiohttp.ClientSession(self.process.base, cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield Xyra(session, self.description, self.operator_key)


def _clock(directory: Path) -> Path:
    clock_file = directory / "clock"
    clock_file.write_text(NOW.isoformat(), encoding="utf-8")
    return clock_file


def _served(directory: Path) -> Iterator[Served]:
    process = XyraProcess(directory / "data", clock_file=_clock(directory))
    try:
        yield asyncio.run(Served.by(process))
    finally:
        process.end()


@pytest.fixture(scope="session")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from _served(tmp_path_factory.mktemp("xyra"))


@pytest.fixture(scope="session")
def small_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A host with little in its store, so that comparing all of it is quick."""
    yield from _served(tmp_path_factory.mktemp("small"))


@pytest.fixture
async def xyra(shared_host: Served) -> AsyncIterator[Xyra]:
    async with shared_host.clients() as clients:
        yield clients


class TimeMachine:
    """Clients of a host whose clock a test sets, to any time."""

    def __init__(self, xyra: Xyra, process: XyraProcess) -> None:
        self.xyra = xyra
        self._process = process

    async def at(self, moment: str) -> None:
        """Set the clock, and wait until everything that is due by then is done.

        What was sent before is done first: no event waits in a queue while a month passes. An invoice that comes
        before such an event finds nothing to bill, and the next one is an hour away.
        """
        await self.xyra.idle()
        self._process.set_clock(datetime.fromisoformat(moment))
        await self.xyra.idle()


class TravellingHosts:
    """One host at a time for the tests that set its clock.

    A wallet takes nothing from a host whose clock is behind the wallet's, and every test sets the clock to its own
    time. So a host whose store has wallets is not used by another test.
    """

    def __init__(self, directories: pytest.TempPathFactory) -> None:
        self._directories = directories
        self._ending = ExitStack()
        self._served: Served | None = None

    def host(self) -> Served:
        if self._served is None or _has_wallets(self._served.process.data_dir):
            self.end()
            serving = _served(self._directories.mktemp("travelling"))
            self._served = next(serving)
            self._ending.callback(serving.close)
        return self._served

    def end(self) -> None:
        self._served = None
        self._ending.close()


def _has_wallets(data_dir: Path) -> bool:
    with closing(sqlite3.connect(f"file:{data_dir / 'xyra.db'}?mode=ro", uri=True)) as database:
        heads = database.execute("SELECT 1 FROM ledgers WHERE kind = 'credit_head' LIMIT 1")
        return heads.fetchone() is not None


@pytest.fixture(scope="session")
def travelling_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TravellingHosts]:
    hosts = TravellingHosts(tmp_path_factory)
    yield hosts
    hosts.end()


@pytest.fixture
def travelling_host(travelling_hosts: TravellingHosts) -> Served:
    return travelling_hosts.host()


@pytest.fixture
async def time_machine(travelling_host: Served) -> AsyncIterator[TimeMachine]:
    async with travelling_host.clients() as clients:
        yield TimeMachine(clients, travelling_host.process)


@pytest.fixture
def new_process(tmp_path: Path) -> Iterator[Callable[..., XyraProcess]]:
    """Makes processes, not started yet, on one data directory of this test.

    Without `present` their clock runs from `NOW` on.
    """
    clock_file = _clock(tmp_path)
    names = (f"host-{number}" for number in count())

    def make(*, present: bool = False, **settings: str) -> XyraProcess:
        clock = None if present else clock_file
        process = XyraProcess(tmp_path / "data", clock_file=clock, name=next(names), **settings)
        ending.callback(process.end)
        return process

    with ExitStack() as ending:
        yield make
