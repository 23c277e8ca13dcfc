"""The rows of the queues in the SQLite file. Every function runs inside a transaction of its caller.

What is locked together is a group: a session, or a dead letter by itself, because those have no sessions.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from shared.ports.broker import DEAD_LETTER_SUFFIX, Received, Session
from shared.ports.queue import Message, Pending

SCHEMA = (
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
    """CREATE TABLE IF NOT EXISTS queue_scheduled (
        number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, session_id TEXT NOT NULL,
        message_id TEXT NOT NULL, correlation_id TEXT NOT NULL, count INTEGER NOT NULL, body BLOB NOT NULL,
        not_before REAL NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS queue_scheduled_by_time ON queue_scheduled (queue, not_before)",
)

_ENQUEUED_AT_ONCE = 100
_FORGOTTEN_BESIDES = 100
"""How many message ids outside the window a send removes, besides as many as it adds."""


def store(  # noqa: PLR0913  all by name but the first three
    connection: sqlite3.Connection,
    queue: str,
    messages: Sequence[Message],
    *,
    now: float,
    scheduled_until: float,
    remember_seconds: float,
) -> None:
    """Add the messages whose ids were not sent within the last `remember_seconds`.

    Those that are to be delivered after `scheduled_until` are kept apart until then.
    """
    forgotten = now - remember_seconds
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
        if is_new and message.not_before is not None and message.not_before.timestamp() > scheduled_until:
            _schedule(connection, queue, message, message.not_before.timestamp())
        elif is_new:
            _store(connection, queue, message, now)


def enqueue_due(connection: sqlite3.Connection, queue: str, *, now: float, scheduled_until: float) -> None:
    """Put scheduled messages into the queue once their time has come."""
    rows = connection.execute(
        "SELECT number, body, session_id, message_id, correlation_id, count FROM queue_scheduled"
        " WHERE queue = ? AND not_before <= ? ORDER BY not_before, number LIMIT ?",
        (queue, scheduled_until, _ENQUEUED_AT_ONCE),
    ).fetchall()
    for number, *parts in rows:
        _store(connection, queue, Message(*parts), now)
        connection.execute("DELETE FROM queue_scheduled WHERE number = ?", (number,))


def count_due(connection: sqlite3.Connection, queue: str, scheduled_until: float) -> int:
    return _number(
        connection,
        "SELECT count(*) FROM queue_scheduled WHERE queue = ? AND not_before <= ?",
        queue,
        scheduled_until,
    )


def lock_oldest(
    connection: sqlite3.Connection, queue: str, *, now: float, locked_until: float, most_deliveries: int
) -> Session | None:
    """Lock the free group with the oldest message. What its last holder never settled is free again."""
    while (group := _oldest_free(connection, queue, now)) is not None:
        _give_back(connection, queue, group, _held(connection, queue, group), most_deliveries)
        if not has_free_message(connection, queue, group):
            unlock(connection, queue, group)
            continue
        token = str(uuid4())
        connection.execute(
            "UPDATE queue_sessions SET lock_token = ?, locked_until = ? WHERE queue = ? AND session_id = ?",
            (token, locked_until, queue, group),
        )
        return Session(queue, group, token, datetime.fromtimestamp(locked_until, UTC))
    return None


def is_held(connection: sqlite3.Connection, session: Session, now: float) -> bool:
    return _exists(
        connection,
        "queue_sessions WHERE queue = ? AND session_id = ? AND lock_token = ? AND locked_until > ?",
        session.queue,
        session.id,
        session.lock_token,
        now,
    )


def extend(connection: sqlite3.Connection, session: Session, locked_until: float) -> None:
    connection.execute(
        "UPDATE queue_sessions SET locked_until = ? WHERE queue = ? AND session_id = ?",
        (locked_until, session.queue, session.id),
    )


def take(connection: sqlite3.Connection, session: Session, limit: int) -> list[Received]:
    """Hold the oldest free messages of the group, and count their delivery."""
    rows = connection.execute(
        "SELECT body, message_id, correlation_id, count, sequence_number, delivery_count, enqueued_at"
        " FROM queue_messages JOIN queue_bodies USING (sequence_number)"
        " WHERE queue = ? AND session_id = ? AND lock_token IS NULL ORDER BY sequence_number LIMIT ?",
        (session.queue, session.id, limit),
    ).fetchall()
    session_id = _session_id(session.queue, session.id)
    received = [
        Received(
            Message(body, session_id, message_id, correlation_id, count),
            sequence_number,
            delivery_count + 1,
            datetime.fromtimestamp(enqueued_at, UTC),
        )
        for body, message_id, correlation_id, count, sequence_number, delivery_count, enqueued_at in rows
    ]
    connection.execute(
        "UPDATE queue_messages SET delivery_count = delivery_count + 1, lock_token = ?"
        " WHERE sequence_number IN (SELECT value FROM json_each(?))",
        (session.lock_token, _array(each.sequence_number for each in received)),
    )
    return received


def settle(
    connection: sqlite3.Connection,
    session: Session,
    *,
    completed: Collection[int],
    abandoned: Collection[int],
    most_deliveries: int,
) -> None:
    held = _held(connection, session.queue, session.id)
    _remove(connection, held.keys() & set(completed))
    given_back = {number: count for number, count in held.items() if number in abandoned and number not in completed}
    _give_back(connection, session.queue, session.id, given_back, most_deliveries)


def release(connection: sqlite3.Connection, session: Session) -> None:
    """Give back what is held, as not delivered, and free the group."""
    connection.execute(
        "UPDATE queue_messages SET lock_token = NULL, delivery_count = delivery_count - 1 WHERE lock_token = ?",
        (session.lock_token,),
    )
    unlock(connection, session.queue, session.id)


def unlock(connection: sqlite3.Connection, queue: str, group: str) -> None:
    oldest = connection.execute(
        "SELECT min(sequence_number) FROM queue_messages WHERE queue = ? AND session_id = ?", (queue, group)
    ).fetchone()[0]
    if oldest is None:
        connection.execute("DELETE FROM queue_sessions WHERE queue = ? AND session_id = ?", (queue, group))
    else:
        connection.execute(
            "UPDATE queue_sessions SET oldest = ?, lock_token = NULL, locked_until = 0"
            " WHERE queue = ? AND session_id = ?",
            (oldest, queue, group),
        )


def has_free_group(connection: sqlite3.Connection, queue: str, now: float) -> bool:
    return _exists(connection, "queue_sessions WHERE queue = ? AND locked_until <= ?", queue, now)


def has_free_message(connection: sqlite3.Connection, queue: str, group: str) -> bool:
    return _exists(connection, "queue_messages WHERE queue = ? AND session_id = ? AND lock_token IS NULL", queue, group)


def count(connection: sqlite3.Connection, queue: str) -> int:
    return _number(connection, "SELECT count(*) FROM queue_messages WHERE queue = ?", queue)


def count_held(connection: sqlite3.Connection, queue: str, now: float) -> int:
    return _number(
        connection,
        "SELECT count(*) FROM queue_sessions AS session JOIN queue_messages AS message USING (lock_token)"
        " WHERE session.queue = ? AND session.locked_until > ?",
        queue,
        now,
    )


def pending(connection: sqlite3.Connection, queue: str, session_ids: Collection[str]) -> Pending:
    """How many things the messages of these sessions carry, and since when the oldest of them is there."""
    count, oldest = connection.execute(
        "SELECT coalesce(sum(count), 0), min(enqueued_at) FROM queue_messages"
        " WHERE queue = ? AND session_id IN (SELECT value FROM json_each(?))",
        (queue, _array(session_ids)),
    ).fetchone()
    return Pending(count, None if oldest is None else datetime.fromtimestamp(oldest, UTC))


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


def _schedule(connection: sqlite3.Connection, queue: str, message: Message, not_before: float) -> None:
    connection.execute(
        "INSERT INTO queue_scheduled (queue, session_id, message_id, correlation_id, count, body, not_before)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            queue,
            message.session_id,
            message.message_id,
            message.correlation_id,
            message.count,
            message.body,
            not_before,
        ),
    )


def _oldest_free(connection: sqlite3.Connection, queue: str, now: float) -> str | None:
    row = connection.execute(
        "SELECT session_id FROM queue_sessions WHERE queue = ? AND locked_until <= ? ORDER BY oldest LIMIT 1",
        (queue, now),
    ).fetchone()
    return None if row is None else row[0]


def _held(connection: sqlite3.Connection, queue: str, group: str) -> dict[int, int]:
    """The number of deliveries of each held message, by sequence number.

    Held messages were received and not settled yet.
    """
    return dict(
        connection.execute(
            "SELECT sequence_number, delivery_count FROM queue_messages"
            " WHERE queue = ? AND session_id = ? AND lock_token IS NOT NULL",
            (queue, group),
        ).fetchall()
    )


def _give_back(
    connection: sqlite3.Connection, queue: str, group: str, deliveries: dict[int, int], most_deliveries: int
) -> None:
    """Free messages, or make them dead letters after their last delivery.

    A dead letter has no last delivery.
    """
    connection.execute(
        "UPDATE queue_messages SET lock_token = NULL WHERE sequence_number IN (SELECT value FROM json_each(?))",
        (_array(deliveries),),
    )
    if not queue.endswith(DEAD_LETTER_SUFFIX):
        for number, delivered in deliveries.items():
            if delivered >= most_deliveries:
                _bury(connection, queue, group, number)


def _bury(connection: sqlite3.Connection, queue: str, session_id: str, sequence_number: int) -> None:
    dead_queue, group = queue + DEAD_LETTER_SUFFIX, f"{sequence_number}/{session_id}"
    connection.execute(
        "UPDATE queue_messages SET queue = ?, session_id = ? WHERE sequence_number = ?",
        (dead_queue, group, sequence_number),
    )
    connection.execute(
        "INSERT INTO queue_sessions (queue, session_id, oldest) VALUES (?, ?, ?)", (dead_queue, group, sequence_number)
    )


def _session_id(queue: str, group: str) -> str:
    number, _, session_id = group.partition("/")
    is_message = queue.endswith(DEAD_LETTER_SUFFIX) and number.isdigit()  # else written when they had sessions here
    return session_id if is_message else group


def _remove(connection: sqlite3.Connection, sequence_numbers: Iterable[int]) -> None:
    numbers = _array(sequence_numbers)
    for table in ("queue_messages", "queue_bodies"):
        connection.execute(
            f"DELETE FROM {table} WHERE sequence_number IN (SELECT value FROM json_each(?))",  # noqa: S608  names from above
            (numbers,),
        )


def _exists(connection: sqlite3.Connection, rows: str, *parameters: str | float) -> bool:
    return bool(_number(connection, f"SELECT EXISTS (SELECT 1 FROM {rows})", *parameters))  # noqa: S608  from above


def _number(connection: sqlite3.Connection, statement: str, *parameters: str | float) -> int:
    number: int = connection.execute(statement, parameters).fetchone()[0]
    return number


def _array(values: Iterable[str | int]) -> str:
    return msgspec.json.encode(list(values)).decode()
