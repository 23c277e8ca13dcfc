"""A message broker in the SQLite file, with the semantics of Service Bus.

Sessions, locks, delivery counts, duplicate detection and dead letters. Locks run on the machine's time, whatever the
clock of the application says; scheduled messages run on that clock.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from shared.adapters.sqlite import queue_rows as rows
from shared.adapters.sqlite.arrivals import Arrivals
from shared.adapters.sqlite.database import Database
from shared.domain.kernel.errors import TooLargeError
from shared.ports.broker import DEAD_LETTER_SUFFIX, QueueCounts, Received, Session
from shared.ports.queue import MAXIMUM_MESSAGE_BYTES, Message, Pending

_LONGEST_ID = 128


class LocalQueue:
    """Both sides of the broker: `Queue` and `Broker`. Several processes may use the file."""

    def __init__(  # noqa: PLR0913  all by name, and most as Service Bus has them
        self,
        database: Database,
        *,
        lock_seconds: float = 300,
        max_delivery_count: int = 100,
        duplicate_window_seconds: float = 600,
        present: Callable[[], float] = time.time,
        scheduling: Callable[[], float] | None = None,
    ) -> None:
        """`scheduling` tells the time by which messages are scheduled; without it, that is `present`."""
        self._database = database
        self._lock_seconds = lock_seconds
        self._max_delivery_count = max_delivery_count
        self._duplicate_window_seconds = duplicate_window_seconds
        self._present = present
        self._scheduling = scheduling or present
        self._arrivals = Arrivals()
        database.define(rows.SCHEMA)

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        for message in messages:
            _check(message)
        if not messages:
            return
        await self._database.write(
            lambda connection: rows.store(
                connection,
                queue,
                messages,
                now=self._present(),
                scheduled_until=self._scheduling(),
                remember_seconds=self._duplicate_window_seconds,
            )
        )
        self._arrivals.announce(queue)
        for session_id in {message.session_id for message in messages}:
            self._arrivals.announce(queue, session_id)

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:
        return (await self.waiting_since(queue, session_ids)).count

    async def waiting_since(self, queue: str, session_ids: Collection[str]) -> Pending:
        return await self._database.read(lambda connection: rows.pending(connection, queue, session_ids))

    async def accept(self, queue: str, *, wait_seconds: float) -> Session | None:
        async def is_there() -> bool:
            return await self._database.read(
                lambda connection: (
                    rows.has_free_group(connection, queue, self._present())
                    or rows.count_due(connection, queue, self._scheduling()) > 0
                )
            )

        deadline = asyncio.get_running_loop().time() + wait_seconds
        with self._arrivals.expected(queue) as arrival:
            while True:
                if (session := await self._lock(queue)) is not None:
                    return session
                if not await arrival.before(deadline, is_there):
                    return None

    async def receive(self, session: Session, *, max_messages: int, wait_seconds: float) -> list[Received] | None:
        def take(connection: sqlite3.Connection) -> list[Received] | None:
            held = rows.is_held(connection, session, self._present())
            return rows.take(connection, session, max_messages) if held else None

        async def is_there() -> bool:
            return await self._database.read(
                lambda connection: rows.has_free_message(connection, session.queue, session.id)
            )

        deadline = asyncio.get_running_loop().time() + wait_seconds
        with self._arrivals.expected(session.queue, session.id) as arrival:
            while True:
                received = await self._database.write(take)
                if received is None or received:
                    return received
                if not await arrival.before(deadline, is_there):
                    return []

    async def renew(self, session: Session) -> datetime | None:
        def extend(connection: sqlite3.Connection) -> float | None:
            now = self._present()
            if not rows.is_held(connection, session, now):
                return None
            rows.extend(connection, session, now + self._lock_seconds)
            return now + self._lock_seconds

        locked_until = await self._database.write(extend)
        return None if locked_until is None else datetime.fromtimestamp(locked_until, UTC)

    async def settle(self, session: Session, *, completed: Collection[int], abandoned: Collection[int]) -> bool:
        def settle(connection: sqlite3.Connection) -> bool:
            if not rows.is_held(connection, session, self._present()):
                return False
            rows.settle(
                connection,
                session,
                completed=completed,
                abandoned=abandoned,
                most_deliveries=self._max_delivery_count,
            )
            return True

        is_settled = await self._database.write(settle)
        if abandoned and is_settled:
            self._arrivals.announce(session.queue + DEAD_LETTER_SUFFIX)
        return is_settled

    async def release(self, session: Session) -> None:
        def release(connection: sqlite3.Connection) -> None:
            if rows.is_held(connection, session, self._present()):
                rows.release(connection, session)

        await self._database.write(release)
        self._arrivals.announce(session.queue)

    async def counts(self, queue: str) -> QueueCounts:
        def read(connection: sqlite3.Connection) -> QueueCounts:
            locked = rows.count_held(connection, queue, self._present())
            return QueueCounts(
                active=rows.count(connection, queue) + rows.count_due(connection, queue, self._scheduling()) - locked,
                locked=locked,
                dead_letter=rows.count(connection, queue + DEAD_LETTER_SUFFIX),
            )

        return await self._database.read(read)

    async def _lock(self, queue: str) -> Session | None:
        """A caller that is cancelled leaves no lock behind, although the write goes on."""
        locking = asyncio.ensure_future(self._database.write(lambda connection: self._lock_oldest(connection, queue)))
        try:
            return await asyncio.shield(locking)
        except asyncio.CancelledError:
            if (session := await locking) is not None:
                await self.release(session)
            raise

    def _lock_oldest(self, connection: sqlite3.Connection, queue: str) -> Session | None:
        now = self._present()
        rows.enqueue_due(connection, queue, now=now, scheduled_until=self._scheduling())
        return rows.lock_oldest(
            connection,
            queue,
            now=now,
            locked_until=now + self._lock_seconds,
            most_deliveries=self._max_delivery_count,
        )


def _check(message: Message) -> None:
    if len(message.body) > MAXIMUM_MESSAGE_BYTES:
        raise TooLargeError(f"A message has {len(message.body)} bytes, more than {MAXIMUM_MESSAGE_BYTES}")
    if max(len(message.message_id), len(message.session_id)) > _LONGEST_ID:
        raise ValueError(f"Service Bus takes ids of at most {_LONGEST_ID} characters")
