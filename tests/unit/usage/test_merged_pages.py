"""Pages of several lists as one: nothing is skipped, nothing comes twice, whatever happens between the pages."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.usage.merged_pages import ReadPage, merged, position_of
from shared.containers import LEDGERS
from shared.ports.store import Create, Delete, Document, ItemPage, Position
from tests.doubles.fakes.memory_store import MemoryStore

SHARDS = st.integers(1, 4)
TIMES = st.sampled_from("abc")
"""Few, so that most have company."""


@dataclass(frozen=True)
class Event:
    number: int
    time: str
    shard: int

    def document(self) -> Document:
        # Ids say nothing about the order of arrival.
        return {"id": f"{self.number * 7919 % 1000:03}-{self.number}", "kind": "event", "time": self.time}

    @property
    def position(self) -> Position:
        return position_of(self.document(), "time")


@dataclass
class Shards:
    store: MemoryStore = field(default_factory=MemoryStore)
    reads: Counter[int] = field(default_factory=Counter)

    async def add(self, event: Event) -> None:
        await self.store.batch(LEDGERS.name, str(event.shard), [Create(event.document())])

    async def remove(self, event: Event) -> None:
        await self.store.batch(LEDGERS.name, str(event.shard), [Delete(event.document()["id"])])

    def pages_of(self, shard: int, size: int) -> ReadPage:
        async def read(cursor: str | Position | None) -> ItemPage:
            self.reads[shard] += 1
            return await self.store.query(
                LEDGERS.name, str(shard), "event", order_by="time", descending=True, limit=size, cursor=cursor
            )

        return read

    async def taken(self, shards: int, size: int, behind: Position | None, count: int) -> list[Document]:
        found: list[Document] = []
        async for document in merged([self.pages_of(shard, size) for shard in range(shards)], "time", behind):
            found.append(document)
            if len(found) == count:
                break
        return found


def latest_first(event: Event) -> tuple[str, str]:
    return event.position.value, event.position.id


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], list[tuple[Event, int, bool]]]:
    """Events that are there from the beginning, and others that come or go.

    Those have the page before which they do so.
    """
    shards = draw(SHARDS)
    drawn = draw(st.lists(st.tuples(TIMES, st.integers(0, shards - 1)), max_size=30))
    events = [Event(number, time, shard) for number, (time, shard) in enumerate(drawn)]
    there = draw(st.integers(0, len(events)))
    later = [(event, draw(st.integers(1, 6)), draw(st.booleans())) for event in events[there:]]
    return events[:there], later


@given(histories(), st.integers(1, 5), st.integers(1, 7))
async def test_pages_make_up_the_whole_while_others_come_and_go(
    history: tuple[list[Event], list[tuple[Event, int, bool]]], size: int, count: int
) -> None:
    there, later = history
    shards, total = Shards(), 1 + max((event.shard for event in there), default=0)
    for event in there:
        await shards.add(event)
    found: list[Document] = []
    behind: Position | None = None
    for page in range(1, 100):
        for event, comes, goes in later:
            if page == comes:
                await shards.add(event)
                total = max(total, event.shard + 1)  # more shards than at the first page
            if page == comes + 1 and goes:
                await shards.remove(event)
        taken = await shards.taken(total, size, behind, count)
        found += taken
        if len(taken) < count and page > 7:
            break
        behind = position_of(found[-1], "time") if found else None
    ids = [document["id"] for document in found]
    assert len(set(ids)) == len(ids)
    assert {event.document()["id"] for event in there} <= set(ids)
    positions = [position_of(document, "time") for document in found]
    assert positions == sorted(positions, key=lambda position: (position.value, position.id), reverse=True)


@given(st.lists(st.tuples(TIMES, st.integers(0, 3)), max_size=30), st.integers(1, 5))
async def test_all_at_once_is_all_in_order(drawn: list[tuple[str, int]], size: int) -> None:
    shards = Shards()
    events = [Event(number, time, shard) for number, (time, shard) in enumerate(drawn)]
    for event in events:
        await shards.add(event)
    found = await shards.taken(4, size, None, 0)
    assert found == [event.document() for event in sorted(events, key=latest_first, reverse=True)]


async def test_pages_are_read_as_they_are_needed() -> None:
    """All events of the first list come before those of the second one."""
    shards = Shards()
    for number in range(20):
        await shards.add(Event(number, "b" if number < 10 else "a", 0 if number < 10 else 1))
    assert len(await shards.taken(2, 3, None, 7)) == 7
    assert shards.reads == {0: 3, 1: 1}
