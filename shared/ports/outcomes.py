"""Outcomes where they are stored: beside their events and the totals that they count in."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.usage.events import TotalKey
from shared.domain.usage.outcomes import Decided, Outcome, Status
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Contribution
from shared.ports.changes import ChangeResult
from shared.ports.store import Document, Position
from shared.ports.usage import Worth


@dataclass(frozen=True, slots=True)
class OutcomeFilter:
    """By status, the agent's id, the period's start and time; None is any.

    Times are at or after `start` and before `end`.
    """

    status: Status | None = None
    agent_id: str | None = None
    period: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """An outcome as it was read. `partition` and `etag` mean something to the port only."""

    outcome: Outcome
    event: RecordedEvent | None
    """The event that reported it, where it was asked for and has not expired."""
    partition: str
    etag: str


@dataclass(frozen=True, slots=True)
class OutcomeChange:
    """What a decision makes of an outcome."""

    before: StoredOutcome
    decided: Decided
    rebilling: Document | None
    """The outbox entry to commit with it, where its period has ended already."""
    worth: Worth | None = None
    """None where it counts in no cap."""

    @property
    def id(self) -> str:
        return self.before.outcome.id

    @property
    def total(self) -> TotalKey:
        return self.before.outcome.total

    @property
    def contribution(self) -> Contribution:
        return self.decided.contribution


class OutcomeStore(Protocol):
    """All methods raise `UnavailableError` for faults that may pass; repeating is always safe."""

    async def find(
        self,
        organization_id: str,
        shard_counts: Sequence[int],
        outcome_ids: Collection[str],
        *,
        with_events: bool = True,
    ) -> dict[str, StoredOutcome]:
        """Those that exist, by id. `shard_counts` is the history, the current count last."""
        ...

    def newest(
        self, organization_id: str, shard_count: int, wanted: OutcomeFilter, after: Position | None = None, *, page: int
    ) -> AsyncIterator[Outcome]:
        """By (time, id), newest first, from after a place on. They are read as they are taken, about `page` of them at
        a time. `shard_count` is the largest that ever was.
        """
        ...

    async def commit(self, changes: Sequence[OutcomeChange]) -> ChangeResult[OutcomeChange]:
        """Commit each change with what it adds to its total and with its outbox entry.

        An outcome that has changed since it was read is left as it is.
        """
        ...
