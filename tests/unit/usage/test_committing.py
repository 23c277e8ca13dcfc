"""Items and the totals that they change, committed together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.adapters.usage.committing import Committer
from shared.adapters.usage.stored_totals import add_values_of_period, read_totals, read_totals_of_period
from shared.containers import LEDGERS
from shared.domain.metering.readings import CountAndSum, Distinct, Reading
from shared.domain.usage.events import TotalKey
from shared.domain.usage.totals import Contribution
from shared.ports.store import Create, Document, Item, Operation
from shared.ports.usage import Worth
from tests.doubles.fakes.memory_store import MemoryStore

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
PARTITION = "org_1:usage:0"
TIME = "2026-10-05T00:00:00.000000Z"


@dataclass(frozen=True)
class Note:
    """The least that can be committed: an item with an id, which adds 1 to its total."""

    id: str
    agent: str = "agt_1"
    rebilling: Document | None = None
    users: Reading = field(default_factory=Distinct)
    worth: Worth | None = None

    @property
    def total(self) -> TotalKey:
        return TotalKey(OCTOBER, self.agent, "-")

    @property
    def contribution(self) -> Contribution:
        return Contribution("note", TIME, (("notes", CountAndSum(1)), ("users", self.users)))


@dataclass
class WatchedStore(MemoryStore):
    """Remembers its batches, and lets others write before one of them."""

    batches: list[Sequence[Operation]] = field(default_factory=list)
    reads: int = 0
    before: dict[int, Sequence[Note]] = field(default_factory=dict)
    """By the number of the batch, from 1."""

    def __post_init__(self) -> None:
        super().__init__()

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        self.reads += 1
        return await super().get_many(container, pk, ids)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        self.batches.append(operations)
        others = self.before.pop(len(self.batches), ())
        if others:
            await committed(self, *others)
        return await super().batch(container, pk, operations)


async def committed(store: MemoryStore, *notes: Note) -> tuple[list[str], list[str]]:
    """The ids of what was written, and of what was there already."""
    dropped: list[str] = []

    def is_still_wanted(note: Note, stored: Item | None) -> bool:
        if stored is not None:
            dropped.append(note.id)
        return stored is None

    committer = Committer[Note](store, lambda note: [Create({"id": note.id, "kind": "note"})])
    result = await committer.commit(PARTITION, notes, is_still_wanted)
    assert result.refused == []
    return [note.id for note in result.additions], dropped


async def count_of(store: MemoryStore, agent: str = "agt_1") -> int:
    key = TotalKey(OCTOBER, agent, "-")
    total = (await read_totals(store, PARTITION, [key]))[key]
    reading = total.totals.reading("notes")
    return int(reading.count) if isinstance(reading, CountAndSum) else 0


async def test_each_item_is_written_in_one_batch_with_its_total() -> None:
    store = WatchedStore()
    assert await committed(store, Note("a"), Note("b"), Note("c", "agt_2")) == (["a", "b", "c"], [])
    (batch,) = store.batches
    assert len(batch) == 3 + 2
    assert (await count_of(store), await count_of(store, "agt_2")) == (2, 1)


async def test_batches_stay_within_100_operations_and_totals_are_read_once() -> None:
    store = WatchedStore()
    ids, _ = await committed(store, *(Note(f"{number}") for number in range(250)))
    assert [len(batch) for batch in store.batches] == [100, 100, 53]
    assert store.reads == 1
    assert len(ids) == await count_of(store) == 250


async def test_what_is_there_already_is_dropped_at_the_first_conflict_from_all_that_wait() -> None:
    store = WatchedStore()
    await committed(store, *(Note(f"{number}") for number in range(0, 250, 2)))
    store.batches.clear()
    ids, dropped = await committed(store, *(Note(f"{number}") for number in range(250)))
    assert (len(ids), len(dropped)) == (125, 125)
    assert len(store.batches) == 1 + 2
    assert await count_of(store) == 250


async def test_a_total_that_another_has_changed_is_read_again_and_loses_nothing() -> None:
    store = WatchedStore(before={1: [Note("x")], 3: [Note("y"), Note("z")]})
    ids, dropped = await committed(store, *(Note(f"{number}") for number in range(150)))
    assert (len(ids), dropped) == (150, [])
    assert await count_of(store) == 150 + 3


async def test_outbox_entries_that_items_share_are_written_once() -> None:
    store = WatchedStore()
    entry: Document = {"id": "outbox:october", "kind": "outbox", "due_at": TIME}
    await committed(store, *(Note(f"{number}", rebilling=entry) for number in range(5)))
    (batch,) = store.batches
    assert len(batch) == 5 + 1 + 1
    assert await store.get(LEDGERS.name, PARTITION, "outbox:october") is not None


async def test_distinct_values_are_items_of_their_own_each_written_once_a_batch() -> None:
    store = WatchedStore()
    users = [Distinct(frozenset({f"user-{number % 3}"})) for number in range(10)]
    await committed(store, *(Note(f"{number}", users=seen) for number, seen in enumerate(users)))
    (batch,) = store.batches
    assert len(batch) == 10 + 1 + 3
    totals = await read_totals_of_period(store, PARTITION, OCTOBER)
    await add_values_of_period(store, PARTITION, OCTOBER, totals)
    (total,) = totals.values()
    assert total.totals.reading("users") == Distinct(frozenset({"user-0", "user-1", "user-2"}))
    assert total.totals.numbers == {"users": 3}
