"""Recorded events that get a cost later: beside the totals that they count in."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.domain.provider_costs.costs import EventCost
from shared.domain.usage.events import TotalKey
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Contribution
from shared.ports.changes import ChangeResult
from shared.ports.store import Document
from shared.ports.usage import Worth


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it was read. All but the event means something to the port only."""

    event: RecordedEvent
    document: Document
    partition: str
    etag: str


@dataclass(frozen=True, slots=True)
class LatePrice:
    """The cost of an event that had none, with what it adds to the event's total."""

    before: StoredEvent
    cost: EventCost
    contribution: Contribution
    rebilling: Document | None
    """The outbox entry to commit with it, where its period has ended already."""
    worth: Worth | None = None
    """None where it counts in no cap."""

    @property
    def id(self) -> str:
        return self.before.event.key

    @property
    def total(self) -> TotalKey:
        return self.before.event.total


class LatePriceStore(Protocol):
    """All methods raise `UnavailableError` for faults that may pass; repeating is always safe."""

    async def find(
        self, organization_id: str, shard_counts: Sequence[int], keys: Collection[str]
    ) -> dict[str, StoredEvent]:
        """Those that are recorded, by key. `shard_counts` is the history, the current count last."""
        ...

    async def commit(self, prices: Sequence[LatePrice]) -> ChangeResult[LatePrice]:
        """Commit each cost with what it adds to its total and with its outbox entry.

        An event that has changed since it was read is left as it is.
        """
        ...
