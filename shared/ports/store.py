"""The document store, as Cosmos DB can serve it: every call names its partition, a batch lives in one.

A document is a JSON object with `id` and `kind`. Amounts and quantities in it are decimal strings, times are texts of
`times.to_text`. `ttl` (seconds, counted from the last write) lets it expire, `due_at` (time text) makes `due` find it.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from shared.domain.kernel.errors import XyraError

Document = dict[str, Any]

MAXIMUM_BATCH_OPERATIONS = 100
MAXIMUM_BATCH_BYTES = 2 * 1024 * 1024
MAXIMUM_ITEM_BYTES = 2 * 1024 * 1024
MAXIMUM_ID_BYTES = 1023
MAXIMUM_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Item:
    """A stored document with the version (`etag`) that a guarded write names."""

    document: Document
    etag: str


@dataclass(frozen=True, slots=True)
class ItemPage:
    items: list[Item]
    cursor: str | None
    """Where the next page starts; None at the end."""


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a document in an order: the text that it is ordered by, then its id.

    It means the same in every partition.
    """

    value: str
    id: str


@dataclass(frozen=True, slots=True)
class Create:
    document: Document


@dataclass(frozen=True, slots=True)
class Replace:
    document: Document
    etag: str
    """Fails unless this is still the current version. There is no unguarded replace."""


@dataclass(frozen=True, slots=True)
class Upsert:
    document: Document


@dataclass(frozen=True, slots=True)
class Delete:
    id: str
    etag: str | None = None


Operation = Create | Replace | Upsert | Delete


@dataclass(frozen=True, slots=True)
class Between:
    """A half-open range [at_least, below) over an indexed path; a None side is open."""

    path: str
    at_least: str | None = None
    below: str | None = None


class StoreError(XyraError):
    """A write did not take place. In a batch, `index` is the first failed operation; nothing else took place."""

    def __init__(self, detail: str, *, index: int = 0) -> None:
        super().__init__(detail)
        self.index = index


class AlreadyExistsError(StoreError):
    """Cosmos DB: 409."""

    status = HTTPStatus.CONFLICT
    code = "conflict"
    title = "The item exists already"


class StaleEtagError(StoreError):
    """The item has changed since it was read, or is gone. Cosmos DB: 412 or 404 on a guarded write."""

    status = HTTPStatus.CONFLICT
    code = "conflict"
    title = "The item has changed meanwhile"


class StoreLimitError(StoreError):
    """Something is larger than Cosmos DB allows, or not a legal id. A bug of the caller's."""


class Store(Protocol):
    """Documents in partitions, written one by one or in batches.

    All methods raise `UnavailableError` for throttling, time-outs and outages. Whether a write took place is then
    unknown: repeat it under the same id and expect `AlreadyExistsError` or `StaleEtagError`.
    """

    async def get(self, container: str, pk: str, id: str) -> Item | None: ...  # noqa: A002  the field's name everywhere

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        """Those that exist, by id, in one request. At most `MAXIMUM_PAGE` ids."""
        ...

    async def create(self, container: str, pk: str, document: Document) -> str:
        """The new etag. Raises `AlreadyExistsError`."""
        ...

    async def replace(self, container: str, pk: str, document: Document, etag: str) -> str:
        """The new etag. Raises `StaleEtagError`."""
        ...

    async def upsert(self, container: str, pk: str, document: Document) -> str: ...

    async def delete(self, container: str, pk: str, id: str, etag: str | None = None) -> None:  # noqa: A002
        """Without an etag, deleting what is not there succeeds. Raises `StaleEtagError`."""
        ...

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        """All or nothing, at most `MAXIMUM_BATCH_OPERATIONS`; the new etags in order ("" for a delete).

        Raises `AlreadyExistsError` or `StaleEtagError` with the index of the operation that failed.
        """
        ...

    async def query(  # noqa: PLR0913  the parts of a query
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
        """Documents of one kind in one partition. Only paths that `containers.py` lists as indexed can be used, and for
        the order `id` and those that it lists as ordered. Equal values are in the order of the ids.

        It goes on behind a cursor that the query gave, or behind a position, whether or not a document stands there. At
        most `MAXIMUM_PAGE`. Raises `MalformedError` for a cursor that this query did not give.
        """
        ...

    async def due(self, container: str, before: str, *, limit: int = 100) -> list[tuple[str, Item]]:
        """(pk, item) of the documents whose `due_at` is before that time, earliest first: the only query across
        partitions.
        """
        ...


async def every_item(  # noqa: PLR0913  the parts of a query
    store: Store,
    container: str,
    pk: str,
    kind: str,
    *,
    equals: Mapping[str, str] | None = None,
    between: Between | None = None,
    order_by: str = "id",
) -> AsyncIterator[Item]:
    """All that a query finds, read page by page as it is taken.

    What comes in masses is read by time: no store has it in the order of its ids, which would be sorted for each page.
    """
    cursor: str | None = None
    while True:
        page = await store.query(
            container,
            pk,
            kind,
            equals=equals,
            between=between,
            order_by=order_by,
            limit=MAXIMUM_PAGE,
            cursor=cursor,
        )
        for item in page.items:
            yield item
        cursor = page.cursor
        if cursor is None:
            return
