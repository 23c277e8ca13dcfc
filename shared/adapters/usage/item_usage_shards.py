"""The shards of `ItemUsage`, item by item."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from shared.adapters.usage.committing import total_write
from shared.adapters.usage.documents import (
    EVENT,
    TOTAL,
    UNIQUE_VALUE,
    partition_of,
    total_id,
    total_key_of,
    unique_value_document,
)
from shared.containers import LEDGERS
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Span
from shared.domain.usage.events import TotalKey
from shared.domain.usage.outcomes import Outcome
from shared.domain.usage.recomputation import values_of
from shared.domain.usage.totals import Totals
from shared.ports.store import Between, Delete, Document, Item, Operation, Store, Upsert, every_item
from shared.ports.usage_shards import KeptTotal

_VALUES_PER_BATCH = 90


class ItemUsageShards:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def kept(self, organization_id: str, shard: int, period: datetime) -> list[KeptTotal]:
        partition = partition_of(organization_id, shard)
        found: dict[TotalKey, KeptTotal] = {}
        async for item in self._items(partition, TOTAL, {"period": to_text(period)}):
            key = total_key_of(item.document)
            found[key] = KeptTotal(key, Totals.read(item.document["totals"]), item.etag)
        async for item in self._items(partition, UNIQUE_VALUE, {"period": to_text(period)}):
            key = total_key_of(item.document)
            of_key = found.setdefault(key, KeptTotal(key, Totals(), None))
            of_key.totals.add_distinct(item.document["meter"], [item.document["value"]])
        return list(found.values())

    async def etags(self, organization_id: str, shard: int, period: datetime) -> Mapping[TotalKey, str]:
        items = self._items(partition_of(organization_id, shard), TOTAL, {"period": to_text(period)})
        return {total_key_of(item.document): item.etag async for item in items}

    async def events(
        self, organization_id: str, shard: int, span: Span, agent_id: str | None = None
    ) -> AsyncIterator[Document]:
        equals = {"agent_id": agent_id} if agent_id is not None else {}
        between = Between("time", to_text(span.start), to_text(span.end))
        async for item in self._items(partition_of(organization_id, shard), EVENT, equals, between, order_by="time"):
            yield item.document

    async def outcomes(self, organization_id: str, shard: int, period: datetime) -> AsyncIterator[Outcome]:
        partition = partition_of(organization_id, shard)
        async for item in self._items(partition, Outcome.kind, {"period": to_text(period)}, order_by="time"):
            yield Outcome.read(item.document)

    async def put_right(
        self, organization_id: str, shard: int, kept: KeptTotal, right: Totals, rebilling: Document | None
    ) -> tuple[str, str, str] | None:
        """The values of unique meters first, in as many batches as they need, each under the total's etag."""
        partition = partition_of(organization_id, shard)
        values = _value_writes(kept, right)
        etag = kept.etag
        while len(values) > _VALUES_PER_BATCH:
            some, values = values[:_VALUES_PER_BATCH], values[_VALUES_PER_BATCH:]
            etag = (
                await self._store.batch(LEDGERS.name, partition, [total_write(kept.key, kept.totals, etag), *some])
            )[0]
        total: Operation = total_write(kept.key, right, etag)
        if right.last_event_at is None and etag is not None:
            total = Delete(total_id(kept.key), etag)
        entry = [] if rebilling is None else [Upsert(rebilling)]
        await self._store.batch(LEDGERS.name, partition, [total, *values, *entry])
        return None if rebilling is None else (LEDGERS.name, partition, rebilling["id"])

    def _items(
        self,
        partition: str,
        kind: str,
        equals: Mapping[str, str],
        between: Between | None = None,
        order_by: str = "id",
    ) -> AsyncIterator[Item]:
        return every_item(self._store, LEDGERS.name, partition, kind, equals=equals, between=between, order_by=order_by)


def _value_writes(kept: KeptTotal, right: Totals) -> list[Operation]:
    """Those that are missing and those that are too many."""
    writes: list[Operation] = []
    for meter in sorted({*kept.totals.meters(), *right.meters()}):
        there, wanted = values_of(kept.totals, meter), values_of(right, meter)
        writes += [Upsert(unique_value_document(kept.key, meter, value)) for value in sorted(wanted - there)]
        writes += [Delete(unique_value_document(kept.key, meter, value)["id"]) for value in sorted(there - wanted)]
    return writes
