"""Usage as it is stored in each shard, for recomputing totals from their events."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.periods.periods import Span
from shared.domain.usage.events import TotalKey
from shared.domain.usage.outcomes import Outcome
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Totals
from shared.ports.store import Document


@dataclass(frozen=True, slots=True)
class StoredTotal:
    """A shard's total as it was read or written. Without an ETag it does not exist yet."""

    key: TotalKey
    totals: Totals
    etag: str | None


class UsageShards(Protocol):
    """All methods raise `UnavailableError` for faults that may pass. A period is given by its start."""

    async def totals(self, organization_id: str, shard: int, period: datetime) -> list[StoredTotal]:
        """The totals of a shard and period, with the distinct values stored beside them.

        Also those of pooled lines (`TotalKey.is_line`), which have nothing but such values and their numbers.
        """
        ...

    async def etags(self, organization_id: str, shard: int, period: datetime) -> Mapping[TotalKey, str]:
        """The ETags of the same totals. Every addition changes its total's ETag in the same transaction."""
        ...

    def events(
        self, organization_id: str, shard: int, span: Span, agent_id: str | None = None
    ) -> AsyncIterator[RecordedEvent]:
        """The recorded events of the span, in no order, read as they are iterated."""
        ...

    def outcomes(self, organization_id: str, shard: int, period: datetime) -> AsyncIterator[Outcome]:
        """The outcomes that count in the period, in no order, read as they are iterated."""
        ...

    async def replace_total(
        self, organization_id: str, shard: int, stored: StoredTotal, corrected: Totals, rebilling: Document | None
    ) -> tuple[str, str, str] | None:
        """Write corrected totals with their outbox entry, whose (container, partition, id) is returned.

        Raises `AlreadyExistsError` or `StaleEtagError` when the total has changed since it was read. Some of its
        distinct values may have been corrected by then, and nothing else.
        """
        ...
