"""Functions for batches: one session at a time, all messages of a batch settled together, no lock renewed."""

import typing
from collections.abc import Awaitable, Callable
from pathlib import Path

import azure.functions as func
import pytest

from tests.doubles.clients.running_host import Options, hosted, until
from tests.doubles.fakes.memory_broker import MemoryBroker, Message

Messages = typing.List[func.ServiceBusMessage]  # noqa: UP006  the platform's worker rejects list[...]


def batch_app(handle: Callable[[Messages], Awaitable[None]]) -> func.FunctionApp:
    app = func.FunctionApp()

    @app.service_bus_queue_trigger(
        arg_name="messages",
        queue_name="work",
        connection="ServiceBus",
        is_sessions_enabled=True,
        cardinality=func.Cardinality.MANY,
    )
    async def work(messages: Messages) -> None:
        await handle(messages)

    return app


def bodies(messages: Messages) -> list[bytes]:
    return [message.get_body() for message in messages]


async def test_a_batch_holds_messages_of_one_session_in_order_and_is_completed(tmp_path: Path) -> None:
    batches: list[list[bytes]] = []
    broker = MemoryBroker()
    await broker.send("work", [Message(f"{number}".encode(), session_id="ab"[number % 2]) for number in range(10)])

    async def handle(messages: Messages) -> None:
        assert len({message.session_id for message in messages}) == 1
        batches.append(bodies(messages))

    options = Options({"maxMessageBatchSize": 3, "sessionIdleTimeout": "00:00:00.02"})
    async with hosted(batch_app(handle), tmp_path, options, broker=broker) as running:
        await running.idle()
    assert batches == [[b"0", b"2", b"4"], [b"6", b"8"], [b"1", b"3", b"5"], [b"7", b"9"]]
    assert broker.settlements == [(batch, []) for batch in batches]


async def test_one_session_is_worked_on_at_a_time_and_left_only_when_it_is_idle(tmp_path: Path) -> None:
    seen: list[list[bytes]] = []

    async def handle(messages: Messages) -> None:
        seen.append(bodies(messages))
        if len(seen) == 1:
            await broker.send("work", [Message(b"3", session_id="busy")])

    broker = MemoryBroker()
    await broker.send("work", [Message(b"1", session_id="busy"), Message(b"2", session_id="sparse")])
    options = Options({"maxConcurrentSessions": 8, "sessionIdleTimeout": "00:00:00.05"})
    async with hosted(batch_app(handle), tmp_path, options, broker=broker) as running:
        await running.idle()
    assert seen == [[b"1"], [b"3"], [b"2"]]


async def test_correlation_ids_that_only_some_messages_have_move_up_as_on_the_platform(tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def handle(messages: Messages) -> None:
        seen.extend(message.correlation_id for message in messages)

    broker = MemoryBroker()
    await broker.send("work", [Message(b"1"), Message(b"2", correlation_id="of the second"), Message(b"3")])
    async with hosted(batch_app(handle), tmp_path, broker=broker) as running:
        await running.idle()
    assert seen == ["of the second", None, None]


async def test_a_failed_batch_comes_again_as_a_whole_until_it_succeeds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counts: list[int | None] = []

    async def handle(messages: Messages) -> None:
        counts.append(messages[0].delivery_count)
        if len(counts) < 4:
            raise RuntimeError("not yet")

    broker = MemoryBroker()
    await broker.send("work", [Message(b"1"), Message(b"2")])
    async with hosted(batch_app(handle), tmp_path, broker=broker) as running:
        await running.idle()
    assert counts == [1, 2, 3, 4]
    assert broker.settlements == [([], [b"1", b"2"])] * 3 + [([b"1", b"2"], [])]
    assert "function work failed" in caplog.text


async def test_a_function_slower_than_its_lock_gets_the_messages_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deliveries: list[int | None] = []
    broker = MemoryBroker(lock_seconds=0.2)

    async def handle(messages: Messages) -> None:
        deliveries.append(messages[0].delivery_count)
        if len(deliveries) == 1:
            await until(lambda: not broker.is_locked("work", "session"))

    async with hosted(batch_app(handle), tmp_path, broker=broker) as running:
        await broker.send("work", [Message(b"slow")])
        await running.idle()
        assert "slower than its lock" in caplog.text
    assert deliveries == [1, 2]
    assert broker.settlements == [([b"slow"], [])]
