"""Counters of what arrives, kept in the process and written every few seconds.

People look at them; no amount rests on them. What a process has counted and not yet written is lost when it is killed,
and after a fault of the store it may be written twice. The events themselves are never lost with them.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.containers import LEDGERS
from shared.domain.kernel.errors import XyraError
from shared.domain.usage.ingestion import (
    IngestionBucket,
    IngestionTotals,
    Sender,
    SenderCounts,
    WarningCount,
    WarningKind,
    Window,
    bucket_ids,
    buckets_at,
    shown,
    window_start,
)
from shared.ports.clock import Clock
from shared.services.storage import Records, Store
from shared.services.storage.operations import creating, replacing

WRITTEN_AFTER = timedelta(seconds=2)
"""How long counters stay in the process."""
_WRITTEN_AT_ONCE = 32
"""Organizations whose counters are on their way to the store."""
MAXIMUM_ORGANIZATIONS = 10_000
"""Whose counters wait in a process at a time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IngestionReport:
    """What arrived in a window."""

    start: datetime
    rows: tuple[SenderCounts, ...]
    warnings: tuple[WarningCount, ...]


class IngestionCounts:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._records = Records(store, LEDGERS, IngestionBucket)
        self._clock = clock
        self._unwritten: dict[str, IngestionTotals] = {}
        self._being_written: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(_WRITTEN_AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    def count(
        self, organization_id: str, counted: Sequence[tuple[str | None, str, str]], name: str, number: int = 1
    ) -> None:
        """Add `number` to a counter for each (reporter, source, type), as often as it comes."""
        if not counted:
            return
        times = Counter(counted) if len(counted) > 1 else {counted[0]: 1}
        totals, at = self._totals(organization_id), self._clock.now()
        for (reporter, source, type_), count in times.items():
            totals.count(Sender(reporter or "-", shown(source), shown(type_)), name, count * number, at)

    def warn(
        self, organization_id: str, code: str, *, library: str | None = None, service: str | None = None, count: int = 1
    ) -> None:
        """Count a warning: of a trace with its library and service, else without."""
        kind = WarningKind(
            code, None if library is None else shown(library), None if service is None else shown(service)
        )
        self._totals(organization_id).warn(kind, count, self._clock.now())

    async def report(self, organization_id: str, window: Window) -> IngestionReport:
        """What arrived in the window until now.

        Other processes may have counted more in the last seconds.
        """
        await self._write(organization_id)
        now = self._clock.now()
        buckets = await self._records.get_many(_partition(organization_id), bucket_ids(window, now))
        totals = IngestionTotals()
        for bucket_id in bucket_ids(window, now):
            if bucket_id in buckets:
                bucket = buckets[bucket_id].entity
                totals.add(bucket.rows, bucket.warnings)
        return IngestionReport(window_start(window, now), totals.rows, totals.warnings)

    async def write(self) -> None:
        """Write what was counted in this process. What cannot be written now is tried again later."""
        await asyncio.gather(*map(self._write, self._unwritten.keys() | self._being_written.keys()))

    async def close(self) -> None:
        """Write what is left, and stop."""
        await self.write()
        if self._task is not None:
            self._task.cancel()

    async def _write(self, organization_id: str) -> None:
        """Write what was counted of one organization until now, whatever others wait for."""
        if (earlier := self._being_written.get(organization_id)) is not None:
            await asyncio.shield(earlier)
        is_more = organization_id in self._unwritten
        writing = self._begin_to_write(organization_id) if is_more else self._being_written.get(organization_id)
        if writing is not None:
            await asyncio.shield(writing)

    def _begin_to_write(self, organization_id: str) -> asyncio.Task[None]:
        """Unless it is being written already."""
        writing = self._being_written.get(organization_id)
        if writing is None:
            # Its own context: it belongs to no request, so it has no correlation id.
            writing = asyncio.get_running_loop().create_task(self._write_one(organization_id), context=Context())
            self._being_written[organization_id] = writing
        return writing

    async def _write_one(self, organization_id: str) -> None:
        async with self._places:
            totals = self._unwritten.pop(organization_id, IngestionTotals())
            try:
                await self._add(organization_id, totals)
            except XyraError as error:
                _log.warning("counters are written later", extra={"detail": error.detail})
                self._totals(organization_id).add(totals.rows, totals.warnings)
            finally:
                del self._being_written[organization_id]

    def _totals(self, organization_id: str) -> IngestionTotals:
        totals = self._unwritten.get(organization_id)
        if totals is None:
            if len(self._unwritten) >= MAXIMUM_ORGANIZATIONS:
                _log.warning("counters of too many organizations wait; some are lost")
                return IngestionTotals()
            totals = self._unwritten[organization_id] = IngestionTotals()
            self._write_soon()
        return totals

    def _write_soon(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write_later(), context=Context())

    async def _write_later(self) -> None:
        """Begin every two seconds, and wait for none: a slow organization holds up no other."""
        while self._unwritten:
            await asyncio.sleep(WRITTEN_AFTER.total_seconds())
            for organization_id in list(self._unwritten):
                self._begin_to_write(organization_id)
            await asyncio.sleep(0)

    async def _add(self, organization_id: str, totals: IngestionTotals) -> None:
        partition = _partition(organization_id)

        async def attempt() -> None:
            empty = {bucket.id: bucket for bucket in buckets_at(self._clock.now())}
            stored = await self._records.get_many(partition, empty)
            (first, *others) = [
                (stored.get(bucket_id), (stored[bucket_id].entity if bucket_id in stored else bucket).with_more(totals))
                for bucket_id, bucket in empty.items()
            ]
            beside = [creating(new) if old is None else replacing(old, new) for old, new in others]
            await self._records.write(partition, *first, *beside)

        await self._records.retry(attempt)


def _partition(organization_id: str) -> str:
    return f"{organization_id}:ingestion"
