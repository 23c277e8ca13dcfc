"""Batches: the additions that one transaction takes, with all that they write beside their totals."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from shared import json
from shared.adapters.usage.documents import total_document, unique_value_document, unique_value_id
from shared.domain.credits.counters import Context
from shared.domain.usage.events import TotalKey
from shared.domain.usage.totals import Contribution, Totals
from shared.ports.store import MAXIMUM_BATCH_OPERATIONS, Create, Document, Replace, Upsert
from shared.ports.usage import Worth
from shared.ports.usage_shards import StoredTotal

MAXIMUM_BYTES = 900_000
"""The most that a transaction may have, safely below the 1 MB that a store takes."""
_FRAME_BYTES = 1024
"""The most that a document adds besides itself: its operation, and a new event type's name and count in the total."""
_READING_BYTES = 256
"""The most that a reading adds to its total besides its name, without the events that it lists one by one."""
_UNIQUE_VALUE_BYTES = 500
"""About the size of a unique meter's value as an item."""
_SUMS_BYTES = 40_000
"""The most that the sums of a context have: about 300 windows, with few different worths of a credit."""


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

    @property
    def worth(self) -> Worth | None:
        """How it counts in caps; None where it counts in none."""
        ...


A = TypeVar("A", bound=Addition)
Write = Create | Replace | Upsert


@dataclass(frozen=True, slots=True)
class DistinctValue:
    """A value of a unique meter, as an item of the total that counts it."""

    id: str
    total: TotalKey
    meter: str
    value: str

    def document(self) -> Document:
        return unique_value_document(self.id, self.total, self.meter, self.value)


@dataclass(slots=True)
class Batch(Generic[A]):
    """What one transaction writes, without the totals that it changes."""

    additions: list[A] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    values: dict[str, DistinctValue] = field(default_factory=dict)
    """The distinct values that are new, by id."""
    new_values: Counter[tuple[TotalKey, str]] = field(default_factory=Counter)
    """How many these are, by total and meter."""
    guarded: set[TotalKey] = field(default_factory=set)
    """The totals that it writes: those of its additions, and those of the pooled lines of their new values."""
    outbox_entries: dict[str, Document] = field(default_factory=dict)
    """By id."""
    over_limit: list[tuple[A, str]] = field(default_factory=list)
    """Additions that it leaves out for good, because one of their values would be too many, with the reason."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored already of what additions change: their totals, and the ids of their distinct values."""

    totals: dict[TotalKey, StoredTotal]
    value_ids: set[str]
    values: Mapping[str, Sequence[DistinctValue]]
    """All distinct values of each addition, stored or not, by the addition's id."""


class BatchFiller(Generic[A]):
    """Puts additions into a batch for as long as they fit one transaction."""

    def __init__(self, writes_of: Callable[[A], Sequence[Write]], maximum_values: int) -> None:
        """`maximum_values` is how many distinct values one total may count of a meter."""
        self._writes_of = writes_of
        self._maximum_values = maximum_values

    def fill(self, waiting: Iterable[A], stored: Stored) -> Batch[A]:
        """The first of the waiting additions, with all that they write, but for those that are over the limit."""
        batch = Batch[A]()
        operations, size = 0, 0
        readings: set[tuple[TotalKey, str]] = set()
        contexts = set[Context]()
        for addition in waiting:
            key, contribution, entry = addition.total, addition.contribution, addition.rebilling
            values = {value.id: value for value in self._new_values(addition, stored, batch)}
            reason = self._over_limit(values.values(), stored, batch)
            if reason is not None:
                batch.over_limit.append((addition, reason))
                continue
            writes = self._writes_of(addition)
            guarded = {key, *(value.total for value in values.values())} | _line_of(addition, values.values())
            new_guarded = guarded - batch.guarded
            operations += len(writes) + len(values) + len(new_guarded)
            size += sum(_bytes_of(write.document) for write in writes)
            size += contribution.listed_bytes + _UNIQUE_VALUE_BYTES * len(values)
            size += sum(_bytes_of(total_document(each, stored.totals[each].totals)) for each in new_guarded)
            if entry is not None and entry["id"] not in batch.outbox_entries:
                operations += 1
                size += _bytes_of(entry)
            if addition.worth is not None and addition.worth.context not in contexts:
                contexts.add(addition.worth.context)
                operations += 1
                size += _SUMS_BYTES
            for name, _ in (*contribution.measures, *contribution.system_totals):
                if (key, name) not in readings:
                    readings.add((key, name))
                    size += _READING_BYTES + len(name)
            if batch.additions and (operations > MAXIMUM_BATCH_OPERATIONS or size > MAXIMUM_BYTES):
                break
            batch.additions.append(addition)
            batch.writes += writes
            batch.values |= values
            batch.new_values += _numbers_of(values.values())
            batch.guarded |= guarded
            if entry is not None:
                batch.outbox_entries[entry["id"]] = entry
        return batch

    def _new_values(self, addition: A, stored: Stored, batch: Batch[A]) -> Iterator[DistinctValue]:
        counts = stored.totals[addition.total].totals.numbers is not None
        for value in stored.values[addition.id]:
            # What a total that does not count its values has is not in its pooled line either.
            is_counted = counts or not value.total.is_line
            if is_counted and value.id not in stored.value_ids and value.id not in batch.values:
                yield value

    def _over_limit(self, values: Iterable[DistinctValue], stored: Stored, batch: Batch[A]) -> str | None:
        """Why these values cannot be counted any more."""
        for (total, meter), new in _numbers_of(values).items():
            counted = (stored.totals[total].totals.numbers or {}).get(meter, 0)
            if counted + batch.new_values[total, meter] + new > self._maximum_values:
                most = f"{self._maximum_values:,} distinct values in this period"
                return f"the meter {meter} has {most}, the most that are counted: the operator can raise that"
        return None


def values_of(addition: Addition) -> Iterator[DistinctValue]:
    """The distinct values of an addition: of its own total, and of the pooled lines that count them, too."""
    for meter, reading in addition.contribution.distinct():
        for value in sorted(reading.values):
            for total in (addition.total, addition.total.line) if reading.pooled else (addition.total,):
                yield DistinctValue(unique_value_id(total, meter, value), total, meter, value)


def totals_of(addition: Addition) -> set[TotalKey]:
    """The totals that an addition may change."""
    has_line = any(reading.pooled for _, reading in addition.contribution.distinct())
    return {addition.total, addition.total.line} if has_line else {addition.total}


def changed_totals(batch: Batch[A], totals: Mapping[TotalKey, StoredTotal]) -> dict[TotalKey, Totals]:
    """All totals that a batch writes, as copies: the transaction may fail."""
    changed = {key: totals[key].totals.copy() for key in sorted(batch.guarded, key=_order)}
    for addition in batch.additions:
        changed[addition.total].add(addition.contribution)
    for value in batch.values.values():
        changed[value.total].count_value(value.meter)
    for total in changed.values():
        # What is remembered of a total must not grow with its values.
        total.take_distinct()
    return changed


def _numbers_of(values: Iterable[DistinctValue]) -> Counter[tuple[TotalKey, str]]:
    return Counter((value.total, value.meter) for value in values)


def _line_of(addition: Addition, new: Iterable[DistinctValue]) -> set[TotalKey]:
    """The pooled line's total, where the addition gives its agent a new value of a pooled meter.

    Also where the line has that value already: so nobody takes it from the line meanwhile.
    """
    own = {value.meter for value in new if not value.total.is_line}
    pooled = any(reading.pooled and name in own for name, reading in addition.contribution.distinct())
    return {addition.total.line} if pooled else set()


def _order(key: TotalKey) -> tuple[str, str]:
    return key.version_id, key.agent_id


def _bytes_of(document: Document) -> int:
    return _FRAME_BYTES + len(json.encode(document))
