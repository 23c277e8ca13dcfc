"""The queue, as its port and the receiving side of Service Bus describe it."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.adapters.sqlite import Database
from shared.adapters.sqlite.queue import DEAD_LETTER_SUFFIX, Delivery, LocalQueue, QueueCounts
from shared.domain.kernel.errors import TooLargeError
from shared.ports.queue import MAXIMUM_MESSAGE_BYTES, Message
from tests.doubles.clients import python_process
from tests.doubles.fakes.settable_seconds import SettableSeconds

QUEUE = "usage"
DEAD = QUEUE + DEAD_LETTER_SUFFIX


def message(name: str, session_id: str = "s1", *, count: int = 1) -> Message:
    return Message(name.encode(), session_id, f"id of {name}", f"correlation of {name}", count)


def bodies(delivery: Delivery | None) -> list[str]:
    assert delivery is not None
    return [received.message.body.decode() for received in delivery.messages]


def numbers(delivery: Delivery) -> list[int]:
    return [received.sequence_number for received in delivery.messages]


async def receive(queue: LocalQueue, name: str = QUEUE, *, most: int = 10) -> Delivery:
    delivery = await queue.receive(name, max_messages=most, lock_seconds=30)
    assert delivery is not None
    return delivery


async def nothing_waits(queue: LocalQueue, name: str = QUEUE) -> bool:
    return await queue.receive(name, max_messages=10, lock_seconds=30) is None


async def complete(queue: LocalQueue, delivery: Delivery) -> bool:
    return await queue.settle(delivery, completed=numbers(delivery), abandoned=[])


async def abandon(queue: LocalQueue, delivery: Delivery) -> bool:
    return await queue.settle(delivery, completed=[], abandoned=numbers(delivery))


class TestSending:
    async def test_a_message_arrives_as_it_was_sent(self, queue: LocalQueue, seconds: SettableSeconds) -> None:
        sent = Message(b"\x00\xff", "s1", "m1", "c1", count=7)
        await queue.send(QUEUE, [sent])
        delivery = await receive(queue)
        assert (delivery.queue, delivery.session_id) == (QUEUE, "s1")
        [received] = delivery.messages
        assert received.message == sent
        assert received.delivery_count == 1
        assert received.enqueued_at.timestamp() == seconds.value
        assert received.enqueued_at.utcoffset() is not None

    async def test_queues_are_apart(self, queue: LocalQueue) -> None:
        await queue.send("other", [message("a")])
        assert await nothing_waits(queue)
        assert bodies(await receive(queue, "other")) == ["a"]

    async def test_what_is_too_large_is_refused_with_all_beside_it(self, queue: LocalQueue) -> None:
        with pytest.raises(TooLargeError):
            await queue.send(QUEUE, [message("a"), Message(b"x" * (MAXIMUM_MESSAGE_BYTES + 1), "s1", "large")])
        assert await nothing_waits(queue)
        await queue.send(QUEUE, [Message(b"x" * MAXIMUM_MESSAGE_BYTES, "s1", "large")])
        assert len((await receive(queue)).messages[0].message.body) == MAXIMUM_MESSAGE_BYTES

    async def test_ids_longer_than_service_bus_takes(self, queue: LocalQueue) -> None:
        with pytest.raises(ValueError, match="128"):
            await queue.send(QUEUE, [Message(b"", "s1", "x" * 129)])
        with pytest.raises(ValueError, match="128"):
            await queue.send(QUEUE, [Message(b"", "s" * 129, "x")])

    async def test_nothing_to_send(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [])
        assert await nothing_waits(queue)


class TestDuplicates:
    async def test_a_repeated_id_is_dropped_even_after_the_first_was_completed(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message("a"), message("a")])
        await queue.send(QUEUE, [message("a"), message("b")])
        delivery = await receive(queue)
        assert bodies(delivery) == ["a", "b"]
        await complete(queue, delivery)
        await queue.send(QUEUE, [message("a")])
        assert await nothing_waits(queue)

    async def test_the_same_id_in_another_queue_is_another_message(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message("a")])
        await queue.send("other", [message("a")])
        assert bodies(await receive(queue, "other")) == ["a"]

    async def test_after_the_window_it_is_a_new_message(self, queue: LocalQueue, seconds: SettableSeconds) -> None:
        await queue.send(QUEUE, [message("a")])
        seconds.advance(599)
        await queue.send(QUEUE, [message("a")])
        assert (await queue.counts(QUEUE)).active == 1
        seconds.advance(1)
        await queue.send(QUEUE, [message("a")])
        assert (await queue.counts(QUEUE)).active == 2

    async def test_ids_are_forgotten_in_the_course_of_later_sends(
        self, queue: LocalQueue, database: Database, seconds: SettableSeconds
    ) -> None:
        await queue.send(QUEUE, [message(f"{number}") for number in range(450)])
        for _ in range(5):
            seconds.advance(600)
            await queue.send(QUEUE, [message("last")])
        rows = await database.read(lambda connection: connection.execute("SELECT * FROM queue_message_ids").fetchall())
        assert len(rows) == 1


class TestSessions:
    async def test_a_session_is_received_in_order_by_one_at_a_time(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message(f"{number}") for number in range(5)])
        first = await receive(queue, most=2)
        assert bodies(first) == ["0", "1"]
        assert await nothing_waits(queue)
        assert await complete(queue, first)
        assert bodies(await receive(queue)) == ["2", "3", "4"]

    async def test_sessions_are_received_side_by_side(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message("a", "s1"), message("b", "s2"), message("c", "s1")])
        assert bodies(await receive(queue)) == ["a", "c"]
        assert bodies(await receive(queue)) == ["b"]
        assert await nothing_waits(queue)

    async def test_the_oldest_message_comes_first(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message("a", "s1"), message("b", "s2"), message("c", "s1"), message("d", "s3")])
        first = await receive(queue, most=1)
        assert bodies(first) == ["a"]
        await complete(queue, first)
        order = [bodies(await receive(queue, most=1)) for _ in range(3)]
        assert order == [["b"], ["c"], ["d"]]

    async def test_what_arrives_for_a_held_session_waits(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message("a")])
        first = await receive(queue)
        await queue.send(QUEUE, [message("b")])
        assert await nothing_waits(queue)
        await complete(queue, first)
        assert bodies(await receive(queue)) == ["b"]

    async def test_a_session_is_free_when_all_of_its_delivery_is_settled(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message(name) for name in "abc"])
        delivery = await receive(queue)
        a, b, c = numbers(delivery)
        assert await queue.settle(delivery, completed=[b], abandoned=[])
        assert await queue.settle(delivery, completed=[], abandoned=[a])
        assert await nothing_waits(queue)
        assert await queue.settle(delivery, completed=[c], abandoned=[])
        again = await receive(queue)
        assert bodies(again) == ["a"]
        assert again.messages[0].delivery_count == 2

    async def test_settling_twice_or_what_was_not_delivered_changes_nothing(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message("a"), message("b"), message("c", "s2")])
        first = await receive(queue, most=1)
        other = await receive(queue)
        assert await queue.settle(first, completed=[*numbers(other), numbers(first)[0] + 1], abandoned=[])
        assert await complete(queue, first)
        assert not await complete(queue, first)
        assert await complete(queue, other)
        assert bodies(await receive(queue)) == ["b"]


class TestLocks:
    async def test_a_lock_that_ran_out_lets_the_messages_come_again(
        self, queue: LocalQueue, seconds: SettableSeconds
    ) -> None:
        await queue.send(QUEUE, [message("a"), message("b")])
        late = await receive(queue)
        seconds.advance(29)
        assert await nothing_waits(queue)
        seconds.advance(1)
        again = await receive(queue)
        assert bodies(again) == ["a", "b"]
        assert [received.delivery_count for received in again.messages] == [2, 2]
        assert again.lock_token != late.lock_token

    async def test_settling_after_the_lock_ran_out_settles_nothing(
        self, queue: LocalQueue, seconds: SettableSeconds
    ) -> None:
        await queue.send(QUEUE, [message("a")])
        late = await receive(queue)
        seconds.advance(30)
        assert not await complete(queue, late)
        again = await receive(queue)
        assert not await complete(queue, late)
        assert not await abandon(queue, late)
        assert await nothing_waits(queue)
        assert await complete(queue, again)
        assert await queue.counts(QUEUE) == QueueCounts(active=0, locked=0, dead_letter=0)


class TestDeadLetters:
    async def test_an_abandoned_message_comes_again_at_once_until_it_is_exhausted(self, queue: LocalQueue) -> None:
        """The queue of these tests delivers three times."""
        await queue.send(QUEUE, [message("bad"), message("good")])
        for attempt in (1, 2, 3):
            delivery = await receive(queue, most=1)
            assert (bodies(delivery), delivery.messages[0].delivery_count) == (["bad"], attempt)
            assert await abandon(queue, delivery)
        assert bodies(await receive(queue)) == ["good"]
        dead = await receive(queue, DEAD)
        assert (bodies(dead), dead.session_id, dead.messages[0].message) == (["bad"], "s1", message("bad"))

    async def test_a_message_whose_receivers_vanish_is_exhausted_too(
        self, queue: LocalQueue, seconds: SettableSeconds
    ) -> None:
        await queue.send(QUEUE, [message("bad")])
        for _ in range(3):
            await receive(queue)
            seconds.advance(30)
        assert await nothing_waits(queue)
        assert bodies(await receive(queue, DEAD)) == ["bad"]

    async def test_only_the_exhausted_ones_of_a_delivery_are_moved(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message("a")])
        for _ in range(2):
            await abandon(queue, await receive(queue))
        await queue.send(QUEUE, [message("b")])
        delivery = await receive(queue)
        assert [received.delivery_count for received in delivery.messages] == [3, 1]
        await abandon(queue, delivery)
        assert bodies(await receive(queue)) == ["b"]
        assert await queue.counts(QUEUE) == QueueCounts(active=0, locked=1, dead_letter=1)

    async def test_a_dead_letter_stays_until_it_is_completed(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message("bad")])
        for _ in range(3):
            await abandon(queue, await receive(queue))
        for _ in range(5):
            await abandon(queue, await receive(queue, DEAD))
        assert await complete(queue, await receive(queue, DEAD))
        assert await nothing_waits(queue, DEAD)
        assert await queue.counts(QUEUE) == QueueCounts(active=0, locked=0, dead_letter=0)


class TestCounts:
    async def test_messages_that_wait_are_held_and_are_dead(self, queue: LocalQueue, seconds: SettableSeconds) -> None:
        await queue.send(QUEUE, [message("a"), message("b"), message("c"), message("d", "s2")])
        delivery = await receive(queue, most=2)
        assert await queue.counts(QUEUE) == QueueCounts(active=2, locked=2, dead_letter=0)
        await queue.settle(delivery, completed=[numbers(delivery)[0]], abandoned=[])
        assert await queue.counts(QUEUE) == QueueCounts(active=2, locked=1, dead_letter=0)
        seconds.advance(30)
        assert await queue.counts(QUEUE) == QueueCounts(active=3, locked=0, dead_letter=0)

    async def test_pending_sums_what_waits_and_is_worked_on_in_the_sessions(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message("a", "s1", count=5), message("b", "s1", count=7)])
        await queue.send(QUEUE, [message("c", "s2", count=11), message("d", "s3", count=13)])
        await queue.send("other", [message("e", "s1", count=17)])
        assert await queue.pending(QUEUE, ["s1", "s2"]) == 23
        delivery = await receive(queue, most=1)
        assert await queue.pending(QUEUE, {"s1"}) == 12
        await complete(queue, delivery)
        assert await queue.pending(QUEUE, {"s1"}) == 7
        assert await queue.pending(QUEUE, []) == 0


class TestWaiting:
    async def test_a_send_wakes_who_waits(self, queue: LocalQueue) -> None:
        assert await nothing_waits(queue)
        waiting = [asyncio.ensure_future(queue.wait(QUEUE, 60)) for _ in range(3)]
        await asyncio.sleep(0)
        await queue.send(QUEUE, [message("a")])
        await asyncio.wait_for(asyncio.gather(*waiting), 10)

    async def test_a_send_between_looking_and_waiting_is_not_missed(self, queue: LocalQueue) -> None:
        assert await nothing_waits(queue)
        await queue.send(QUEUE, [message("a")])
        await asyncio.wait_for(queue.wait(QUEUE, 60), 10)

    async def test_giving_back_wakes_who_waits(self, queue: LocalQueue) -> None:
        await queue.send(QUEUE, [message("a")])
        delivery = await receive(queue)
        assert await nothing_waits(queue)
        waiting = asyncio.ensure_future(queue.wait(QUEUE, 60))
        await asyncio.sleep(0)
        await abandon(queue, delivery)
        await asyncio.wait_for(waiting, 10)

    async def test_another_queue_wakes_nobody(self, queue: LocalQueue) -> None:
        waiting = asyncio.ensure_future(queue.wait(QUEUE, 60))
        await asyncio.sleep(0)
        await queue.send("other", [message("a")])
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    async def test_it_ends_after_its_time(self, queue: LocalQueue) -> None:
        began = time.monotonic()
        await queue.wait(QUEUE, 0.05)
        assert time.monotonic() - began >= 0.04


@pytest.fixture
def file_queue(database_path: Path) -> Iterator[LocalQueue]:
    database = Database(database_path)
    yield LocalQueue(database)
    database.close()


class TestSeveralProcesses:
    async def test_two_consume_everything_once_and_each_session_in_order(
        self, file_queue: LocalQueue, database_path: Path
    ) -> None:
        consumers = [python_process.start("queue_process.py", "consume", database_path) for _ in range(2)]
        for start in range(0, 400, 40):
            await file_queue.send(QUEUE, [message(f"{n}", f"s{n % 7}") for n in range(start, start + 40)])
        await file_queue.send("stop", [message(f"stop {n}", f"{n}") for n in range(2)])
        outputs = [(await asyncio.to_thread(consumer.communicate, timeout=60))[0] for consumer in consumers]
        assert [consumer.returncode for consumer in consumers] == [0, 0]
        completed = [line.split() for output in outputs for line in output.splitlines()]
        assert Counter(body for _, _, body in completed) == Counter(str(n) for n in range(400))
        for session in {session for _, session, _ in completed}:
            in_time = sorted((int(at), int(body)) for at, of, body in completed if of == session)
            assert [body for _, body in in_time] == sorted(body for _, body in in_time)

    async def test_what_a_killed_receiver_held_comes_again(self, file_queue: LocalQueue, database_path: Path) -> None:
        await file_queue.send(QUEUE, [message("a")])
        receiver = python_process.start("queue_process.py", "vanish", database_path)
        await asyncio.to_thread(receiver.communicate, timeout=60)
        assert receiver.returncode == 7
        deadline = time.monotonic() + 20
        while (again := await file_queue.receive(QUEUE, max_messages=1, lock_seconds=30)) is None:
            assert time.monotonic() < deadline
            await file_queue.wait(QUEUE, 0.05)
        assert again.messages[0].delivery_count == 2
