# ruff: noqa: ARG001  the platform passes what triggered a function by name, used or not
"""Functions for single messages: sessions side by side, each message settled by itself."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import azure.functions as func
import pytest

from local.host import StartupError
from shared.ports.broker import Session
from tests.doubles.clients.running_host import Options, hosted, until
from tests.doubles.fakes.memory_broker import DEAD_LETTER_SUFFIX, MemoryBroker, Message, Received


def queue_app(
    handle: Callable[[func.ServiceBusMessage], Awaitable[None]], queue: str = "work", *, sessions: bool = True
) -> func.FunctionApp:
    app = func.FunctionApp()

    @app.service_bus_queue_trigger(
        arg_name="message", queue_name=queue, connection="ServiceBus", is_sessions_enabled=sessions
    )
    async def work(message: func.ServiceBusMessage) -> None:
        await handle(message)

    return app


class RenewedBroker(MemoryBroker):
    renewals = 0

    async def renew(self, session: Session) -> datetime | None:
        self.renewals += 1
        return await super().renew(session)


async def test_messages_of_a_session_come_one_by_one_in_order_and_are_completed_alone(tmp_path: Path) -> None:
    seen: list[bytes] = []
    broker = MemoryBroker()
    await broker.send("work", [Message(f"{number}".encode(), session_id="ab"[number % 2]) for number in range(10)])

    async def handle(message: func.ServiceBusMessage) -> None:
        seen.append(message.get_body())

    async with hosted(queue_app(handle), tmp_path, broker=broker) as running:
        await running.idle()
    assert [body for body in seen if int(body) % 2] == [b"1", b"3", b"5", b"7", b"9"]
    assert [body for body in seen if not int(body) % 2] == [b"0", b"2", b"4", b"6", b"8"]
    assert Counter((tuple(done), tuple(back)) for done, back in broker.settlements) == Counter(
        ((body,), ()) for body in seen
    )


async def test_a_message_has_what_the_worker_gives_it(tmp_path: Path) -> None:
    seen: list[func.ServiceBusMessage] = []

    async def handle(message: func.ServiceBusMessage) -> None:
        seen.append(message)

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


async def test_a_failed_message_comes_again_before_the_next_of_its_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[tuple[bytes, int | None]] = []

    async def handle(message: func.ServiceBusMessage) -> None:
        seen.append((message.get_body(), message.delivery_count))
        if len(seen) < 3:
            raise RuntimeError("not yet")

    broker = MemoryBroker()
    await broker.send("work", [Message(b"1"), Message(b"2")])
    async with hosted(queue_app(handle), tmp_path, broker=broker) as running:
        await running.idle()
    assert seen == [(b"1", 1), (b"1", 2), (b"1", 3), (b"2", 1)]
    assert broker.settlements == [([], [b"1"])] * 2 + [([b"1"], []), ([b"2"], [])]
    assert "function work failed" in caplog.text


async def test_what_always_fails_ends_on_the_dead_letter_queue_which_a_function_can_take(tmp_path: Path) -> None:
    app = func.FunctionApp()
    tries: list[bytes] = []
    dead: list[bytes] = []

    @app.service_bus_queue_trigger(
        arg_name="message", queue_name="work", connection="ServiceBus", is_sessions_enabled=True
    )
    async def work(message: func.ServiceBusMessage) -> None:
        tries.append(message.get_body())
        raise RuntimeError("never")

    @app.service_bus_queue_trigger(arg_name="message", queue_name="work" + DEAD_LETTER_SUFFIX, connection="ServiceBus")
    async def bury(message: func.ServiceBusMessage) -> None:
        dead.append(message.get_body())

    broker = MemoryBroker(max_delivery_count=5)
    await broker.send("work", [Message(b"poison")])
    async with hosted(app, tmp_path, broker=broker) as running:
        status = await running.idle()
    assert tries == [b"poison"] * 5
    assert dead == [b"poison"]
    assert status["dead_letter"] == 0


async def test_dead_letters_that_no_function_takes_are_counted_apart(tmp_path: Path) -> None:
    async def handle(message: func.ServiceBusMessage) -> None:
        raise RuntimeError("never")

    broker = MemoryBroker(max_delivery_count=2)
    await broker.send("work", [Message(b"1"), Message(b"2")])
    async with hosted(queue_app(handle), tmp_path, broker=broker) as running:
        status = await running.idle()
    assert status["dead_letter"] == 2
    assert status["queues"]["work"] == {"active": 0, "locked": 0, "dead_letter": 2}


class TestLocks:
    async def test_a_function_slower_than_its_lock_keeps_it_by_renewals(self, tmp_path: Path) -> None:
        deliveries: list[int | None] = []
        broker = RenewedBroker(lock_seconds=0.2)

        async def handle(message: func.ServiceBusMessage) -> None:
            deliveries.append(message.delivery_count)
            await until(lambda: broker.renewals >= 5)

        async with hosted(queue_app(handle), tmp_path, broker=broker) as running:
            await broker.send("work", [Message(b"slow")])
            await running.idle()
        assert deliveries == [1]
        assert broker.settlements == [([b"slow"], [])]

    async def test_after_the_last_renewal_two_invocations_may_work_on_one_session(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        release = asyncio.Event()
        deliveries: list[int | None] = []

        async def handle(message: func.ServiceBusMessage) -> None:
            deliveries.append(message.delivery_count)
            if len(deliveries) == 1:
                await release.wait()
            else:
                release.set()

        broker = RenewedBroker(lock_seconds=0.2)
        options = Options({"maxAutoLockRenewalDuration": "00:00:00.15"})
        async with hosted(queue_app(handle), tmp_path, options, broker=broker) as running:
            await broker.send("work", [Message(b"slow")])
            await running.idle()
            await until(lambda: "slower than its lock" in caplog.text)
        assert deliveries == [1, 2]
        assert broker.settlements == [([b"slow"], [])]
        assert broker.renewals == 1

    async def test_a_session_is_held_until_nothing_came_for_the_idle_time(self, tmp_path: Path) -> None:
        """A busy session keeps its slot, whoever waits longer."""
        seen: list[bytes] = []

        async def handle(message: func.ServiceBusMessage) -> None:
            seen.append(message.get_body())
            if len(seen) == 1:
                asyncio.get_running_loop().call_later(0.05, lambda: sent.append(asyncio.create_task(send_late())))

        async def send_late() -> None:
            await broker.send("work", [Message(b"late", session_id="held")])

        sent: list[asyncio.Task[None]] = []
        broker = MemoryBroker()
        await broker.send("work", [Message(b"first", session_id="held"), Message(b"other", session_id="other")])
        options = Options({"maxConcurrentSessions": 1, "sessionIdleTimeout": "00:00:00.5"})
        async with hosted(queue_app(handle), tmp_path, options, broker=broker) as running:
            await running.idle()
        assert seen == [b"first", b"late", b"other"]


async def test_sessions_are_worked_on_at_once_up_to_the_limit_and_each_by_one(tmp_path: Path) -> None:
    inside: Counter[str] = Counter()
    together: list[int] = []
    full = asyncio.Event()

    async def handle(message: func.ServiceBusMessage) -> None:
        session_id = str(message.session_id)
        inside[session_id] += 1
        assert inside[session_id] == 1
        together.append(inside.total())
        if inside.total() == 3:
            full.set()
        await full.wait()
        inside[session_id] -= 1

    broker = MemoryBroker()
    await broker.send("work", [Message(b"", session_id=f"{number % 5}") for number in range(20)])
    options = Options({"maxConcurrentSessions": 3, "sessionIdleTimeout": "00:00:00.02"})
    async with hosted(queue_app(handle), tmp_path, options, broker=broker) as running:
        await running.idle()
    assert max(together) == 3
    assert len(together) == 20


async def test_without_sessions_the_limit_is_that_of_calls(tmp_path: Path) -> None:
    together = 0
    full = asyncio.Event()

    async def handle(message: func.ServiceBusMessage) -> None:
        nonlocal together
        together += 1
        if together == 2:
            full.set()
        await full.wait()

    broker = MemoryBroker()
    await broker.send("work", [Message(b"", session_id=f"{number}") for number in range(2)])
    options = Options({"maxConcurrentCalls": 2, "maxConcurrentSessions": 1})
    async with hosted(queue_app(handle, sessions=False), tmp_path, options, broker=broker) as running:
        await running.idle()
    assert together == 2


async def test_a_failing_session_does_not_hold_up_the_others(tmp_path: Path) -> None:
    done: list[bytes] = []

    async def handle(message: func.ServiceBusMessage) -> None:
        if message.session_id == "bad" and len(done) < 30:
            raise RuntimeError("bad")
        done.append(message.get_body())

    broker = MemoryBroker()
    await broker.send("work", [Message(b"bad", session_id="bad")])
    await broker.send("work", [Message(b"%d" % number, session_id=f"{number}") for number in range(30)])
    options = Options({"sessionIdleTimeout": "00:00:00.02"})
    async with hosted(queue_app(handle), tmp_path, options, broker=broker) as running:
        await running.idle()
    assert done[-1] == b"bad"
    assert len(done) == 31


async def test_a_function_that_is_no_coroutine_runs_in_a_thread(tmp_path: Path) -> None:
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

    async def handle(message: func.ServiceBusMessage) -> None:
        seen.append(message.get_body())

    options = Options(settings={"QUEUE": "work"})
    async with hosted(queue_app(handle, queue="%QUEUE%-eu"), tmp_path, options) as running:
        await running.broker.send("work-eu", [Message(b"1")])
        await running.idle()
    assert seen == [b"1"]


async def test_a_queue_name_from_a_setting_that_is_not_there_is_refused(tmp_path: Path) -> None:
    async def handle(message: func.ServiceBusMessage) -> None:
        raise AssertionError

    with pytest.raises(
        StartupError, match="function work: the setting NO_SUCH_SETTING, named in a binding, is not set"
    ):
        async with hosted(queue_app(handle, queue="%NO_SUCH_SETTING%"), tmp_path):
            pass


async def test_messages_for_a_disabled_function_stay_and_do_not_count_as_work(tmp_path: Path) -> None:
    async def handle(message: func.ServiceBusMessage) -> None:
        raise AssertionError

    options = Options(settings={"AzureWebJobs.work.Disabled": "1"})
    async with hosted(queue_app(handle), tmp_path, options) as running:
        await running.broker.send("work", [Message(b"1")])
        assert (await running.idle())["queues"] == {}
        assert (await running.broker.counts("work")).active == 1


@pytest.mark.parametrize("call", ["accept", "receive"])
async def test_a_broker_that_fails_for_a_while_is_asked_again(
    call: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[bytes] = []

    class FailingOnce(MemoryBroker):
        failed = False

        def _fail(self, now: str) -> None:
            if now == call and not self.failed:
                self.failed = True
                raise OSError("gone")

        async def accept(self, queue: str, *, wait_seconds: float) -> Session | None:
            self._fail("accept")
            return await super().accept(queue, wait_seconds=wait_seconds)

        async def receive(self, session: Session, *, max_messages: int, wait_seconds: float) -> list[Received] | None:
            self._fail("receive")
            return await super().receive(session, max_messages=max_messages, wait_seconds=wait_seconds)

    async def handle(message: func.ServiceBusMessage) -> None:
        seen.append(message.get_body())

    broker = FailingOnce()
    await broker.send("work", [Message(b"1")])
    async with hosted(queue_app(handle), tmp_path, broker=broker) as running:
        await running.idle()
    assert seen == [b"1"]
    assert "queue work cannot be received from" in caplog.text


@pytest.mark.parametrize("value", ["5", 5, "00:61:00", "soon", "24:00:00"])
async def test_a_time_that_the_platform_cannot_read_is_refused(value: object, tmp_path: Path) -> None:
    async def handle(message: func.ServiceBusMessage) -> None:
        raise AssertionError

    with pytest.raises(StartupError, match="sessionIdleTimeout must be a time span"):
        async with hosted(queue_app(handle), tmp_path, Options({"sessionIdleTimeout": value})):
            pass


class TestStopping:
    async def test_a_message_being_worked_on_is_completed(self, tmp_path: Path) -> None:
        began, release = asyncio.Event(), asyncio.Event()

        async def handle(message: func.ServiceBusMessage) -> None:
            began.set()
            await release.wait()

        async with hosted(queue_app(handle), tmp_path) as running:
            await running.broker.send("work", [Message(b"1")])
            await began.wait()
            asyncio.get_running_loop().call_later(0.05, release.set)
        assert running.broker.settlements == [([b"1"], [])]

    async def test_one_that_outlasts_the_grace_time_is_given_back(self, tmp_path: Path) -> None:
        began = asyncio.Event()

        async def handle(message: func.ServiceBusMessage) -> None:
            began.set()
            await asyncio.Event().wait()

        async with hosted(queue_app(handle), tmp_path, Options(grace_seconds=0.1)) as running:
            await running.broker.send("work", [Message(b"1")])
            await began.wait()
        assert running.broker.settlements == [([], [b"1"])]

    async def test_sessions_that_are_held_idle_are_freed(self, tmp_path: Path) -> None:
        async def handle(message: func.ServiceBusMessage) -> None:
            pass

        async with hosted(queue_app(handle), tmp_path, Options({"sessionIdleTimeout": "00:01:00"})) as running:
            await running.broker.send("work", [Message(b"1")])
            await running.idle()
        await running.broker.send("work", [Message(b"2")])
        assert await running.broker.accept("work", wait_seconds=0) is not None
