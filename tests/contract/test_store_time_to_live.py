"""Documents with a time to live."""

import asyncio
from datetime import timedelta

import pytest

from shared.adapters.sqlite import Database
from shared.ports.store import (
    Create,
    StaleEtagError,
    Store,
)
from tests.contract.things import CONTAINER, PK, get, ids_of_all_pages, thing
from tests.doubles.fakes.settable_clock import SettableClock


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
