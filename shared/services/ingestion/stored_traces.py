"""Reads the memories of traces, also those that still lie where they were stored at first.

Until the traces of a slot shared a partition, each had its own. A memory of then is read second, and moves with the
next change of its trace. As memories are kept for a day, that is done for a day after an organization's first request.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from cachetools import LRUCache

from shared.containers import INBOX
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant
from shared.ports.clock import Clock
from shared.services.ingestion.trace_records import (
    KEPT,
    TraceRecord,
    earlier_partition_of,
    partition_of,
    slot_of,
)
from shared.services.storage import Outbox, Records, Store, Stored

_MAXIMUM_CACHED = 10_000
_READ_AT_ONCE = 4
_REPLACING = timedelta(hours=1)
"""For so long, processes may still store as before while others are replaced."""


class FirstTraces(Entity):
    """When traces of an organization were first stored by slots."""

    kind: ClassVar[str] = "first_traces"
    audit: ClassVar[Audit] = BOOKKEEPING
    since: Instant


@dataclass(frozen=True, slots=True)
class KnownTrace:
    """A memory as it is stored."""

    record: TraceRecord
    stored: Stored[TraceRecord] | None
    """None where it lies in its earlier partition: storing it creates it in that of its slot."""


class StoredTraces:
    def __init__(self, store: Store, clock: Clock, outbox: Outbox) -> None:
        self.records = Records(store, INBOX, TraceRecord, outbox=outbox)
        self._clock = clock
        self._first = Records(store, INBOX, FirstTraces)
        self._read_until = LRUCache[str, datetime](_MAXIMUM_CACHED)

    async def of(
        self, organization_id: str, traces: Collection[str], continued: Collection[str]
    ) -> dict[str, KnownTrace]:
        """Those of one slot that are known, by id. Of the `continued` ones, an earlier memory matters."""
        partition = partition_of(organization_id, slot_of(next(iter(traces))))
        found = await self.records.get_many(partition, traces)
        known = {trace: KnownTrace(stored.entity, stored) for trace, stored in found.items()}
        missing = [trace for trace in continued if trace not in known]
        if missing and await self._may_have_earlier(organization_id):
            for start in range(0, len(missing), _READ_AT_ONCE):
                some = missing[start : start + _READ_AT_ONCE]
                for earlier in await asyncio.gather(*(self._earlier(organization_id, trace) for trace in some)):
                    if earlier is not None:
                        known[earlier.id] = KnownTrace(earlier, None)
        return known

    async def forget_earlier(self, organization_id: str, trace: str) -> None:
        """Delete what lies in the earlier partition of a trace, which has moved. Also where there is nothing."""
        await self.records.remove(earlier_partition_of(organization_id, trace), trace)

    async def _earlier(self, organization_id: str, trace: str) -> TraceRecord | None:
        stored = await self.records.find(earlier_partition_of(organization_id, trace), trace)
        return None if stored is None else stored.entity

    async def _may_have_earlier(self, organization_id: str) -> bool:
        until = self._read_until.get(organization_id)
        if until is None:
            until = self._read_until[organization_id] = await self._first_since(organization_id) + KEPT + _REPLACING
        return self._clock.now() < until

    async def _first_since(self, organization_id: str) -> datetime:
        partition, now = f"{organization_id}:traces", self._clock.now()
        first = await self._first.find(partition, FirstTraces.kind)
        if first is None:
            await self._first.ensure(partition, FirstTraces(id=FirstTraces.kind, since=now))
            return now
        return first.entity.since
