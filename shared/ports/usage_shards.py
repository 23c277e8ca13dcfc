"""What has been used, shard by shard, as it is kept: for proving totals by the events that they came from."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.periods.periods import Span
from shared.domain.usage.events import TotalKey
from shared.domain.usage.outcomes import Outcome
from shared.domain.usage.totals import Totals
from shared.ports.store import Document


@dataclass(frozen=True, slots=True)
class KeptTotal:
    """A shard's total with the distinct values that are kept beside it. Without an etag there is none."""

    key: TotalKey
    totals: Totals
    etag: str | None


class UsageShards(Protocol):
    """All methods raise `UnavailableError` for faults that repeating may cure."""

    async def kept(self, organization_id: str, shard: int, period: datetime) -> list[KeptTotal]:
        """The totals of a period."""
        ...

    async def etags(self, organization_id: str, shard: int, period: datetime) -> Mapping[TotalKey, str]:
        """Of the same totals: whatever is added to one of them changes its etag, in the same transaction."""
        ...

    def events(
        self, organization_id: str, shard: int, span: Span, agent_id: str | None = None
    ) -> AsyncIterator[Document]:
        """The recorded events whose times lie in the span, in no order, read as they are taken."""
        ...

    def outcomes(self, organization_id: str, shard: int, period: datetime) -> AsyncIterator[Outcome]:
        """Those that count in the period, in no order, read as they are taken."""
        ...

    async def put_right(
        self, organization_id: str, shard: int, kept: KeptTotal, right: Totals, rebilling: Document | None
    ) -> tuple[str, str, str] | None:
        """Put other totals in the place of these, with the outbox entry `moves`, whose (container, partition, id) is
        returned.

        Raises `AlreadyExistsError` or `StaleEtagError` where the total has moved; some of its distinct values may have
        been put right then, and nothing else.
        """
        ...
