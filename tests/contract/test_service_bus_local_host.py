"""The local host fed by Service Bus instead of the queue in its file."""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import azure.functions as func
import pytest

from shared.adapters.service_bus import ServiceBusBroker, ServiceBusNamespace, ServiceBusQueue
from shared.ports.queue import Message
from tests.doubles.clients.running_host import hosted
from tests.doubles.servers.amqp_broker.broker import AmqpBroker

pytestmark = [
    pytest.mark.usefixtures("prompt_service_bus_sdk"),
    # The SDK leaves the socket of a link that it closes while it waits for a session.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture
def broker() -> Iterator[AmqpBroker]:
    broker = AmqpBroker(["work"], max_delivery_count=2)
    yield broker
    broker.stop()
    gc.collect()  # here, where the warning is expected, and not in the midst of another test


async def test_all_messages_are_handled_and_the_one_that_never_works_is_dead(
    broker: AmqpBroker, tmp_path: Path
) -> None:
    handled: list[str] = []
    dead: list[str] = []
    buried = asyncio.Event()
    app = func.FunctionApp()

    @app.service_bus_queue_trigger(
        arg_name="message", queue_name="work", connection="ServiceBus", is_sessions_enabled=True
    )
    async def work(message: func.ServiceBusMessage) -> None:
        if message.get_body() == b"bad":
            raise RuntimeError("never works")
        handled.append(message.get_body().decode())

    @app.service_bus_queue_trigger(arg_name="message", queue_name="work/$deadletterqueue", connection="ServiceBus")
    async def bury(message: func.ServiceBusMessage) -> None:
        dead.append(message.get_body().decode())
        buried.set()

    async with ServiceBusNamespace(connection_string=broker.connection_string) as namespace:
        queue = ServiceBusQueue(namespace)
        await queue.send("work", [Message(f"{number}".encode(), f"s{number}", f"m{number}") for number in range(5)])
        await queue.send("work", [Message(b"bad", "s0", "bad")])
        receiving = ServiceBusBroker(namespace)
        async with hosted(app, tmp_path, broker=receiving) as running:
            await asyncio.wait_for(buried.wait(), 60)
            while broker.bodies("work") or broker.bodies("work/$deadletterqueue"):
                await running.status()
        await receiving.close()
        await queue.close()
    assert Counter(handled) == Counter(f"{number}" for number in range(5))
    assert dead == ["bad"]
