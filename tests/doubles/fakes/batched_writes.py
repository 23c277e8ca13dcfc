"""Single writes as batches of one, for stores that only implement `batch`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from shared.ports.store import Create, Delete, Document, Operation, Replace, Upsert


class BatchedWrites(ABC):
    async def create(self, container: str, pk: str, document: Document) -> str:
        return (await self.batch(container, pk, [Create(document)]))[0]

    async def replace(self, container: str, pk: str, document: Document, etag: str) -> str:
        return (await self.batch(container, pk, [Replace(document, etag)]))[0]

    async def upsert(self, container: str, pk: str, document: Document) -> str:
        return (await self.batch(container, pk, [Upsert(document)]))[0]

    async def delete(self, container: str, pk: str, id: str, etag: str | None = None) -> None:  # noqa: A002  the field's name everywhere
        await self.batch(container, pk, [Delete(id, etag)])

    @abstractmethod
    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]: ...
