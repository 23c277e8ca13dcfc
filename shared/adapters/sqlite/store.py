"""The document store in SQLite, with the limits of Cosmos DB."""

import itertools
import random
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import uuid4

from shared import json
from shared.adapters.documents.query import check_limit
from shared.adapters.documents.rules import check_document, check_id, check_partition_key, is_legal_id
from shared.adapters.sqlite.database import Database
from shared.adapters.sqlite.lagging_reads import LaggingReads
from shared.adapters.sqlite.query import SqlQuery
from shared.adapters.sqlite.stale_reads import StaleReads
from shared.adapters.sqlite.tables import TABLES, Parameters, Table, table_of
from shared.ports.clock import Clock
from shared.ports.store import (
    MAXIMUM_BATCH_BYTES,
    MAXIMUM_BATCH_OPERATIONS,
    MAXIMUM_PAGE,
    AlreadyExistsError,
    Between,
    Create,
    Delete,
    Document,
    Item,
    ItemPage,
    Operation,
    Position,
    Replace,
    StaleEtagError,
    StoreError,
    StoreLimitError,
    Upsert,
)

T = TypeVar("T")

_WRITES_BETWEEN_PURGES = 256
_PURGED_AT_ONCE = 512
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000


@dataclass(slots=True)
class _Write:
    """One operation as a statement. `refusal` is raised where it changes no row; None where that is no error."""

    id: str
    etag: str
    parameters: Parameters
    statement: str | None = None
    """None for a create, because several creates are one statement."""
    refusal: type[StoreError] | None = None
    size: int = 0


class SqliteStore:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        stale_reads: random.Random | None = None,
        lagging_reads: LaggingReads | None = None,
    ) -> None:
        """Open the store, for tests also with reads that are stale or lag.

        With `stale_reads`, a read may return the version before the last write, as from a replica. With
        `lagging_reads`, it sees late what other processes wrote.
        """
        self._database = database
        self._clock = clock
        self._stale_reads = StaleReads(stale_reads) if stale_reads is not None else None
        self._lagging_reads = lagging_reads
        self._etag_prefix = uuid4().hex[:16]
        self._etag_numbers = itertools.count()
        self._writes_until_purge = dict.fromkeys(TABLES, _WRITES_BETWEEN_PURGES)
        for table in TABLES.values():
            database.define(table.definitions)

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the port's name
        return (await self.get_many(container, pk, [id])).get(id)

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        table = table_of(container)
        if len(ids) > MAXIMUM_PAGE:
            raise StoreLimitError(f"At most {MAXIMUM_PAGE} documents at once")
        now = self._now()
        legal = [id_ for id_ in ids if is_legal_id(id_)]
        found = await self._read(container, pk, lambda connection: _versions(connection, table, pk, legal, now))
        return found if self._stale_reads is None else self._stale_reads.instead(container, pk, legal, found)

    async def create(self, container: str, pk: str, document: Document) -> str:
        return (await self._write(container, pk, [Create(document)]))[0]

    async def replace(self, container: str, pk: str, document: Document, etag: str) -> str:
        return (await self._write(container, pk, [Replace(document, etag)]))[0]

    async def upsert(self, container: str, pk: str, document: Document) -> str:
        return (await self._write(container, pk, [Upsert(document)]))[0]

    async def delete(self, container: str, pk: str, id: str, etag: str | None = None) -> None:  # noqa: A002  the port's name
        await self._write(container, pk, [Delete(id, etag)])

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        if not 1 <= len(operations) <= MAXIMUM_BATCH_OPERATIONS:
            raise StoreLimitError(f"A batch has 1 to {MAXIMUM_BATCH_OPERATIONS} operations, not {len(operations)}")
        return await self._write(container, pk, operations)

    async def query(  # noqa: PLR0913  the port's arguments
        self,
        container: str,
        pk: str,
        kind: str,
        *,
        equals: Mapping[str, str] | None = None,
        between: Between | None = None,
        order_by: str = "id",
        descending: bool = False,
        limit: int = 100,
        cursor: str | Position | None = None,
    ) -> ItemPage:
        query = SqlQuery(table_of(container).container, pk, kind, equals or {}, between, order_by, descending, limit)
        sql, parameters = query.sql(self._now(), cursor)
        rows = await self._read(container, pk, lambda connection: connection.execute(sql, parameters).fetchall())
        found = {id_: _item(etag, body) for id_, etag, body, _ in rows[:limit]}
        if self._stale_reads is not None:
            found = self._stale_reads.instead(container, pk, list(found), found)
        next_cursor = None
        if len(rows) > limit:
            id_, *_, position = rows[limit - 1]
            next_cursor = query.cursor_after(position, id_)
        return ItemPage(list(found.values()), next_cursor)

    async def due(self, container: str, before: str, *, limit: int = 100) -> list[tuple[str, Item]]:
        table = table_of(container)
        check_limit(limit)
        parameters = (before, self._now(), limit)
        rows = await self._read(
            container, None, lambda connection: connection.execute(table.due, parameters).fetchall()
        )
        return [(pk, _item(etag, body)) for pk, etag, body in rows]

    async def _read(self, container: str, pk: str | None, function: Callable[[sqlite3.Connection], T]) -> T:
        if self._lagging_reads is None:
            return await self._database.read(function)
        return await self._lagging_reads.read(container, pk, function)

    async def _write(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        table = table_of(container)
        check_partition_key(pk)
        now = self._now()
        writes = [self._prepare(table, pk, now, index, operation) for index, operation in enumerate(operations)]
        if sum(write.size for write in writes) > MAXIMUM_BATCH_BYTES:
            raise StoreLimitError(f"A batch has at most {MAXIMUM_BATCH_BYTES} bytes")
        purges = self._purges_now(container)

        def run(connection: sqlite3.Connection) -> dict[str, Item | None]:
            before: dict[str, Item | None] = {}
            if self._stale_reads is not None:
                before = dict.fromkeys(write.id for write in writes)
                before |= _versions(connection, table, pk, list(before), now)
            _run(connection, table, now, writes)
            if purges:
                connection.execute(table.purge, (now, _PURGED_AT_ONCE))
            return before

        before = await self._database.write(run)
        if self._lagging_reads is not None:
            self._lagging_reads.written(container, pk)
        if self._stale_reads is not None:
            self._stale_reads.written(container, pk, before)
        return [write.etag for write in writes]

    def _prepare(self, table: Table, pk: str, now: int, index: int, operation: Operation) -> _Write:
        try:
            if isinstance(operation, Delete):
                return _deletion(table, pk, now, operation)
            checked = check_document(table.container, operation.document)
        except StoreLimitError as error:
            error.index = index
            raise
        etag = f"{self._etag_prefix}{next(self._etag_numbers):x}"
        expires_at = None if checked.ttl is None else now + checked.ttl * _SECOND
        content = (checked.kind, checked.body, etag, expires_at, checked.due_at)
        match operation:
            case Create():
                return _Write(checked.id, etag, (pk, checked.id, *content), None, AlreadyExistsError, checked.size)
            case Replace(etag=before):
                parameters = (*content, pk, checked.id, before, now)
                return _Write(checked.id, etag, parameters, table.replace, StaleEtagError, checked.size)
            case Upsert():
                return _Write(checked.id, etag, (pk, checked.id, *content), table.upsert, None, checked.size)

    def _now(self) -> int:
        return (self._clock.now() - _EPOCH) // _MICROSECOND

    def _purges_now(self, container: str) -> bool:
        self._writes_until_purge[container] -= 1
        if self._writes_until_purge[container] > 0:
            return False
        self._writes_until_purge[container] = _WRITES_BETWEEN_PURGES
        return True


def _deletion(table: Table, pk: str, now: int, operation: Delete) -> _Write:
    id_ = check_id(operation.id)
    if operation.etag is None:
        return _Write(id_, "", (pk, id_), table.delete)
    return _Write(id_, "", (pk, id_, operation.etag, now), table.delete_guarded, StaleEtagError)


def _run(connection: sqlite3.Connection, table: Table, now: int, writes: Sequence[_Write]) -> None:
    for creates, group in itertools.groupby(enumerate(writes), lambda entry: entry[1].statement is None):
        if creates:
            _create(connection, table, now, list(group))
            continue
        for index, write in group:
            changed = connection.execute(write.statement or "", write.parameters).rowcount
            if changed == 0 and write.refusal is not None:
                raise write.refusal(f"{write.id} has changed", index=index)


def _create(connection: sqlite3.Connection, table: Table, now: int, group: list[tuple[int, _Write]]) -> None:
    """Insert all in one statement: between several, other threads could take the interpreter lock and keep it."""
    parameters = [value for _, write in group for value in write.parameters]
    created = connection.execute(table.create(len(group)), (*parameters, now)).rowcount
    if created == len(group):
        return
    for index, write in group:
        pk, id_, *_ = write.parameters
        (etag,) = connection.execute(table.etag, (pk, id_)).fetchone()
        if etag != write.etag:
            raise AlreadyExistsError(f"{write.id} exists already", index=index)


def _versions(connection: sqlite3.Connection, table: Table, pk: str, ids: list[str], now: int) -> dict[str, Item]:
    if len(ids) == 1:
        rows = connection.execute(table.get, (pk, ids[0], now)).fetchall()
    else:
        rows = connection.execute(table.get_many, (pk, json.encode(ids).decode(), now)).fetchall()
    return {id_: _item(etag, body) for id_, etag, body in rows}


def _item(etag: str, body: str) -> Item:
    return Item(json.decode(body), etag)
