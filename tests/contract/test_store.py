"""The document store, as its port describes it."""

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.sqlite import Database, SqliteStore
from shared.domain.kernel.errors import MalformedError, UnavailableError
from shared.domain.kernel.times import to_text
from shared.ports.store import (
    MAXIMUM_BATCH_BYTES,
    MAXIMUM_PAGE,
    AlreadyExistsError,
    Between,
    Create,
    Delete,
    Document,
    Item,
    Place,
    Replace,
    StaleEtagError,
    Store,
    StoreLimitError,
    Upsert,
)
from tests.doubles.clients import python_process
from tests.doubles.fakes.settable_clock import SettableClock

CONTAINER = "invoices"
PK = "org_1"


def thing(id_: str, **fields: Any) -> Document:
    return {"id": id_, "kind": "thing", **fields}


async def get(store: Store, id_: str) -> Item:
    item = await store.get(CONTAINER, PK, id_)
    assert item is not None
    return item


async def ids_of_all_pages(store: Store, **query: Any) -> list[str]:
    ids: list[str] = []
    cursor = None
    while True:
        page = await store.query(CONTAINER, PK, "thing", cursor=cursor, **query)
        ids += [item.document["id"] for item in page.items]
        cursor = page.cursor
        if cursor is None:
            return ids


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


class TestLimits:
    @pytest.mark.parametrize("id_", ["", "a/b", "a\\b", "a?b", "a#b", "x" * 1024, "ü" * 512, "\ud800", 7, None])
    async def test_illegal_ids(self, store: Store, id_: Any) -> None:
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, PK, thing(id_))

    @pytest.mark.parametrize("id_", ["x" * 1023, "ü" * 511, "a b:c|d@e%20"])
    async def test_legal_ids(self, store: Store, id_: str) -> None:
        await store.create(CONTAINER, PK, thing(id_))
        assert (await get(store, id_)).document["id"] == id_

    @pytest.mark.parametrize("id_", ["", "a/b", "\ud800", "x" * 2000])
    async def test_an_illegal_id_finds_nothing(self, store: Store, id_: str) -> None:
        assert await store.get(CONTAINER, PK, id_) is None

    @pytest.mark.parametrize("etag", [None, "1"])
    async def test_deleting_under_an_illegal_id(self, store: Store, etag: str | None) -> None:
        with pytest.raises(StoreLimitError) as refusal:
            await store.batch(CONTAINER, PK, [Create(thing("a")), Delete("a/b", etag)])
        assert refusal.value.index == 1

    @pytest.mark.parametrize("field", ["pk", "_rid", "_self", "_etag", "_attachments", "_ts"])
    async def test_fields_that_are_cosmos_dbs_own(self, store: Store, field: str) -> None:
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, PK, thing("a", **{field: "x"}))

    @pytest.mark.parametrize("value", [1.5, float("nan"), [{"deep": [0.0]}], 2**53 + 1, "\ud800", object()])
    async def test_what_cosmos_db_would_change_or_refuse(self, store: Store, value: object) -> None:
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, PK, thing("a", value=value))

    async def test_a_document_nested_too_deeply(self, store: Store) -> None:
        value: list[Any] = []
        for _ in range(200):
            value = [value]
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, PK, thing("a", value=value))

    async def test_a_document_without_a_kind(self, store: Store) -> None:
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, PK, {"id": "a"})

    async def test_an_indexed_field_is_a_text(self, store: Store) -> None:
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, PK, thing("a", start=1))
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, PK, thing("a", due_at=1))

    @pytest.mark.parametrize("ttl", [0, -2, True, "5", 2**31])
    async def test_an_illegal_time_to_live(self, store: Store, ttl: object) -> None:
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, PK, thing("a", ttl=ttl))

    @pytest.mark.filterwarnings("ignore:Sending a large body")
    async def test_two_megabytes_are_the_most_for_an_item(self, store: Store) -> None:
        size = 2 * 1024 * 1024 - len('{"id":"a","kind":"thing","text":""}')
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, PK, thing("a", text="x" * (size + 1)))
        await store.create(CONTAINER, PK, thing("a", text="x" * size))
        assert len((await get(store, "a")).document["text"]) == size

    async def test_a_batch_has_1_to_100_operations_and_2_megabytes(self, store: Store) -> None:
        with pytest.raises(StoreLimitError):
            await store.batch(CONTAINER, PK, [])
        with pytest.raises(StoreLimitError):
            await store.batch(CONTAINER, PK, [Create(thing(f"{n}")) for n in range(101)])
        with pytest.raises(StoreLimitError):
            await store.batch(
                CONTAINER, PK, [Create(thing(f"{n}", text="x" * (MAXIMUM_BATCH_BYTES // 2))) for n in range(2)]
            )
        assert await ids_of_all_pages(store) == []
        assert len(await store.batch(CONTAINER, PK, [Create(thing(f"{n}")) for n in range(100)])) == 100

    async def test_the_index_of_what_is_illegal_in_a_batch(self, store: Store) -> None:
        with pytest.raises(StoreLimitError) as refusal:
            await store.batch(CONTAINER, PK, [Create(thing("a")), Create(thing("a/b"))])
        assert refusal.value.index == 1

    async def test_no_partition_and_no_container(self, store: Store) -> None:
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, "", thing("a"))
        with pytest.raises(StoreLimitError):
            await store.create("nothing", PK, thing("a"))


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


class TestTimeToLive:
    async def test_an_expired_document_is_in_no_read(self, store: Store, clock: SettableClock) -> None:
        await store.create(CONTAINER, PK, thing("a", ttl=60, start="open", due_at="2026-01-01"))
        clock.move(timedelta(seconds=59))
        assert await store.get(CONTAINER, PK, "a") is not None
        assert await ids_of_all_pages(store) == ["a"]
        assert await ids_of_all_pages(store, order_by="start") == ["a"]
        clock.move(timedelta(seconds=1))
        assert await store.get(CONTAINER, PK, "a") is None
        assert await store.get_many(CONTAINER, PK, ["a", "b"]) == {}
        assert await ids_of_all_pages(store) == []
        assert await ids_of_all_pages(store, order_by="start") == []
        assert await store.due(CONTAINER, "2027") == []

    async def test_an_expired_document_can_be_created_anew(self, store: Store, clock: SettableClock) -> None:
        before = await store.create(CONTAINER, PK, thing("a", ttl=60, n=1))
        clock.move(timedelta(seconds=60))
        with pytest.raises(StaleEtagError):
            await store.replace(CONTAINER, PK, thing("a"), before)
        with pytest.raises(StaleEtagError):
            await store.delete(CONTAINER, PK, "a", before)
        await store.batch(CONTAINER, PK, [Create(thing("b")), Create(thing("a", n=2))])
        assert (await get(store, "a")).document["n"] == 2
        clock.move(timedelta(days=1000))
        assert await store.get(CONTAINER, PK, "a") is not None

    async def test_every_write_counts_anew(self, store: Store, clock: SettableClock) -> None:
        etag = await store.create(CONTAINER, PK, thing("a", ttl=60))
        clock.move(timedelta(seconds=50))
        etag = await store.replace(CONTAINER, PK, thing("a", ttl=60), etag)
        clock.move(timedelta(seconds=50))
        await store.upsert(CONTAINER, PK, thing("a", ttl=-1))
        clock.move(timedelta(days=1000))
        assert await store.get(CONTAINER, PK, "a") is not None

    async def test_what_expired_is_removed_in_the_course_of_later_writes(
        self, database: Database, store: Store, clock: SettableClock
    ) -> None:
        await store.batch("inbox", PK, [Create(thing(f"{number}", ttl=1)) for number in range(100)])
        clock.move(timedelta(seconds=2))
        await asyncio.gather(*(store.upsert("inbox", PK, thing("live")) for _ in range(1000)))
        rows = await database.read(lambda connection: connection.execute("SELECT id FROM inbox").fetchall())
        assert rows == [("live",)]


class TestQueries:
    async def test_kinds_filters_and_order(self, store: Store) -> None:
        await store.create(CONTAINER, PK, thing("b", status="open", start="p1"))
        await store.create(CONTAINER, PK, thing("a", status="open", start="p2"))
        await store.create(CONTAINER, PK, thing("d", status="shut", start="p1"))
        await store.create(CONTAINER, PK, thing("c"))
        await store.create(CONTAINER, PK, {"id": "e", "kind": "other", "status": "open"})
        await store.create(CONTAINER, "org_2", thing("f", status="open"))
        assert await ids_of_all_pages(store) == ["a", "b", "c", "d"]
        assert await ids_of_all_pages(store, descending=True) == ["d", "c", "b", "a"]
        assert await ids_of_all_pages(store, equals={"status": "open"}) == ["a", "b"]
        assert await ids_of_all_pages(store, equals={"status": "open", "start": "p1"}) == ["b"]
        assert await ids_of_all_pages(store, equals={"status": "open"}, order_by="start") == ["b", "a"]
        assert await ids_of_all_pages(store, equals={"status": "none"}) == []
        assert await ids_of_all_pages(store, equals={"id": "a"}) == ["a"]

    async def test_ranges_are_half_open(self, store: Store) -> None:
        for number in range(5):
            await store.create(CONTAINER, PK, thing(f"{number}", start=f"s{number}"))
        assert await ids_of_all_pages(store, between=Between("start", "s1", "s3")) == ["1", "2"]
        assert await ids_of_all_pages(store, between=Between("start", at_least="s3"), descending=True) == ["4", "3"]
        assert await ids_of_all_pages(store, between=Between("start", below="s1"), order_by="start") == ["0"]
        assert await ids_of_all_pages(store, between=Between("id", "1", "2")) == ["1"]

    @pytest.mark.parametrize("order_by", ["id", "start"])
    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("limit", [1, 3, 7, 100])
    async def test_pages_make_up_the_whole(self, store: Store, order_by: str, *, descending: bool, limit: int) -> None:
        """Documents that expire and that stay, with equal keys among them."""
        documents = [thing(f"{n:02}", start=f"{n % 3}", **({"ttl": 60} if n % 2 else {})) for n in range(20)]
        random.Random(limit).shuffle(documents)
        await store.batch(CONTAINER, PK, [Create(document) for document in documents])
        ids = await ids_of_all_pages(store, order_by=order_by, descending=descending, limit=limit)
        assert sorted(ids) == sorted(document["id"] for document in documents)
        keys = [id_ if order_by == "id" else str(int(id_) % 3) for id_ in ids]
        assert keys == sorted(keys, reverse=descending)

    async def test_the_last_page_has_no_cursor(self, store: Store) -> None:
        for id_ in "abcd":
            await store.create(CONTAINER, PK, thing(id_))
        first = await store.query(CONTAINER, PK, "thing", limit=2)
        second = await store.query(CONTAINER, PK, "thing", limit=2, cursor=first.cursor)
        assert [item.document["id"] for item in second.items] == ["c", "d"]
        assert first.cursor is not None
        assert second.cursor is None

    @pytest.mark.parametrize("order_by", ["id", "start"])
    async def test_a_cursor_holds_its_place_while_documents_come_and_go(self, store: Store, order_by: str) -> None:
        for number in range(10, 20):
            await store.create(CONTAINER, PK, thing(f"{number}", start=f"{number}"))
        page = await store.query(CONTAINER, PK, "thing", order_by=order_by, limit=4)
        await store.create(CONTAINER, PK, thing("05", start="05"))
        await store.create(CONTAINER, PK, thing("155", start="155"))
        await store.delete(CONTAINER, PK, "13")
        await store.delete(CONTAINER, PK, "17")
        rest = await store.query(CONTAINER, PK, "thing", order_by=order_by, cursor=page.cursor)
        assert [item.document["id"] for item in page.items] == ["10", "11", "12", "13"]
        assert [item.document["id"] for item in rest.items] == ["14", "15", "155", "16", "18", "19"]

    @pytest.mark.parametrize("descending", [False, True])
    async def test_equal_values_are_in_the_order_of_ids(self, store: Store, *, descending: bool) -> None:
        for id_ in "dbace":
            await store.create(CONTAINER, PK, thing(id_, start="same", **({"ttl": 60} if id_ in "be" else {})))
        ids = await ids_of_all_pages(store, order_by="start", descending=descending, limit=2)
        assert ids == sorted("abcde", reverse=descending)

    @pytest.mark.parametrize("descending", [False, True])
    async def test_it_goes_on_behind_any_place(self, store: Store, *, descending: bool) -> None:
        """In any partition, whether or not a document stands there."""
        places = [(start, id_) for start in "acd" for id_ in "135"]
        for start, id_ in places:
            await store.create(CONTAINER, PK, thing(f"{start}{id_}", start=start))
        for start in "abcde":
            for number in "02345":
                page = await store.query(
                    CONTAINER,
                    PK,
                    "thing",
                    order_by="start",
                    descending=descending,
                    cursor=Place(start, f"{start}{number}"),
                )
                behind = [
                    place for place in places if (place < (start, number) if descending else place > (start, number))
                ]
                assert [item.document["id"] for item in page.items] == [
                    "".join(place) for place in sorted(behind, reverse=descending)
                ]
        page = await store.query(CONTAINER, PK, "thing", cursor=Place("c", "c3"))
        assert [item.document["id"] for item in page.items] == ["c5", "d1", "d3", "d5"]

    @pytest.mark.parametrize(
        "other",
        [
            {"descending": True},
            {"order_by": "start"},
            {"equals": {"start": "open"}},
            {"between": Between("start", "a", "b")},
            {"kind": "other"},
            {"pk": "org_2"},
        ],
    )
    async def test_a_cursor_of_another_query_is_refused(self, store: Store, other: dict[str, Any]) -> None:
        await store.batch(CONTAINER, PK, [Create(thing(id_, start="open")) for id_ in "abc"])
        page = await store.query(CONTAINER, PK, "thing", limit=1)
        arguments = {"container": CONTAINER, "pk": PK, "kind": "thing", **other}
        with pytest.raises(MalformedError):
            await store.query(**arguments, cursor=page.cursor)

    @pytest.mark.parametrize("cursor", ["", "x", "ü", "bm90IGpzb24", "W10", "WyJ4IiwieSIsMV0", "e30", "MQ", "W05hTl0"])
    async def test_what_is_no_cursor_is_malformed(self, store: Store, cursor: str) -> None:
        with pytest.raises(MalformedError):
            await store.query(CONTAINER, PK, "thing", cursor=cursor)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"order_by": "name"},
            {"order_by": "status"},
            {"equals": {"name": "x"}},
            {"between": Between("name", "a")},
            {"equals": {"start": 1}},
            {"limit": 0},
            {"limit": MAXIMUM_PAGE + 1},
        ],
    )
    async def test_only_what_is_indexed_can_be_queried(self, store: Store, arguments: dict[str, Any]) -> None:
        with pytest.raises(StoreLimitError):
            await store.query(CONTAINER, PK, "thing", **arguments)


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


async def increment(store: Store, times: int) -> None:
    """Count up under the guard, reading again whenever another was first."""
    for _ in range(times):
        while True:
            item = await get(store, "total")
            try:
                await store.replace(CONTAINER, PK, thing("total", n=item.document["n"] + 1), item.etag)
            except StaleEtagError:
                continue
            break


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


@pytest.fixture
def databases(database_path: Path) -> Iterator[list[Database]]:
    """Two, on one file."""
    databases = [Database(database_path), Database(database_path)]
    yield databases
    for database in databases:
        database.close()


class TestOneFileForSeveral:
    async def test_two_databases_on_one_file(self, databases: list[Database], clock: SettableClock) -> None:
        store, other = (SqliteStore(database, clock) for database in databases)
        await asyncio.gather(store.create(CONTAINER, PK, thing("total", n=0)), other.create(CONTAINER, PK, thing("b")))
        await asyncio.gather(*(increment(each, 25) for each in (store, other) for _ in range(2)))
        assert (await get(store, "total")).document["n"] == 100
        assert (await get(other, "total")).document["n"] == 100

    async def test_a_lock_of_another_that_lasts_is_an_outage(self, database_path: Path, clock: SettableClock) -> None:
        impatient = Database(database_path, busy_seconds=0.05)
        store = SqliteStore(impatient, clock)
        await store.create(CONTAINER, PK, thing("a"))
        other = sqlite3.connect(database_path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(UnavailableError):
                await store.create(CONTAINER, PK, thing("b"))
            assert await store.get(CONTAINER, PK, "a") is not None
            other.execute("ROLLBACK")
            await store.create(CONTAINER, PK, thing("b"))
        finally:
            other.close()
            impatient.close()

    async def test_processes_that_start_together_and_share_a_total(
        self, databases: list[Database], database_path: Path, clock: SettableClock
    ) -> None:
        processes = [python_process.start("store_process.py", "increment", database_path) for _ in range(3)]
        store = SqliteStore(databases[0], clock)
        await store.create(CONTAINER, PK, thing("total", n=0))
        await asyncio.gather(*(asyncio.to_thread(process.communicate, "go\n", timeout=60) for process in processes))
        assert [process.returncode for process in processes] == [0, 0, 0]
        assert (await get(store, "total")).document["n"] == 60

    async def test_what_was_acknowledged_survives_a_kill(
        self, databases: list[Database], database_path: Path, clock: SettableClock
    ) -> None:
        process = python_process.start("store_process.py", "write", database_path)
        assert process.stdout is not None
        acknowledged: set[str] = set()
        while len(acknowledged) < 300:
            acknowledged.add((await asyncio.to_thread(process.stdout.readline)).strip())
        process.kill()
        rest = await asyncio.to_thread(process.stdout.read)  # `communicate` misses what `readline` has in its buffer
        await asyncio.to_thread(process.communicate, timeout=60)
        acknowledged.update(rest[: rest.rfind("\n") + 1].split())
        found = await ids_of_all_pages(SqliteStore(databases[0], clock), limit=MAXIMUM_PAGE)
        assert acknowledged <= set(found)
        batches = Counter(id_.rpartition(":")[0] for id_ in found if id_.startswith("batch"))
        assert set(batches.values()) == {10}


class TestDatabase:
    async def test_after_closing_it_is_unavailable(self, database_path: Path, clock: SettableClock) -> None:
        database = Database(database_path)
        store = SqliteStore(database, clock)
        writing = asyncio.ensure_future(store.create(CONTAINER, PK, thing("a")))
        await asyncio.sleep(0)
        database.close()
        assert await writing
        with pytest.raises(UnavailableError):
            await store.get(CONTAINER, PK, "a")
        assert [path.name for path in database_path.parent.iterdir()] == [database_path.name]

    def test_it_serves_one_event_loop_after_another(self, database: Database, clock: SettableClock) -> None:
        store = SqliteStore(database, clock)
        asyncio.run(store.create(CONTAINER, PK, thing("a")))
        assert asyncio.run(store.get(CONTAINER, PK, "a")) is not None

    async def test_a_file_that_cannot_be_opened_is_an_outage_until_it_can(
        self, tmp_path: Path, clock: SettableClock
    ) -> None:
        path = tmp_path / "xyra.db"
        path.mkdir()
        database = Database(path)
        try:
            store = SqliteStore(database, clock)
            with pytest.raises(UnavailableError):
                await store.create(CONTAINER, PK, thing("a"))
            with pytest.raises(UnavailableError):
                await store.get(CONTAINER, PK, "a")
            path.rmdir()
            await store.create(CONTAINER, PK, thing("a"))
            assert await store.get(CONTAINER, PK, "a") is not None
        finally:
            database.close()

    async def test_a_cancelled_caller_leaves_the_others_alone(self, store: Store) -> None:
        calls = [asyncio.ensure_future(store.create(CONTAINER, PK, thing(f"{n}"))) for n in range(10)]
        await asyncio.sleep(0)
        calls[4].cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, str)] == [4]
        assert len(await ids_of_all_pages(store)) >= 9

    async def test_an_error_of_the_callers_comes_back_and_undoes_what_it_did(
        self, database: Database, store: Store
    ) -> None:
        await store.create(CONTAINER, PK, thing("a"))

        def half_done(connection: Any) -> None:
            connection.execute("DELETE FROM invoices")
            raise KeyError("oh")

        outcomes = await asyncio.gather(
            database.write(half_done), store.create(CONTAINER, PK, thing("b")), return_exceptions=True
        )
        assert isinstance(outcomes[0], KeyError)
        assert await ids_of_all_pages(store) == ["a", "b"]


class TestStaleReads:
    async def test_reads_lag_one_version_and_guards_do_not(self, database: Database, clock: SettableClock) -> None:
        store = SqliteStore(database, clock, stale_reads=random.Random(1))
        first = await store.create(CONTAINER, PK, thing("a", n=1))
        seen = {item and item.document["n"] for item in [await store.get(CONTAINER, PK, "a") for _ in range(50)]}
        assert seen == {None, 1}
        with pytest.raises(AlreadyExistsError):
            await store.create(CONTAINER, PK, thing("a"))
        await store.replace(CONTAINER, PK, thing("a", n=2), first)
        for _ in range(50):
            many = await store.get_many(CONTAINER, PK, ["a"])
            page = await store.query(CONTAINER, PK, "thing")
            seen |= {item.document["n"] for item in [*many.values(), *page.items]}
        assert seen == {None, 1, 2}
        with pytest.raises(StaleEtagError):
            await store.replace(CONTAINER, PK, thing("a", n=3), first)
