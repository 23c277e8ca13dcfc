"""Costs that recorded events get later, written into their items."""

from collections.abc import Collection, Sequence

from shared.adapters.usage.batches import Write
from shared.adapters.usage.committing import Committer
from shared.adapters.usage.documents import EVENT, partition_of, priced_document, read_event
from shared.adapters.usage.stored_totals import read_items
from shared.domain.usage.events import shard_of
from shared.ports.late_prices import LatePrice, PriceResult, StoredEvent
from shared.ports.store import Item, Replace, Store


class ItemLatePrices:
    """Implements `LatePriceStore`."""

    def __init__(self, store: Store, retention_seconds: int) -> None:
        self._store = store
        self._committer = Committer(store, self._writes)
        self._retention_seconds = retention_seconds

    async def find(
        self, organization_id: str, shard_counts: Sequence[int], keys: Collection[str]
    ) -> dict[str, StoredEvent]:
        found: dict[str, StoredEvent] = {}
        for count in reversed(shard_counts):
            by_partition: dict[str, list[str]] = {}
            for key in keys:
                if key not in found:
                    by_partition.setdefault(partition_of(organization_id, shard_of(key, count)), []).append(key)
            for partition, of_partition in by_partition.items():
                for key, item in (await read_items(self._store, partition, of_partition)).items():
                    if item.document["kind"] == EVENT:
                        found[key] = StoredEvent(read_event(item.document), item.document, partition, item.etag)
        return found

    async def commit(self, prices: Sequence[LatePrice]) -> PriceResult:
        result = PriceResult()
        by_partition: dict[str, list[LatePrice]] = {}
        for price in prices:
            by_partition.setdefault(price.before.partition, []).append(price)

        def is_still_wanted(price: LatePrice, stored: Item | None) -> bool:
            if stored is not None and stored.etag == price.before.etag:
                return True
            result.superseded.append(price)
            return False

        for partition, members in by_partition.items():
            committed = await self._committer.commit(partition, members, is_still_wanted)
            result.committed += committed.additions
            result.refused += committed.refused
            result.outbox_entries |= committed.outbox_entries
        return result

    def _writes(self, price: LatePrice) -> list[Write]:
        return [Replace(priced_document(price.before.document, price.cost, self._retention_seconds), price.before.etag)]
