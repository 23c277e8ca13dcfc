"""Outcomes as items beside the events that reported them, in the same partitions: a decision about some of them and
what it adds to their totals are one transaction.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import astuple
from datetime import datetime

from shared.adapters.usage.usage_items import (
    EVENT,
    MAXIMUM_BYTES,
    MAXIMUM_OPERATIONS,
    METER_BYTES,
    KeptTotal,
    before_another,
    bytes_of,
    changed_totals,
    latest_of_shards,
    outcome_document,
    partition_of,
    read_totals,
    total_document,
    total_write,
)
from shared.containers import LEDGERS
from shared.domain.kernel.times import to_text
from shared.domain.usage.events import TotalKey, shard_of
from shared.domain.usage.outcomes import Outcome, event_key_of
from shared.domain.usage.totals import Totals
from shared.ports.outcomes import Change, Changed, KeptOutcome, OutcomeFilter
from shared.ports.store import (
    MAXIMUM_PAGE,
    AlreadyExistsError,
    Between,
    Document,
    Operation,
    Place,
    Replace,
    StaleEtagError,
    Store,
    StoreLimitError,
    Upsert,
)

_FOUND_AT_ONCE = 500
"""Each with its event."""


class ItemOutcomes:
    def __init__(self, store: Store, retention_seconds: int) -> None:
        self._store = store
        self._retention = retention_seconds

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
        for start in range(0, len(ids), _FOUND_AT_ONCE):
            some = ids[start : start + _FOUND_AT_ONCE]
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
        texts = {
            "status": wanted.status,
            "agent_id": wanted.agent_id,
            "period": _text(wanted.period),
        }
        equals = {name: value for name, value in texts.items() if value is not None}
        between = Between("time", _text(wanted.start), _text(wanted.end))
        documents = latest_of_shards(
            self._store,
            organization_id,
            shard_count,
            Outcome.kind,
            equals=equals,
            between=between,
            behind=behind,
            page=page,
        )
        async for document in documents:
            yield Outcome.read(document)

    async def decide(self, changes: Sequence[Change]) -> Changed:
        result = Changed()
        places: dict[str, list[Change]] = {}
        for change in changes:
            places.setdefault(change.before.place, []).append(change)
        for partition, members in places.items():
            await self._commit(partition, members, result)
        return result

    async def _commit(self, partition: str, changes: Sequence[Change], result: Changed) -> None:
        """Sorted by total, so that a batch moves few of them."""
        pending = sorted(changes, key=lambda change: astuple(change.before.outcome.total))
        totals = await self._totals(partition, pending)
        attempt, most = 0, MAXIMUM_OPERATIONS
        while pending:
            size = _fitting(pending[:most], totals)
            batch = pending[:size]
            changed = changed_totals([(_total_of(change), change.decided.contribution) for change in batch], totals)
            try:
                etags = await self._store.batch(LEDGERS.name, partition, self._writes(batch, totals, changed))
            except (AlreadyExistsError, StaleEtagError):
                attempt += 1
                await before_another(attempt)
                pending = await self._as_they_were(partition, pending, result)
                totals = await self._totals(partition, pending)
            except StoreLimitError as error:  # whose cause is known when one change stands alone
                if size == 1:
                    result.refused.append((pending.pop(0), error.detail))
                most = max(1, size // 2)
            else:
                attempt, most = 0, MAXIMUM_OPERATIONS
                for key, etag in zip(changed, etags[len(batch) :], strict=False):
                    totals[key] = KeptTotal(changed[key], etag)
                result.committed += batch
                result.entries |= {
                    (LEDGERS.name, partition, change.rebilling["id"])
                    for change in batch
                    if change.rebilling is not None
                }
                pending = pending[size:]

    async def _totals(self, partition: str, changes: Sequence[Change]) -> dict[TotalKey, KeptTotal]:
        return await read_totals(self._store, partition, {change.before.outcome.total for change in changes})

    async def _as_they_were(self, partition: str, pending: Sequence[Change], result: Changed) -> list[Change]:
        """Those that nobody has changed since they were read; the others have been outrun."""
        unchanged: list[Change] = []
        for start in range(0, len(pending), MAXIMUM_PAGE):
            some = pending[start : start + MAXIMUM_PAGE]
            there = await self._store.get_many(LEDGERS.name, partition, [change.before.outcome.id for change in some])
            for change in some:
                item = there.get(change.before.outcome.id)
                same = item is not None and item.etag == change.before.etag
                (unchanged if same else result.outrun).append(change)
        return unchanged

    def _writes(
        self, batch: Sequence[Change], totals: dict[TotalKey, KeptTotal], changed: dict[TotalKey, Totals]
    ) -> list[Operation]:
        writes: list[Operation] = [
            Replace(outcome_document(change.decided.outcome, self._retention), change.before.etag) for change in batch
        ]
        writes += [total_write(key, value, totals[key].etag) for key, value in changed.items()]
        entries = {change.rebilling["id"]: change.rebilling for change in batch if change.rebilling is not None}
        return writes + [Upsert(entry) for entry in entries.values()]


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else to_text(instant)


def _total_of(change: Change) -> TotalKey:
    return change.before.outcome.total


def _fitting(pending: Sequence[Change], totals: dict[TotalKey, KeptTotal]) -> int:
    """How many of the first changes fit one batch with their totals and outbox entries."""
    operations, size, count = 0, 0, 0
    keys: set[TotalKey] = set()
    entries: dict[str, Document] = {}
    for change in pending:
        key, contribution, rebilling = _total_of(change), change.decided.contribution, change.rebilling
        operations += 1
        size += bytes_of(outcome_document(change.decided.outcome, 0)) + contribution.kept_bytes
        size += sum(METER_BYTES + len(name) for name, _ in (*contribution.measures, *contribution.system_totals))
        if key not in keys:
            operations += 1
            size += bytes_of(total_document(key, totals[key].totals))
        if rebilling is not None and rebilling["id"] not in entries:
            operations += 1
            size += bytes_of(rebilling)
        if count and (operations > MAXIMUM_OPERATIONS or size > MAXIMUM_BYTES):
            break
        keys.add(key)
        if rebilling is not None:
            entries[rebilling["id"]] = rebilling
        count += 1
    return count
