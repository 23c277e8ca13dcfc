"""What an error holds goes with it: nothing waits for a full collection, which is rare in a host."""

import gc
import sqlite3
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.adapters.sqlite.database import Database
from shared.one_at_a_time import OneAtATime

Fail = Callable[[], Awaitable[object]]


class Held:
    """Something large that a request holds when it fails."""


@pytest.fixture
def _no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@asynccontextmanager
async def a_thread(_: Path) -> AsyncIterator[Fail]:
    thread = OneAtATime("tried")

    def refuse() -> None:
        raise ValueError

    yield lambda: thread.run(refuse)
    thread.close()


@asynccontextmanager
async def a_database(folder: Path) -> AsyncIterator[Fail]:
    database = Database(folder / "tried.db")

    def refuse(_: sqlite3.Connection) -> None:
        raise ValueError

    yield lambda: database.write(refuse)
    database.close()


async def failed(fail: Fail) -> weakref.ref[Held]:
    """What a caller held when it failed."""
    held = Held()
    kept = weakref.ref(held)

    async def caller(_: Held) -> None:
        await fail()

    with pytest.raises(ValueError):  # noqa: PT011  it has no text
        await caller(held)
    return kept


@pytest.mark.usefixtures("_no_collections")
@pytest.mark.parametrize("open_", [a_thread, a_database])
async def test_what_a_failing_request_held_is_released_with_its_error(open_: Callable, tmp_path: Path) -> None:
    async with open_(tmp_path) as fail:
        kept = await failed(fail)
        await fail_again(fail)  # a thread may keep its last piece of work until the next one
        assert kept() is None


async def fail_again(fail: Fail) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        await fail()
