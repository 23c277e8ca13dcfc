"""Usage laid out as one item per event, in any store: the events of a batch and the totals they move are one
transaction.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from shared import json
from shared.adapters.usage.usage_items import (
    EVENT,
    FRAME_BYTES,
    GIVEN_UP,
    MAXIMUM_ATTEMPTS,
    MAXIMUM_BYTES,
    MAXIMUM_OPERATIONS,
    METER_BYTES,
    TOMBSTONE,
    TOTAL,
    UNIQUE,
    KeptTotal,
    before_another,
    bytes_of,
    changed_totals,
    latest_of_shards,
    outcome_document,
    partition_of,
    read_totals,
    total_document,
    total_key_of,
    total_write,
    value_document,
)
from shared.containers import LEDGERS
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.money import plain
from shared.domain.kernel.times import to_text
from shared.domain.provider_costs.costs import EventCost
from shared.domain.usage.events import AcceptedEvent, TotalKey, shard_of
from shared.domain.usage.totals import Totals
from shared.ports.clock import Clock
from shared.ports.store import (
    MAXIMUM_PAGE,
    AlreadyExistsError,
    Between,
    Create,
    Document,
    Item,
    Operation,
    Page,
    Place,
    StaleEtagError,
    Store,
    StoreLimitError,
    Upsert,
    every_item,
)
from shared.ports.usage import EventFilter, MeteredEvent, ParkedStatus, Recorded, ShardCountChangedError, UsageTotal

PARKED: ParkedStatus = "parked"
RATED: ParkedStatus = "rated"

_VALUE_BYTES = 500
"""About those of a unique meter's value as an item."""
_ESCAPED = 6
"""At most the bytes of a character in JSON: `\\u0001`."""
_COST = 200
"""At most the bytes of what an event cost, but for the names in it."""
_RATE = 50
"""At most the bytes of the exchange rate that an event was rated with."""


class ItemUsage:
    def __init__(self, store: Store, clock: Clock, retention_seconds: int) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention_seconds

    async def record(
        self, organization_id: str, shard_counts: Sequence[int], events: Sequence[MeteredEvent]
    ) -> Recorded:
        outcome = Recorded()
        shards: dict[int, list[MeteredEvent]] = {}
        for event in events:
            shards.setdefault(shard_of(event.event.key, shard_counts[-1]), []).append(event)
        for shard, members in shards.items():
            waiting = members
            while waiting:
                pending, waiting = _without_repeats(waiting, outcome)
                pending = await self._entomb(organization_id, shard_counts, pending, outcome)
                await self._commit(partition_of(organization_id, shard), pending, outcome)
        return outcome

    async def _entomb(
        self, organization_id: str, shard_counts: Sequence[int], events: list[MeteredEvent], outcome: Recorded
    ) -> list[MeteredEvent]:
        """Close the older partitions for these events, oldest first; those found there have been recorded."""
        remaining = events
        for position, count in enumerate(shard_counts[:-1]):
            older: dict[int, list[MeteredEvent]] = {}
            for event in remaining:
                shard = shard_of(event.event.key, count)
                others = {shard_of(event.event.key, other) for other in (*shard_counts[:position], shard_counts[-1])}
                if shard not in others:
                    older.setdefault(shard, []).append(event)
            gone: set[str] = set()
            for shard, members in older.items():
                gone |= await self._entomb_in(partition_of(organization_id, shard), members, outcome)
            remaining = [event for event in remaining if event.event.key not in gone]
        return remaining

    async def _entomb_in(self, partition: str, events: list[MeteredEvent], outcome: Recorded) -> set[str]:
        gone: set[str] = set()
        for start in range(0, len(events), MAXIMUM_OPERATIONS):
            chunk = events[start : start + MAXIMUM_OPERATIONS]
            attempt = 0
            while chunk:
                try:
                    await self._store.batch(
                        LEDGERS.name, partition, [Create(self._tombstone(event.event.key)) for event in chunk]
                    )
                except AlreadyExistsError:
                    attempt += 1
                    await before_another(attempt)
                    there = await self._store.get_many(LEDGERS.name, partition, [event.event.key for event in chunk])
                    known = [event for event in chunk if event.event.key in there]
                    for event in known:
                        if there[event.event.key].document["kind"] != TOMBSTONE:
                            _sort_known(event, there[event.event.key].document, outcome)
                            gone.add(event.event.key)
                    chunk = [event for event in chunk if event.event.key not in there]
                else:
                    chunk = []
        return gone

    def _tombstone(self, key: str) -> Document:
        return {"id": key, "kind": TOMBSTONE, "ttl": self._retention}

    async def _commit(self, partition: str, events: list[MeteredEvent], outcome: Recorded) -> None:
        """Sorted by total, so that a batch moves few of them; optimistic: what is known shows as a conflict."""
        pending = sorted(events, key=lambda event: (event.total.agent_id, event.total.version_id, event.total.period))
        totals = await self._read_totals(partition, pending)
        attempt, most = 0, MAXIMUM_OPERATIONS
        while pending:
            size = _fitting(pending[:most], totals)
            batch = pending[:size]
            changed = changed_totals([(event.total, event.contribution) for event in batch], totals)
            try:
                etags = await self._store.batch(LEDGERS.name, partition, self._writes(batch, totals, changed))
            except (AlreadyExistsError, StaleEtagError):
                attempt += 1
                await before_another(attempt)
                # All that waits, not only this batch: repeats come in long rows, of which each batch would meet a few.
                pending = await self._without_known(partition, pending, outcome)
                totals = await self._read_totals(partition, pending)
            except StoreLimitError as error:  # whose cause is known when one event stands alone
                if size == 1:
                    outcome.refused.append((pending.pop(0), error.detail))
                most = max(1, size // 2)
            else:
                attempt, most = 0, MAXIMUM_OPERATIONS
                for key, etag in zip(changed, etags[len(batch) :], strict=False):
                    totals[key] = KeptTotal(changed[key], etag)
                outcome.recorded += batch
                outcome.entries |= {
                    (LEDGERS.name, partition, event.rebilling["id"]) for event in batch if event.rebilling is not None
                }
                pending = pending[size:]

    async def _read_totals(self, partition: str, events: list[MeteredEvent]) -> dict[TotalKey, KeptTotal]:
        """Those of all batches at once: a request for each would be as many again as the batches."""
        return await read_totals(self._store, partition, {event.total for event in events})

    def _writes(
        self, batch: list[MeteredEvent], totals: dict[TotalKey, KeptTotal], changed: dict[TotalKey, Totals]
    ) -> list[Operation]:
        writes: list[Operation] = [Create(self._document(event)) for event in batch]
        writes += [total_write(key, value, totals[key].etag) for key, value in changed.items()]
        for key, value in changed.items():
            # Taken out, so that what is remembered of a total does not grow with its values.
            for meter, distinct in value.take_distinct().items():
                writes += [Upsert(value_document(key, meter, one)) for one in sorted(distinct)]
        entries = {event.rebilling["id"]: event.rebilling for event in batch if event.rebilling is not None}
        # It can be there only of an event of that identity that has expired.
        reported = [outcome_document(event.outcome, self._retention) for event in batch if event.outcome is not None]
        return writes + [Upsert(document) for document in (*reported, *entries.values())]

    def _document(self, metered: MeteredEvent) -> Document:
        event = metered.event
        return {
            "id": event.key,
            "kind": EVENT,
            "event_id": event.id,
            "source": event.source,
            "type": event.type,
            "agent_id": event.agent,
            # An index takes in what is null, too, and that costs.
            **({} if event.run is None else {"run": event.run}),
            "time": event.time,
            # As text: numbers in documents would become doubles.
            "data": json.encode_verbatim(event.data).decode(),
            "content": event.content,
            **_cost_fields(metered.cost),
            **({} if metered.exchange_rate is None else {"exchange_rate": plain(metered.exchange_rate)}),
            "rated_period": to_text(metered.total.period),
            "version_id": metered.total.version_id,
            "ttl": self._retention,
        }

    async def _without_known(
        self, partition: str, pending: list[MeteredEvent], outcome: Recorded
    ) -> list[MeteredEvent]:
        new: list[MeteredEvent] = []
        for start in range(0, len(pending), MAXIMUM_PAGE):
            some = pending[start : start + MAXIMUM_PAGE]
            there = await self._store.get_many(LEDGERS.name, partition, [event.event.key for event in some])
            for event in some:
                item = there.get(event.event.key)
                if item is None:
                    new.append(event)
                elif item.document["kind"] == TOMBSTONE:
                    raise ShardCountChangedError("The organization's usage has been moved to more shards")
                else:
                    _sort_known(event, item.document, outcome)
        return new

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
        async for document in self._all(partition, UNIQUE, period):
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
        names = {"agent_id": wanted.agent_id, "run": wanted.run}
        equals = {name: value for name, value in names.items() if value is not None}
        between = Between("time", _text(wanted.start), _text(wanted.end))
        return latest_of_shards(
            self._store, organization_id, shard_count, EVENT, equals=equals, between=between, behind=behind, page=page
        )

    async def discard(self, organization_id: str, shard_counts: Sequence[int], event: AcceptedEvent) -> bool:
        given_up = {"id": event.key, "kind": GIVEN_UP, "content": event.content, "ttl": self._retention}
        shards = [shard_of(event.key, count) for count in shard_counts]
        # The older partitions are closed first, oldest first, as for an event.
        places = [(shard, self._tombstone(event.key)) for shard in dict.fromkeys(shards) if shard != shards[-1]]
        for shard, document in [*places, (shards[-1], given_up)]:
            partition = partition_of(organization_id, shard)
            try:
                await self._store.create(LEDGERS.name, partition, document)
            except AlreadyExistsError:
                there = await self._store.get(LEDGERS.name, partition, event.key)
                if there is None:
                    raise UnavailableError("The event was recorded a moment ago and cannot be read yet") from None
                kind = there.document["kind"]
                if kind != TOMBSTONE:
                    return bool(kind == GIVEN_UP or there.document["content"] != event.content)
                if document is given_up:
                    raise ShardCountChangedError("The organization's usage has been moved to more shards") from None
        return True

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
        for _ in range(MAXIMUM_ATTEMPTS):
            found = await self.parked_entries(organization_id, entry_ids)
            waiting = [item for item in found.values() if item.document["kind"] != RATED]
            if not waiting:
                return
            for item in waiting:
                with suppress(StaleEtagError):
                    await self.change_parked(organization_id, item.document | {"kind": RATED}, item.etag)
        raise UnavailableError("The parked events are being changed by many at once")


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else to_text(instant)


def _parked_partition(organization_id: str) -> str:
    return f"{organization_id}:parked:0"


def _fitting(pending: list[MeteredEvent], totals: dict[TotalKey, KeptTotal]) -> int:
    """How many of the first events fit one batch with their totals, the values of their unique meters and their outbox
    entries.
    """
    operations, size, count = 0, 0, 0
    keys: set[TotalKey] = set()
    entries: set[str] = set()
    meters: set[tuple[TotalKey, str]] = set()
    values: set[tuple[TotalKey, str, str]] = set()
    for event in pending:
        new_values = {(event.total, *value) for value in event.contribution.distinct()} - values
        operations += (
            1 + (event.total not in keys) + (event.rebilling is not None and event.rebilling["id"] not in entries)
        )
        operations += len(new_values) + (event.outcome is not None)
        size += _weight(event) + event.contribution.kept_bytes + _VALUE_BYTES * len(new_values)
        if event.total not in keys:
            size += bytes_of(total_document(event.total, totals[event.total].totals))
        if event.rebilling is not None and event.rebilling["id"] not in entries:
            size += bytes_of(event.rebilling)
        if event.outcome is not None:
            size += bytes_of(outcome_document(event.outcome, 0))
        for name, _ in (*event.contribution.measures, *event.contribution.system_totals):
            if (event.total, name) not in meters:
                meters.add((event.total, name))
                size += METER_BYTES + len(name)
        if count and (operations > MAXIMUM_OPERATIONS or size > MAXIMUM_BYTES):
            break
        keys.add(event.total)
        values |= new_values
        if event.rebilling is not None:
            entries.add(event.rebilling["id"])
        count += 1
    return count


def _cost_fields(cost: EventCost) -> Document:
    """Nothing for events that cost nothing."""
    if cost.category is None:
        return {}
    return {
        "cost": None if cost.amount is None else plain(cost.amount),
        "cost_category": cost.category,
        "stated_cost": None if cost.reported is None else plain(cost.reported),
        "priced_by": cost.priced_by,
    }


def _weight_of_cost(cost: EventCost) -> int:
    return _COST + len(cost.category or "") + _ESCAPED * len(cost.priced_by or "")


def _weight(metered: MeteredEvent) -> int:
    """At most the bytes of its document, and hardly more."""
    event = metered.event
    data = json.encode_verbatim(event.data)
    # JSON in a JSON text: it has quotes and backslashes to escape once more, and nothing else.
    escapes = data.count(b'"') + data.count(b"\\")
    named = len(event.id) + len(event.source) + len(event.run or "")
    costs = _weight_of_cost(metered.cost) if metered.cost.category is not None else 0
    costs += _RATE if metered.exchange_rate is not None else 0
    return FRAME_BYTES + _ESCAPED * named + len(data) + escapes + costs


def _without_repeats(
    events: Sequence[MeteredEvent], outcome: Recorded
) -> tuple[list[MeteredEvent], list[MeteredEvent]]:
    """The first of each identity, and those with other content: which of them conflicts is known only when one has
    been recorded.
    """
    first: dict[str, MeteredEvent] = {}
    others: list[MeteredEvent] = []
    for event in events:
        other = first.setdefault(event.event.key, event)
        if other is event:
            continue
        (outcome.duplicates if other.event.content == event.event.content else others).append(event)
    return list(first.values()), others


def _sort_known(event: MeteredEvent, known: Document, outcome: Recorded) -> None:
    if known["content"] != event.event.content:
        outcome.conflicting.append(event)
    elif known["kind"] == GIVEN_UP:
        outcome.discarded.append(event)
    else:
        outcome.duplicates.append(event)
