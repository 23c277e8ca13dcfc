"""Commits items in one transaction with the usage totals that they change.

Such an item is an event, or an outcome with a decision about it. Each transaction stays within the store's limits,
each total is guarded by its ETag, and whether an item is stored already shows by the conflict that its write causes.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from shared import json
from shared.adapters.usage.documents import total_document, unique_value_document
from shared.adapters.usage.stored_totals import read_items, read_totals, total_write
from shared.containers import LEDGERS
from shared.domain.kernel.errors import UnavailableError
from shared.domain.usage.events import TotalKey
from shared.domain.usage.totals import Contribution, Totals
from shared.ports.store import (
    MAXIMUM_BATCH_OPERATIONS,
    AlreadyExistsError,
    Create,
    Document,
    Item,
    Operation,
    Replace,
    StaleEtagError,
    Store,
    StoreLimitError,
    Upsert,
)
from shared.ports.usage_shards import StoredTotal

MAXIMUM_BYTES = 900_000
"""The most that a transaction may have, safely below the 1 MB that a store takes."""
_FRAME_BYTES = 1024
"""The most that a document adds besides itself: its operation, and a new event type's name and count in the total."""
_READING_BYTES = 256
"""The most that a reading adds to its total besides its name, without the events that it lists one by one."""
_UNIQUE_VALUE_BYTES = 500
"""About the size of a unique meter's value as an item."""
_MAXIMUM_ATTEMPTS = 40


class Addition(Protocol):
    """An item to write, and what it adds to a usage total."""

    @property
    def id(self) -> str:
        """Of the item."""
        ...

    @property
    def total(self) -> TotalKey: ...

    @property
    def contribution(self) -> Contribution: ...

    @property
    def rebilling(self) -> Document | None:
        """The outbox entry to write beside it. Additions may share it."""
        ...


A = TypeVar("A", bound=Addition)
Write = Create | Replace | Upsert


@dataclass(slots=True)
class Committed(Generic[A]):
    """What became of the additions of one call, without those that were dropped."""

    additions: list[A] = field(default_factory=list)
    refused: list[tuple[A, str]] = field(default_factory=list)
    """Those that the store does not accept even alone, with the reason."""
    outbox_entries: set[tuple[str, str, str]] = field(default_factory=set)
    """(container, partition, id) of each outbox entry that was written."""


@dataclass(slots=True)
class _Batch(Generic[A]):
    """What one transaction writes, without the totals that it changes."""

    additions: list[A] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    outbox_entries: dict[str, Document] = field(default_factory=dict)
    """By id."""


class Committer(Generic[A]):
    def __init__(self, store: Store, writes_of: Callable[[A], Sequence[Write]]) -> None:
        """`writes_of` gives the writes of an addition.

        The write of its item fails when the item is there already, or was changed since it was read.
        """
        self._store = store
        self._writes_of = writes_of

    async def commit(
        self, partition: str, additions: Iterable[A], is_still_wanted: Callable[[A, Item | None], bool]
    ) -> Committed[A]:
        """Write each addition with its total, in as few transactions as they fit into.

        After a conflict, `is_still_wanted` decides about every addition that waits, by its item as it is stored now;
        those that it does not want are dropped. Raises what it raises, and `UnavailableError` after 40 conflicts.
        """
        result = Committed[A]()
        # By total, so that a transaction changes few of them.
        waiting = sorted(additions, key=lambda each: (each.total.agent_id, each.total.version_id, each.total.period))
        totals = await self._totals_of(partition, waiting)
        attempt, most = 0, MAXIMUM_BATCH_OPERATIONS
        while waiting:
            batch = self._fitting(waiting[:most], totals)
            changed = _changed_totals(batch.additions, totals)
            try:
                etags = await self._store.batch(LEDGERS.name, partition, _operations(batch, changed, totals))
            except (AlreadyExistsError, StaleEtagError):
                attempt += 1
                await pause_after_conflict(attempt)
                waiting = await self._still_wanted(partition, waiting, is_still_wanted)
                totals = await self._totals_of(partition, waiting)
            except StoreLimitError as error:  # the cause is certain once an addition is alone
                size = len(batch.additions)
                if size == 1:
                    result.refused.append((waiting.pop(0), error.detail))
                most = max(1, size // 2)
            else:
                attempt, most = 0, MAXIMUM_BATCH_OPERATIONS
                for (key, total), etag in zip(changed.items(), etags, strict=False):  # the totals are written first
                    totals[key] = StoredTotal(key, total, etag)
                result.additions += batch.additions
                result.outbox_entries |= {(LEDGERS.name, partition, id_) for id_ in batch.outbox_entries}
                waiting = waiting[len(batch.additions) :]
        return result

    async def _totals_of(self, partition: str, additions: Iterable[A]) -> dict[TotalKey, StoredTotal]:
        """For all transactions at once: a read before each would double the requests."""
        return await read_totals(self._store, partition, {addition.total for addition in additions})

    async def _still_wanted(
        self, partition: str, waiting: Sequence[A], is_still_wanted: Callable[[A, Item | None], bool]
    ) -> list[A]:
        """Checks all that wait: repeated items come in rows, which would fail transaction after transaction."""
        stored = await read_items(self._store, partition, [addition.id for addition in waiting])
        return [addition for addition in waiting if is_still_wanted(addition, stored.get(addition.id))]

    def _fitting(self, waiting: Sequence[A], totals: Mapping[TotalKey, StoredTotal]) -> _Batch[A]:
        """The first additions, at least one, that fit one transaction with all that they change."""
        batch = _Batch[A]()
        operations, size = 0, 0
        keys: set[TotalKey] = set()
        readings: set[tuple[TotalKey, str]] = set()
        values: set[tuple[TotalKey, str, str]] = set()
        for addition in waiting:
            key, contribution, entry = addition.total, addition.contribution, addition.rebilling
            writes = self._writes_of(addition)
            new_values = {(key, *value) for value in contribution.distinct()} - values
            operations += len(writes) + len(new_values)
            size += sum(_bytes_of(write.document) for write in writes)
            size += contribution.listed_bytes + _UNIQUE_VALUE_BYTES * len(new_values)
            if key not in keys:
                operations += 1
                size += _bytes_of(total_document(key, totals[key].totals))
            if entry is not None and entry["id"] not in batch.outbox_entries:
                operations += 1
                size += _bytes_of(entry)
            for name, _ in (*contribution.measures, *contribution.system_totals):
                if (key, name) not in readings:
                    readings.add((key, name))
                    size += _READING_BYTES + len(name)
            if batch.additions and (operations > MAXIMUM_BATCH_OPERATIONS or size > MAXIMUM_BYTES):
                break
            keys.add(key)
            values |= new_values
            batch.additions.append(addition)
            batch.writes += writes
            if entry is not None:
                batch.outbox_entries[entry["id"]] = entry
        return batch


async def pause_after_conflict(attempt: int) -> None:
    """Raises `UnavailableError` when there have been too many attempts."""
    if attempt > _MAXIMUM_ATTEMPTS:
        raise UnavailableError("The usage is being changed by many at once")
    await asyncio.sleep(random.uniform(0, 0.005) * attempt)  # noqa: S311  jitter


def _changed_totals(additions: Iterable[Addition], totals: Mapping[TotalKey, StoredTotal]) -> dict[TotalKey, Totals]:
    """The totals after these additions, as copies: the transaction may fail."""
    changed: dict[TotalKey, Totals] = {}
    for addition in additions:
        if addition.total not in changed:
            changed[addition.total] = totals[addition.total].totals.copy()
        changed[addition.total].add(addition.contribution)
    return changed


def _operations(
    batch: _Batch[A], changed: Mapping[TotalKey, Totals], totals: Mapping[TotalKey, StoredTotal]
) -> list[Operation]:
    """The totals first, in the order of `changed`."""
    operations: list[Operation] = [total_write(key, total, totals[key].etag) for key, total in changed.items()]
    operations += batch.writes
    for key, total in changed.items():
        # Taken out of the total, so that what is remembered of it does not grow with its values.
        for meter, values in total.take_distinct().items():
            operations += [Upsert(unique_value_document(key, meter, value)) for value in sorted(values)]
    return operations + [Upsert(entry) for entry in batch.outbox_entries.values()]


def _bytes_of(document: Document) -> int:
    return _FRAME_BYTES + len(json.encode(document))
