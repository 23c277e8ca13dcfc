"""Queries of the document store: filters, order, pages and cursors."""

import random
from typing import Any

import pytest

from shared.domain.kernel.errors import MalformedError
from shared.ports.store import (
    MAXIMUM_PAGE,
    Between,
    Create,
    Position,
    Store,
    StoreLimitError,
)
from tests.contract.things import CONTAINER, PK, ids_of_all_pages, thing


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
        positions = [(start, id_) for start in "acd" for id_ in "135"]
        for start, id_ in positions:
            await store.create(CONTAINER, PK, thing(f"{start}{id_}", start=start))
        for start in "abcde":
            for number in "02345":
                page = await store.query(
                    CONTAINER,
                    PK,
                    "thing",
                    order_by="start",
                    descending=descending,
                    cursor=Position(start, f"{start}{number}"),
                )
                behind = [
                    position
                    for position in positions
                    if (position < (start, number) if descending else position > (start, number))
                ]
                assert [item.document["id"] for item in page.items] == [
                    "".join(position) for position in sorted(behind, reverse=descending)
                ]
        page = await store.query(CONTAINER, PK, "thing", cursor=Position("c", "c3"))
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
