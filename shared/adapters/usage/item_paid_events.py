"""What recorded events cost beyond their payments, written into their items."""

from collections.abc import Sequence

from shared.adapters.usage.batches import Write
from shared.adapters.usage.changing import commit_changes, places_of
from shared.adapters.usage.committing import Committer
from shared.adapters.usage.documents import EVENT, read_event, settled_document
from shared.adapters.usage.stored_totals import read_items
from shared.ports.changes import ChangeResult
from shared.ports.late_prices import StoredEvent
from shared.ports.paid_events import SettledEvent
from shared.ports.store import Replace, Store


class ItemPaidEvents:
    """Implements `PaidEventStore`."""

    def __init__(self, store: Store, retention_seconds: int) -> None:
        self._store = store
        self._committer = Committer(store, self._writes)
        self._retention_seconds = retention_seconds

    async def find(self, organization_id: str, shard_counts: Sequence[int], key: str) -> StoredEvent | None:
        for partition, members in places_of(organization_id, shard_counts, [key], str, {}):
            item = (await read_items(self._store, partition, members)).get(key)
            if item is not None and item.document["kind"] == EVENT:
                return StoredEvent(read_event(item.document), item.document, partition, item.etag)
        return None

    async def commit(self, settled: SettledEvent) -> ChangeResult[SettledEvent]:
        return await commit_changes(self._committer, [settled])

    def _writes(self, settled: SettledEvent) -> list[Write]:
        document = settled_document(
            settled.before.document,
            settled.beyond,
            settled.version,
            self._retention_seconds,
            is_taken_off=settled.is_taken_off,
        )
        return [Replace(document, settled.before.etag)]
