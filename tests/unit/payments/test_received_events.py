"""Received events: stored once, handled from the queue, parked after five failures of ours, replayed."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.containers import INBOX
from shared.domain.kernel.errors import MalformedError, NotFoundError, UnavailableError
from shared.ports.payment_events import PaymentEvent
from shared.services.payments.received_events import (
    MOST_ATTEMPTS,
    PAUSES,
    QUEUE,
    ReceivedEvent,
    ReceivedEvents,
    partition_of,
)
from shared.services.storage import Outbox, Records
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


class ReadByLine:
    """An event in one line of text, or no event at all."""

    async def read(self, body: bytes, signature: str, now: datetime) -> PaymentEvent:
        if signature != "right":
            raise MalformedError("not signed")
        event_id, kind, object_id = body.decode().split()
        about = {"object_kind": kind, "object_id": object_id}
        return PaymentEvent(event_id, f"{kind}.changed", livemode=False, created_at=now, **about)


class Inbox:
    def __init__(self) -> None:
        self.store, self.queue, self.clock = MemoryStore(), MemoryQueue(), SettableClock(NOW)
        self.outbox = Outbox(self.store, self.clock)
        self.seen: list[str] = []
        self.error: Exception | None = None
        self.events = ReceivedEvents(
            self.store, self.clock, self.queue, ReadByLine(), self.outbox, {"payment_intent": self.handle}
        )
        self.outbox.connect({}, {ReceivedEvent: self.events.complete_due})
        self._records = Records(self.store, INBOX, ReceivedEvent)

    async def handle(self, event: ReceivedEvent) -> None:
        if self.error is not None:
            raise self.error
        self.seen.append(event.object_id or "")

    async def take(self, event_id: str, kind: str = "payment_intent") -> None:
        await self.events.receive(f"{event_id} {kind} pi_1".encode(), "right")

    async def deliver(self) -> None:
        messages, self.queue.waiting[QUEUE] = self.queue.waiting.get(QUEUE, []), []
        for message in messages:
            await self.events.handle(message.body)

    async def stored(self, event_id: str) -> ReceivedEvent:
        return (await self._records.get(partition_of(event_id), event_id)).entity

    async def pass_time(self, time: timedelta) -> None:
        self.clock.move(time)
        await self.outbox.sweep()
        await self.deliver()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


async def test_is_stored_once_and_handled_once(inbox: Inbox):
    for _ in range(5):
        await inbox.take("evt_1")
    await inbox.deliver()
    await inbox.take("evt_1")
    await inbox.deliver()
    assert inbox.seen == ["pi_1"]
    event = await inbox.stored("evt_1")
    assert (event.state, event.attempts, event.due_at, event.livemode) == ("done", 0, None, False)


async def test_what_is_not_verified_is_not_stored(inbox: Inbox):
    with pytest.raises(MalformedError):
        await inbox.events.receive(b"evt_1 payment_intent pi_1", "wrong")
    with pytest.raises(NotFoundError):
        await inbox.stored("evt_1")
    assert inbox.queue.waiting == {}


async def test_of_a_kind_that_nothing_is_done_about_it_is_done(inbox: Inbox):
    await inbox.take("evt_1", "radar.early_fraud_warning")
    assert (await inbox.stored("evt_1")).state == "done"
    assert inbox.queue.waiting == {}


async def test_one_whose_message_is_lost_is_sent_again(inbox: Inbox):
    await inbox.take("evt_1")
    inbox.queue.waiting.clear()
    await inbox.pass_time(timedelta(minutes=59))
    assert inbox.seen == []
    await inbox.pass_time(timedelta(minutes=2))
    assert inbox.seen == ["pi_1"]
    await inbox.pass_time(timedelta(hours=2))
    assert inbox.seen == ["pi_1"]


async def test_one_that_fails_five_times_is_parked_and_replayed(inbox: Inbox):
    inbox.error = ValueError("a fault of ours")
    await inbox.take("evt_1")
    await inbox.deliver()
    for attempts, pause in enumerate(PAUSES, start=1):
        event = await inbox.stored("evt_1")
        assert (event.state, event.attempts) == ("failed", attempts)
        await inbox.pass_time(pause + timedelta(seconds=1))
    event = await inbox.stored("evt_1")
    assert (event.state, event.attempts, event.error) == ("parked", MOST_ATTEMPTS, "ValueError: a fault of ours")
    inbox.error = None
    await inbox.pass_time(timedelta(days=30))
    assert inbox.seen == []
    await inbox.events.replay("evt_1")
    await inbox.deliver()
    assert inbox.seen == ["pi_1"]
    event = await inbox.stored("evt_1")
    assert (event.state, event.error) == ("done", None)


async def test_what_is_down_outside_does_not_count(inbox: Inbox):
    inbox.error = UnavailableError("Stripe cannot be asked now")
    await inbox.take("evt_1")
    message = inbox.queue.waiting[QUEUE][0].body
    for _ in range(3 * MOST_ATTEMPTS):
        with pytest.raises(UnavailableError):
            await inbox.events.handle(message)
    event = await inbox.stored("evt_1")
    assert (event.state, event.attempts) == ("queued", 0)
    inbox.error = None
    await inbox.events.handle(message)
    assert (await inbox.stored("evt_1")).state == "done"


async def test_what_the_broker_gives_up_is_parked(inbox: Inbox):
    await inbox.take("evt_1")
    message = inbox.queue.waiting[QUEUE][0].body
    await inbox.events.give_up(message)
    assert (await inbox.stored("evt_1")).state == "parked"
    await inbox.events.handle(message)
    assert inbox.seen == []
    await inbox.events.give_up(b'{"event_id": "evt_unknown"}')
    with pytest.raises(MalformedError):
        await inbox.events.handle(b"{}")


async def test_replaying_what_is_done_changes_nothing(inbox: Inbox):
    await inbox.take("evt_1")
    await inbox.deliver()
    done = await inbox.stored("evt_1")
    await inbox.events.replay("evt_1")
    await inbox.deliver()
    assert await inbox.stored("evt_1") == done
    assert inbox.seen == ["pi_1"]
    with pytest.raises(NotFoundError):
        await inbox.events.replay("evt_2")
