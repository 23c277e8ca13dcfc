"""The main job, whole, on the SDKs of Azure: Cosmos DB and Service Bus instead of SQLite, and the same invoices."""

import json
import re
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from shared.adapters.cosmos import CosmosAccount
from shared.adapters.cosmos.provisioning import create_containers
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.servers import cosmos_account
from tests.doubles.servers.amqp_broker.broker import AmqpBroker
from tests.doubles.servers.amqp_broker.session_queue import DEAD_LETTER_SUFFIX
from tests.doubles.servers.cosmos_server import KEY
from tests.e2e.operations.test_demo import expected_totals

Settings = dict[str, str]

QUEUES = ("usage", "invoices", "payments")
PATIENCE_SECONDS = 180


@pytest.fixture
def endpoint() -> Iterator[cosmos_account.Endpoint]:
    with cosmos_account.endpoint() as endpoint:
        yield endpoint


@pytest.fixture
async def store_settings(endpoint: cosmos_account.Endpoint) -> AsyncIterator[Settings]:
    """Of a database of this test's own."""
    database = f"xyra-demo-{uuid4().hex}"
    account = CosmosAccount(endpoint.url, database, key=endpoint.key)
    try:
        await create_containers(await account.client(), database)
        await account.close()  # the demo takes longer than a connection lives idle
        key = {"XYRA_COSMOS_KEY": endpoint.key} if endpoint.key else {}
        yield {
            "XYRA_STORE": "cosmos",
            "XYRA_COSMOS_ENDPOINT": endpoint.url,
            "XYRA_COSMOS_DATABASE": database,
        } | key
    finally:
        await (await account.client()).delete_database(database)
        await account.close()


@pytest.fixture
def broker() -> Iterator[AmqpBroker]:
    """With the lock and the deliveries that `infra/` gives the queues."""
    broker = AmqpBroker(QUEUES, lock_seconds=300, max_delivery_count=100)
    yield broker
    broker.stop()


def invoices_in(output: str) -> dict[str, Decimal]:
    found = re.findall(r"^(INV-\S+-\d{4}-\d{6})\s+([\d.]+) USD$", output, re.MULTILINE)
    return {number: Decimal(total) for number, total in found}


def errors_of(process: XyraProcess) -> list[dict[str, object]]:
    lines = (process.data_dir / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["level"] in {"ERROR", "CRITICAL"}]


@pytest.mark.cosmos
def test_the_demo_bills_the_same_on_cosmos_db_and_service_bus(
    store_settings: Settings, broker: AmqpBroker, new_process: Callable[..., XyraProcess]
) -> None:
    year = datetime.now(UTC).year
    process = new_process(
        present=True,
        XYRA_DEMO="1",
        XYRA_QUEUE="service_bus",
        XYRA_SERVICE_BUS_CONNECTION_STRING=broker.connection_string,
        **store_settings,
    )
    process.start()
    process.until(lambda: "Ctrl-C" in process.output or "The demo failed" in process.output, seconds=PATIENCE_SECONDS)
    assert invoices_in(process.output) == {
        f"INV-{project.upper()}-{year}-000001": total for project, total in expected_totals().items()
    }
    assert process.stop(signal.SIGINT) == 0
    assert errors_of(process) == []
    assert not (process.data_dir / "xyra.db").exists()
    assert broker.batches
    assert not any(broker.bodies(queue) + broker.bodies(queue + DEAD_LETTER_SUFFIX) for queue in QUEUES)


def test_a_start_without_cosmos_db_ends_with_1_and_a_line(new_process: Callable[..., XyraProcess]) -> None:
    with socket.socket() as bound:  # and not listening: nobody answers there, and nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        process = new_process(
            XYRA_STORE="cosmos",
            XYRA_COSMOS_ENDPOINT=f"https://127.0.0.1:{bound.getsockname()[1]}",
            XYRA_COSMOS_KEY=KEY,
        )
        with pytest.raises(AssertionError, match="the process has ended"):
            process.start()
    assert process.wait() == 1
    assert (
        process.output
        == "The host cannot start: the store cannot be used: The store does not answer: Cosmos DB: no answer\n"
    )
