"""One SQLite file with one writer thread and one reader thread.

The writer commits many calls at once. A call returns when its transaction is on the disk: WAL with `synchronous=FULL`.
Several processes may use the file.
"""

import asyncio
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from shared.domain.kernel.errors import UnavailableError

T = TypeVar("T")

_LARGEST_GROUP = 256
"""Most calls that share one commit."""
_PRAGMAS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA cache_size=-65536",  # KiB
    "PRAGMA wal_autocheckpoint=10000",  # pages; keys are hashes, so a longer log writes each page less often
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA temp_store=MEMORY",  # savepoints use it
    "PRAGMA secure_delete=ON",  # what is deleted or replaced is overwritten: people can be erased
)
_SWITCH_SECONDS = 0.0002
"""How long a busy event loop may keep the interpreter lock from these threads, which take it several times in each
statement. With Python's default of 5 ms a commit beside a busy loop takes a second."""
_OUTAGES = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}


class _Call:
    """A function for one of the threads, and its outcome."""

    __slots__ = ("error", "function", "future", "loop", "result")

    def __init__(self, function: Callable[[sqlite3.Connection], Any]) -> None:
        self.function = function
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
        """Called once. An error names the frames that hold this call, so the call lets go of it."""
        future, error = self.future, self.error
        del self.future, self.error
        if future.done():  # its caller was cancelled
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(self.result)


class Database:
    """`path` may be `:memory:`. May be used from several event loops."""

    def __init__(self, path: Path | str, *, busy_seconds: float = 10.0) -> None:
        """`busy_seconds` is how long to wait for the lock of another process before `UnavailableError`."""
        sys.setswitchinterval(min(_SWITCH_SECONDS, sys.getswitchinterval()))
        self._path = str(path)
        self._busy_seconds = busy_seconds
        self._definitions: list[str] = []
        self._writer = _Worker("sqlite-writer", self._connect, _commit_as_one)
        # A database in memory exists in one connection only.
        in_memory = self._path == ":memory:"
        self._reader = self._writer if in_memory else _Worker("sqlite-reader", self._connect, _run_each)

    def define(self, statements: Sequence[str]) -> None:
        """Add statements to the schema, which every connection runs first. They must be repeatable."""
        self._definitions += statements

    async def write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in the writer thread and return once it is committed.

        An error of `function` is raised here and undoes its own changes only. It may be run twice, the first time
        without effect. Raises `UnavailableError` for faults of the file, lasting locks of others, and after `close`.
        """
        return await self._writer.call(function)

    async def read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in the reader thread; it sees every write that has returned. Raises as `write` does."""
        return await self._reader.call(function)

    def close(self) -> None:
        """Finish the calls that were begun, then close the file."""
        self._writer.close()
        self._reader.close()

    def _connect(self) -> "_Connection":
        return _Connection(self._path, self._busy_seconds, self._definitions)


class _Connection:
    """The connection of one thread, opened at the first use and again after a fault."""

    def __init__(self, path: str, busy_seconds: float, definitions: Sequence[str]) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._definitions = definitions
        self._defined = 0
        self._connection: sqlite3.Connection | None = None

    def ready(self) -> sqlite3.Connection:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._open()
            self._defined = 0
        if self._defined < len(self._definitions):
            self._define(connection)
        return connection

    def undo(self) -> None:
        connection = self._connection
        if connection is None or not connection.in_transaction:
            return
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._path != ":memory:":
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path, timeout=self._busy_seconds, isolation_level=None, cached_statements=512
        )
        try:
            self._use_write_ahead_log(connection)
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection

    def _use_write_ahead_log(self, connection: sqlite3.Connection) -> None:
        """Retry: SQLite changes the journal mode without waiting for locks, and two may open a new file at once."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
            else:
                return

    def _define(self, connection: sqlite3.Connection) -> None:
        """Run statements one by one: where the table exists none takes a lock, so no reader waits for a writer."""
        for statement in self._definitions[self._defined :]:
            connection.execute(statement)
            self._defined += 1


class _Worker:
    """A thread with its own connection, which runs all waiting calls as one group."""

    def __init__(
        self, name: str, connect: Callable[[], _Connection], run: Callable[[_Connection, list[_Call]], None]
    ) -> None:
        self._connection = connect()
        self._run = run
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[[sqlite3.Connection], T]) -> T:
        call = _Call(function)
        with self._closing:
            if self._closed:
                raise UnavailableError("The database is closed")
            self._calls.put(call)
        result: T = await call.future
        return result

    def close(self) -> None:
        with self._closing:
            if not self._closed:
                self._closed = True
                self._calls.put(None)
        self._thread.join()

    def _work(self) -> None:
        open_ = True
        while open_:
            group, open_ = self._take()
            if group:
                self._run(self._connection, group)
                _answer(group)
        self._connection.close()

    def _take(self) -> tuple[list[_Call], bool]:
        """The waiting calls, at least one; and False once the thread has to end."""
        group: list[_Call] = []
        call = self._calls.get()
        while call is not None:
            group.append(call)
            if len(group) == _LARGEST_GROUP:
                return group, True
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return group, True
        return group, False


def _commit_as_one(connection: _Connection, calls: list[_Call]) -> None:
    try:
        if not _commit(connection, calls, _run_plainly):
            _commit(connection, calls, _run_in_savepoint)
    except Exception as fault:  # noqa: BLE001  raised to every caller
        connection.undo()
        for call in calls:
            call.error = _fault(fault)


def _commit(connection: _Connection, calls: list[_Call], run: Callable[[sqlite3.Connection, _Call], bool]) -> bool:
    """Run all calls in one transaction. False, without effect, where one failed after it had changed something."""
    database = connection.ready()
    database.execute("BEGIN IMMEDIATE")
    for call in calls:
        call.error = None
        if not run(database, call):
            database.execute("ROLLBACK")
            return False
    database.execute("COMMIT")
    return True


def _run_plainly(database: sqlite3.Connection, call: _Call) -> bool:
    """Run a call without a savepoint, whose two statements would be most of the cost.

    Most calls succeed, and most that fail have changed nothing. False for one that has.
    """
    changes = database.total_changes
    try:
        call.result = call.function(database)
    except Exception as error:
        if not database.in_transaction:  # SQLite has rolled back the whole group
            raise
        call.error = _fault(error)
        return database.total_changes == changes
    return True


def _run_in_savepoint(database: sqlite3.Connection, call: _Call) -> bool:
    database.execute("SAVEPOINT call")
    try:
        call.result = call.function(database)
    except Exception as error:
        if not database.in_transaction:
            raise
        call.error = _fault(error)
        database.execute("ROLLBACK TO call")
    database.execute("RELEASE call")
    return True


def _run_each(connection: _Connection, calls: list[_Call]) -> None:
    for call in calls:
        try:
            call.result = call.function(connection.ready())
        except Exception as error:  # noqa: BLE001  raised to its caller
            call.error = _fault(error)


def _fault(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _OUTAGES:
        return _unavailable("The database does not answer", error)
    if isinstance(error, OSError):
        return _unavailable("The database cannot be opened", error)
    return error


def _unavailable(detail: str, cause: Exception) -> UnavailableError:
    unavailable = UnavailableError(detail)
    unavailable.__cause__ = cause
    return unavailable


def _answer(calls: list[_Call]) -> None:
    """Hand the outcomes to the callers, with one wake-up for each event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[_Call]] = {}
    for call in calls:
        loops.setdefault(call.loop, []).append(call)
    for loop, members in loops.items():
        with suppress(RuntimeError):  # the loop is closed and its callers are gone
            loop.call_soon_threadsafe(_resolve, members)


def _resolve(calls: list[_Call]) -> None:
    for call in calls:
        call.resolve()
