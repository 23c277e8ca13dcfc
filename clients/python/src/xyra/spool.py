"""What waits to be sent, on disk: it survives the process, and is bounded."""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
import threading
import time
import weakref
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

_log = logging.getLogger("xyra")

Kind = Literal["event", "run", "use", "settle", "lease", "end"]

_MAXIMUM_REFUSED = 10_000
"""Refused items that are kept with their reasons: the oldest ones; all are counted."""
_WARNING_INTERVAL = 60.0
_BUSY_SECONDS = 5.0
_SCHEMA = """
create table if not exists items (id integer primary key autoincrement, kind text not null, body text not null);
create index if not exists items_by_kind on items (kind, id);
create table if not exists refused (id integer primary key autoincrement, kind text not null, body text not null,
    reason text not null);
create table if not exists counters (name text primary key, value integer not null) without rowid;
insert or ignore into counters values ('waiting', 0), ('dropped', 0), ('refused', 0);
create table if not exists gone (kind text primary key, number integer not null) without rowid;
create trigger if not exists item_added after insert on items begin
    update counters set value = value + 1 where name = 'waiting'; end;
create trigger if not exists item_gone after delete on items begin
    update counters set value = value - 1 where name = 'waiting'; end;
create trigger if not exists item_of_kind_gone after delete on items begin
    insert into gone values (old.kind, 1) on conflict (kind) do update set number = number + 1; end;
"""
_ADD = """insert into items (kind, body)
select ?, ? where (select value from counters where name = 'waiting') < ?"""
_OLDEST = "select id, kind, body from items where kind = ? order by id limit ?"
_COUNT = "update counters set value = value + ? where name = ?"

_left_to_parents: list[object] = []
"""Connections that a fork copied: closing them in the child would disturb the parent's, so they are kept."""
_spools: weakref.WeakSet[Spool] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Item:
    id: int
    kind: str
    body: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that Xyra did not take, and why."""

    kind: str
    body: str
    reason: str


def default_path(base_url: str, api_key: str) -> Path:
    """A file of this user for one key at one host: what waits must not go to another organization."""
    name = sha256(f"{base_url}\n{api_key}".encode()).hexdigest()[:32]
    home = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    folder = Path(home) if home else Path.home() / ".local" / "state"
    try:
        (folder / "xyra").mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"xyra-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
        (folder / "xyra").mkdir(mode=0o700, parents=True, exist_ok=True)
        _log.warning("there is no folder for the spool in the home directory: it is in %s", folder)
    return folder / "xyra" / f"{name}.spool"


class Spool:
    """A queue in a SQLite file, for any number of threads and processes.

    What `add` has taken survives the end of the process, not a power cut. When `limit` items wait, further ones are
    dropped, counted and logged: the oldest are kept.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self._limit = limit
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._lost = 0
        """Items that could not be written, counted in memory as there is nowhere else."""
        self._warned = -_WARNING_INTERVAL
        _spools.add(self)

    def add(self, kind: Kind, body: str) -> bool:
        """Keep an item. False where it was dropped, which is counted and logged."""
        try:
            with self._open() as connection:
                if connection.execute(_ADD, (kind, body, self._limit)).rowcount:
                    return True
                connection.execute(_COUNT, (1, "dropped"))
        except (sqlite3.Error, OSError) as error:
            self._lost += 1
            self._warn("the spool %s cannot be written (%s): an item is dropped", self.path, error)
            return False
        self._warn("the spool %s is full (%d items): what comes now is dropped", self.path, self._limit)
        return False

    def batch(self, kind: Kind, most: int, most_bytes: int) -> list[Item]:
        """The oldest items of a kind, at least one if there are any."""
        with self._open() as connection:
            rows = connection.execute(_OLDEST, (kind, most))
            items: list[Item] = []
            size = 0
            for row in rows:
                item = Item(*row)
                size += len(item.body.encode()) + 2
                if items and size > most_bytes:
                    break
                items.append(item)
            rows.close()
            return items

    def settle(self, taken: Iterable[int], refused: Iterable[tuple[Item, str]]) -> None:
        """What was taken goes; what was refused is kept apart, counted and logged."""
        with self._changing() as connection:
            connection.executemany("delete from items where id = ?", [(id_,) for id_ in taken])
            for item, reason in refused:
                self._refuse(connection, item, reason)

    def _refuse(self, connection: sqlite3.Connection, item: Item, reason: str) -> None:
        connection.execute("delete from items where id = ?", (item.id,))
        (kept,) = connection.execute("select count(*) from refused").fetchone()
        if kept < _MAXIMUM_REFUSED:
            row = (item.kind, item.body, reason)
            connection.execute("insert into refused (kind, body, reason) values (?, ?, ?)", row)
        connection.execute(_COUNT, (1, "refused"))
        _log.error("Xyra refused %s %s: %s", item.kind, item.body[:200], reason)

    def refused(self) -> list[Refused]:
        """What was refused, oldest first."""
        with self._open() as connection:
            return [Refused(*row) for row in connection.execute("select kind, body, reason from refused order by id")]

    def retry_refused(self) -> int:
        """Put all that was refused back, to be sent again. How many there were."""
        with self._changing() as connection:
            connection.execute("insert into items (kind, body) select kind, body from refused order by id")
            again = connection.execute("delete from refused").rowcount
            connection.execute(_COUNT, (-again, "refused"))
            return again

    def counts(self) -> dict[str, int]:
        """Items that wait, were dropped, and were refused, over all processes."""
        counts = {"waiting": 0, "dropped": 0, "refused": 0}
        try:
            with self._open() as connection:
                counts.update(connection.execute("select name, value from counters"))
        except (sqlite3.Error, OSError) as error:
            self._warn("the spool %s cannot be read (%s)", self.path, error)
        return {**counts, "dropped": counts["dropped"] + self._lost}

    def gone(self, kind: Kind) -> int:
        """How many items of a kind have been sent or refused so far."""
        with self._open() as connection:
            row = connection.execute("select number from gone where kind = ?", (kind,)).fetchone()
            return 0 if row is None else int(row[0])

    def waiting(self, kind: Kind, after: int = 0) -> list[Item]:
        """The items of a kind that wait, oldest first; of these, those that came after the one with an id."""
        with self._open() as connection:
            rows = connection.execute(
                "select id, kind, body from items where kind = ? and id > ? order by id", (kind, after)
            )
            return [Item(*row) for row in rows]

    def checkpoint(self) -> None:
        """Move what was written to its place, outside of anybody's request."""
        with self._open() as connection:
            connection.execute("pragma wal_checkpoint(passive)")

    def close(self) -> None:
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        with self._mutex:
            if self._connection is None:
                self._connection = self._connect()
            yield self._connection

    @contextmanager
    def _changing(self) -> Generator[sqlite3.Connection]:
        """All changes of the block or, after an error, none: a transaction left open would lock the file for others."""
        with self._open() as connection:
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:  # SQLite ends it by itself where the disk is full
                    connection.execute("rollback")
                raise

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            return self._prepared()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # busy, read-only or full: not a broken file
                raise
            aside = self.path.with_name(f"{self.path.name}.broken-{time.time_ns()}")
            self.path.rename(aside)
            _log.error("the spool %s cannot be read (%s): it is kept as %s", self.path, error, aside)
            return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            connection.execute("pragma wal_autocheckpoint = 0")  # `checkpoint` does it, in the sender's thread
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def _warn(self, message: str, *arguments: object) -> None:
        if time.monotonic() - self._warned >= _WARNING_INTERVAL:
            self._warned = time.monotonic()
            _log.error(message, *arguments)

    def before_fork(self) -> None:
        """Wait until no thread is inside SQLite: its state is copied."""
        self._mutex.acquire()

    def after_fork_in_parent(self) -> None:
        self._mutex.release()

    def after_fork_in_child(self) -> None:
        """The connection is the parent's."""
        if self._connection is not None:
            _left_to_parents.append(self._connection)
            self._connection = None
        self._mutex.release()


_forking: list[Spool] = []


def _before_fork() -> None:
    _forking.extend(_spools)
    for spool in _forking:
        spool.before_fork()


def _after_fork_in_parent() -> None:
    while _forking:
        _forking.pop().after_fork_in_parent()


def _after_fork_in_child() -> None:
    while _forking:
        _forking.pop().after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
