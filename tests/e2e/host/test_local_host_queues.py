# ruff: noqa: ARG001  the platform passes what triggered a function by name, used or not
import asyncio
import threading
import typing
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import azure.functions as func
import pytest

from local.host import StartupError
from tests.doubles.clients.running_host import Options, hosted, until
from tests.doubles.fakes.memory_broker import DEAD_LETTER_SUFFIX, MemoryBroker, Message

Messages = typing.List[func.ServiceBusMessage]  # noqa: UP006  the platform's worker rejects list[...]


def queue_app(handle: Callable[[Messages], Awaitable[None]], queue: str = "work") -> func.FunctionApp:
    app = func.FunctionApp()

    @app.service_bus_queue_trigger(
        arg_name="messages",
        queue_name=queue,
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

    async with hosted(queue_app(handle), tmp_path, Options({"maxMessageBatchSize": 3}), broker=broker) as running:
        await running.idle()
    assert [body for batch in batches for body in batch if int(body) % 2] == [b"1", b"3", b"5", b"7", b"9"]
    assert [body for batch in batches for body in batch if not int(body) % 2] == [b"0", b"2", b"4", b"6", b"8"]
    assert max(len(batch) for batch in batches) == 3
    assert all(abandoned == [] for _, abandoned in broker.settlements)


async def test_a_message_has_what_the_worker_gives_it(tmp_path: Path) -> None:
    seen: Messages = []

    async def handle(messages: Messages) -> None:
        seen.extend(messages)

    async with hosted(queue_app(handle), tmp_path) as running:
        await running.broker.send("work", [Message(b"\xff", session_id="s", message_id="m", correlation_id="c")])
        await running.idle()
    (message,) = seen
    assert isinstance(message, func.ServiceBusMessage)
    assert message.get_body() == b"\xff"
    assert (message.session_id, message.message_id, message.correlation_id) == ("s", "m", "c")
    assert (message.delivery_count, message.sequence_number) == (1, 1)
    assert message.lock_token
    assert message.enqueued_time_utc is not None
    assert message.enqueued_time_utc.tzinfo is None  # as on the platform


async def test_correlation_ids_that_only_some_messages_have_move_up_as_on_the_platform(tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def handle(messages: Messages) -> None:
        seen.extend(message.correlation_id for message in messages)

    broker = MemoryBroker()
    await broker.send("work", [Message(b"1"), Message(b"2", correlation_id="of the second"), Message(b"3")])
    async with hosted(queue_app(handle), tmp_path, broker=broker) as running:
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
    async with hosted(queue_app(handle), tmp_path, broker=broker) as running:
        await running.idle()
    assert counts == [1, 2, 3, 4]
    assert broker.settlements == [([], [b"1", b"2"])] * 3 + [([b"1", b"2"], [])]
    assert "function work failed" in caplog.text


async def test_a_batch_that_always_fails_ends_on_the_dead_letter_queue_which_a_function_can_take(
    tmp_path: Path,
) -> None:
    app = func.FunctionApp()
    tries: list[bytes] = []
    dead: list[bytes] = []

    @app.service_bus_queue_trigger(
        arg_name="messages",
        queue_name="work",
        connection="ServiceBus",
        is_sessions_enabled=True,
        cardinality=func.Cardinality.MANY,
    )
    async def work(messages: Messages) -> None:
        tries.extend(bodies(messages))
        raise RuntimeError("never")

    @app.service_bus_queue_trigger(
        arg_name="messages",
        queue_name="work" + DEAD_LETTER_SUFFIX,
        connection="ServiceBus",
        cardinality=func.Cardinality.MANY,
    )
    async def bury(messages: Messages) -> None:
        dead.extend(bodies(messages))

    broker = MemoryBroker(maximum_deliveries=5)
    await broker.send("work", [Message(b"poison")])
    async with hosted(app, tmp_path, broker=broker) as running:
        status = await running.idle()
    assert tries == [b"poison"] * 5
    assert dead == [b"poison"]
    assert status["dead_letter"] == 0


async def test_dead_letters_that_no_function_takes_are_counted_apart(tmp_path: Path) -> None:
    async def handle(messages: Messages) -> None:
        raise RuntimeError("never")

    broker = MemoryBroker(maximum_deliveries=2)
    await broker.send("work", [Message(b"1"), Message(b"2")])
    async with hosted(queue_app(handle), tmp_path, broker=broker) as running:
        status = await running.idle()
    assert status["dead_letter"] == 2
    assert status["queues"]["work"] == {"active": 0, "locked": 0, "dead_letter": 2}


async def test_a_function_slower_than_its_lock_gets_the_messages_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release = asyncio.Event()
    deliveries: list[int | None] = []

    async def handle(messages: Messages) -> None:
        deliveries.append(messages[0].delivery_count)
        if len(deliveries) == 1:
            await release.wait()
        else:
            release.set()

    options = Options(lock_seconds=0.2)
    async with hosted(queue_app(handle), tmp_path, options) as running:
        await running.broker.send("work", [Message(b"slow")])
        await running.idle()
        await until(lambda: "slower than its lock" in caplog.text)
    assert deliveries == [1, 2]
    assert running.broker.settlements == [([b"slow"], [])]


async def test_sessions_are_worked_on_at_once_up_to_the_limit_and_each_by_one(tmp_path: Path) -> None:
    inside: Counter[str] = Counter()
    together: list[int] = []
    full = asyncio.Event()

    async def handle(messages: Messages) -> None:
        session_id = str(messages[0].session_id)
        inside[session_id] += 1
        assert inside[session_id] == 1
        together.append(inside.total())
        if inside.total() == 3:
            full.set()
        await full.wait()
        inside[session_id] -= 1

    broker = MemoryBroker()
    await broker.send("work", [Message(b"", session_id=f"{number % 5}") for number in range(20)])
    options = Options({"maxConcurrentSessions": 3, "maxMessageBatchSize": 1})
    async with hosted(queue_app(handle), tmp_path, options, broker=broker) as running:
        await running.idle()
    assert max(together) == 3
    assert len(together) == 20


async def test_a_failing_session_does_not_hold_up_the_others(tmp_path: Path) -> None:
    done: list[bytes] = []

    async def handle(messages: Messages) -> None:
        if messages[0].session_id == "bad" and len(done) < 30:
            raise RuntimeError("bad")
        done.extend(bodies(messages))

    broker = MemoryBroker()
    await broker.send("work", [Message(b"bad", session_id="bad")])
    await broker.send("work", [Message(b"%d" % number, session_id=f"{number}") for number in range(30)])
    async with hosted(queue_app(handle), tmp_path, broker=broker) as running:
        await running.idle()
    assert done[-1] == b"bad"
    assert len(done) == 31


async def test_a_function_for_single_messages_gets_them_one_by_one(tmp_path: Path) -> None:
    app = func.FunctionApp()
    seen: list[tuple[bytes, str]] = []

    @app.service_bus_queue_trigger(
        arg_name="message", queue_name="single", connection="ServiceBus", is_sessions_enabled=True
    )
    def take(message: func.ServiceBusMessage) -> None:
        seen.append((message.get_body(), threading.current_thread().name))

    broker = MemoryBroker()
    await broker.send("single", [Message(b"1"), Message(b"2")])
    async with hosted(app, tmp_path, broker=broker) as running:
        await running.idle()
    assert [body for body, _ in seen] == [b"1", b"2"]
    assert threading.current_thread().name not in {thread for _, thread in seen}


async def test_the_name_of_a_queue_can_come_from_a_setting(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def handle(messages: Messages) -> None:
        seen.extend(bodies(messages))

    options = Options(settings={"QUEUE": "work"})
    async with hosted(queue_app(handle, queue="%QUEUE%-eu"), tmp_path, options) as running:
        await running.broker.send("work-eu", [Message(b"1")])
        await running.idle()
    assert seen == [b"1"]


async def test_a_queue_name_from_a_setting_that_is_not_there_is_refused(tmp_path: Path) -> None:
    async def handle(messages: Messages) -> None:
        raise AssertionError

    with pytest.raises(
        StartupError, match="function work: the setting NO_SUCH_SETTING, named in a binding, is not set"
    ):
        async with hosted(queue_app(handle, queue="%NO_SUCH_SETTING%"), tmp_path):
            pass


async def test_messages_for_a_disabled_function_stay_and_do_not_count_as_work(tmp_path: Path) -> None:
    async def handle(messages: Messages) -> None:
        raise AssertionError

    options = Options(settings={"AzureWebJobs.work.Disabled": "1"})
    async with hosted(queue_app(handle), tmp_path, options) as running:
        await running.broker.send("work", [Message(b"1")])
        assert (await running.idle())["queues"] == {}
        assert (await running.broker.counts("work")).active == 1


async def test_a_broker_that_fails_for_a_while_is_asked_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[bytes] = []

    class FailingOnce(MemoryBroker):
        failed = False

        async def receive(self, queue: str, *, max_messages: int, lock_seconds: float) -> typing.Any:
            if not self.failed:
                self.failed = True
                raise OSError("gone")
            return await super().receive(queue, max_messages=max_messages, lock_seconds=lock_seconds)

    async def handle(messages: Messages) -> None:
        seen.extend(bodies(messages))

    broker = FailingOnce()
    await broker.send("work", [Message(b"1")])
    async with hosted(queue_app(handle), tmp_path, broker=broker) as running:
        await running.idle()
    assert seen == [b"1"]
    assert "queue work cannot be received from" in caplog.text


async def test_stopping_lets_a_batch_end_and_be_completed(tmp_path: Path) -> None:
    began, release = asyncio.Event(), asyncio.Event()

    async def handle(messages: Messages) -> None:
        began.set()
        await release.wait()

    async with hosted(queue_app(handle), tmp_path) as running:
        await running.broker.send("work", [Message(b"1")])
        await began.wait()
        asyncio.get_running_loop().call_later(timedelta(milliseconds=50).total_seconds(), release.set)
    assert running.broker.settlements == [([b"1"], [])]


async def test_a_batch_that_outlasts_the_grace_time_is_given_back(tmp_path: Path) -> None:
    began = asyncio.Event()

    async def handle(messages: Messages) -> None:
        began.set()
        await asyncio.Event().wait()

    async with hosted(queue_app(handle), tmp_path, Options(grace_seconds=0.1)) as running:
        await running.broker.send("work", [Message(b"1")])
        await began.wait()
    assert running.broker.settlements == [([], [b"1"])]
