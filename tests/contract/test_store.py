"""The document store, as its port describes it: single documents, batches, due items, concurrent writes."""

import asyncio
from collections import Counter

import pytest

from shared.domain.kernel.times import to_text
from shared.ports.store import (
    MAXIMUM_PAGE,
    AlreadyExistsError,
    Create,
    Delete,
    Item,
    Replace,
    StaleEtagError,
    Store,
    StoreLimitError,
    Upsert,
)
from tests.contract.things import CONTAINER, PK, get, ids_of_all_pages, increment, thing
from tests.doubles.fakes.settable_clock import SettableClock


class TestSingleDocuments:
    async def test_what_was_created_is_read_back_with_its_etag(self, store: Store) -> None:
        document = thing("a", amount="1.50", list=[1, None, True, {"ü": "€"}])
        etag = await store.create(CONTAINER, PK, document)
        assert await store.get(CONTAINER, PK, "a") == Item(document, etag)

    async def test_what_is_not_there_is_none(self, store: Store) -> None:
        assert await store.get(CONTAINER, PK, "a") is None

    async def test_containers_and_partitions_are_apart(self, store: Store) -> None:
        await store.create(CONTAINER, PK, thing("a"))
        assert await store.get(CONTAINER, "org_2", "a") is None
        assert await store.get("tenants", PK, "a") is None
        await store.create(CONTAINER, "org_2", thing("a"))

    async def test_creating_again_is_refused_and_changes_nothing(self, store: Store) -> None:
        etag = await store.create(CONTAINER, PK, thing("a", n=1))
        with pytest.raises(AlreadyExistsError):
            await store.create(CONTAINER, PK, thing("a", n=2))
        assert await get(store, "a") == Item(thing("a", n=1), etag)

    async def test_replacing_needs_the_current_etag(self, store: Store) -> None:
        first = await store.create(CONTAINER, PK, thing("a", n=1))
        second = await store.replace(CONTAINER, PK, thing("a", n=2), first)
        assert await get(store, "a") == Item(thing("a", n=2), second)
        with pytest.raises(StaleEtagError):
            await store.replace(CONTAINER, PK, thing("a", n=3), first)
        assert await get(store, "a") == Item(thing("a", n=2), second)

    async def test_replacing_what_is_gone_is_stale(self, store: Store) -> None:
        etag = await store.create(CONTAINER, PK, thing("a"))
        await store.delete(CONTAINER, PK, "a")
        with pytest.raises(StaleEtagError):
            await store.replace(CONTAINER, PK, thing("a"), etag)

    async def test_an_upsert_creates_or_takes_the_place(self, store: Store) -> None:
        first = await store.upsert(CONTAINER, PK, thing("a", n=1))
        second = await store.upsert(CONTAINER, PK, thing("a", n=2))
        assert first != second
        assert await get(store, "a") == Item(thing("a", n=2), second)

    async def test_deleting(self, store: Store) -> None:
        await store.delete(CONTAINER, PK, "a")
        etag = await store.create(CONTAINER, PK, thing("a"))
        with pytest.raises(StaleEtagError):
            await store.delete(CONTAINER, PK, "a", "another")
        await store.delete(CONTAINER, PK, "a", etag)
        assert await store.get(CONTAINER, PK, "a") is None
        with pytest.raises(StaleEtagError):
            await store.delete(CONTAINER, PK, "a", etag)

    async def test_an_etag_never_comes_back(self, store: Store) -> None:
        etags = []
        for _ in range(5):
            etags.append(await store.create(CONTAINER, PK, thing("a")))
            etags.append(await store.upsert(CONTAINER, PK, thing("a")))
            await store.delete(CONTAINER, PK, "a")
        assert len(set(etags)) == 10

    async def test_a_later_change_of_the_callers_document_changes_nothing(self, store: Store) -> None:
        document = thing("a", parts=["x"])
        creating = asyncio.ensure_future(store.create(CONTAINER, PK, document))
        await asyncio.sleep(0)
        document["parts"].append("y")
        await creating
        read = await get(store, "a")
        assert read.document["parts"] == ["x"]
        read.document["parts"].append("z")
        assert (await get(store, "a")).document["parts"] == ["x"]

    async def test_many_are_read_at_once(self, store: Store) -> None:
        for id_ in "abc":
            await store.create(CONTAINER, PK, thing(id_))
        found = await store.get_many(CONTAINER, PK, ["a", "c", "x", "no/id"])
        assert {id_: item.document for id_, item in found.items()} == {"a": thing("a"), "c": thing("c")}
        assert await store.get_many(CONTAINER, PK, []) == {}
        with pytest.raises(StoreLimitError):
            await store.get_many(CONTAINER, PK, [str(number) for number in range(MAXIMUM_PAGE + 1)])


class TestBatches:
    async def test_all_kinds_of_operations_take_place_in_order(self, store: Store) -> None:
        kept = await store.create(CONTAINER, PK, thing("replaced", n=1))
        gone = await store.create(CONTAINER, PK, thing("deleted"))
        etags = await store.batch(
            CONTAINER,
            PK,
            [
                Create(thing("created")),
                Replace(thing("replaced", n=2), kept),
                Upsert(thing("upserted")),
                Delete("deleted", gone),
                Delete("never there"),
                Create(thing("deleted", again=True)),
            ],
        )
        found = await store.get_many(CONTAINER, PK, ["created", "replaced", "upserted", "deleted"])
        assert found["replaced"].document["n"] == 2
        assert found["deleted"].document["again"] is True
        current = [found[id_].etag for id_ in ("created", "replaced", "upserted")]
        assert etags == [*current, "", "", found["deleted"].etag]

    @pytest.mark.parametrize("failing", [0, 1, 2, 4])
    async def test_an_existing_item_fails_the_batch_at_its_index(self, store: Store, failing: int) -> None:
        await store.create(CONTAINER, PK, thing("there", n=1))
        operations = [Create(thing(f"new {n}")) for n in range(5)]
        operations[failing] = Create(thing("there", n=2))
        with pytest.raises(AlreadyExistsError) as refusal:
            await store.batch(CONTAINER, PK, operations)
        assert refusal.value.index == failing
        assert await ids_of_all_pages(store) == ["there"]
        assert (await get(store, "there")).document["n"] == 1

    async def test_the_first_of_several_failures_counts(self, store: Store) -> None:
        for id_ in ("x", "y"):
            await store.create(CONTAINER, PK, thing(id_))
        with pytest.raises(AlreadyExistsError) as refusal:
            await store.batch(CONTAINER, PK, [Create(thing("a")), Create(thing("y")), Create(thing("x"))])
        assert refusal.value.index == 1

    async def test_the_same_id_twice(self, store: Store) -> None:
        with pytest.raises(AlreadyExistsError) as refusal:
            await store.batch(CONTAINER, PK, [Create(thing("a")), Create(thing("b")), Create(thing("a"))])
        assert refusal.value.index == 2
        assert await ids_of_all_pages(store) == []

    async def test_a_stale_guard_fails_the_batch_at_its_index(self, store: Store) -> None:
        etag = await store.create(CONTAINER, PK, thing("total", n=1))
        await store.replace(CONTAINER, PK, thing("total", n=2), etag)
        for guarded in (Replace(thing("total", n=3), etag), Delete("total", etag), Replace(thing("nowhere"), etag)):
            with pytest.raises(StaleEtagError) as refusal:
                await store.batch(CONTAINER, PK, [Create(thing("a")), Upsert(thing("b")), guarded, Create(thing("c"))])
            assert refusal.value.index == 2
        assert await ids_of_all_pages(store) == ["total"]

    async def test_failing_neighbours_do_not_touch_each_other(self, store: Store) -> None:
        """Batches that wait together may share a commit; each still stands or falls alone."""
        await store.create(CONTAINER, PK, thing("there"))

        async def fail(number: int) -> None:
            last = "there" if number % 3 == 0 else f"last {number}"
            with pytest.raises(AlreadyExistsError) as refusal:
                await store.batch(
                    CONTAINER, PK, [Create(thing(f"first {number}")), Upsert(thing(last)), Create(thing(last))]
                )
            assert refusal.value.index == 2

        async def succeed(number: int) -> None:
            await store.batch(CONTAINER, PK, [Create(thing(f"a {number}")), Create(thing(f"b {number}"))])

        await asyncio.gather(*(attempt(number) for number in range(30) for attempt in (fail, succeed)))
        expected = {f"{letter} {number}" for letter in "ab" for number in range(30)} | {"there"}
        assert set(await ids_of_all_pages(store)) == expected


class TestDue:
    async def test_what_is_due_in_all_partitions_earliest_first(self, store: Store, clock: SettableClock) -> None:
        now = to_text(clock.now())
        for number, pk in enumerate(["p2", "p1", "p3", "p1"]):
            await store.create(CONTAINER, pk, thing(f"{number}", due_at=f"2026-01-0{4 - number}T00:00:00.000000Z"))
        await store.create(CONTAINER, "p1", thing("now", due_at=now))
        await store.create(CONTAINER, "p1", thing("undue"))
        await store.create("tenants", "p1", thing("elsewhere", due_at="2026-01-01T00:00:00.000000Z"))
        found = await store.due(CONTAINER, now)
        assert [(pk, item.document["id"]) for pk, item in found] == [("p1", "3"), ("p3", "2"), ("p1", "1"), ("p2", "0")]
        assert len(await store.due(CONTAINER, now, limit=2)) == 2

    async def test_a_due_item_can_be_settled_with_its_etag(self, store: Store) -> None:
        await store.create(CONTAINER, PK, thing("a", due_at="2026"))
        [(pk, item)] = await store.due(CONTAINER, "2027")
        await store.delete(CONTAINER, pk, "a", item.etag)
        assert await store.due(CONTAINER, "2027") == []


class TestConcurrency:
    async def test_of_many_creates_one_wins(self, store: Store) -> None:
        outcomes = await asyncio.gather(
            *(store.create(CONTAINER, PK, thing("a", n=n)) for n in range(20)), return_exceptions=True
        )
        assert Counter(type(outcome) for outcome in outcomes) == {str: 1, AlreadyExistsError: 19}
        winner = next(n for n, outcome in enumerate(outcomes) if isinstance(outcome, str))
        assert (await get(store, "a")).document["n"] == winner

    async def test_no_guarded_write_is_lost(self, store: Store) -> None:
        await store.create(CONTAINER, PK, thing("total", n=0))
        await asyncio.gather(*(increment(store, 10) for _ in range(8)))
        assert (await get(store, "total")).document["n"] == 80

    async def test_a_read_sees_every_write_that_was_acknowledged(self, store: Store) -> None:
        async def write_and_read(number: int) -> None:
            for step in range(30):
                etag = await store.upsert(CONTAINER, PK, thing(f"{number}", n=step))
                assert (await get(store, f"{number}")).etag == etag

        await asyncio.gather(*(write_and_read(number) for number in range(8)))
