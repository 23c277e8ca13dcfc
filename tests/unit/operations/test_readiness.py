"""Readiness: strangers ask as often as they like, the store and the queue are asked seldom."""

import asyncio

import pytest

from shared.domain.kernel.errors import UnavailableError
from shared.ports.store import Item
from shared.services.storage.readiness import SECONDS_READY, SECONDS_UNREADY, Readiness
from tests.doubles.fakes.counting_store import CountingStore
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.settable_seconds import SettableSeconds


class InterruptedStore(CountingStore):
    """Counts, and fails while it is down."""

    is_down = False

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        found = await super().get(container, pk, id)
        await asyncio.sleep(0)
        if self.is_down:
            raise OSError("no route to the store")
        return found


async def test_however_many_ask_the_store_is_asked_once_in_ten_seconds() -> None:
    store, seconds = InterruptedStore(), SettableSeconds()
    readiness = Readiness(store, MemoryQueue(), seconds)
    await asyncio.gather(*(readiness.check() for _ in range(500)))
    seconds.advance(SECONDS_READY - 0.1)
    await readiness.check()
    assert store.requests == 1
    seconds.advance(0.1)
    await asyncio.gather(*(readiness.check() for _ in range(500)))
    assert store.requests == 2


async def test_a_failure_is_told_to_all_and_looked_at_again_sooner() -> None:
    store, seconds = InterruptedStore(), SettableSeconds()
    store.is_down = True
    readiness = Readiness(store, MemoryQueue(), seconds)
    for _ in range(100):
        with pytest.raises(UnavailableError, match="does not answer") as refused:
            await readiness.check()
        assert "no route" not in refused.value.public_detail
    assert store.requests == 1
    store.is_down = False
    seconds.advance(SECONDS_UNREADY)
    await readiness.check()


async def test_who_gives_up_does_not_take_the_answer_from_others() -> None:
    store = InterruptedStore()
    readiness = Readiness(store, MemoryQueue(), SettableSeconds())
    first = asyncio.create_task(readiness.check())
    second = asyncio.create_task(readiness.check())
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()
