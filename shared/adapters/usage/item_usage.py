"""Usage in a document store, as one item for each event."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from shared.adapters.usage.distinct_readings import ShardTotals, add_distinct
from shared.adapters.usage.documents import EVENT, partition_of, read_event
from shared.adapters.usage.recording import Recorder
from shared.adapters.usage.shard_lists import newest_of_shards
from shared.adapters.usage.stored_totals import read_totals_of_period
from shared.containers import LEDGERS
from shared.domain.usage.events import AcceptedEvent, TotalKey, shard_of
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Totals
from shared.ports.store import Position, Store
from shared.ports.usage import MAXIMUM_DISTINCT_VALUES, EventFilter, MeteredEvent, Recorded, UsageTotal


class ItemUsage:
    """Implements `Usage`."""

    def __init__(
        self, store: Store, retention_seconds: int, maximum_distinct_values: int = MAXIMUM_DISTINCT_VALUES
    ) -> None:
        self._store = store
        self._recorder = Recorder(store, retention_seconds, maximum_distinct_values)

    async def record(
        self, organization_id: str, shard_counts: Sequence[int], events: Sequence[MeteredEvent]
    ) -> Recorded:
        return await self._recorder.record(organization_id, shard_counts, events)

    async def discard(self, organization_id: str, shard_counts: Sequence[int], event: AcceptedEvent) -> bool:
        return await self._recorder.discard(organization_id, shard_counts, event)

    async def totals(
        self, organization_id: str, shard_count: int, period: datetime, *, distinct: bool = True
    ) -> list[UsageTotal]:
        partitions = [partition_of(organization_id, shard) for shard in range(shard_count)]
        reads = (read_totals_of_period(self._store, partition, period) for partition in partitions)
        shards = list(map(ShardTotals, partitions, await asyncio.gather(*reads)))
        if distinct:
            await add_distinct(self._store, period, shards)
        merged = dict[TotalKey, Totals]()
        for of_shard in (shard.totals for shard in shards):
            for key, total in of_shard.items():
                if key in merged:
                    merged[key].merge(total.totals)
                else:
                    merged[key] = total.totals
        return [UsageTotal(key, totals) for key, totals in merged.items()]

    async def find(self, organization_id: str, shard_counts: Sequence[int], key: str) -> RecordedEvent | None:
        for count in reversed(shard_counts):
            item = await self._store.get(LEDGERS.name, partition_of(organization_id, shard_of(key, count)), key)
            if item is not None and item.document["kind"] == EVENT:
                return read_event(item.document)
        return None

    async def events(
        self, organization_id: str, shard_count: int, wanted: EventFilter, after: Position | None = None, *, page: int
    ) -> AsyncIterator[RecordedEvent]:
        documents = newest_of_shards(
            self._store,
            organization_id,
            shard_count,
            EVENT,
            equals={"agent_id": wanted.agent_id, "run": wanted.run},
            start=wanted.start,
            end=wanted.end,
            after=after,
            page=page,
        )
        async for document in documents:
            yield read_event(document)
