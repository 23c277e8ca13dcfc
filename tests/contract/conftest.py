"""What every adapter of a port must hold to. Another adapter joins by another entry in the fixtures here."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.adapters.local_queue import LocalQueue
from shared.adapters.sqlite import Database, SqliteStore
from shared.ports.store import Store
from tests.doubles.settable_clock import SettableClock
from tests.doubles.settable_seconds import SettableSeconds


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(datetime(2026, 10, 1, 12, tzinfo=UTC))


@pytest.fixture
def seconds() -> SettableSeconds:
    return SettableSeconds()


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    return tmp_path / "xyra.db"


@pytest.fixture(params=["sqlite-file", "sqlite-memory"])
def database(request: pytest.FixtureRequest, database_path: Path) -> Iterator[Database]:
    database = Database(database_path if request.param == "sqlite-file" else ":memory:")
    yield database
    database.close()


@pytest.fixture
def store(database: Database, clock: SettableClock) -> Store:
    return SqliteStore(database, clock)


@pytest.fixture
def queue(database: Database, seconds: SettableSeconds) -> LocalQueue:
    return LocalQueue(database, max_delivery_count=3, present=seconds)
