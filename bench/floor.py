"""The least that any implementation has to do: decode the bytes, insert the rows, commit as often."""

import json
import sqlite3
import time
from pathlib import Path

import msgspec

EVENTS_PER_MESSAGE = 64
EVENTS_PER_BATCH = 97
"""What fits one transactional batch of 100 operations beside a total and an outbox entry."""

_decode = msgspec.json.Decoder().decode


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS messages (sequence INTEGER PRIMARY KEY, session TEXT, body BLOB)")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS items (pk TEXT, id TEXT, body TEXT, PRIMARY KEY (pk, id)) WITHOUT ROWID"
    )
    return connection


def accepted_per_second(path: Path, body: bytes, size: int, seconds: float) -> float:
    """A request: decode it, insert its messages, commit."""
    connection = _connect(path)
    messages = [("session", body[: len(body) * min(EVENTS_PER_MESSAGE, size) // size])] * -(-size // EVENTS_PER_MESSAGE)
    requests = 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        _decode(body)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO messages (session, body) VALUES (?, ?)", messages)
        connection.execute("COMMIT")
        requests += 1
    elapsed = time.perf_counter() - start
    connection.close()
    return requests * size / elapsed


def rated_per_second(path: Path, events: int) -> float:
    """A batch: decode its events, insert them and their total, commit."""
    connection = _connect(path)
    event = {"id": "x" * 30, "type": "command", "agent": "agt", "time": "2026-10-05T00:00:00Z", "data": {"quantity": 1}}
    body = json.dumps([event] * EVENTS_PER_BATCH).encode()
    item = json.dumps({**event, "content": "x" * 32, "source": "api", "rated_period": "x" * 27, "version_id": "x" * 30})
    start = time.perf_counter()
    done = 0
    while done < events:
        _decode(body)
        rows = [
            ("org:usage:0", f"evt_{(done + number) * 2654435761 % 2**32:030d}", item)
            for number in range(EVENTS_PER_BATCH)
        ]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR IGNORE INTO items VALUES (?, ?, ?)", rows)
        connection.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", ("org:usage:0", "total", item))
        connection.execute("COMMIT")
        done += EVENTS_PER_BATCH
    elapsed = time.perf_counter() - start
    connection.close()
    return done / elapsed
