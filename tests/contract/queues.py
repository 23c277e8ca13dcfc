"""Every message broker that there is, as its senders and its receivers see it."""

import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from shared.adapters.service_bus import ServiceBusBroker, ServiceBusNamespace, ServiceBusQueue
from shared.adapters.sqlite import Database
from shared.adapters.sqlite.queue import LocalQueue
from shared.ports.broker import DEAD_LETTER_SUFFIX, Broker, QueueCounts, Received, Session
from shared.ports.queue import Message, Pending, Queue
from tests.doubles.fakes.memory_broker import MemoryBroker
from tests.doubles.fakes.settable_seconds import SettableSeconds
from tests.doubles.servers.amqp_broker.broker import AmqpBroker

QUEUE = "usage"
DEAD = QUEUE + DEAD_LETTER_SUFFIX
SENDING = ("sqlite-file", "sqlite-memory", "service-bus")
RECEIVING = (*SENDING, "memory")
LOCK_SECONDS = 30
MAX_DELIVERIES = 3
SOON = 0.1
"""How long to wait for what does not come."""


class BothSides(Queue, Broker, Protocol):
    pass


class ServiceBusSides:
    """The real SDK over AMQP, against a broker in a thread."""

    def __init__(self, connection_string: str) -> None:
        self._namespace = ServiceBusNamespace(connection_string=connection_string)
        self._queue = ServiceBusQueue(self._namespace)
        self._broker = ServiceBusBroker(self._namespace)

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        await self._queue.send(queue, messages)

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:
        return await self._queue.pending(queue, session_ids)

    async def waiting_since(self, queue: str, session_ids: Collection[str]) -> Pending:
        return await self._queue.waiting_since(queue, session_ids)

    async def accept(self, queue: str, *, wait_seconds: float) -> Session | None:
        return await self._broker.accept(queue, wait_seconds=wait_seconds)

    async def receive(self, session: Session, *, max_messages: int, wait_seconds: float) -> list[Received] | None:
        return await self._broker.receive(session, max_messages=max_messages, wait_seconds=wait_seconds)

    async def renew(self, session: Session) -> datetime | None:
        return await self._broker.renew(session)

    async def settle(self, session: Session, *, completed: Collection[int], abandoned: Collection[int]) -> bool:
        return await self._broker.settle(session, completed=completed, abandoned=abandoned)

    async def release(self, session: Session) -> None:
        await self._broker.release(session)

    async def counts(self, queue: str) -> QueueCounts:
        return await self._broker.counts(queue)

    async def close(self) -> None:
        await self._queue.close()
        await self._broker.close()
        await self._namespace.close()


def whole_seconds() -> SettableSeconds:
    """From now on: the SDK of Service Bus looks at the machine's clock, too."""
    return SettableSeconds(float(int(time.time())))


@asynccontextmanager
async def opened(kind: str, seconds: SettableSeconds, directory: Path) -> AsyncIterator[BothSides]:
    """A fresh broker with the queues `usage` and `other`."""
    if kind == "service-bus":
        broker = AmqpBroker(
            [QUEUE, "other"], lock_seconds=LOCK_SECONDS, max_delivery_count=MAX_DELIVERIES, present=seconds
        )
        sides = ServiceBusSides(broker.connection_string)
        yield sides
        await sides.close()
        broker.stop()
    elif kind == "memory":
        yield MemoryBroker(lock_seconds=LOCK_SECONDS, max_delivery_count=MAX_DELIVERIES, present=seconds)
    else:
        database = Database(directory / "queue.db" if kind == "sqlite-file" else ":memory:")
        yield LocalQueue(database, lock_seconds=LOCK_SECONDS, max_delivery_count=MAX_DELIVERIES, present=seconds)
        database.close()


def message(name: str, session_id: str = "s1", *, count: int = 1) -> Message:
    return Message(name.encode(), session_id, f"id of {name}", f"correlation of {name}", count)


def bodies(received: Sequence[Received] | None) -> list[str]:
    assert received is not None, "the lock is lost"
    return [each.message.body.decode() for each in received]


def numbers(received: Sequence[Received]) -> list[int]:
    return [each.sequence_number for each in received]


async def accept(queue: BothSides, name: str = QUEUE) -> Session:
    session = await queue.accept(name, wait_seconds=10)
    assert session is not None
    return session


async def receive(queue: BothSides, session: Session, *, most: int = 10) -> list[Received]:
    received = await queue.receive(session, max_messages=most, wait_seconds=SOON)
    assert received is not None, "the lock is lost"
    return received


async def next_of(queue: BothSides, name: str = QUEUE, *, most: int = 10) -> tuple[Session, list[Received]]:
    """A session and its next messages."""
    session = await accept(queue, name)
    return session, await receive(queue, session, most=most)


async def nothing_waits(queue: BothSides, name: str = QUEUE) -> bool:
    """No session that could be accepted has messages."""
    return await queue.accept(name, wait_seconds=SOON) is None


async def complete(queue: BothSides, session: Session, received: Sequence[Received]) -> bool:
    return await queue.settle(session, completed=numbers(received), abandoned=[])


async def abandon(queue: BothSides, session: Session, received: Sequence[Received]) -> bool:
    return await queue.settle(session, completed=[], abandoned=numbers(received))
