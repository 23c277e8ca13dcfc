"""What the wired application leaves open when it is closed: nothing, whatever was used of it before."""

import gc
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from shared import bootstrap, chosen_adapters
from shared.domain.kernel.errors import UnavailableError
from shared.settings import settings
from tests.doubles.servers.amqp_broker.broker import AmqpBroker
from tests.doubles.servers.cosmos_stub import CosmosStub, cosmos_stub

KEPT = (
    settings,
    bootstrap.application,
    chosen_adapters.broker,
    chosen_adapters.clock,
    chosen_adapters.database,
    chosen_adapters.local_queue,
)


def forget() -> None:
    for kept in (*KEPT, chosen_adapters.opened):
        kept.cache_clear()


@pytest.fixture(autouse=True)
def _own_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that other tests of this process use, or left for the garbage collector."""
    monkeypatch.setenv("XYRA_DATA_DIR", str(tmp_path))
    left_open()
    yield
    forget()


@pytest.fixture
async def stub() -> AsyncIterator[CosmosStub]:
    async with cosmos_stub() as stub:
        yield stub


@pytest.fixture
def amqp_broker(prompt_service_bus_sdk: None) -> Iterator[AmqpBroker]:  # noqa: ARG001  used by being there
    broker = AmqpBroker(("usage", "invoices", "payments"))
    yield broker
    broker.stop()


@pytest.fixture
def on_azure(stub: CosmosStub, amqp_broker: AmqpBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "XYRA_STORE": "cosmos",
        "XYRA_COSMOS_ENDPOINT": stub.endpoint,
        "XYRA_COSMOS_KEY": "a2V5",
        "XYRA_QUEUE": "service_bus",
        "XYRA_SERVICE_BUS_CONNECTION_STRING": amqp_broker.connection_string,
        "XYRA_SECRETS": "key_vault",
        "XYRA_KEY_VAULT_URL": "https://localhost:1",
    }.items():
        monkeypatch.setenv(name, value)


async def ask_store_and_queue() -> None:
    await bootstrap.application().check_ready()


async def ask_the_broker() -> None:
    await chosen_adapters.broker().counts("usage")


async def nothing() -> None: ...


USES = pytest.mark.parametrize("use", [nothing, ask_store_and_queue, ask_the_broker])
Use = Callable[[], Awaitable[None]]


def left_open() -> list[str]:
    """What complains that nobody closed it, once nobody refers to it."""
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        forget()
        gc.collect()
    return [str(complaint.message) for complaint in complaints]


@USES
@pytest.mark.usefixtures("on_azure")
async def test_no_connection_stays_open(use: Use) -> None:
    await use()
    await bootstrap.application().close()
    assert left_open() == []


@USES
async def test_the_file_is_let_go_of(use: Use) -> None:
    await use()
    database = chosen_adapters.database()
    await bootstrap.application().close()
    with pytest.raises(UnavailableError, match="closed"):
        await database.read(lambda connection: connection.total_changes)


@pytest.mark.usefixtures("on_azure")
async def test_closing_twice_is_closing_once() -> None:
    await ask_store_and_queue()
    await bootstrap.application().close()
    await bootstrap.application().close()
    assert left_open() == []
