"""Usage totals of one partition, read and written."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime

from shared.adapters.usage.documents import TOTAL, UNIQUE_VALUE, total_document, total_id, total_key_of
from shared.containers import LEDGERS
from shared.domain.kernel.times import to_text
from shared.domain.usage.events import TotalKey
from shared.domain.usage.totals import Totals
from shared.ports.store import MAXIMUM_PAGE, Create, Item, Replace, Store, every_item
from shared.ports.usage_shards import StoredTotal


async def read_totals(store: Store, partition: str, keys: Collection[TotalKey]) -> dict[TotalKey, StoredTotal]:
    """The totals with these keys, without distinct values; empty where there is none."""
    by_id = {total_id(key): key for key in keys}
    totals = {key: StoredTotal(key, Totals(), None) for key in keys}
    for id_, item in (await read_items(store, partition, by_id)).items():
        totals[by_id[id_]] = _read(item)
    return totals


async def read_totals_of_period(
    store: Store, partition: str, period: datetime, *, distinct: bool
) -> dict[TotalKey, StoredTotal]:
    """All totals of a period, given by its start; with their distinct values, or without."""
    totals: dict[TotalKey, StoredTotal] = {}
    async for item in _of_period(store, partition, TOTAL, period):
        total = _read(item)
        totals[total.key] = total
    if distinct:
        async for item in _of_period(store, partition, UNIQUE_VALUE, period):
            key = total_key_of(item.document)
            # A total that was created after the totals were read has only values here.
            total = totals.setdefault(key, StoredTotal(key, Totals(), None))
            total.totals.add_distinct(item.document["meter"], [item.document["value"]])
    return totals


async def read_etags_of_period(store: Store, partition: str, period: datetime) -> dict[TotalKey, str]:
    return {total_key_of(item.document): item.etag async for item in _of_period(store, partition, TOTAL, period)}


async def read_items(store: Store, partition: str, ids: Collection[str]) -> dict[str, Item]:
    """The items with these ids that exist, by id."""
    wanted = list(ids)
    items: dict[str, Item] = {}
    for start in range(0, len(wanted), MAXIMUM_PAGE):
        items |= await store.get_many(LEDGERS.name, partition, wanted[start : start + MAXIMUM_PAGE])
    return items


def total_write(key: TotalKey, totals: Totals, etag: str | None) -> Create | Replace:
    """Without an ETag, the write of a total that does not exist yet."""
    document = total_document(key, totals)
    return Create(document) if etag is None else Replace(document, etag)


def _of_period(store: Store, partition: str, kind: str, period: datetime) -> AsyncIterator[Item]:
    return every_item(store, LEDGERS.name, partition, kind, equals={"period": to_text(period)})


def _read(item: Item) -> StoredTotal:
    return StoredTotal(total_key_of(item.document), Totals.read(item.document["totals"]), item.etag)
