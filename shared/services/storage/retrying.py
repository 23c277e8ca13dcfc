"""Trying again: after a lost race, after a read that may be stale, while a service is unavailable."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    RetryError,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
)
from tenacity.wait import wait_fixed, wait_random_exponential

from shared.deadlines import Deadlines, current_task
from shared.domain.kernel.errors import UnavailableError, XyraError
from shared.ports.store import AlreadyExistsError, StaleEtagError

MAXIMUM_ATTEMPTS = 20
"""Of a write that loses races, and of a read that is waited for."""
RETRIED_FOR = timedelta(seconds=45)
"""Well below the time for which a message is locked."""
LONGEST_WORK = timedelta(seconds=200)
"""After this an invocation breaks its work off by itself.

The platform cuts HTTP at 230 s, and at functionTimeout (240 s in host.json) it ends all invocations of the process.
"""
SECOND_LOOK_SECONDS = 0.25
"""Longer than the replicas of a store usually differ."""

_POLLED_EVERY_SECONDS = 0.1

_LOST_RACES = (AlreadyExistsError, StaleEtagError)
_BETWEEN_RACES = wait_random_exponential(multiplier=0.02, max=0.5)
_BETWEEN_FAULTS = wait_random_exponential(multiplier=0.2, max=5)

T = TypeVar("T")

_log = logging.getLogger(__name__)


async def retry_lost_races(attempt: Callable[[], Awaitable[T]], otherwise: XyraError) -> T:
    """Optimistic concurrency: repeat `attempt`, which reads, decides and writes, while its write loses a race.

    After `MAXIMUM_ATTEMPTS` it raises `otherwise`.
    """

    async def run() -> T:
        return await attempt()

    retrying = AsyncRetrying(
        sleep=asyncio.sleep,
        retry=retry_if_exception_type(_LOST_RACES),
        wait=_BETWEEN_RACES,
        stop=stop_after_attempt(MAXIMUM_ATTEMPTS),
    )
    try:
        return await retrying(run)
    except RetryError as error:
        raise otherwise from error.last_attempt.exception()


def _never(_: object) -> bool:
    return False


async def look_twice(
    look: Callable[[], Awaitable[T]],
    *,
    is_doubtful: Callable[[T], bool] = _never,
    errors: tuple[type[Exception], ...] = (),
) -> T:
    """Repeat a read once, a moment later, where it is doubtful.

    That is by its result, or because it raises one of `errors`. For decisions without a write, such as "not found" or
    "already so": no guard shows that they rest on a stale read.
    """
    with suppress(*errors):
        seen = await look()
        if not is_doubtful(seen):
            return seen
    await asyncio.sleep(SECOND_LOOK_SECONDS)
    return await look()


async def poll(look: Callable[[], Awaitable[T | None]]) -> T | None:
    """Repeat `look` until it gives something, for about 2 s; None where it does not."""

    async def run() -> T | None:
        return await look()

    retrying = AsyncRetrying(
        sleep=asyncio.sleep,
        retry=retry_if_result(lambda seen: seen is None),
        wait=wait_fixed(_POLLED_EVERY_SECONDS),
        stop=stop_after_attempt(MAXIMUM_ATTEMPTS),
        retry_error_callback=lambda _: None,
    )
    return await retrying(run)


async def within_deadline(work: Awaitable[T]) -> T:
    """The result of the work. Raises `UnavailableError` where it takes longer than `LONGEST_WORK`."""
    task, deadlines = current_task(), _deadlines_in(asyncio.get_running_loop())
    deadline = deadlines.begin(task.cancel)
    try:
        return await work
    except asyncio.CancelledError as error:
        if not deadline.is_exceeded or task.cancelling() > 1:  # somebody else cancelled it, too
            raise
        raise UnavailableError("This took too long and was broken off") from error
    finally:
        deadlines.end(deadline)
        if deadline.is_exceeded:
            task.uncancel()


@lru_cache(1)
def _deadlines_in(loop: asyncio.AbstractEventLoop) -> Deadlines:  # noqa: ARG001  timers belong to one loop
    return Deadlines(LONGEST_WORK.total_seconds())


async def retry_while_unavailable(act: Callable[[], Awaitable[None]]) -> None:
    """Repeat `act` while it raises `UnavailableError`; after 45 s raise that.

    `act` must be safe to repeat. Done while a message is locked, so that an outage does not use up the number of its
    deliveries. In all it takes no longer than `LONGEST_WORK`.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + RETRIED_FOR.total_seconds()

    def is_too_late(state: RetryCallState) -> bool:
        return loop.time() + state.upcoming_sleep > give_up_at

    async def run() -> None:
        await act()

    retrying = AsyncRetrying(
        sleep=asyncio.sleep,
        retry=retry_if_exception_type(UnavailableError),
        wait=_BETWEEN_FAULTS,
        stop=is_too_late,
        before_sleep=_log_fault,
        reraise=True,
    )
    await within_deadline(retrying(run))


def _log_fault(state: RetryCallState) -> None:
    fault = state.outcome.exception() if state.outcome is not None else None
    _log.warning("waiting for a fault to pass", exc_info=fault)
