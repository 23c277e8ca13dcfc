"""Outcomes as items beside the events that reported them, in the same partitions."""

from collections.abc import AsyncIterator, Collection, Sequence

from shared.adapters.usage.committing import Committer, Write
from shared.adapters.usage.documents import EVENT, outcome_document, partition_of
from shared.adapters.usage.shard_lists import newest_of_shards
from shared.containers import LEDGERS
from shared.domain.kernel.times import to_text
from shared.domain.usage.events import shard_of
from shared.domain.usage.outcomes import Outcome, event_key_of
from shared.ports.outcomes import Change, Changed, KeptOutcome, OutcomeFilter
from shared.ports.store import MAXIMUM_PAGE, Item, Place, Replace, Store

_READ_AT_ONCE = MAXIMUM_PAGE // 2
"""Outcomes, each with its event."""


class ItemOutcomes:
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
    ) -> dict[str, KeptOutcome]:
        found: dict[str, KeptOutcome] = {}
        for count in reversed(shard_counts):
            places: dict[str, list[str]] = {}
            for id_ in outcome_ids:
                if id_ not in found:
                    partition = partition_of(organization_id, shard_of(event_key_of(id_), count))
                    places.setdefault(partition, []).append(id_)
            for partition, ids in places.items():
                found |= await self._find_in(partition, ids, with_events=with_events)
        return found

    async def _find_in(self, partition: str, ids: list[str], *, with_events: bool) -> dict[str, KeptOutcome]:
        found: dict[str, KeptOutcome] = {}
        for start in range(0, len(ids), _READ_AT_ONCE):
            some = ids[start : start + _READ_AT_ONCE]
            wanted = [*some, *map(event_key_of, some)] if with_events else some
            items = await self._store.get_many(LEDGERS.name, partition, wanted)
            for id_ in some:
                if id_ in items:
                    event = items.get(event_key_of(id_))
                    known = event is not None and event.document["kind"] == EVENT
                    found[id_] = KeptOutcome(
                        outcome=Outcome.read(items[id_].document),
                        event=event.document if event is not None and known else None,
                        place=partition,
                        etag=items[id_].etag,
                    )
        return found

    async def listed(
        self, organization_id: str, shard_count: int, wanted: OutcomeFilter, behind: Place | None = None, *, page: int
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
            behind=behind,
            page=page,
        )
        async for document in documents:
            yield Outcome.read(document)

    async def decide(self, changes: Sequence[Change]) -> Changed:
        result = Changed()
        partitions: dict[str, list[Change]] = {}
        for change in changes:
            partitions.setdefault(change.before.place, []).append(change)

        def is_still_wanted(change: Change, stored: Item | None) -> bool:
            if stored is not None and stored.etag == change.before.etag:
                return True
            result.outrun.append(change)
            return False

        for partition, members in partitions.items():
            committed = await self._committer.commit(partition, members, is_still_wanted)
            result.committed += committed.additions
            result.refused += committed.refused
            result.entries |= committed.outbox_entries
        return result

    def _writes(self, change: Change) -> list[Write]:
        return [Replace(outcome_document(change.decided.outcome, self._retention_seconds), change.before.etag)]
