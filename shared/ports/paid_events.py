"""Recorded events that name a payment: what they cost beyond it, beside the totals that they count in."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from shared.domain.usage.events import TotalKey
from shared.domain.usage.totals import Contribution
from shared.ports.changes import ChangeResult
from shared.ports.late_prices import StoredEvent
from shared.ports.store import Document
from shared.ports.usage import Worth


@dataclass(frozen=True, slots=True)
class SettledEvent:
    """What an event costs beyond its payment from now on, with what that adds to the event's total."""

    before: StoredEvent
    beyond: Decimal
    """In the organization's currency."""
    version: int
    is_taken_off: bool
    contribution: Contribution
    rebilling: Document | None
    """The outbox entry to commit with it, where its period has ended already or a wallet pays for it."""
    worth: Worth | None = None
    """How what it costs from now on counts in caps, in the windows of its own time."""

    @property
    def id(self) -> str:
        return self.before.event.key

    @property
    def total(self) -> TotalKey:
        return self.before.event.total


class PaidEventStore(Protocol):
    """All methods raise `UnavailableError` for faults that may pass; repeating is always safe."""

    async def find(self, organization_id: str, shard_counts: Sequence[int], key: str) -> StoredEvent | None:
        """`shard_counts` is the history, the current count last."""
        ...

    async def commit(self, settled: SettledEvent) -> ChangeResult[SettledEvent]:
        """Commit it with what it adds to its total and with its outbox entry.

        An event that has changed since it was read is left as it is.
        """
        ...
