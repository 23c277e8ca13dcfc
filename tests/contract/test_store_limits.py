"""What the document store refuses, as Cosmos DB would."""

from typing import Any

import pytest

from shared.ports.store import (
    MAXIMUM_BATCH_BYTES,
    Create,
    Delete,
    Store,
    StoreLimitError,
)
from tests.contract.things import CONTAINER, PK, get, ids_of_all_pages, thing


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
