"""Records each event once ever, whatever was sent before, and under whatever shard count."""

from collections.abc import Sequence

from shared.adapters.usage.batches import Write
from shared.adapters.usage.committing import Committer, pause_after_conflict
from shared.adapters.usage.documents import (
    DISCARDED,
    TOMBSTONE,
    discarded_document,
    event_document,
    outcome_document,
    partition_of,
    tombstone_document,
)
from shared.adapters.usage.stored_totals import read_items
from shared.containers import LEDGERS
from shared.domain.kernel.errors import UnavailableError
from shared.domain.usage.events import AcceptedEvent, shard_of
from shared.ports.store import MAXIMUM_BATCH_OPERATIONS, AlreadyExistsError, Create, Document, Item, Store, Upsert
from shared.ports.usage import MeteredEvent, Recorded, ShardCountChangedError

_MORE_SHARDS = "The organization's usage has been moved to more shards"


class Recorder:
    """Records an event under its key, in its partition by the newest shard count.

    Before that, a tombstone takes the key in its partition by each older shard count, oldest first. So nothing can
    record it there any more; and where it has been recorded there, the tombstone is refused.
    """

    def __init__(self, store: Store, retention_seconds: int, maximum_distinct_values: int) -> None:
        self._store = store
        self._committer = Committer(store, self._writes, maximum_distinct_values)
        self._retention_seconds = retention_seconds

    async def record(
        self, organization_id: str, shard_counts: Sequence[int], events: Sequence[MeteredEvent]
    ) -> Recorded:
        """As `Usage.record`."""
        result = Recorded()
        shards: dict[int, list[MeteredEvent]] = {}
        for event in events:
            shards.setdefault(shard_of(event.event.key, shard_counts[-1]), []).append(event)
        for shard, waiting in shards.items():
            while waiting:
                first, waiting = _without_repeats(waiting, result)  # noqa: PLW2901  those with other content come next
                first = await self._close_older_partitions(organization_id, shard_counts, first, result)
                await self._commit(partition_of(organization_id, shard), first, result)
        return result

    async def _commit(self, partition: str, events: Sequence[MeteredEvent], result: Recorded) -> None:
        def is_still_wanted(event: MeteredEvent, stored: Item | None) -> bool:
            if stored is None:
                return True
            if stored.document["kind"] == TOMBSTONE:
                raise ShardCountChangedError(_MORE_SHARDS)
            _sort_known(event, stored.document, result)
            return False

        committed = await self._committer.commit(partition, events, is_still_wanted)
        result.recorded += committed.additions
        result.refused += committed.refused
        result.over_limit += committed.over_limit
        result.outbox_entries |= committed.outbox_entries

    def _writes(self, event: MeteredEvent) -> list[Write]:
        write = Create(event_document(event, self._retention_seconds))
        if event.outcome is None:
            return [write]
        # An outcome can be there already only when its event has expired.
        return [write, Upsert(outcome_document(event.outcome, self._retention_seconds))]

    async def _close_older_partitions(
        self, organization_id: str, shard_counts: Sequence[int], events: list[MeteredEvent], result: Recorded
    ) -> list[MeteredEvent]:
        """The events that no older partition holds."""
        remaining = events
        for position, count in enumerate(shard_counts[:-1]):
            by_shard: dict[int, list[MeteredEvent]] = {}
            for event in remaining:
                shard = shard_of(event.event.key, count)
                others = {shard_of(event.event.key, other) for other in (*shard_counts[:position], shard_counts[-1])}
                if shard not in others:
                    by_shard.setdefault(shard, []).append(event)
            known: set[str] = set()
            for shard, members in by_shard.items():
                known |= await self._close_partition(partition_of(organization_id, shard), members, result)
            remaining = [event for event in remaining if event.event.key not in known]
        return remaining

    async def _close_partition(self, partition: str, events: Sequence[MeteredEvent], result: Recorded) -> set[str]:
        """The keys of those that the partition holds."""
        known: set[str] = set()
        for start in range(0, len(events), MAXIMUM_BATCH_OPERATIONS):
            waiting = events[start : start + MAXIMUM_BATCH_OPERATIONS]
            attempt = 0
            while waiting:
                try:
                    await self._store.batch(LEDGERS.name, partition, [self._tombstone(event) for event in waiting])
                except AlreadyExistsError:
                    attempt += 1
                    await pause_after_conflict(attempt)
                    stored = await read_items(self._store, partition, [event.event.key for event in waiting])
                    for event in waiting:
                        item = stored.get(event.event.key)
                        if item is not None and item.document["kind"] != TOMBSTONE:
                            _sort_known(event, item.document, result)
                            known.add(event.event.key)
                    waiting = [event for event in waiting if event.event.key not in stored]
                else:
                    break
        return known

    def _tombstone(self, event: MeteredEvent) -> Create:
        return Create(tombstone_document(event.event.key, self._retention_seconds))

    async def discard(self, organization_id: str, shard_counts: Sequence[int], event: AcceptedEvent) -> bool:
        """As `Usage.discard`."""
        newest = shard_of(event.key, shard_counts[-1])
        older = [
            shard for shard in dict.fromkeys(shard_of(event.key, count) for count in shard_counts) if shard != newest
        ]
        for shard in older:
            stored = await self._create(
                partition_of(organization_id, shard), tombstone_document(event.key, self._retention_seconds)
            )
            if stored is not None and stored["kind"] != TOMBSTONE:
                return _is_discarded(stored, event)
        stored = await self._create(
            partition_of(organization_id, newest),
            discarded_document(event.key, event.content, self._retention_seconds),
        )
        if stored is None:
            return True
        if stored["kind"] == TOMBSTONE:
            raise ShardCountChangedError(_MORE_SHARDS)
        return _is_discarded(stored, event)

    async def _create(self, partition: str, document: Document) -> Document | None:
        """Create the document. Returns the one that has its id already, if any."""
        try:
            await self._store.create(LEDGERS.name, partition, document)
        except AlreadyExistsError:
            item = await self._store.get(LEDGERS.name, partition, document["id"])
            if item is None:
                raise UnavailableError("The event was recorded a moment ago and cannot be read yet") from None
            return item.document
        return None


def _is_discarded(stored: Document, event: AcceptedEvent) -> bool:
    """True when the identity is taken: its event was discarded, or has other content."""
    return bool(stored["kind"] == DISCARDED or stored["content"] != event.content)


def _without_repeats(events: Sequence[MeteredEvent], result: Recorded) -> tuple[list[MeteredEvent], list[MeteredEvent]]:
    """The first event of each identity, and those with the same identity and other content.

    Which of two contents conflicts is decided by the store: the one that is recorded first stands.
    """
    first: dict[str, MeteredEvent] = {}
    others: list[MeteredEvent] = []
    for event in events:
        other = first.setdefault(event.event.key, event)
        if other is event:
            continue
        (result.duplicates if other.event.content == event.event.content else others).append(event)
    return list(first.values()), others


def _sort_known(event: MeteredEvent, stored: Document, result: Recorded) -> None:
    if stored["content"] != event.event.content:
        result.conflicting.append(event)
    elif stored["kind"] == DISCARDED:
        result.discarded.append(event)
    else:
        result.duplicates.append(event)
