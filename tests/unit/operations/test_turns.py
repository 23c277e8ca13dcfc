"""Long work on the event loop: one turn of it in each round, however many requests do such work."""

import asyncio
from collections import Counter

import pytest

from shared import turns
from shared.turns import Turns


@pytest.fixture(autouse=True)
def turns_without_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pause finds its turn over, so that a test does not depend on how fast the machine is."""
    monkeypatch.setattr(turns, "TURN_SECONDS", 0)


async def steps_by_round(works: int, steps: int) -> Counter[int]:
    """How many steps of all works are done in each round of the loop."""
    done: Counter[int] = Counter()
    shared, current = Turns(), 0

    async def work() -> None:
        with shared.begun() as turn:
            for _ in range(steps):
                await turn.pause()
                done[current] += 1

    working = asyncio.gather(*(work() for _ in range(works)))
    while not working.done():
        await asyncio.sleep(0)
        current += 1
    return done


async def test_each_round_of_the_loop_has_one_turn() -> None:
    done = await steps_by_round(works=5, steps=10)
    assert sum(done.values()) == 50
    assert max(done.values()) == 1


async def test_what_cannot_pause_has_a_round_to_itself() -> None:
    shared, done, current = Turns(), Counter[int](), 0

    async def work() -> None:
        await shared.one()
        done[current] += 1

    working = asyncio.gather(*(work() for _ in range(5)))
    while not working.done():
        await asyncio.sleep(0)
        current += 1
    assert sum(done.values()) == 5
    assert max(done.values()) == 1


async def test_the_first_turn_waits_for_nobody() -> None:
    shared = Turns()
    with shared.begun() as long_work:
        await long_work.pause()
        begun = False
        waiting = asyncio.create_task(first_turn(shared))
        await asyncio.sleep(0)
        begun = waiting.done()
    assert begun


async def first_turn(shared: Turns) -> None:
    with shared.begun():
        pass


async def test_who_gives_up_while_waiting_keeps_nobody() -> None:
    shared = Turns()

    async def work(until: asyncio.Event) -> None:
        with shared.begun() as turn:
            await turn.pause()
            await until.wait()

    ended = asyncio.Event()
    first, waiting = asyncio.create_task(work(ended)), asyncio.create_task(work(ended))
    for _ in range(3):
        await asyncio.sleep(0)
    waiting.cancel()
    ended.set()
    assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], asyncio.CancelledError)
    await first
    await work(ended)


async def test_long_work_makes_room_for_short_requests_but_goes_on() -> None:
    shared = Turns()
    done: list[str] = []

    async def long_work() -> None:
        with shared.request(), shared.begun() as turn:
            for _ in range(turns.TURNS_IN_A_ROW + 1):
                await turn.pause()
            done.append("long")

    async def short_request() -> None:
        with shared.request():
            for _ in range(10):
                await asyncio.sleep(0)
            done.append("short")

    async def request_that_waits() -> None:
        with shared.request():
            await ended.wait()

    await asyncio.gather(long_work(), short_request())
    assert done == ["short", "long"]
    ended = asyncio.Event()
    waiting = asyncio.create_task(request_that_waits())
    await long_work()  # it does not wait for what takes its time
    await shared.one()
    ended.set()
    await waiting
    assert shared.short_requests == 0


async def test_a_thread_stands_still_while_short_requests_are_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "ROOM_SECONDS", 30)
    shared = Turns()
    beside = shared.of_thread()
    with shared.request():
        pause = asyncio.create_task(asyncio.to_thread(beside.pause_if_over))
        await asyncio.sleep(0.05)
        assert not pause.done()
    await pause
