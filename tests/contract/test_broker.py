"""The receiving side of every message broker, as the port describes it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.ports.broker import QueueCounts
from tests.contract.queues import (
    DEAD,
    LOCK_SECONDS,
    QUEUE,
    RECEIVING,
    SOON,
    BothSides,
    abandon,
    accept,
    bodies,
    complete,
    message,
    next_of,
    nothing_waits,
    numbers,
    opened,
    receive,
    whole_seconds,
)
from tests.doubles.fakes.settable_seconds import SettableSeconds

pytestmark = pytest.mark.usefixtures("prompt_service_bus_sdk")


@pytest.fixture
def seconds() -> SettableSeconds:
    return whole_seconds()


@pytest.fixture(params=RECEIVING)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def queue(kind: str, seconds: SettableSeconds, tmp_path: Path) -> AsyncIterator[BothSides]:
    async with opened(kind, seconds, tmp_path) as queue:
        yield queue


class TestSessions:
    async def test_the_messages_of_a_session_are_received_in_order_by_its_holder_only(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message(f"{number}") for number in range(5)])
        session, first = await next_of(queue, most=2)
        assert session.id == "s1"
        assert bodies(first) == ["0", "1"]
        assert await nothing_waits(queue)
        assert bodies(await receive(queue, session)) == ["2", "3", "4"]
        assert await receive(queue, session) == []

    async def test_sessions_are_accepted_side_by_side(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a", "s1"), message("b", "s2"), message("c", "s1")])
        _, one = await next_of(queue)
        _, other = await next_of(queue)
        assert (bodies(one), bodies(other)) == (["a", "c"], ["b"])
        assert await nothing_waits(queue)

    async def test_the_session_with_the_oldest_message_comes_first(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a", "s1"), message("b", "s2"), message("c", "s1"), message("d", "s3")])
        first, received = await next_of(queue, most=1)
        await complete(queue, first, received)
        await queue.release(first)
        assert [bodies((await next_of(queue, most=1))[1]) for _ in range(3)] == [["b"], ["c"], ["d"]]

    async def test_what_comes_for_a_held_session_is_its_holders(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a")])
        session, received = await next_of(queue)
        await complete(queue, session, received)
        await queue.send(QUEUE, [message("b")])
        assert await nothing_waits(queue)
        assert bodies(await receive(queue, session)) == ["b"]

    async def test_what_was_not_settled_when_a_session_is_released_comes_again_as_not_delivered(
        self, queue: BothSides
    ) -> None:
        await queue.send(QUEUE, [message(name) for name in "abc"])
        session, received = await next_of(queue)
        await queue.settle(session, completed=numbers(received)[1:2], abandoned=[])
        assert await nothing_waits(queue)
        await queue.release(session)
        _, again = await next_of(queue)
        assert [(each.message.body, each.delivery_count) for each in again] == [(b"a", 1), (b"c", 1)]

    async def test_settling_twice_or_what_was_not_received_changes_nothing(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a"), message("b"), message("c", "s2")])
        first, one = await next_of(queue, most=1)
        other, two = await next_of(queue)
        assert await queue.settle(first, completed=[*numbers(two), numbers(one)[0] + 1], abandoned=[])
        assert await complete(queue, first, one)
        assert await complete(queue, first, one)
        assert await complete(queue, other, two)
        assert bodies(await receive(queue, first)) == ["b"]


class TestLocks:
    async def test_a_lock_lasts_for_its_time(self, queue: BothSides, seconds: SettableSeconds) -> None:
        await queue.send(QUEUE, [message("a")])
        session = await accept(queue)
        assert session.locked_until == datetime.fromtimestamp(seconds() + LOCK_SECONDS, UTC)
        seconds.advance(LOCK_SECONDS - 1)
        assert await nothing_waits(queue)
        seconds.advance(1)
        assert (await accept(queue)).lock_token != session.lock_token

    async def test_after_it_ran_out_what_was_held_comes_again(self, queue: BothSides, seconds: SettableSeconds) -> None:
        await queue.send(QUEUE, [message("a"), message("b")])
        await next_of(queue, most=1)
        seconds.advance(LOCK_SECONDS)
        _, again = await next_of(queue)
        assert [(each.message.body, each.delivery_count) for each in again] == [(b"a", 2), (b"b", 1)]

    async def test_after_it_ran_out_its_holder_can_do_nothing(self, queue: BothSides, seconds: SettableSeconds) -> None:
        await queue.send(QUEUE, [message("a")])
        late, received = await next_of(queue)
        seconds.advance(LOCK_SECONDS)
        assert not await complete(queue, late, received)
        session, again = await next_of(queue)
        assert await queue.receive(late, max_messages=1, wait_seconds=SOON) is None
        assert await queue.renew(late) is None
        assert not await complete(queue, late, received)
        assert not await abandon(queue, late, received)
        await queue.release(late)
        assert await nothing_waits(queue)
        assert await complete(queue, session, again)
        await queue.release(session)
        assert await queue.counts(QUEUE) == QueueCounts(active=0, locked=0, dead_letter=0)

    async def test_a_renewed_lock_lasts_from_its_renewal(self, queue: BothSides, seconds: SettableSeconds) -> None:
        await queue.send(QUEUE, [message("a")])
        session, received = await next_of(queue)
        for _ in range(3):
            seconds.advance(LOCK_SECONDS - 1)
            assert await queue.renew(session) == datetime.fromtimestamp(seconds() + LOCK_SECONDS, UTC)
        assert await nothing_waits(queue)
        assert await complete(queue, session, received)


class TestDeadLetters:
    """The queues of these tests deliver three times."""

    async def test_an_abandoned_message_comes_again_at_once_until_it_is_exhausted(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("bad"), message("good")])
        session = await accept(queue)
        for attempt in (1, 2, 3):
            received = await receive(queue, session, most=1)
            assert [(each.message.body, each.delivery_count) for each in received] == [(b"bad", attempt)]
            assert await abandon(queue, session, received)
        assert bodies(await receive(queue, session)) == ["good"]
        _, dead = await next_of(queue, DEAD)
        assert [each.message for each in dead] == [message("bad")]

    async def test_a_message_whose_receivers_vanish_is_exhausted_too(
        self, queue: BothSides, seconds: SettableSeconds
    ) -> None:
        await queue.send(QUEUE, [message("bad")])
        for _ in range(3):
            await next_of(queue)
            seconds.advance(LOCK_SECONDS)
        assert await nothing_waits(queue)
        assert bodies((await next_of(queue, DEAD))[1]) == ["bad"]

    async def test_only_what_is_exhausted_is_moved(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a")])
        session = await accept(queue)
        for _ in range(2):
            await abandon(queue, session, await receive(queue, session))
        await queue.send(QUEUE, [message("b")])
        received = await receive(queue, session)
        assert [each.delivery_count for each in received] == [3, 1]
        await abandon(queue, session, received)
        assert bodies(await receive(queue, session)) == ["b"]
        assert await queue.counts(QUEUE) == QueueCounts(active=0, locked=1, dead_letter=1)

    async def test_each_dead_letter_is_accepted_by_itself(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a"), message("b")])
        session = await accept(queue)
        for _ in range(3):
            await abandon(queue, session, await receive(queue, session))
        one, first = await next_of(queue, DEAD)
        other, second = await next_of(queue, DEAD)
        assert sorted(bodies(first) + bodies(second)) == ["a", "b"]
        assert [each.message.session_id for each in (*first, *second)] == ["s1", "s1"]
        assert await queue.renew(one) is not None
        assert await complete(queue, one, first)
        assert await complete(queue, other, second)
        for dead in (one, other):
            await queue.release(dead)
        assert await nothing_waits(queue, DEAD)

    async def test_a_dead_letter_stays_until_it_is_completed(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("bad")])
        session = await accept(queue)
        for _ in range(3):
            await abandon(queue, session, await receive(queue, session))
        for _ in range(5):
            dead, received = await next_of(queue, DEAD)
            await abandon(queue, dead, received)
            await queue.release(dead)
        dead, received = await next_of(queue, DEAD)
        assert await complete(queue, dead, received)
        await queue.release(dead)
        assert await nothing_waits(queue, DEAD)


class TestCounts:
    async def test_messages_that_wait_are_held_and_are_dead(
        self, queue: BothSides, kind: str, seconds: SettableSeconds
    ) -> None:
        await queue.send(QUEUE, [message("a"), message("b"), message("c"), message("d", "s2")])
        session, received = await next_of(queue, most=2)
        assert await queue.counts(QUEUE) == QueueCounts(active=2, locked=2, dead_letter=0)
        await queue.settle(session, completed=numbers(received)[:1], abandoned=[])
        assert await queue.counts(QUEUE) == QueueCounts(active=2, locked=1, dead_letter=0)
        seconds.advance(LOCK_SECONDS)
        if (
            kind != "service-bus"
        ):  # which does not tell what others hold: what is held here counts until it is found lost
            assert await queue.counts(QUEUE) == QueueCounts(active=3, locked=0, dead_letter=0)

    async def test_a_dead_letter_queue_has_none_of_its_own(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("bad")])
        session = await accept(queue)
        for _ in range(3):
            await abandon(queue, session, await receive(queue, session))
        assert await queue.counts(QUEUE) == QueueCounts(active=0, locked=0, dead_letter=1)
        assert await queue.counts(DEAD) == QueueCounts(active=1, locked=0, dead_letter=0)


class TestWaiting:
    async def test_a_send_is_accepted_by_who_waits(self, queue: BothSides) -> None:
        waiting = asyncio.create_task(queue.accept(QUEUE, wait_seconds=20))
        await asyncio.sleep(0)
        await queue.send("other", [message("b")])
        await queue.send(QUEUE, [message("a")])
        session = await waiting
        assert session is not None
        assert session.queue == QUEUE

    async def test_a_send_is_received_by_who_waits_in_its_session(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a")])
        session, _ = await next_of(queue)
        waiting = asyncio.create_task(queue.receive(session, max_messages=1, wait_seconds=20))
        await asyncio.sleep(0)
        await queue.send(QUEUE, [message("b", "s2"), message("c", "s1")])
        assert bodies(await waiting) == ["c"]

    async def test_a_release_is_noticed_by_who_waits(self, queue: BothSides) -> None:
        await queue.send(QUEUE, [message("a")])
        session = await accept(queue)
        waiting = asyncio.create_task(queue.accept(QUEUE, wait_seconds=20))
        await asyncio.sleep(0)
        await queue.release(session)
        assert await waiting is not None

    async def test_who_stops_waiting_leaves_no_lock(self, queue: BothSides) -> None:
        waiting = asyncio.create_task(queue.accept(QUEUE, wait_seconds=20))
        await asyncio.sleep(0)
        await queue.send(QUEUE, [message("a")])
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert bodies((await next_of(queue))[1]) == ["a"]
