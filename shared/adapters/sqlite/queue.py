"""A message broker in the SQLite file, with the semantics of Service Bus.

Sessions, locks, delivery count, duplicate detection and dead letters. Locks run on the machine's time, whatever the
clock of the application says.
"""

import asyncio
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from shared.adapters.sqlite.database import Database
from shared.domain.kernel.errors import TooLargeError
from shared.ports.queue import MAXIMUM_MESSAGE_BYTES, Message

DEAD_LETTER_SUFFIX = "/$deadletterqueue"
"""The dead-letter queue of `usage` is the queue `usage/$deadletterqueue`; it is received from like any other."""

_LONGEST_ID = 128
_FORGOTTEN_BESIDES = 100
"""How many message ids outside the window a send removes, besides as many as it adds."""

_SCHEMA = (
    # A row is written anew at every delivery, so bodies stand elsewhere.
    """CREATE TABLE IF NOT EXISTS queue_messages (
        sequence_number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, session_id TEXT NOT NULL,
        message_id TEXT NOT NULL, correlation_id TEXT NOT NULL, count INTEGER NOT NULL, enqueued_at REAL NOT NULL,
        delivery_count INTEGER NOT NULL DEFAULT 0, lock_token TEXT)""",
    "CREATE INDEX IF NOT EXISTS queue_messages_by_session ON queue_messages (queue, session_id)",
    "CREATE INDEX IF NOT EXISTS queue_messages_by_lock ON queue_messages (lock_token) WHERE lock_token IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS queue_bodies (sequence_number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    """CREATE TABLE IF NOT EXISTS queue_sessions (
        queue TEXT NOT NULL, session_id TEXT NOT NULL, oldest INTEGER NOT NULL, lock_token TEXT,
        locked_until REAL NOT NULL DEFAULT 0, PRIMARY KEY (queue, session_id)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS queue_sessions_by_oldest ON queue_sessions (queue, oldest)",
    """CREATE TABLE IF NOT EXISTS queue_message_ids (
        queue TEXT NOT NULL, message_id TEXT NOT NULL, sent_at REAL NOT NULL,
        PRIMARY KEY (queue, message_id)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS queue_message_ids_by_time ON queue_message_ids (sent_at)",
)


@dataclass(frozen=True, slots=True)
class Received:
    message: Message
    sequence_number: int
    delivery_count: int
    """How often it has been delivered, this time included."""
    enqueued_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """Messages of one session, locked for one receiver until they are settled or the lock runs out."""

    queue: str
    session_id: str
    lock_token: str
    messages: list[Received]


@dataclass(frozen=True, slots=True)
class QueueCounts:
    active: int
    """Messages that nobody holds."""
    locked: int
    """Messages that were received and are not settled."""
    dead_letter: int


class LocalQueue:
    def __init__(
        self,
        database: Database,
        *,
        max_delivery_count: int = 100,
        duplicate_window_seconds: float = 600,
        present: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._max_delivery_count = max_delivery_count
        self._duplicate_window_seconds = duplicate_window_seconds
        self._present = present
        self._arrivals = _Arrivals()
        database.define(_SCHEMA)

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        for message in messages:
            _check(message)
        if messages:
            await self._database.write(lambda connection: self._accept(connection, queue, messages))
            self._arrivals.announce(queue)

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:
        statement = (
            "SELECT coalesce(sum(count), 0) FROM queue_messages"
            " WHERE queue = ? AND session_id IN (SELECT value FROM json_each(?))"
        )
        sessions = _array(session_ids)
        return await self._database.read(lambda connection: _number(connection, statement, queue, sessions))

    async def receive(self, queue: str, *, max_messages: int, lock_seconds: float) -> Delivery | None:
        """The oldest messages of the free session that has waited longest, locked for `lock_seconds`. None without one.

        Raises `UnavailableError`.
        """
        self._arrivals.looked_for(queue)
        return await self._database.write(
            lambda connection: self._deliver(connection, queue, max_messages, lock_seconds)
        )

    async def settle(self, delivery: Delivery, *, completed: Collection[int], abandoned: Collection[int]) -> bool:
        """Take the completed messages away and give the abandoned ones back, by sequence number. With the last one of
        the delivery its session is free.

        False, and nothing settled, when the lock was lost meanwhile: the messages come again. Raises
        `UnavailableError`.
        """
        settled = await self._database.write(
            lambda connection: self._settle(connection, delivery, completed, abandoned)
        )
        if settled:
            self._arrivals.announce(delivery.queue)
            self._arrivals.announce(delivery.queue + DEAD_LETTER_SUFFIX)
        return settled

    async def counts(self, queue: str) -> QueueCounts:
        every = "SELECT count(*) FROM queue_messages WHERE queue = ?"
        held = (
            "SELECT count(*) FROM queue_sessions AS session JOIN queue_messages AS message USING (lock_token)"
            " WHERE session.queue = ? AND session.locked_until > ?"
        )

        def read(connection: sqlite3.Connection) -> QueueCounts:
            locked = _number(connection, held, queue, self._present())
            return QueueCounts(
                active=_number(connection, every, queue) - locked,
                locked=locked,
                dead_letter=_number(connection, every, queue + DEAD_LETTER_SUFFIX),
            )

        return await self._database.read(read)

    async def wait(self, queue: str, timeout: float) -> None:  # noqa: ASYNC109  the wait itself is what is bounded
        """Return when something has come to the queue, by this process, since it was last received from; after
        `timeout` seconds at the latest. What other processes send is found by receiving now and then.
        """
        await self._arrivals.wait(queue, timeout)

    def _accept(self, connection: sqlite3.Connection, queue: str, messages: Sequence[Message]) -> None:
        now = self._present()
        forgotten = now - self._duplicate_window_seconds
        connection.execute(
            "DELETE FROM queue_message_ids WHERE (queue, message_id) IN"
            " (SELECT queue, message_id FROM queue_message_ids WHERE sent_at <= ? ORDER BY sent_at LIMIT ?)",
            (forgotten, len(messages) + _FORGOTTEN_BESIDES),
        )
        for message in messages:
            is_new = connection.execute(
                "INSERT INTO queue_message_ids VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET sent_at = excluded.sent_at"
                " WHERE queue_message_ids.sent_at <= ?",
                (queue, message.message_id, now, forgotten),
            ).rowcount
            if is_new:
                _store(connection, queue, message, now)

    def _deliver(
        self, connection: sqlite3.Connection, queue: str, max_messages: int, lock_seconds: float
    ) -> Delivery | None:
        now = self._present()
        while (session_id := _oldest_free_session(connection, queue, now)) is not None:
            messages = _oldest_messages(connection, queue, session_id, max_messages)
            exhausted = [
                each.sequence_number for each in messages if self._is_exhausted(queue, each.delivery_count - 1)
            ]
            if exhausted:  # by receivers that never settled them
                _bury(connection, queue, session_id, exhausted)
                _release(connection, queue, session_id)
                continue
            lock_token = str(uuid4())
            connection.execute(
                "UPDATE queue_messages SET delivery_count = delivery_count + 1, lock_token = ?"
                " WHERE sequence_number IN (SELECT value FROM json_each(?))",
                (lock_token, _array(each.sequence_number for each in messages)),
            )
            connection.execute(
                "UPDATE queue_sessions SET lock_token = ?, locked_until = ? WHERE queue = ? AND session_id = ?",
                (lock_token, now + lock_seconds, queue, session_id),
            )
            return Delivery(queue, session_id, lock_token, messages)
        return None

    def _settle(
        self, connection: sqlite3.Connection, delivery: Delivery, completed: Collection[int], abandoned: Collection[int]
    ) -> bool:
        queue, session_id, lock_token = delivery.queue, delivery.session_id, delivery.lock_token
        is_held = _number(
            connection,
            "SELECT count(*) FROM queue_sessions"
            " WHERE queue = ? AND session_id = ? AND lock_token = ? AND locked_until > ?",
            queue,
            session_id,
            lock_token,
            self._present(),
        )
        if not is_held:
            return False
        held = dict(
            connection.execute(
                "SELECT sequence_number, delivery_count FROM queue_messages WHERE lock_token = ?", (lock_token,)
            ).fetchall()
        )
        _remove(connection, held.keys() & set(completed))
        given_back = held.keys() & set(abandoned) - set(completed)
        connection.execute(
            "UPDATE queue_messages SET lock_token = NULL WHERE sequence_number IN (SELECT value FROM json_each(?))",
            (_array(given_back),),
        )
        exhausted = [number for number in given_back if self._is_exhausted(queue, held[number])]
        if exhausted:
            _bury(connection, queue, session_id, exhausted)
        if held.keys() <= {*completed, *abandoned}:
            _release(connection, queue, session_id)
        return True

    def _is_exhausted(self, queue: str, delivery_count: int) -> bool:
        return delivery_count >= self._max_delivery_count and not queue.endswith(DEAD_LETTER_SUFFIX)


class _Arrivals:
    """Wakes who waits for messages in this process."""

    def __init__(self) -> None:
        self._announced: defaultdict[str, int] = defaultdict(int)
        self._seen: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)

    def announce(self, queue: str) -> None:
        self._announced[queue] += 1
        for future in self._waiting.pop(queue, ()):
            with suppress(RuntimeError):  # its loop was closed
                future.get_loop().call_soon_threadsafe(_wake, future)

    def looked_for(self, queue: str) -> None:
        self._seen[queue] = self._announced[queue]

    async def wait(self, queue: str, seconds: float) -> None:
        if self._seen[queue] == self._announced[queue]:
            future = asyncio.get_running_loop().create_future()
            self._waiting[queue].add(future)
            try:
                await asyncio.wait([future], timeout=seconds)
            finally:
                self._waiting[queue].discard(future)
        self.looked_for(queue)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _check(message: Message) -> None:
    if len(message.body) > MAXIMUM_MESSAGE_BYTES:
        raise TooLargeError(f"A message has {len(message.body)} bytes, more than {MAXIMUM_MESSAGE_BYTES}")
    if max(len(message.message_id), len(message.session_id)) > _LONGEST_ID:
        raise ValueError(f"Service Bus takes ids of at most {_LONGEST_ID} characters")


def _store(connection: sqlite3.Connection, queue: str, message: Message, now: float) -> None:
    sequence_number = connection.execute(
        "INSERT INTO queue_messages (queue, session_id, message_id, correlation_id, count, enqueued_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (queue, message.session_id, message.message_id, message.correlation_id, message.count, now),
    ).lastrowid
    connection.execute("INSERT INTO queue_bodies VALUES (?, ?)", (sequence_number, message.body))
    connection.execute(
        "INSERT INTO queue_sessions (queue, session_id, oldest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (queue, message.session_id, sequence_number),
    )


def _oldest_free_session(connection: sqlite3.Connection, queue: str, now: float) -> str | None:
    row = connection.execute(
        "SELECT session_id FROM queue_sessions WHERE queue = ? AND locked_until <= ? ORDER BY oldest LIMIT 1",
        (queue, now),
    ).fetchone()
    return None if row is None else row[0]


def _oldest_messages(connection: sqlite3.Connection, queue: str, session_id: str, limit: int) -> list[Received]:
    """With the delivery that is about to happen counted."""
    rows = connection.execute(
        "SELECT body, session_id, message_id, correlation_id, count, sequence_number, delivery_count, enqueued_at"
        " FROM queue_messages JOIN queue_bodies USING (sequence_number)"
        " WHERE queue = ? AND session_id = ? ORDER BY sequence_number LIMIT ?",
        (queue, session_id, limit),
    ).fetchall()
    return [
        Received(Message(*message), sequence_number, delivery_count + 1, datetime.fromtimestamp(enqueued_at, UTC))
        for *message, sequence_number, delivery_count, enqueued_at in rows
    ]


def _remove(connection: sqlite3.Connection, sequence_numbers: Iterable[int]) -> None:
    numbers = _array(sequence_numbers)
    for table in ("queue_messages", "queue_bodies"):
        connection.execute(
            f"DELETE FROM {table} WHERE sequence_number IN (SELECT value FROM json_each(?))",  # noqa: S608  names from above
            (numbers,),
        )


def _bury(connection: sqlite3.Connection, queue: str, session_id: str, sequence_numbers: list[int]) -> None:
    """Move messages to the dead-letter queue, each under the session that it has."""
    connection.execute(
        "UPDATE queue_messages SET queue = ?, lock_token = NULL"
        " WHERE sequence_number IN (SELECT value FROM json_each(?))",
        (queue + DEAD_LETTER_SUFFIX, _array(sequence_numbers)),
    )
    connection.execute(
        "INSERT INTO queue_sessions (queue, session_id, oldest) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET oldest = min(oldest, excluded.oldest)",
        (queue + DEAD_LETTER_SUFFIX, session_id, min(sequence_numbers)),
    )


def _release(connection: sqlite3.Connection, queue: str, session_id: str) -> None:
    oldest = connection.execute(
        "SELECT min(sequence_number) FROM queue_messages WHERE queue = ? AND session_id = ?", (queue, session_id)
    ).fetchone()[0]
    if oldest is None:
        connection.execute("DELETE FROM queue_sessions WHERE queue = ? AND session_id = ?", (queue, session_id))
    else:
        connection.execute(
            "UPDATE queue_sessions SET oldest = ?, lock_token = NULL, locked_until = 0"
            " WHERE queue = ? AND session_id = ?",
            (oldest, queue, session_id),
        )


def _number(connection: sqlite3.Connection, statement: str, *parameters: str | float) -> int:
    number: int = connection.execute(statement, parameters).fetchone()[0]
    return number


def _array(values: Iterable[str | int]) -> str:
    return msgspec.json.encode(list(values)).decode()
