"""The shards of usage in a document store, read item by item."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from shared.adapters.usage.documents import (
    EVENT,
    POOLED_TOTAL,
    POOLED_VALUE,
    TOTAL,
    UNIQUE_VALUE,
    partition_of,
    read_event,
    total_id,
    unique_value_document,
    unique_value_id,
)
from shared.adapters.usage.stored_totals import (
    add_values_of_period,
    read_etags_of_period,
    read_totals_of_period,
    total_write,
)
from shared.containers import LEDGERS
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Span
from shared.domain.usage.events import TotalKey
from shared.domain.usage.outcomes import Outcome
from shared.domain.usage.recomputation import values_of
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Totals
from shared.ports.store import Between, Delete, Document, Operation, Store, Upsert, every_item
from shared.ports.usage_shards import StoredTotal

_VALUES_PER_BATCH = 90


class ItemUsageShards:
    """Implements `UsageShards`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def totals(self, organization_id: str, shard: int, period: datetime) -> list[StoredTotal]:
        partition = partition_of(organization_id, shard)
        totals: list[StoredTotal] = []
        for kind, kind_of_values in ((TOTAL, UNIQUE_VALUE), (POOLED_TOTAL, POOLED_VALUE)):
            of_kind = await read_totals_of_period(self._store, partition, period, kind)
            await add_values_of_period(self._store, partition, period, of_kind, kind_of_values)
            totals += of_kind.values()
        return totals

    async def etags(self, organization_id: str, shard: int, period: datetime) -> Mapping[TotalKey, str]:
        return await read_etags_of_period(self._store, partition_of(organization_id, shard), period)

    async def events(
        self, organization_id: str, shard: int, span: Span, agent_id: str | None = None
    ) -> AsyncIterator[RecordedEvent]:
        items = every_item(
            self._store,
            LEDGERS.name,
            partition_of(organization_id, shard),
            EVENT,
            equals={} if agent_id is None else {"agent_id": agent_id},
            between=Between("time", to_text(span.start), to_text(span.end)),
            order_by="time",
        )
        async for item in items:
            yield read_event(item.document)

    async def outcomes(self, organization_id: str, shard: int, period: datetime) -> AsyncIterator[Outcome]:
        items = every_item(
            self._store,
            LEDGERS.name,
            partition_of(organization_id, shard),
            Outcome.kind,
            equals={"period": to_text(period)},
            order_by="time",
        )
        async for item in items:
            yield Outcome.read(item.document)

    async def replace_total(
        self, organization_id: str, shard: int, stored: StoredTotal, corrected: Totals, rebilling: Document | None
    ) -> tuple[str, str, str] | None:
        """Writes distinct values first, in as many batches as needed, under the total's ETag."""
        partition = partition_of(organization_id, shard)
        values = _value_writes(stored, corrected)
        etag = stored.etag
        while len(values) > _VALUES_PER_BATCH:
            some, values = values[:_VALUES_PER_BATCH], values[_VALUES_PER_BATCH:]
            unchanged = total_write(stored.key, stored.totals, etag)
            etag, *_ = await self._store.batch(LEDGERS.name, partition, [unchanged, *some])
        total: Operation = total_write(stored.key, corrected, etag)
        if corrected.last_event_at is None and not corrected.numbers and etag is not None:
            total = Delete(total_id(stored.key), etag)
        entry = [] if rebilling is None else [Upsert(rebilling)]
        await self._store.batch(LEDGERS.name, partition, [total, *values, *entry])
        return None if rebilling is None else (LEDGERS.name, partition, rebilling["id"])


def _value_writes(stored: StoredTotal, corrected: Totals) -> list[Operation]:
    """What adds the missing values and deletes those that are too many."""
    writes: list[Operation] = []
    for meter in sorted({*stored.totals.meters(), *corrected.meters()}):
        before, after = values_of(stored.totals, meter), values_of(corrected, meter)
        writes += [
            Upsert(unique_value_document(unique_value_id(stored.key, meter, value), stored.key, meter, value))
            for value in sorted(after - before)
        ]
        writes += [Delete(unique_value_id(stored.key, meter, value)) for value in sorted(before - after)]
    return writes
