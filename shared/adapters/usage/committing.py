"""Commits items in one transaction with the usage totals that they change.

Such an item is an event, or an outcome with a decision about it. Each transaction stays within the store's limits,
each total is guarded by its ETag, and whether an item is stored already shows by the conflict that its write causes.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic

from shared.adapters.usage.batches import (
    A,
    Batch,
    BatchFiller,
    Stored,
    Write,
    changed_totals,
    totals_of,
    values_of,
)
from shared.adapters.usage.metered_sums import ChangedSums, changed_sums, read_sums
from shared.adapters.usage.stored_totals import read_items, read_totals, total_write
from shared.containers import LEDGERS
from shared.domain.kernel.errors import UnavailableError
from shared.domain.usage.events import TotalKey
from shared.domain.usage.totals import Totals
from shared.ports.store import (
    MAXIMUM_BATCH_OPERATIONS,
    AlreadyExistsError,
    Create,
    Item,
    Operation,
    StaleEtagError,
    Store,
    StoreLimitError,
    Upsert,
)
from shared.ports.usage import MAXIMUM_DISTINCT_VALUES
from shared.ports.usage_shards import StoredTotal

_MAXIMUM_ATTEMPTS = 40
_WARNING_PERCENT = 80
"""Of the most distinct values that are counted."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Committed(Generic[A]):
    """What became of the additions of one call, without those that were dropped."""

    additions: list[A] = field(default_factory=list)
    refused: list[tuple[A, str]] = field(default_factory=list)
    """Those that the store does not accept even alone, with the reason."""
    over_limit: list[tuple[A, str]] = field(default_factory=list)
    """Those with a distinct value more than a total counts of a meter, with the reason."""
    outbox_entries: set[tuple[str, str, str]] = field(default_factory=set)
    """(container, partition, id) of each outbox entry that was written."""


class Committer(Generic[A]):
    def __init__(
        self,
        store: Store,
        writes_of: Callable[[A], Sequence[Write]],
        maximum_values: int = MAXIMUM_DISTINCT_VALUES,
    ) -> None:
        """`writes_of` gives the writes of an addition.

        The write of its item fails when the item is there already, or was changed since it was read. `maximum_values`
        is how many distinct values one total counts of a meter.
        """
        self._store = store
        self._filler = BatchFiller(writes_of, maximum_values)
        self._maximum_values = maximum_values

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
        stored = await self._stored(partition, waiting)
        sums = await read_sums(self._store, partition, waiting)
        attempt, most = 0, MAXIMUM_BATCH_OPERATIONS
        while waiting:
            batch = self._filler.fill(waiting[:most], stored)
            if batch.over_limit:
                result.over_limit += batch.over_limit
                left_out = {addition.id for addition, _ in batch.over_limit}
                waiting = [addition for addition in waiting if addition.id not in left_out]
            if not batch.additions:
                continue
            changed = changed_totals(batch, stored.totals)
            counted = changed_sums(partition, batch, stored, sums)
            operations = _operations(batch, changed, stored.totals, counted)
            try:
                etags = await self._store.batch(LEDGERS.name, partition, operations)
            except (AlreadyExistsError, StaleEtagError):
                attempt += 1
                await pause_after_conflict(attempt)
                waiting = await self._still_wanted(partition, waiting, is_still_wanted)
                stored = await self._stored(partition, waiting)
                sums = await read_sums(self._store, partition, waiting)
            except StoreLimitError as error:  # the cause is certain once an addition is alone
                size = len(batch.additions)
                if size == 1:
                    result.refused.append((waiting.pop(0), error.detail))
                most = max(1, size // 2)
            else:
                attempt, most = 0, MAXIMUM_BATCH_OPERATIONS
                self._warn_of_many_values(partition, batch, changed)
                stored.value_ids.update(batch.values)
                for (key, total), etag in zip(changed.items(), etags, strict=False):  # the totals are written first
                    stored.totals[key] = StoredTotal(key, total, etag)
                sums |= {
                    each.id: each.stored_as(etag) for each, etag in zip(counted, etags[len(changed) :], strict=False)
                }
                result.outbox_entries |= {(LEDGERS.name, partition, each.id) for each in counted if each.is_due}
                result.additions += batch.additions
                result.outbox_entries |= {(LEDGERS.name, partition, id_) for id_ in batch.outbox_entries}
                waiting = waiting[len(batch.additions) :]
        return result

    async def _stored(self, partition: str, additions: Sequence[A]) -> Stored:
        """For all transactions at once: a read before each would double the requests."""
        totals = {key for addition in additions for key in totals_of(addition)}
        values = {addition.id: tuple(values_of(addition)) for addition in additions}
        value_ids = {value.id for of_addition in values.values() for value in of_addition}
        return Stored(
            await read_totals(self._store, partition, totals),
            set(await read_items(self._store, partition, value_ids)),
            values,
        )

    async def _still_wanted(
        self, partition: str, waiting: Sequence[A], is_still_wanted: Callable[[A, Item | None], bool]
    ) -> list[A]:
        """Checks all that wait: repeated items come in rows, which would fail transaction after transaction."""
        stored = await read_items(self._store, partition, [addition.id for addition in waiting])
        return [addition for addition in waiting if is_still_wanted(addition, stored.get(addition.id))]

    def _warn_of_many_values(self, partition: str, batch: Batch[A], changed: Mapping[TotalKey, Totals]) -> None:
        """Once for every hundredth of the limit, from 80 % on."""
        for (key, meter), new in batch.new_values.items():
            number = (changed[key].numbers or {}).get(meter, 0)
            percent = number * 100 // self._maximum_values
            if percent >= _WARNING_PERCENT and percent > (number - new) * 100 // self._maximum_values:
                _log.warning(
                    "a meter has almost as many distinct values as are counted",
                    extra={
                        "partition": partition,
                        "agent_id": key.agent_id,
                        "version_id": key.version_id,
                        "meter": meter,
                        "values": number,
                        "maximum": self._maximum_values,
                    },
                )


async def pause_after_conflict(attempt: int) -> None:
    """Raises `UnavailableError` when there have been too many attempts."""
    if attempt > _MAXIMUM_ATTEMPTS:
        raise UnavailableError("The usage is being changed by many at once")
    await asyncio.sleep(random.uniform(0, 0.005) * attempt)  # noqa: S311  jitter


def _operations(
    batch: Batch[A],
    changed: Mapping[TotalKey, Totals],
    totals: Mapping[TotalKey, StoredTotal],
    counted: Sequence[ChangedSums],
) -> list[Operation]:
    """The totals first, in the order of `changed`, then the sums in the order of `counted`."""
    operations: list[Operation] = [total_write(key, total, totals[key].etag) for key, total in changed.items()]
    operations += [each.write for each in counted]
    operations += batch.writes
    operations += [Create(value.document()) for value in batch.values.values()]
    return operations + [Upsert(entry) for entry in batch.outbox_entries.values()]
