"""The SQLite store beyond the contract of all stores: one file for several, outages, stale and lagging reads."""

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.sqlite import Database, SqliteStore
from shared.adapters.sqlite.lagging_reads import LaggingReads
from shared.domain.kernel.errors import UnavailableError
from shared.ports.store import (
    MAXIMUM_PAGE,
    AlreadyExistsError,
    StaleEtagError,
    Store,
)
from tests.contract.things import CONTAINER, PK, get, ids_of_all_pages, increment, thing
from tests.doubles.clients import python_process
from tests.doubles.fakes.settable_clock import SettableClock


@pytest.fixture
def databases(database_path: Path) -> Iterator[list[Database]]:
    """Two, on one file."""
    databases = [Database(database_path), Database(database_path)]
    yield databases
    for database in databases:
        database.close()


class TestOneFileForSeveral:
    async def test_two_databases_on_one_file(self, databases: list[Database], clock: SettableClock) -> None:
        store, other = (SqliteStore(database, clock) for database in databases)
        await asyncio.gather(store.create(CONTAINER, PK, thing("total", n=0)), other.create(CONTAINER, PK, thing("b")))
        await asyncio.gather(*(increment(each, 25) for each in (store, other) for _ in range(2)))
        assert (await get(store, "total")).document["n"] == 100
        assert (await get(other, "total")).document["n"] == 100

    async def test_a_lock_of_another_that_lasts_is_an_outage(self, database_path: Path, clock: SettableClock) -> None:
        impatient = Database(database_path, busy_seconds=0.05)
        store = SqliteStore(impatient, clock)
        await store.create(CONTAINER, PK, thing("a"))
        other = sqlite3.connect(database_path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(UnavailableError):
                await store.create(CONTAINER, PK, thing("b"))
            assert await store.get(CONTAINER, PK, "a") is not None
            other.execute("ROLLBACK")
            await store.create(CONTAINER, PK, thing("b"))
        finally:
            other.close()
            impatient.close()

    async def test_processes_that_start_together_and_share_a_total(
        self, databases: list[Database], database_path: Path, clock: SettableClock
    ) -> None:
        processes = [python_process.start("store_process.py", "increment", database_path) for _ in range(3)]
        store = SqliteStore(databases[0], clock)
        await store.create(CONTAINER, PK, thing("total", n=0))
        await asyncio.gather(*(asyncio.to_thread(process.communicate, "go\n", timeout=60) for process in processes))
        assert [process.returncode for process in processes] == [0, 0, 0]
        assert (await get(store, "total")).document["n"] == 60

    async def test_what_was_acknowledged_survives_a_kill(
        self, databases: list[Database], database_path: Path, clock: SettableClock
    ) -> None:
        process = python_process.start("store_process.py", "write", database_path)
        assert process.stdout is not None
        acknowledged: set[str] = set()
        while len(acknowledged) < 300:
            acknowledged.add((await asyncio.to_thread(process.stdout.readline)).strip())
        process.kill()
        rest = await asyncio.to_thread(process.stdout.read)  # `communicate` misses what `readline` has in its buffer
        await asyncio.to_thread(process.communicate, timeout=60)
        acknowledged.update(rest[: rest.rfind("\n") + 1].split())
        found = await ids_of_all_pages(SqliteStore(databases[0], clock), limit=MAXIMUM_PAGE)
        assert acknowledged <= set(found)
        batches = Counter(id_.rpartition(":")[0] for id_ in found if id_.startswith("batch"))
        assert set(batches.values()) == {10}


class TestDatabase:
    async def test_after_closing_it_is_unavailable(self, database_path: Path, clock: SettableClock) -> None:
        database = Database(database_path)
        store = SqliteStore(database, clock)
        writing = asyncio.ensure_future(store.create(CONTAINER, PK, thing("a")))
        await asyncio.sleep(0)
        database.close()
        assert await writing
        with pytest.raises(UnavailableError):
            await store.get(CONTAINER, PK, "a")
        assert [path.name for path in database_path.parent.iterdir()] == [database_path.name]

    def test_it_serves_one_event_loop_after_another(self, database: Database, clock: SettableClock) -> None:
        store = SqliteStore(database, clock)
        asyncio.run(store.create(CONTAINER, PK, thing("a")))
        assert asyncio.run(store.get(CONTAINER, PK, "a")) is not None

    async def test_a_file_that_cannot_be_opened_is_an_outage_until_it_can(
        self, tmp_path: Path, clock: SettableClock
    ) -> None:
        path = tmp_path / "xyra.db"
        path.mkdir()
        database = Database(path)
        try:
            store = SqliteStore(database, clock)
            with pytest.raises(UnavailableError):
                await store.create(CONTAINER, PK, thing("a"))
            with pytest.raises(UnavailableError):
                await store.get(CONTAINER, PK, "a")
            path.rmdir()
            await store.create(CONTAINER, PK, thing("a"))
            assert await store.get(CONTAINER, PK, "a") is not None
        finally:
            database.close()

    async def test_a_cancelled_caller_leaves_the_others_alone(self, store: Store) -> None:
        calls = [asyncio.ensure_future(store.create(CONTAINER, PK, thing(f"{n}"))) for n in range(10)]
        await asyncio.sleep(0)
        calls[4].cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, str)] == [4]
        assert len(await ids_of_all_pages(store)) >= 9

    async def test_an_error_of_the_callers_comes_back_and_undoes_what_it_did(
        self, database: Database, store: Store
    ) -> None:
        await store.create(CONTAINER, PK, thing("a"))

        def half_done(connection: Any) -> None:
            connection.execute("DELETE FROM invoices")
            raise KeyError("oh")

        outcomes = await asyncio.gather(
            database.write(half_done), store.create(CONTAINER, PK, thing("b")), return_exceptions=True
        )
        assert isinstance(outcomes[0], KeyError)
        assert await ids_of_all_pages(store) == ["a", "b"]


class TestStaleReads:
    async def test_reads_lag_one_version_and_guards_do_not(self, database: Database, clock: SettableClock) -> None:
        store = SqliteStore(database, clock, stale_reads=random.Random(1))
        first = await store.create(CONTAINER, PK, thing("a", n=1))
        seen = {item and item.document["n"] for item in [await store.get(CONTAINER, PK, "a") for _ in range(50)]}
        assert seen == {None, 1}
        with pytest.raises(AlreadyExistsError):
            await store.create(CONTAINER, PK, thing("a"))
        await store.replace(CONTAINER, PK, thing("a", n=2), first)
        for _ in range(50):
            many = await store.get_many(CONTAINER, PK, ["a"])
            page = await store.query(CONTAINER, PK, "thing")
            seen |= {item.document["n"] for item in [*many.values(), *page.items]}
        assert seen == {None, 1, 2}
        with pytest.raises(StaleEtagError):
            await store.replace(CONTAINER, PK, thing("a", n=3), first)


class TestLaggingReads:
    """Two processes are two databases on one file."""

    @pytest.fixture
    def lagging(
        self, databases: list[Database], database_path: Path, clock: SettableClock
    ) -> Iterator[Callable[[float], SqliteStore]]:
        with ExitStack() as opened:

            def make(seconds: float) -> SqliteStore:
                reads = LaggingReads(databases[0], database_path, seconds)
                opened.callback(reads.close)
                return SqliteStore(databases[0], clock, lagging_reads=reads)

            yield make

    async def test_what_others_write_is_seen_late(
        self, databases: list[Database], lagging: Callable[[float], SqliteStore], clock: SettableClock
    ) -> None:
        store, other = lagging(60), SqliteStore(databases[1], clock)
        await other.create(CONTAINER, PK, thing("a"))
        assert await ids_of_all_pages(store) == ["a"]
        await other.create(CONTAINER, PK, thing("b"))
        assert await ids_of_all_pages(store) == ["a"]
        assert await store.get(CONTAINER, PK, "b") is None
        with pytest.raises(AlreadyExistsError):
            await store.create(CONTAINER, PK, thing("b"))

    async def test_after_its_own_write_a_process_sees_all_of_that_partition(
        self, databases: list[Database], lagging: Callable[[float], SqliteStore], clock: SettableClock
    ) -> None:
        store, other = lagging(60), SqliteStore(databases[1], clock)
        assert await ids_of_all_pages(store) == []
        await other.create(CONTAINER, PK, thing("a"))
        await other.create(CONTAINER, "another", thing("a"))
        await store.create(CONTAINER, PK, thing("b"))
        assert await ids_of_all_pages(store) == ["a", "b"]
        assert await store.get(CONTAINER, "another", "a") is None

    async def test_after_the_lag_all_is_seen(
        self, databases: list[Database], lagging: Callable[[float], SqliteStore], clock: SettableClock
    ) -> None:
        store, other = lagging(0.05), SqliteStore(databases[1], clock)
        assert await ids_of_all_pages(store) == []
        await other.create(CONTAINER, PK, thing("a"))
        await asyncio.sleep(0.06)
        assert await ids_of_all_pages(store) == ["a"]
