"""The document store in Cosmos DB."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from azure.cosmos.aio import ContainerProxy

from shared.adapters.cosmos import query as queries
from shared.adapters.cosmos.account import CosmosAccount
from shared.adapters.cosmos.etags import etag_of
from shared.adapters.cosmos.query import Parameters, SqlQuery
from shared.adapters.cosmos.request_charges import Purpose, RequestCharges, Weight
from shared.adapters.cosmos.requests import Hook, RequestFailedError, Requests, RetryLimits
from shared.adapters.cosmos.writes import Write, checked_write, send_writes
from shared.adapters.documents.query import check_limit
from shared.adapters.documents.rules import (
    PARTITION_KEY,
    RESERVED_FIELDS,
    check_partition_key,
    container_named,
    is_legal_id,
)
from shared.ports.store import (
    MAXIMUM_BATCH_BYTES,
    MAXIMUM_BATCH_OPERATIONS,
    MAXIMUM_PAGE,
    Between,
    Create,
    Delete,
    Document,
    Item,
    ItemPage,
    Operation,
    Position,
    Replace,
    StoreLimitError,
    Upsert,
)

_LARGEST_PAGE = MAXIMUM_PAGE + 1
_DEFAULT_LIMITS = RetryLimits()


class CosmosStore:
    def __init__(
        self, account: CosmosAccount, *, limits: RetryLimits = _DEFAULT_LIMITS, charges: RequestCharges | None = None
    ) -> None:
        self.charges = charges or RequestCharges()
        self._account = account
        self._requests = Requests(account, limits, self.charges)

    def clock_difference(self) -> timedelta:
        """By the `Date` of its last answer; zero before the first one."""
        return self._requests.clock_difference

    async def close(self) -> None:
        self.charges.report()
        await self._account.close()

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the port's name
        container_named(container)
        if not is_legal_id(id):
            return None

        async def send(proxy: ContainerProxy, hook: Hook) -> list[Document]:
            return [await proxy.read_item(id, pk, raw_response_hook=hook)]

        try:
            return _item(*await self._requests.read("get", container, send))
        except RequestFailedError as failure:
            if failure.fault.is_missing:
                return None
            raise failure.fault.error() from failure

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        if len(ids) > MAXIMUM_PAGE:
            raise StoreLimitError(f"At most {MAXIMUM_PAGE} documents at once")
        container_named(container)
        legal = [id_ for id_ in dict.fromkeys(ids) if is_legal_id(id_)]
        if len(legal) <= 1:  # a point read costs a third of a query
            found = [await self.get(container, pk, id_) for id_ in legal]
            return {item.document["id"]: item for item in found if item is not None}
        items = await self._select("get_many", container, pk, *queries.by_ids(pk, legal))
        return {raw["id"]: _item(raw) for raw in items}

    async def create(self, container: str, pk: str, document: Document) -> str:
        return (await self._write("create", container, _checked(container, pk, [Create(document)])))[0]

    async def replace(self, container: str, pk: str, document: Document, etag: str) -> str:
        return (await self._write("replace", container, _checked(container, pk, [Replace(document, etag)])))[0]

    async def upsert(self, container: str, pk: str, document: Document) -> str:
        return (await self._write("upsert", container, _checked(container, pk, [Upsert(document)])))[0]

    async def delete(self, container: str, pk: str, id: str, etag: str | None = None) -> None:  # noqa: A002  the port's name
        await self._write("delete", container, _checked(container, pk, [Delete(id, etag)]))

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        if not 1 <= len(operations) <= MAXIMUM_BATCH_OPERATIONS:
            raise StoreLimitError(f"A batch has 1 to {MAXIMUM_BATCH_OPERATIONS} operations, not {len(operations)}")
        writes = _checked(container, pk, operations)
        if sum(write.size for write in writes) > MAXIMUM_BATCH_BYTES:
            raise StoreLimitError(f"A batch has at most {MAXIMUM_BATCH_BYTES} bytes")
        return await self._write("batch", container, writes)

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
        query = SqlQuery(container_named(container), pk, kind, equals or {}, between, order_by, descending, limit)
        found = await self._select("query", container, pk, *query.sql(cursor))
        items = [_item(raw) for raw in found[:limit]]
        return ItemPage(items, query.cursor_after_document(items[-1].document) if len(found) > limit else None)

    async def due(self, container: str, before: str, *, limit: int = 100) -> list[tuple[str, Item]]:
        container_named(container)
        check_limit(limit)
        found = await self._select("due", container, None, *queries.due(before, limit))
        return [(raw[PARTITION_KEY], _item(raw)) for raw in found]

    async def _write(self, purpose: Purpose, container: str, writes: Sequence[Write]) -> list[str]:
        pending = dict(enumerate(writes))
        etags: dict[int, str] = {}
        while pending:
            try:
                answer = await self._send(purpose, container, list(pending.values()))
            except RequestFailedError as failure:
                index = list(pending)[failure.fault.index]
                if not (failure.fault.is_missing and pending[index].is_unguarded_delete):
                    raise failure.fault.at(index).error() from failure
                del pending[index]  # deleted already, as wanted; the rest of the batch took no effect and is sent again
            else:
                etags = dict(zip(pending, answer, strict=True))
                break
        return [etags.get(index, "") for index in range(len(writes))]

    async def _send(self, purpose: Purpose, container: str, writes: Sequence[Write]) -> list[str]:
        async def send(proxy: ContainerProxy, hook: Hook) -> list[str]:
            return await send_writes(proxy, writes, hook)

        weight = Weight(
            Counter(write.operation for write in writes),
            sum(write.size for write in writes),
            sum(write.indexed_terms for write in writes),
        )
        return await self._requests.write(purpose, container, weight, send)

    async def _select(
        self, purpose: Purpose, container: str, pk: str | None, sql: str, parameters: Parameters
    ) -> list[Document]:
        """All documents that the query selects; without a `pk` over all partitions."""
        scope: dict[str, Any] = {} if pk is None else {"partition_key": pk}

        async def send(proxy: ContainerProxy, hook: Hook) -> list[Document]:
            found = proxy.query_items(
                sql, parameters=parameters, max_item_count=_LARGEST_PAGE, raw_response_hook=hook, **scope
            )
            return [document async for document in found]

        try:
            return await self._requests.read(purpose, container, send)
        except RequestFailedError as failure:
            raise failure.fault.error() from failure


def _checked(container: str, pk: str, operations: Sequence[Operation]) -> list[Write]:
    chosen = container_named(container)
    check_partition_key(pk)
    return [checked_write(chosen, pk, operation, index) for index, operation in enumerate(operations)]


def _item(raw: Mapping[str, Any]) -> Item:
    document = {name: value for name, value in raw.items() if name not in RESERVED_FIELDS}
    return Item(document, etag_of(raw["_etag"]))
