"""Costs that recorded events get later, written into their items."""

from collections.abc import Collection, Sequence

from shared.adapters.usage.batches import Write
from shared.adapters.usage.changing import commit_changes, places_of
from shared.adapters.usage.committing import Committer
from shared.adapters.usage.documents import EVENT, priced_document, read_event
from shared.adapters.usage.stored_totals import read_items
from shared.ports.changes import ChangeResult
from shared.ports.late_prices import LatePrice, StoredEvent
from shared.ports.store import Replace, Store


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
        for partition, members in places_of(organization_id, shard_counts, keys, str, found):
            for key, item in (await read_items(self._store, partition, members)).items():
                if item.document["kind"] == EVENT:
                    found[key] = StoredEvent(read_event(item.document), item.document, partition, item.etag)
        return found

    async def commit(self, prices: Sequence[LatePrice]) -> ChangeResult[LatePrice]:
        return await commit_changes(self._committer, prices)

    def _writes(self, price: LatePrice) -> list[Write]:
        return [Replace(priced_document(price.before.document, price.cost, self._retention_seconds), price.before.etag)]
