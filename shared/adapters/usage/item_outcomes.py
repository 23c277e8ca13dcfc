"""Outcomes in a document store, as items beside the events that reported them."""

from collections.abc import AsyncIterator, Collection, Sequence

from shared.adapters.usage.batches import Write
from shared.adapters.usage.changing import commit_changes, places_of
from shared.adapters.usage.committing import Committer
from shared.adapters.usage.documents import EVENT, outcome_document, read_event
from shared.adapters.usage.shard_lists import newest_of_shards
from shared.adapters.usage.stored_totals import read_items
from shared.domain.kernel.times import to_text
from shared.domain.usage.outcomes import Outcome, event_key_of
from shared.ports.changes import ChangeResult
from shared.ports.outcomes import OutcomeChange, OutcomeFilter, StoredOutcome
from shared.ports.store import Item, Position, Replace, Store


class ItemOutcomes:
    """Implements `OutcomeStore`."""

    def __init__(self, store: Store, retention_seconds: int) -> None:
        self._store = store
        self._committer = Committer(store, self._writes)
        self._retention_seconds = retention_seconds

    async def find(
        self,
        organization_id: str,
        shard_counts: Sequence[int],
        outcome_ids: Collection[str],
        *,
        with_events: bool = True,
    ) -> dict[str, StoredOutcome]:
        outcomes: dict[str, StoredOutcome] = {}
        for partition, ids in places_of(organization_id, shard_counts, outcome_ids, event_key_of, outcomes):
            outcomes |= await self._find_in(partition, ids, with_events=with_events)
        return outcomes

    async def _find_in(self, partition: str, ids: Sequence[str], *, with_events: bool) -> dict[str, StoredOutcome]:
        # Each outcome next to its event, so that one request reads both.
        pairs = [key for id_ in ids for key in (id_, event_key_of(id_))]
        items = await read_items(self._store, partition, pairs if with_events else ids)
        return {id_: _read(items[id_], items.get(event_key_of(id_)), partition) for id_ in ids if id_ in items}

    async def newest(
        self, organization_id: str, shard_count: int, wanted: OutcomeFilter, after: Position | None = None, *, page: int
    ) -> AsyncIterator[Outcome]:
        documents = newest_of_shards(
            self._store,
            organization_id,
            shard_count,
            Outcome.kind,
            equals={
                "status": wanted.status,
                "agent_id": wanted.agent_id,
                "period": None if wanted.period is None else to_text(wanted.period),
            },
            start=wanted.start,
            end=wanted.end,
            after=after,
            page=page,
        )
        async for document in documents:
            yield Outcome.read(document)

    async def commit(self, changes: Sequence[OutcomeChange]) -> ChangeResult[OutcomeChange]:
        return await commit_changes(self._committer, changes)

    def _writes(self, change: OutcomeChange) -> list[Write]:
        return [Replace(outcome_document(change.decided.outcome, self._retention_seconds), change.before.etag)]


def _read(item: Item, event: Item | None, partition: str) -> StoredOutcome:
    return StoredOutcome(
        outcome=Outcome.read(item.document),
        event=read_event(event.document) if event is not None and event.document["kind"] == EVENT else None,
        partition=partition,
        etag=item.etag,
    )
