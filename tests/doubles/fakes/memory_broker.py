"""A message broker in memory that receives like Service Bus: sessions, locks, delivery counts, dead letters."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

DEAD_LETTER_SUFFIX = "/$deadletterqueue"


@dataclass(frozen=True)
class Message:
    body: bytes
    session_id: str = "session"
    message_id: str = field(default_factory=lambda: uuid4().hex)
    correlation_id: str = ""


@dataclass
class Received:
    message: Message
    sequence_number: int
    delivery_count: int = 0
    enqueued_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Delivery:
    queue: str
    session_id: str
    lock_token: str
    messages: list[Received]


@dataclass(frozen=True)
class QueueCounts:
    active: int
    locked: int
    dead_letter: int


class MemoryBroker:
    """Every call lets others go first, as one over a wire would."""

    def __init__(self, *, maximum_deliveries: int = 100) -> None:
        self._maximum_deliveries = maximum_deliveries
        self._queues: defaultdict[str, list[Received]] = defaultdict(list)
        self._locks: dict[tuple[str, str], tuple[float, Delivery]] = {}
        self._numbers = count(1)
        self._sent = asyncio.Event()
        self.settlements: list[tuple[list[bytes], list[bytes]]] = []
        """Bodies completed and bodies abandoned, call by call."""

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        self._queues[queue] += [Received(message, next(self._numbers)) for message in messages]
        self._sent.set()

    async def receive(self, queue: str, *, max_messages: int, lock_seconds: float) -> Delivery | None:
        await asyncio.sleep(0)
        for received in self._queues[queue]:
            session_id = received.message.session_id
            if self._lock(queue, session_id) is None:
                messages = [each for each in self._queues[queue] if each.message.session_id == session_id][
                    :max_messages
                ]
                for each in messages:
                    each.delivery_count += 1
                delivery = Delivery(queue, session_id, uuid4().hex, messages)
                self._locks[queue, session_id] = (time.monotonic() + lock_seconds, delivery)
                return delivery
        return None

    async def settle(self, delivery: Delivery, *, completed: Collection[int], abandoned: Collection[int]) -> bool:
        await asyncio.sleep(0)
        if self._lock(delivery.queue, delivery.session_id) is not delivery:
            return False
        bodies = {each.sequence_number: each.message.body for each in delivery.messages}
        self.settlements.append(([bodies[each] for each in completed], [bodies[each] for each in abandoned]))
        exhausted = [each for each in delivery.messages if each.delivery_count >= self._maximum_deliveries]
        gone = {*completed, *(each.sequence_number for each in exhausted)}
        self._queues[delivery.queue] = [
            each for each in self._queues[delivery.queue] if each.sequence_number not in gone
        ]
        dead = [each.message for each in exhausted if each.sequence_number not in completed]
        if dead:
            await self.send(delivery.queue + DEAD_LETTER_SUFFIX, dead)
        del self._locks[delivery.queue, delivery.session_id]
        self._sent.set()
        return True

    async def counts(self, queue: str) -> QueueCounts:
        await asyncio.sleep(0)
        locks = [self._lock(queue, session_id) for name, session_id in list(self._locks) if name == queue]
        locked = sum(len(delivery.messages) for delivery in locks if delivery is not None)
        return QueueCounts(
            active=len(self._queues[queue]) - locked,
            locked=locked,
            dead_letter=len(self._queues[queue + DEAD_LETTER_SUFFIX]),
        )

    async def wait(self, queue: str, timeout: float) -> None:  # noqa: ARG002, ASYNC109  one event serves all queues
        self._sent.clear()
        try:
            await asyncio.wait_for(self._sent.wait(), timeout)
        except TimeoutError:
            return

    def _lock(self, queue: str, session_id: str) -> Delivery | None:
        until, delivery = self._locks.get((queue, session_id), (0.0, None))
        return delivery if time.monotonic() < until else None
