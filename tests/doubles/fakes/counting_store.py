"""A store that counts how often it is asked."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from shared.ports.store import Item, ItemPage, Operation
from tests.doubles.fakes.memory_store import MemoryStore


class CountingStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        """Reads, queries and writes, each batch as one."""
        self.queries: Counter[str] = Counter()
        """By the kind of documents."""

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        self.requests += 1
        return await super().get(container, pk, id)

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        self.requests += 1
        return await super().get_many(container, pk, ids)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        self.requests += 1
        return await super().batch(container, pk, operations)

    async def query(self, container: str, pk: str, kind: str, **how: Any) -> ItemPage:
        self.requests += 1
        self.queries[kind] += 1
        return await super().query(container, pk, kind, **how)
