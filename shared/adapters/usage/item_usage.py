"""Usage as one item per event, in any store."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from shared import json
from shared.adapters.usage.documents import EVENT, TOTAL, UNIQUE_VALUE, partition_of, total_key_of
from shared.adapters.usage.recording import Recorder
from shared.adapters.usage.shard_lists import newest_of_shards
from shared.containers import LEDGERS
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.times import to_text
from shared.domain.usage.events import AcceptedEvent, TotalKey, shard_of
from shared.domain.usage.totals import Totals
from shared.ports.clock import Clock
from shared.ports.store import (
    MAXIMUM_PAGE,
    AlreadyExistsError,
    Document,
    Item,
    Page,
    Place,
    StaleEtagError,
    Store,
    every_item,
)
from shared.ports.usage import EventFilter, MeteredEvent, ParkedStatus, Recorded, UsageTotal

PARKED: ParkedStatus = "parked"
RATED: ParkedStatus = "rated"
_MAXIMUM_ATTEMPTS = 40


class ItemUsage:
    def __init__(self, store: Store, clock: Clock, retention_seconds: int) -> None:
        self._store = store
        self._clock = clock
        self._recorder = Recorder(store, retention_seconds)

    async def record(
        self, organization_id: str, shard_counts: Sequence[int], events: Sequence[MeteredEvent]
    ) -> Recorded:
        return await self._recorder.record(organization_id, shard_counts, events)

    async def discard(self, organization_id: str, shard_counts: Sequence[int], event: AcceptedEvent) -> bool:
        return await self._recorder.discard(organization_id, shard_counts, event)

    async def totals(
        self, organization_id: str, shard_count: int, period: datetime, *, distinct: bool = True
    ) -> list[UsageTotal]:
        merged: dict[TotalKey, Totals] = {}
        partitions = [partition_of(organization_id, shard) for shard in range(shard_count)]
        reads = (self._totals_in(partition, period, distinct=distinct) for partition in partitions)
        for found in await asyncio.gather(*reads):
            for key, totals in found:
                if key in merged:
                    merged[key].merge(totals)
                else:
                    merged[key] = totals
        return [UsageTotal(key, totals) for key, totals in merged.items()]

    async def _totals_in(self, partition: str, period: datetime, *, distinct: bool) -> list[tuple[TotalKey, Totals]]:
        found = {
            total_key_of(document): Totals.read(document["totals"])
            async for document in self._all(partition, TOTAL, period)
        }
        if not distinct:
            return list(found.items())
        async for document in self._all(partition, UNIQUE_VALUE, period):
            # Of a total that was made since it was read, there are values only.
            found.setdefault(total_key_of(document), Totals()).add_distinct(document["meter"], [document["value"]])
        return list(found.items())

    async def _all(self, partition: str, kind: str, period: datetime) -> AsyncIterator[Document]:
        items = every_item(self._store, LEDGERS.name, partition, kind, equals={"period": to_text(period)})
        async for item in items:
            yield item.document

    async def find(self, organization_id: str, shard_counts: Sequence[int], key: str) -> Document | None:
        for count in reversed(shard_counts):
            item = await self._store.get(LEDGERS.name, partition_of(organization_id, shard_of(key, count)), key)
            if item is not None and item.document["kind"] == EVENT:
                return item.document
        return None

    def events(
        self, organization_id: str, shard_count: int, wanted: EventFilter, behind: Place | None = None, *, page: int
    ) -> AsyncIterator[Document]:
        return newest_of_shards(
            self._store,
            organization_id,
            shard_count,
            EVENT,
            equals={"agent_id": wanted.agent_id, "run": wanted.run},
            start=wanted.start,
            end=wanted.end,
            behind=behind,
            page=page,
        )

    async def park(self, organization_id: str, entry_id: str, reason: str, subject: Mapping[str, Any]) -> None:
        document = {
            "id": entry_id,
            "kind": PARKED,
            "reason": reason,
            "subject": json.encode_verbatim(subject).decode(),
            "time": to_text(self._clock.now()),
        }
        try:
            await self._store.create(LEDGERS.name, _parked_partition(organization_id), document)
        except AlreadyExistsError:
            await self._renew_reason(organization_id, entry_id, reason)

    async def _renew_reason(self, organization_id: str, entry_id: str, reason: str) -> None:
        """For people, so without a second try where another changes the entry at this moment."""
        there = (await self.parked_entries(organization_id, [entry_id])).get(entry_id)
        if there is not None and there.document["kind"] == PARKED and there.document["reason"] != reason:
            with suppress(StaleEtagError):
                await self.change_parked(organization_id, there.document | {"reason": reason}, there.etag)

    async def parked(self, organization_id: str, limit: int, cursor: str | None, status: ParkedStatus = PARKED) -> Page:
        return await self._store.query(
            LEDGERS.name,
            _parked_partition(organization_id),
            status,
            order_by="time",
            descending=True,
            limit=limit,
            cursor=cursor,
        )

    async def parked_entries(self, organization_id: str, entry_ids: Collection[str]) -> dict[str, Item]:
        ids, found = list(entry_ids), dict[str, Item]()
        for start in range(0, len(ids), MAXIMUM_PAGE):
            found |= await self._store.get_many(
                LEDGERS.name, _parked_partition(organization_id), ids[start : start + MAXIMUM_PAGE]
            )
        return found

    async def change_parked(self, organization_id: str, entry: Document, etag: str) -> None:
        await self._store.replace(LEDGERS.name, _parked_partition(organization_id), entry, etag)

    async def close_parked(self, organization_id: str, entry_ids: Collection[str]) -> None:
        for _ in range(_MAXIMUM_ATTEMPTS):
            found = await self.parked_entries(organization_id, entry_ids)
            waiting = [item for item in found.values() if item.document["kind"] != RATED]
            if not waiting:
                return
            for item in waiting:
                with suppress(StaleEtagError):
                    await self.change_parked(organization_id, item.document | {"kind": RATED}, item.etag)
        raise UnavailableError("The parked events are being changed by many at once")


def _parked_partition(organization_id: str) -> str:
    return f"{organization_id}:parked:0"
