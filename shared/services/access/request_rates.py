"""The rate of an API key or an organization, shared by leases: 1,000 requests cost about ten writes."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cachetools import LRUCache

from shared.containers import DIRECTORY
from shared.domain.access.rate_limits import Standing
from shared.domain.access.shared_windows import SLOT, WINDOW, SharedWindow, next_lease, slot_of
from shared.domain.kernel.errors import ConflictError, RateLimitedError, UnavailableError
from shared.domain.kernel.ids import new_id
from shared.domain.kernel.times import BEGINNING
from shared.ports.clock import Clock
from shared.services.storage import Records, Store
from shared.services.storage.locks import NamedLocks

MAXIMUM_HELD = 10_000
"""Callers whose leases an instance remembers. The lease of one that is forgotten lapses."""
_UNCOUNTED_FOR = timedelta(seconds=5)
"""How long requests pass uncounted after the store did not answer: an outage is not made longer by asking again."""
_WINDOW = "window"

_log = logging.getLogger(__name__)


@dataclass
class _Held:
    """What this instance holds of the rate of one caller."""

    left: int = 0
    lapses_at: datetime = BEGINNING
    leased: int | None = None
    """The size of the last lease that was used up; None before the first."""
    spent: Counter[int] = field(default_factory=Counter)
    """By slot, since the last report."""
    free: int = 0
    """What the others had left when it was last looked at."""
    frees_at: datetime = BEGINNING
    asks_at: datetime = BEGINNING
    """Nothing is free before that."""
    uncounted_until: datetime = BEGINNING


class RequestRates:
    """Lets requests through at a rate for each key or organization, over all instances of the app.

    Where the store does not answer, requests pass uncounted: a limit never refuses what would have been taken.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._windows = Records(store, DIRECTORY, SharedWindow)
        self._instance = new_id("ins")
        self._held = LRUCache[str, _Held](MAXIMUM_HELD)
        self._locks = NamedLocks()

    async def count(self, caller_id: str, allowed: int) -> Standing:
        """Count a request of a key or organization that may make so many in a minute. Raises `RateLimitedError`."""
        held = self._held.get(caller_id)
        if held is None:
            held = self._held[caller_id] = _Held()
        now = self._clock.now()
        if not _can_spend(held, now) and now >= held.asks_at:
            async with self._locks.held(caller_id):
                if not _can_spend(held, now) and now >= held.asks_at:
                    await self._lease(caller_id, held, allowed, now)
        if now < held.uncounted_until:
            return _standing(held, allowed, now)
        if not _can_spend(held, now):
            wait = max(timedelta(seconds=1), held.frees_at - now)
            raise RateLimitedError("Too many requests", retry_after=wait.total_seconds())
        held.left -= 1
        held.spent[slot_of(now)] += 1
        return _standing(held, allowed, now)

    async def _lease(self, caller_id: str, held: _Held, allowed: int, now: datetime) -> None:
        """Report what was spent, and take more of what is free."""
        partition = f"rate:{caller_id}"
        is_used_up = held.left == 0 and held.lapses_at > BEGINNING
        wanted = next_lease(allowed, held.leased if is_used_up else None)

        async def attempt() -> tuple[SharedWindow, int]:
            current = await self._windows.find(partition, _WINDOW)
            before = current.entity if current is not None else SharedWindow(id=_WINDOW)
            window = before.reported(self._instance, held.spent, now)
            amount = min(wanted, window.free(allowed))
            leased = window.with_lease(self._instance, amount, now) if amount else window
            if leased != before:
                await self._windows.write(partition, current, leased)
            return leased, amount

        try:
            window, amount = await self._windows.retry(attempt)
        except (ConflictError, UnavailableError) as error:
            _log.warning("requests pass uncounted", extra={"caller": caller_id, "cause": str(error)})
            held.uncounted_until = now + _UNCOUNTED_FOR
            return
        held.spent.clear()
        held.left = amount
        held.leased = wanted
        held.lapses_at = now + WINDOW
        held.free = window.free(allowed)
        held.frees_at = window.frees_at(now)
        held.asks_at = now if amount else min(held.frees_at, now + SLOT)


def _can_spend(held: _Held, now: datetime) -> bool:
    return now < held.uncounted_until or (held.left > 0 and now < held.lapses_at)


def _standing(held: _Held, allowed: int, now: datetime) -> Standing:
    return Standing(allowed, WINDOW, min(allowed, held.left + held.free), max(timedelta(0), held.frees_at - now))
