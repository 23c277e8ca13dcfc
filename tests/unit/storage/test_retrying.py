"""What is tried again, how often, and how it ends.

Time is virtual.
"""

import asyncio
from collections.abc import Callable

import pytest

from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.services.storage import AlreadyExistsError, StaleEtagError
from shared.services.storage.retrying import (
    LONGEST_WORK,
    MAXIMUM_ATTEMPTS,
    RETRIED_FOR,
    SECOND_LOOK_SECONDS,
    look_twice,
    poll,
    retry_lost_races,
    retry_while_unavailable,
    within_deadline,
)
from tests.doubles.fakes import virtual_time


class Attempts:
    """Raises what it is given, in turn, and succeeds then; notes when it was called."""

    def __init__(self, *errors: Exception, forever: Exception | None = None) -> None:
        self._errors = list(errors)
        self._forever = forever
        self.at: list[float] = []

    async def __call__(self) -> int:
        self.at.append(asyncio.get_running_loop().time())
        if self._errors:
            raise self._errors.pop(0)
        if self._forever is not None:
            raise self._forever
        return len(self.at)


def test_a_write_is_tried_again_after_each_lost_race() -> None:
    attempts = Attempts(StaleEtagError("changed"), AlreadyExistsError("created"))
    assert virtual_time.run(retry_lost_races(attempts, ConflictError("busy"))) == 3


def test_a_write_that_always_loses_ends_after_bounded_attempts_with_pauses_between() -> None:
    attempts = Attempts(forever=StaleEtagError("changed"))
    with pytest.raises(ConflictError, match="busy"):
        virtual_time.run(retry_lost_races(attempts, ConflictError("busy")))
    assert len(attempts.at) == MAXIMUM_ATTEMPTS
    assert attempts.at == sorted(attempts.at)
    assert 0 < attempts.at[-1] <= 10


@pytest.mark.parametrize("error", [UnavailableError("down"), NotFoundError("gone")])
def test_what_is_no_lost_race_is_raised_at_once(error: Exception) -> None:
    attempts = Attempts(error)
    with pytest.raises(type(error)):
        virtual_time.run(retry_lost_races(attempts, ConflictError("busy")))
    assert len(attempts.at) == 1


def look_until(number: int) -> tuple[list[float], Callable[[], object]]:
    looks: list[float] = []

    async def look() -> bool:
        looks.append(asyncio.get_running_loop().time())
        return len(looks) >= number

    return looks, look


@pytest.mark.parametrize(("seen_at", "seen", "looks"), [(1, True, 1), (2, True, 2), (3, False, 2)])
def test_a_doubtful_result_is_looked_at_once_more_a_moment_later(seen_at: int, seen: bool, looks: int) -> None:
    times, look = look_until(seen_at)
    assert virtual_time.run(look_twice(look, is_doubtful=lambda found: not found)) is seen
    assert times == [0, SECOND_LOOK_SECONDS][:looks]


def test_a_doubtful_error_is_raised_only_at_the_second_look() -> None:
    late = Attempts(NotFoundError("not yet"))
    assert virtual_time.run(look_twice(late, errors=(NotFoundError,))) == 2
    missing = Attempts(forever=NotFoundError("never"))
    with pytest.raises(NotFoundError):
        virtual_time.run(look_twice(missing, errors=(NotFoundError,)))
    assert missing.at == [0, SECOND_LOOK_SECONDS]


@pytest.mark.parametrize(("missing", "found"), [(0, 1), (MAXIMUM_ATTEMPTS - 1, MAXIMUM_ATTEMPTS), (1000, None)])
def test_what_is_not_there_yet_is_waited_for_a_while(missing: int, found: int | None) -> None:
    looks: list[float] = []

    async def look() -> int | None:
        looks.append(asyncio.get_running_loop().time())
        return len(looks) if len(looks) > missing else None

    assert virtual_time.run(poll(look)) == found
    assert looks[-1] < 3


def test_an_outage_that_passes_is_waited_for() -> None:
    attempts = Attempts(*[UnavailableError("down")] * 8)
    virtual_time.run(retry_while_unavailable(attempts))
    assert len(attempts.at) == 9


def test_an_outage_that_lasts_is_raised_before_the_lock_of_the_message_runs_out() -> None:
    attempts = Attempts(forever=UnavailableError("down"))
    with pytest.raises(UnavailableError, match="down"):
        virtual_time.run(retry_while_unavailable(attempts))
    assert len(attempts.at) > 9
    assert 30 < attempts.at[-1] <= RETRIED_FOR.total_seconds()


def test_work_that_takes_too_long_is_broken_off_before_the_platform_does_it() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async def run() -> float:
        with pytest.raises(UnavailableError, match="took too long"):
            await within_deadline(never())
        return asyncio.get_running_loop().time()

    assert virtual_time.run(run()) == pytest.approx(LONGEST_WORK.total_seconds(), abs=1)


def test_a_time_out_of_the_work_itself_stays_one() -> None:
    async def late() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        virtual_time.run(within_deadline(late()))


def test_a_message_is_worked_on_no_longer_than_that() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    with pytest.raises(UnavailableError, match="took too long"):
        virtual_time.run(retry_while_unavailable(never))
