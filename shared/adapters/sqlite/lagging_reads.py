"""Reads that lag behind: a process sees its own writes at once, and those of others late.

Cosmos DB reads like this with session consistency and a session token for each process: after its own write to a
partition, a process reads that partition as it is. Tests of several processes use it.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from shared.adapters.sqlite.database import Database

T = TypeVar("T")


class LaggingReads:
    """Reads from a snapshot of the file, which is renewed when older than the lag."""

    def __init__(self, database: Database, path: Path, lag_seconds: float) -> None:
        """`path` is the file of the database."""
        self._database = database
        self._path = path
        self._lag_seconds = lag_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-lagging-reader")
        self._connection: sqlite3.Connection | None = None
        self._taken_at = -float("inf")
        self._written_at: dict[tuple[str, str], float] = {}
        """When this process last wrote to a partition, by container and partition key."""

    def written(self, container: str, pk: str) -> None:
        """Call it when a write has returned."""
        now = time.monotonic()
        recent = now - self._lag_seconds  # older writes are in every snapshot
        self._written_at = {place: at for place, at in self._written_at.items() if at > recent}
        self._written_at[container, pk] = now

    async def read(self, container: str, pk: str | None, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function on the snapshot, or on the file after an own write.

        The file is read where this process wrote since the snapshot was taken. Without a `pk` a write to any partition
        of the container counts.
        """
        if not self._shows_own_writes(container, pk):
            return await self._database.read(function)
        if self._connection is None:
            await self._database.read(lambda _: None)  # makes the tables
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._thread, lambda: function(self._snapshot()))
        loop.call_later(2 * self._lag_seconds, self._thread.submit, self._end_old_snapshot)
        return result

    def close(self) -> None:
        self._thread.submit(self._disconnect)
        self._thread.shutdown()

    def _shows_own_writes(self, container: str, pk: str | None) -> bool:
        if self._is_old():  # a new one will be taken
            return True
        return not any(
            at >= self._taken_at
            for place, at in self._written_at.items()
            if place[0] == container and pk in {None, place[1]}
        )

    def _snapshot(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None)
        if self._is_old():
            self._end_old_snapshot()
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_master")  # a snapshot begins with the first read
            self._taken_at = time.monotonic()
        return self._connection

    def _is_old(self) -> bool:
        return time.monotonic() - self._taken_at > self._lag_seconds

    def _end_old_snapshot(self) -> None:
        """A snapshot that stays open keeps the write-ahead log from shrinking."""
        if self._connection is not None and self._connection.in_transaction and self._is_old():
            self._connection.execute("COMMIT")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
