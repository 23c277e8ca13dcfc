"""The sending side of every message broker, as the port describes it.

Several processes work on one file.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.adapters.sqlite import Database
from shared.adapters.sqlite.queue import LocalQueue
from shared.domain.kernel.errors import TooLargeError
from shared.ports.queue import MAXIMUM_MESSAGE_BYTES, Message
from tests.contract.queues import (
    QUEUE,
    SENDING,
    BothSides,
    bodies,
    complete,
    message,
    next_of,
    nothing_waits,
    opened,
    receive,
    whole_seconds,
)
from tests.doubles.clients import python_process
from tests.doubles.fakes.settable_seconds import SettableSeconds

pytestmark = pytest.mark.usefixtures("prompt_service_bus_sdk")


@pytest.fixture
def seconds() -> SettableSeconds:
    return whole_seconds()


@pytest.fixture(params=SENDING)
async def queue(request: pytest.FixtureRequest, seconds: SettableSeconds, tmp_path: Path) -> AsyncIterator[BothSides]:
    async with opened(request.param, seconds, tmp_path) as queue:
        yield queue


class TestSending:
    async def test_a_message_arrives_as_it_was_sent(self, queue: BothSides, seconds: SettableSeconds) -> None:
        sent = Message(b"\x00\xff", "s1", "m1", "c1", count=7)
        await queue.send(QUEUE, [sent])
        session, [received] = await next_of(queue)
        assert (session.queue, session.id) == (QUEUE, "s1")
        assert received.message == sent
        assert received.delivery_count == 1
        assert received.enqueued_at.timestamp() == seconds.value
        assert received.enqueued_at.utcoffset() is not None

    async def test_queues_are_apart(self, queue: BothSides) -> None:
        await queue.send("other", [message("a")])
        assert await nothing_waits(queue)
        assert bodies((await next_of(queue, "other"))[1]) == ["a"]

    async def test_what_is_too_large_is_refused_with_all_beside_it(self, queue: BothSides) -> None:
        with pytest.raises(TooLargeError):
            await queue.send(QUEUE, [message("a"), Message(b"x" * (MAXIMUM_MESSAGE_BYTES + 1), "s1", "large")])
        assert await nothing_waits(queue)
        await queue.send(QUEUE, [Message(b"x" * MAXIMUM_MESSAGE_BYTES, "s1", "large")])
        _, [received] = await next_of(queue)
        assert len(received.message.body) == MAXIMUM_MESSAGE_BYTES

    async def test_ids_longer_than_service_bus_takes(self, queue: BothSides) -> None:
        with pytest.raises(ValueError, match="128"):
            await queue.send(QUEUE, [Message(b"", "s1", "x" * 129)])
        with pytest.raises(ValueError, match="128"):
            await queue.send(QUEUE, [Message(b"", "s" * 129, "x")])

    async def test_nothing_to_send(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [])
        assert await nothing_waits(queue)


class TestScheduling:
    async def test_a_message_is_delivered_once_its_time_has_come(
        self, queue: BothSides, seconds: SettableSeconds
    ) -> None:
        later = datetime.fromtimestamp(seconds.value + 60, UTC)
        await queue.send(QUEUE, [replace(message("later"), not_before=later), message("now", "s2")])
        session, received = await next_of(queue)
        assert bodies(received) == ["now"]
        await complete(queue, session, received)
        assert (await queue.counts(QUEUE)).active == 0
        seconds.advance(59)
        assert await nothing_waits(queue)
        seconds.advance(1)
        session, received = await next_of(queue)
        assert (session.id, bodies(received)) == ("s1", ["later"])
        assert received[0].message.message_id == "id of later"
        await complete(queue, session, received)
        assert await nothing_waits(queue)

    async def test_what_is_scheduled_for_the_past_comes_at_once(
        self, queue: BothSides, seconds: SettableSeconds
    ) -> None:
        await queue.send(QUEUE, [replace(message("a"), not_before=datetime.fromtimestamp(seconds.value - 1, UTC))])
        assert bodies((await next_of(queue))[1]) == ["a"]

    async def test_a_repeat_of_what_is_scheduled_is_dropped(self, queue: BothSides, seconds: SettableSeconds) -> None:
        later = datetime.fromtimestamp(seconds.value + 60, UTC)
        for _ in range(2):
            await queue.send(QUEUE, [replace(message("a"), not_before=later)])
        seconds.advance(60)
        assert bodies((await next_of(queue))[1]) == ["a"]

    async def test_scheduled_messages_can_run_on_another_clock(self, seconds: SettableSeconds) -> None:
        database, clock = Database(":memory:"), SettableSeconds(1000.0)
        queue = LocalQueue(database, present=seconds, scheduling=clock)
        await queue.send(QUEUE, [replace(message("a"), not_before=datetime.fromtimestamp(1060, UTC))])
        seconds.advance(600)
        assert await nothing_waits(queue)
        clock.advance(60)
        assert (await queue.counts(QUEUE)).active == 1
        assert bodies((await next_of(queue))[1]) == ["a"]
        database.close()


class TestDuplicates:
    async def test_a_repeated_id_is_dropped_even_after_the_first_was_completed(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a"), message("a")])
        await queue.send(QUEUE, [message("a"), message("b")])
        session, received = await next_of(queue)
        assert bodies(received) == ["a", "b"]
        await complete(queue, session, received)
        await queue.release(session)
        await queue.send(QUEUE, [message("a")])
        assert await nothing_waits(queue)

    async def test_the_same_id_in_another_queue_is_another_message(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a")])
        await queue.send("other", [message("a")])
        assert bodies((await next_of(queue, "other"))[1]) == ["a"]

    async def test_after_the_window_it_is_a_new_message(self, queue: BothSides, seconds: SettableSeconds) -> None:
        await queue.send(QUEUE, [message("a")])
        seconds.advance(599)
        await queue.send(QUEUE, [message("a")])
        assert (await queue.counts(QUEUE)).active == 1
        seconds.advance(1)
        await queue.send(QUEUE, [message("a")])
        assert (await queue.counts(QUEUE)).active == 2

    async def test_ids_are_forgotten_in_the_course_of_later_sends(self, seconds: SettableSeconds) -> None:
        database = Database(":memory:")
        queue = LocalQueue(database, present=seconds)
        await queue.send(QUEUE, [message(f"{number}") for number in range(450)])
        for _ in range(5):
            seconds.advance(600)
            await queue.send(QUEUE, [message("last")])
        rows = await database.read(lambda connection: connection.execute("SELECT * FROM queue_message_ids").fetchall())
        database.close()
        assert len(rows) == 1


class TestPending:
    async def test_pending_sums_what_waits_and_is_worked_on_in_the_sessions(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a", "s1", count=5), message("b", "s1", count=7)])
        await queue.send(QUEUE, [message("c", "s2", count=11), message("d", "s3", count=13)])
        await queue.send("other", [message("e", "s1", count=17)])
        assert await queue.pending(QUEUE, ["s1", "s2"]) == 23
        session, received = await next_of(queue, most=1)
        assert await queue.pending(QUEUE, {"s1"}) == 12
        await complete(queue, session, received)
        assert await queue.pending(QUEUE, {"s1"}) == 7
        assert await queue.pending(QUEUE, []) == 0


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


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
        session = await file_queue.accept(QUEUE, wait_seconds=20)
        assert session is not None
        assert [each.delivery_count for each in await receive(file_queue, session)] == [2]
