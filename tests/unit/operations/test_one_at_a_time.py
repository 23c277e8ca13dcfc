"""Work of long calculations: one piece at a time, and a bounded number of them."""

import asyncio
import sys
import threading
import time

import pytest

from shared import turns
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.pauses import pause_if_over
from shared.one_at_a_time import SWITCH_SECONDS, OneAtATime


async def test_one_piece_runs_at_a_time_beside_the_loop() -> None:
    lane = OneAtATime("test")
    running: list[int] = []
    most = 0

    def piece(number: int) -> int:
        nonlocal most
        running.append(number)
        most = max(most, len(running))
        assert threading.current_thread() is not threading.main_thread()
        assert sys.getswitchinterval() <= SWITCH_SECONDS + 1e-6  # kept in whole microseconds
        time.sleep(0.001)  # another piece would begin meanwhile, if it could
        running.remove(number)
        return number

    assert await asyncio.gather(*(lane.run(lambda number=number: piece(number)) for number in range(20))) == [
        *range(20)
    ]
    assert most == 1
    lane.close()


async def test_the_loop_goes_on_meanwhile() -> None:
    lane, released = OneAtATime("test"), threading.Event()
    waiting = asyncio.create_task(lane.run(lambda: released.wait(30)))
    await asyncio.sleep(0)
    released.set()  # by the loop's own thread, which would never come here if the work held it
    assert await waiting
    lane.close()


async def test_what_finds_too_much_waiting_is_unavailable() -> None:
    lane, released = OneAtATime("test", most_waiting=2), threading.Event()
    first = asyncio.create_task(lane.run(lambda: released.wait(30)))
    second = asyncio.create_task(lane.run(lambda: True))
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await lane.run(lambda: True)
    released.set()
    assert await asyncio.gather(first, second) == [True, True]
    assert await lane.run(lambda: True)
    lane.close()


async def test_what_the_work_raises_comes_to_its_caller() -> None:
    lane = OneAtATime("test", most_waiting=1)
    for _ in range(3):  # each frees its place
        with pytest.raises(ZeroDivisionError):
            await lane.run(lambda: 1 // 0)
        await asyncio.sleep(0)
    lane.close()


async def test_work_of_a_request_makes_room_for_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0)
    monkeypatch.setattr(turns, "ROOM_SECONDS", 30)
    shared, lane = turns.Turns(), OneAtATime("test")
    with shared.request():
        long = asyncio.create_task(lane.run(pause_if_over))  # its task has the request as it is now
        await asyncio.sleep(0)
        assert shared.short_requests == 0
        await long
    with shared.request():
        waiting = asyncio.create_task(lane.run(pause_if_over))
        await asyncio.sleep(0)
        with shared.request():  # another one, that is short
            await asyncio.sleep(0.05)
            assert not waiting.done()
        await waiting
    await lane.run(pause_if_over)  # of no request: it waits for nobody
    lane.close()
