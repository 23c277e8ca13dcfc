"""Usage totals of one partition, read and written."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime

from shared.adapters.usage.documents import POOLED_TOTAL, TOTAL, UNIQUE_VALUE, total_document, total_id, total_key_of
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
    store: Store, partition: str, period: datetime, kind: str = TOTAL
) -> dict[TotalKey, StoredTotal]:
    """All totals of a period, given by its start, without distinct values."""
    totals: dict[TotalKey, StoredTotal] = {}
    async for item in _of_period(store, partition, kind, period):
        total = _read(item)
        totals[total.key] = total
    return totals


async def add_values_of_period(
    store: Store,
    partition: str,
    period: datetime,
    totals: dict[TotalKey, StoredTotal],
    kind: str = UNIQUE_VALUE,
) -> None:
    """Add all distinct values of a period to these totals, one by one."""
    async for item in _of_period(store, partition, kind, period):
        key = total_key_of(item.document)
        # A total that was created after the totals were read has only values here.
        total = totals.setdefault(key, StoredTotal(key, Totals(), None))
        total.totals.add_distinct(item.document["meter"], [item.document["value"]])


async def read_values(
    store: Store, partition: str, period: datetime, agent_id: str | None
) -> AsyncIterator[tuple[TotalKey, str, str]]:
    """(total, meter, value) of the distinct values of one agent's totals, or of all."""
    of_agent = {} if agent_id is None else {"agent_id": agent_id}
    async for item in _of_period(store, partition, UNIQUE_VALUE, period, of_agent):
        yield total_key_of(item.document), item.document["meter"], item.document["value"]


async def read_etags_of_period(store: Store, partition: str, period: datetime) -> dict[TotalKey, str]:
    """Of all totals, also of pooled ones."""
    return {
        total_key_of(item.document): item.etag
        for kind in (TOTAL, POOLED_TOTAL)
        async for item in _of_period(store, partition, kind, period)
    }


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


def _of_period(
    store: Store, partition: str, kind: str, period: datetime, others: Mapping[str, str] | None = None
) -> AsyncIterator[Item]:
    return every_item(store, LEDGERS.name, partition, kind, equals={"period": to_text(period), **(others or {})})


def _read(item: Item) -> StoredTotal:
    return StoredTotal(total_key_of(item.document), Totals.read(item.document["totals"]), item.etag)
