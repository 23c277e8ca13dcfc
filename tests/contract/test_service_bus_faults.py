"""The sender of Service Bus when the broker dies, refuses, is late or repeats."""

import asyncio
import gc
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from shared.adapters.service_bus import ServiceBusBroker, ServiceBusNamespace, ServiceBusQueue
from shared.domain.kernel.errors import UnavailableError
from shared.ports.broker import Session
from shared.ports.queue import MAXIMUM_MESSAGE_BYTES, Message
from tests.doubles.servers.amqp_broker.broker import AmqpBroker
from tests.doubles.servers.amqp_broker.faults import Fault

SEND_SECONDS = 4.0

# When its connection is lost, the SDK leaves the socket to the garbage collector.
pytestmark = [
    pytest.mark.usefixtures("collected", "prompt_service_bus_sdk"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore:loop is closed:ResourceWarning"),
]


@pytest.fixture(scope="module")
def _known_to_stay() -> Iterator[None]:
    """What was there before the tests, so that collecting skips it.

    What the last test left can be collected only now that its event loop is gone.
    """
    gc.freeze()
    yield
    gc.unfreeze()
    gc.collect()


@pytest.fixture
def collected(_known_to_stay: None) -> Iterator[None]:
    """Here, and not in the midst of another test."""
    yield
    gc.collect()


@pytest.fixture
def broker() -> Iterator[AmqpBroker]:
    broker = AmqpBroker(["usage"], late_seconds=SEND_SECONDS)
    yield broker
    broker.stop()


@pytest.fixture
async def namespace(broker: AmqpBroker) -> AsyncIterator[ServiceBusNamespace]:
    async with ServiceBusNamespace(connection_string=broker.connection_string) as namespace:
        yield namespace


@pytest.fixture
async def queue(namespace: ServiceBusNamespace) -> AsyncIterator[ServiceBusQueue]:
    queue = ServiceBusQueue(namespace, send_seconds=SEND_SECONDS)
    yield queue
    await queue.close()


@pytest.fixture
async def receiving(namespace: ServiceBusNamespace) -> AsyncIterator[ServiceBusBroker]:
    receiving = ServiceBusBroker(namespace)
    yield receiving
    await receiving.close()


async def accept(receiving: ServiceBusBroker) -> Session:
    session = await receiving.accept("usage", wait_seconds=5)
    assert session is not None
    return session


def message(name: object, session_id: str = "s1", *, size: int = 0, count: int = 1) -> Message:
    return Message(str(name).ljust(size).encode(), session_id, f"id of {name}", count=count)


def names(broker: AmqpBroker) -> list[str]:
    return [body.strip() for body in broker.bodies("usage")]


class TestTheBrokerDies:
    @pytest.mark.parametrize("fault", [Fault.DIES_BEFORE_STORING, Fault.DIES_HALF_STORED, Fault.DIES_AFTER_STORING])
    async def test_with_a_batch_in_hand(self, broker: AmqpBroker, queue: ServiceBusQueue, fault: Fault) -> None:
        messages = [message(name) for name in "abcd"]
        broker.meet(fault)
        began = time.monotonic()
        with pytest.raises(UnavailableError) as raised:
            await queue.send("usage", messages)
        assert time.monotonic() - began < SEND_SECONDS + 1
        assert raised.value.retry_after > 0
        broker.restart()
        await queue.send("usage", messages)
        assert names(broker) == ["a", "b", "c", "d"]

    async def test_between_the_batches_of_one_call(self, broker: AmqpBroker, queue: ServiceBusQueue) -> None:
        messages = [message(number, size=MAXIMUM_MESSAGE_BYTES) for number in range(10)]
        broker.meet(None, Fault.DIES_HALF_STORED)
        with pytest.raises(UnavailableError):
            await queue.send("usage", messages)
        assert 0 < len(names(broker)) < 10
        broker.restart()
        await queue.send("usage", messages)
        assert names(broker) == [str(number) for number in range(10)]

    async def test_and_is_not_there_at_all(self, broker: AmqpBroker, queue: ServiceBusQueue) -> None:
        broker.die()
        with pytest.raises(UnavailableError):
            await queue.send("usage", [message("a")])
        with pytest.raises(UnavailableError):
            await queue.pending("usage", [])
        broker.restart()
        await queue.send("usage", [message("a")])
        assert await queue.pending("usage", ["s1"]) == 1

    async def test_a_sender_does_not_lose_what_a_broker_without_memory_of_ids_stored_twice(self) -> None:
        broker = AmqpBroker(["usage"], duplicate_window_seconds=0)
        try:
            async with ServiceBusNamespace(connection_string=broker.connection_string) as namespace:
                queue = ServiceBusQueue(namespace, send_seconds=SEND_SECONDS)
                broker.meet(Fault.DROPS_AFTER_STORING)
                await queue.send("usage", [message("a"), message("b")])
                await queue.close()
            assert Counter(names(broker)) == {"a": 2, "b": 2}
        finally:
            broker.stop()


async def test_a_refusal_is_logged_where_the_caller_waits(broker: AmqpBroker, queue: ServiceBusQueue) -> None:
    """The platform drops what a background task logs after the invocation that began it."""
    loggers: list[asyncio.Task[object] | None] = []

    class Watching(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING:
                loggers.append(asyncio.current_task())

    log, watching = logging.getLogger("xyra.service_bus"), Watching()
    log.addHandler(watching)
    broker.meet(Fault.IS_BUSY)
    senders = [asyncio.create_task(queue.send("usage", [message(name)])) for name in "ab"]
    await asyncio.wait(senders)
    log.removeHandler(watching)
    assert [type(sender.exception()) for sender in senders] == [UnavailableError] * 2
    assert set(loggers) == set(senders)


class TestTheLinkIsLost:
    @pytest.mark.parametrize("fault", [Fault.DROPS_BEFORE_STORING, Fault.DROPS_AFTER_STORING, Fault.DETACHES])
    async def test_with_a_batch_in_hand(self, broker: AmqpBroker, queue: ServiceBusQueue, fault: Fault) -> None:
        broker.meet(fault)
        await queue.send("usage", [message(name) for name in "abcd"])
        assert names(broker) == ["a", "b", "c", "d"]
        assert len(broker.batches) == 2

    async def test_while_nothing_was_sent(self, broker: AmqpBroker, queue: ServiceBusQueue) -> None:
        await queue.send("usage", [message("a")])
        assert await queue.pending("usage", ["s1"]) == 1
        broker.drop_connections()
        await queue.send("usage", [message("b")])
        assert names(broker) == ["a", "b"]
        assert await queue.pending("usage", ["s1"]) == 2


class TestTheBrokerDoesNotAccept:
    @pytest.mark.parametrize(("fault", "retry_after"), [(Fault.IS_BUSY, 10), (Fault.REFUSES, 30)])
    async def test_what_it_refuses_is_not_pressed_on_it(
        self, broker: AmqpBroker, queue: ServiceBusQueue, fault: Fault, retry_after: float
    ) -> None:
        broker.meet(fault)
        with pytest.raises(UnavailableError) as raised:
            await queue.send("usage", [message("a")])
        assert raised.value.retry_after == retry_after
        assert len(broker.batches) == 1
        assert names(broker) == []
        await queue.send("usage", [message("a")])
        assert names(broker) == ["a"]

    async def test_what_it_releases_is_sent_again(self, broker: AmqpBroker, queue: ServiceBusQueue) -> None:
        broker.meet(Fault.RELEASES)
        await queue.send("usage", [message("a")])
        assert names(broker) == ["a"]

    async def test_who_comes_while_it_refuses_hears_of_it_too(self, broker: AmqpBroker, queue: ServiceBusQueue) -> None:
        broker.meet(Fault.IS_BUSY)
        outcomes = await asyncio.gather(
            *(queue.send("usage", [message(number, size=MAXIMUM_MESSAGE_BYTES)]) for number in range(6)),
            return_exceptions=True,
        )
        assert all(isinstance(outcome, UnavailableError) for outcome in outcomes)
        assert len(broker.batches) == 1

    async def test_a_queue_that_is_not_there(self, queue: ServiceBusQueue) -> None:
        with pytest.raises(UnavailableError) as raised:
            await queue.send("missing", [message("a")])
        assert raised.value.retry_after == 30
        with pytest.raises(UnavailableError):
            await queue.pending("missing", ["s1"])

    async def test_an_identity_that_may_not(self, broker: AmqpBroker, queue: ServiceBusQueue) -> None:
        broker.authorizes = False
        with pytest.raises(UnavailableError):
            await queue.send("usage", [message("a")])
        broker.authorizes = True
        await queue.send("usage", [message("a")])
        assert names(broker) == ["a"]


class TestTheBrokerIsLate:
    async def test_an_answer_after_the_time_for_it_changes_nothing(
        self, broker: AmqpBroker, queue: ServiceBusQueue
    ) -> None:
        broker.meet(Fault.ANSWERS_LATE)
        await queue.send("usage", [message("a"), message("b")])
        assert len(broker.batches) == 2
        assert names(broker) == ["a", "b"]

    async def test_without_any_answer_the_caller_is_told_in_time(
        self, broker: AmqpBroker, queue: ServiceBusQueue
    ) -> None:
        broker.meet(*[Fault.NEVER_ANSWERS] * 5)
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            await queue.send("usage", [message("a")])
        assert time.monotonic() - began < SEND_SECONDS + 1
        assert names(broker) == ["a"]


class TestTheBrokerRepeatsItself:
    async def test_a_message_that_was_completed_comes_again(
        self, broker: AmqpBroker, receiving: ServiceBusBroker, queue: ServiceBusQueue
    ) -> None:
        await queue.send("usage", [message("a")])
        broker.repeats_completed = 1
        session = await accept(receiving)
        for count in (1, 2):
            received = await receiving.receive(session, max_messages=5, wait_seconds=5)
            assert received is not None
            assert [(each.message.body, each.delivery_count) for each in received] == [(b"a", count)]
            assert await receiving.settle(session, completed=[received[0].sequence_number], abandoned=[])
        assert names(broker) == []


class TestReceiving:
    async def test_what_was_held_over_a_lost_connection_comes_again(
        self, broker: AmqpBroker, receiving: ServiceBusBroker, queue: ServiceBusQueue
    ) -> None:
        await queue.send("usage", [message("a")])
        lost = await accept(receiving)
        [held] = await receiving.receive(lost, max_messages=5, wait_seconds=5) or []
        broker.drop_connections()
        with pytest.raises(UnavailableError):
            await receiving.settle(lost, completed=[held.sequence_number], abandoned=[])
        [again] = await receiving.receive(await accept(receiving), max_messages=5, wait_seconds=5) or []
        assert again.message == message("a")

    async def test_a_broker_that_is_not_there(self, broker: AmqpBroker, receiving: ServiceBusBroker) -> None:
        broker.die()
        with pytest.raises(UnavailableError):
            await receiving.accept("usage", wait_seconds=0.5)

    async def test_a_receiver_that_is_stopped_while_it_waits_locks_nothing(
        self, broker: AmqpBroker, receiving: ServiceBusBroker, queue: ServiceBusQueue
    ) -> None:
        waiting = asyncio.create_task(receiving.accept("usage", wait_seconds=30))
        assert await asyncio.to_thread(broker.wait_for_a_waiting_link)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await queue.send("usage", [message("a")])
        assert not broker.has_lock("usage")


class TestManyCallers:
    async def test_share_one_link_and_its_batches(self, broker: AmqpBroker, queue: ServiceBusQueue) -> None:
        await asyncio.gather(
            *(
                queue.send("usage", [message(f"{caller}-{part}", f"s{caller % 5}") for part in range(3)])
                for caller in range(40)
            )
        )
        assert Counter(names(broker)) == Counter(f"{caller}-{part}" for caller in range(40) for part in range(3))
        assert broker.connections == 1
        assert len(broker.batches) < 10
        for caller in range(40):
            own = [name for name in names(broker) if name.startswith(f"{caller}-")]
            assert own == sorted(own)

    async def test_batches_stay_below_what_the_broker_takes(self, broker: AmqpBroker, queue: ServiceBusQueue) -> None:
        messages = [message(number, size=MAXIMUM_MESSAGE_BYTES) for number in range(12)]
        await queue.send("usage", messages)
        assert names(broker) == [str(number) for number in range(12)]
        assert max(broker.batch_bytes) <= 256 * 1024
        assert len(broker.batches) == 4

    async def test_one_that_leaves_takes_nothing_with_it(self, broker: AmqpBroker, queue: ServiceBusQueue) -> None:
        leaving = asyncio.create_task(queue.send("usage", [message("a")]))
        staying = asyncio.create_task(queue.send("usage", [message("b")]))
        await asyncio.sleep(0)
        leaving.cancel()
        await staying
        assert "b" in names(broker)


class TestPending:
    async def test_looking_locks_nothing_and_sees_what_others_hold(
        self, broker: AmqpBroker, receiving: ServiceBusBroker, queue: ServiceBusQueue
    ) -> None:
        await queue.send("usage", [message(number, count=64) for number in range(50)])
        assert await queue.pending("usage", ["s1", "s2"]) == 50 * 64
        assert not broker.has_lock("usage")
        assert await receiving.receive(await accept(receiving), max_messages=20, wait_seconds=5)
        assert await queue.pending("usage", ["s1"]) == 50 * 64

    async def test_it_looks_at_no_more_than_it_was_told(
        self, broker: AmqpBroker, namespace: ServiceBusNamespace
    ) -> None:
        queue = ServiceBusQueue(namespace, pending_messages=40)
        await queue.send("usage", [message(number) for number in range(100)])
        assert 40 <= await queue.pending("usage", ["s1", "s2"]) < 100
        assert broker.peeks == 2
        await queue.close()

    async def test_of_no_session_it_still_asks_the_broker(self, broker: AmqpBroker, queue: ServiceBusQueue) -> None:
        await queue.send("usage", [message("a")])
        assert await queue.pending("usage", []) == 0
        assert broker.peeks == 1


async def test_a_namespace_has_a_host_or_a_connection_string() -> None:
    with pytest.raises(ValueError, match="either"):
        ServiceBusNamespace()
    with pytest.raises(ValueError, match="either"):
        ServiceBusNamespace(host="xyra.servicebus.windows.net", connection_string="Endpoint=sb://xyra/")


async def test_no_key_and_no_body_is_in_any_log(
    broker: AmqpBroker, queue: ServiceBusQueue, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "azure", "azure.servicebus", "xyra"):
        caplog.set_level(logging.DEBUG, logger=name)
    broker.meet(Fault.DROPS_AFTER_STORING, Fault.IS_BUSY)
    with pytest.raises(UnavailableError):
        await queue.send("usage", [message("hush")])
    assert await queue.pending("usage", ["s1"]) == 1
    logged = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records)
    assert "Link state changed" in logged  # the SDK did log
    assert "xyra.service_bus" in {record.name for record in caplog.records}
    assert "SAS_KEY_VALUE" not in logged
    assert "sig=" not in logged
    assert "hush" not in logged
