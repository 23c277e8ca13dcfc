"""What every adapter of a port must hold to. Another adapter joins by another entry in the fixtures here."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.adapters.cosmos import CosmosStore
from shared.adapters.key_vault import secrets as key_vault
from shared.adapters.sqlite import Database, SqliteStore
from shared.ports.store import Store
from tests.doubles.fakes import prompt_service_bus
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.fakes.settable_seconds import SettableSeconds
from tests.doubles.servers import cosmos_account
from tests.doubles.servers.key_vault_server import SECOND, KeyVaultServer
from tests.doubles.servers.stripe.server import StripeServer

SQLITE = ["sqlite-file", "sqlite-memory"]
COSMOS = pytest.param("cosmos", marks=pytest.mark.cosmos)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(datetime(2026, 10, 1, 12, tzinfo=UTC))


@pytest.fixture
def seconds() -> SettableSeconds:
    return SettableSeconds()


@pytest.fixture
def prompt_service_bus_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt_service_bus.make_prompt(monkeypatch.setattr)


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVaultServer]:
    monkeypatch.setattr(key_vault, "_FIRST_PAUSE_SECONDS", 0.2 * SECOND)  # before what fails is repeated
    vault = KeyVaultServer(tmp_path)
    yield vault
    vault.stop()


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    return tmp_path / "xyra.db"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that ask for a `database` are about SQLite's."""
    if "adapter" in metafunc.fixturenames:
        metafunc.parametrize("adapter", SQLITE if "database" in metafunc.fixturenames else [*SQLITE, COSMOS])


@pytest.fixture
def database(adapter: str, database_path: Path) -> Iterator[Database]:
    database = Database(database_path if adapter == "sqlite-file" else ":memory:")
    yield database
    database.close()


@pytest.fixture(scope="session")
def cosmos_endpoint() -> Iterator[cosmos_account.Endpoint]:
    with cosmos_account.endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def cosmos_store(
    cosmos_endpoint: cosmos_account.Endpoint, request: pytest.FixtureRequest
) -> AsyncIterator[CosmosStore]:
    cosmos_account.skip_what_it_cannot(cosmos_endpoint, request.node.originalname)
    async with cosmos_account.new_store(cosmos_endpoint) as store:
        yield store


@pytest.fixture
async def store(adapter: str, clock: SettableClock, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if adapter == "cosmos":
        endpoint: cosmos_account.Endpoint = request.getfixturevalue("cosmos_endpoint")
        cosmos_account.skip_what_it_cannot(endpoint, request.node.originalname)
        async with cosmos_account.new_store(endpoint) as store:
            yield store
    else:
        yield SqliteStore(request.getfixturevalue("database"), clock)


@pytest.fixture
async def stripe_server() -> AsyncIterator[StripeServer]:
    """In the loop of the test: a client that blocked it would never be answered."""
    async with StripeServer.running() as server:
        yield server
    assert server.double.broken == []
