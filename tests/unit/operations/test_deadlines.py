"""Deadlines of waits that may last equally long: those that are exceeded are called, each once."""

import asyncio

from shared.deadlines import Deadlines

SECONDS = 0.01
LONGEST_TEST_SECONDS = 10


async def test_what_ended_in_time_is_not_called() -> None:
    deadlines, called, last = Deadlines(SECONDS), list[str](), asyncio.Event()
    ended = deadlines.begin(lambda: called.append("ended"))
    deadlines.begin(lambda: called.append("exceeded"))
    deadlines.begin(last.set)
    deadlines.end(ended)
    await asyncio.wait_for(last.wait(), LONGEST_TEST_SECONDS)
    assert called == ["exceeded"]


async def test_waits_that_begin_later_are_called_later() -> None:
    deadlines, times, last = Deadlines(SECONDS), list[float](), asyncio.Event()
    now = asyncio.get_running_loop().time

    def begin_another() -> None:
        times.append(now())
        deadlines.begin(last.set)

    start = now()
    deadlines.begin(begin_another)
    await asyncio.wait_for(last.wait(), LONGEST_TEST_SECONDS)
    assert times[0] - start >= SECONDS
    assert now() - times[0] >= SECONDS


async def test_one_that_is_ended_by_another_is_not_called() -> None:
    deadlines, called, last = Deadlines(SECONDS), list[str](), asyncio.Event()
    deadlines.begin(lambda: deadlines.end(second))
    second = deadlines.begin(lambda: called.append("second"))
    deadlines.begin(last.set)
    await asyncio.wait_for(last.wait(), LONGEST_TEST_SECONDS)
    assert called == []
