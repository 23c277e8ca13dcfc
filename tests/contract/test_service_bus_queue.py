"""The queue's contract once more, by the real SDK over AMQP against a broker in a thread."""

import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence

import pytest

from shared.adapters.service_bus import ServiceBusBroker, ServiceBusNamespace, ServiceBusQueue
from shared.adapters.sqlite.queue import Delivery, QueueCounts
from shared.ports.queue import Message
from tests.contract import test_queue
from tests.doubles.fakes.settable_seconds import SettableSeconds
from tests.doubles.servers.amqp_broker.broker import AmqpBroker

pytestmark = pytest.mark.usefixtures("prompt_service_bus_sdk")


@pytest.fixture
def seconds() -> SettableSeconds:
    """The broker's. The SDK looks at the machine's clock, too."""
    return SettableSeconds(float(int(time.time())))


@pytest.fixture
def broker(seconds: SettableSeconds) -> Iterator[AmqpBroker]:
    broker = AmqpBroker(["usage", "other"], lock_seconds=30, max_delivery_count=3, present=seconds)
    yield broker
    broker.stop()


class BothSides:
    def __init__(self, connection_string: str) -> None:
        self._namespace = ServiceBusNamespace(connection_string=connection_string)
        self._queue = ServiceBusQueue(self._namespace)
        self._broker = ServiceBusBroker(self._namespace, accept_seconds=0.1)
        self.counts = self._broker.counts
        self.settle = self._broker.settle

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        await self._queue.send(queue, messages)

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:
        return await self._queue.pending(queue, session_ids)

    async def receive(self, queue: str, *, max_messages: int, lock_seconds: float) -> Delivery | None:
        return await self._broker.receive(queue, max_messages=max_messages, lock_seconds=lock_seconds)

    async def close(self) -> None:
        await self._queue.close()
        await self._broker.close()
        await self._namespace.close()


@pytest.fixture
async def queue(broker: AmqpBroker) -> AsyncIterator[BothSides]:
    queue = BothSides(broker.connection_string)
    yield queue
    await queue.close()


class TestSending(test_queue.TestSending):
    pass


class TestDuplicates(test_queue.TestDuplicates):
    @pytest.mark.skip(reason="how the broker forgets ids is its own affair")
    async def test_ids_are_forgotten_in_the_course_of_later_sends(self) -> None: ...


class TestSessions(test_queue.TestSessions):
    pass


class TestLocks(test_queue.TestLocks):
    pass


class TestDeadLetters(test_queue.TestDeadLetters):
    pass


class TestCounts(test_queue.TestCounts):
    @pytest.mark.skip(reason="a broker does not tell which messages others hold; see the test below")
    async def test_messages_that_wait_are_held_and_are_dead(self) -> None: ...

    async def test_messages_that_wait_and_are_held_here(self, queue: BothSides) -> None:
        await queue.send("usage", [test_queue.message(name) for name in "abc"])
        await queue.send("usage", [test_queue.message("d", "s2")])
        delivery = await queue.receive("usage", max_messages=2, lock_seconds=30)
        assert delivery is not None
        assert await queue.counts("usage") == QueueCounts(active=2, locked=2, dead_letter=0)
        await queue.settle(delivery, completed=[delivery.messages[0].sequence_number], abandoned=[])
        assert await queue.counts("usage") == QueueCounts(active=2, locked=1, dead_letter=0)

    async def test_a_dead_letter_queue_has_none_of_its_own(self, queue: BothSides) -> None:
        await queue.send("usage", [test_queue.message("bad")])
        for _ in range(3):
            await test_queue.abandon(queue, await test_queue.receive(queue))
        assert await queue.counts("usage") == QueueCounts(active=0, locked=0, dead_letter=1)
        assert await queue.counts(test_queue.DEAD) == QueueCounts(active=1, locked=0, dead_letter=0)


# Not here: waiting (`receive` itself waits at the broker), and the tests of several processes that share a file.
