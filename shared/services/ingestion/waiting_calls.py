"""Which calls of an organization wait for the span that names their agent."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple

from cachetools import TTLCache

from shared.containers import INBOX
from shared.domain.ingestion.memory import Waits
from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant
from shared.ports.clock import Clock
from shared.services.storage import Records, Store
from shared.settings import Settings

_CACHED = timedelta(seconds=10)
_PUT_AT_ONCE = 25
_MAXIMUM_CACHED = 10_000
_NOTHING_WAITS = 1
"""Seconds for which that is kept: written over what waited, many traces are one batch."""
_KEPT_BESIDES = timedelta(minutes=10)
"""After the wait is over: nothing is left behind where a process was stopped before it could tidy up."""


class WaitingTrace(Entity):
    """The calls that wait in one trace."""

    kind: ClassVar[str] = "waiting_trace"
    audit: ClassVar[Audit] = OWN_TRAIL
    calls: int
    since: Instant
    """When the first of them came."""
    ttl: int
    """In seconds."""


class Waiting(NamedTuple):
    calls: int
    oldest: datetime | None
    """When the call that waits longest came; None where none waits."""


class WaitingCalls:
    """Counts what waits. The memories of traces decide; this follows them, so it may be seconds behind."""

    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._maximum = settings.maximum_waiting_calls
        self._records = Records(store, INBOX, WaitingTrace)
        self._cached = TTLCache[str, list[int], datetime](_MAXIMUM_CACHED, _CACHED, timer=clock.now)

    async def of(self, organization_id: str) -> Waiting:
        """How many calls wait, and since when."""
        calls, oldest = 0, None
        async for stored in self._records.all(_partition(organization_id)):
            waiting = stored.entity
            if waiting.calls:
                calls += waiting.calls
                oldest = waiting.since if oldest is None else min(oldest, waiting.since)
        return Waiting(calls, oldest)

    async def has_room(self, organization_id: str) -> bool:
        """Whether further calls may wait; counted every 10 s, and what this process adds meanwhile."""
        known = self._cached.get(organization_id)
        if known is None:
            known = self._cached[organization_id] = [(await self.of(organization_id)).calls]
        return known[0] < self._maximum

    async def follow(self, organization_id: str, changes: Iterable[tuple[Waits, Waits]]) -> None:
        """Note what waits in traces now; each change is what waited before it, and what waits after it."""
        changed = [(before, after) for before, after in changes if before.calls != after.calls]
        if not changed:
            return
        if (known := self._cached.get(organization_id)) is not None:
            # in place: storing it anew would put off the next count
            known[0] += sum(after.calls - before.calls for before, after in changed)
        latest = list({after.trace: after for _, after in changed}.values())
        for start in range(0, len(latest), _PUT_AT_ONCE):
            some = latest[start : start + _PUT_AT_ONCE]
            await self._records.put(_partition(organization_id), *map(self._waiting_in, some))

    def _waiting_in(self, waits: Waits) -> WaitingTrace:
        now = self._clock.now()
        if waits.since is None or waits.wake is None:
            return WaitingTrace(id=waits.trace, calls=0, since=now, ttl=_NOTHING_WAITS)
        left = max(timedelta(), waits.wake - now) + _KEPT_BESIDES
        return WaitingTrace(id=waits.trace, calls=waits.calls, since=waits.since, ttl=int(left.total_seconds()))


def _partition(organization_id: str) -> str:
    return f"{organization_id}:waiting"
