"""Outcomes where they are kept: beside their events and the totals that they move."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.domain.usage.events import TotalKey
from shared.domain.usage.outcomes import Decided, Outcome, Status
from shared.domain.usage.totals import Contribution
from shared.ports.store import Document, Place


@dataclass(frozen=True, slots=True)
class OutcomeFilter:
    """In a state, of an agent, by its id, in a period, by its start, from a time on and before another; None is any."""

    status: Status | None = None
    agent_id: str | None = None
    period: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeptOutcome:
    """An outcome as it was read. `place` and `etag` are those of the port."""

    outcome: Outcome
    event: Document | None
    """Its recorded event, where it was asked for and as long as it is kept."""
    place: str
    etag: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision makes of an outcome, and the outbox entry to commit with it, when its period has ended
    already.
    """

    before: KeptOutcome
    decided: Decided
    rebilling: Document | None

    @property
    def id(self) -> str:
        return self.before.outcome.id

    @property
    def total(self) -> TotalKey:
        return self.before.outcome.total

    @property
    def contribution(self) -> Contribution:
        return self.decided.contribution


@dataclass(slots=True)
class Changed:
    """What became of the changes of one call."""

    committed: list[Change] = field(default_factory=list)
    outrun: list[Change] = field(default_factory=list)
    """Something else was decided meanwhile: read them again."""
    refused: list[tuple[Change, str]] = field(default_factory=list)
    """The store does not take them, and why."""
    entries: set[tuple[str, str, str]] = field(default_factory=set)
    """Where outbox entries were committed: (container, partition, id)."""


class OutcomeStore(Protocol):
    """All methods raise `UnavailableError` for faults that repeating may cure; repeating is always safe."""

    async def find(
        self,
        organization_id: str,
        shard_counts: Sequence[int],
        outcome_ids: Collection[str],
        *,
        with_events: bool = True,
    ) -> dict[str, KeptOutcome]:
        """Those that exist, by id."""
        ...

    def listed(
        self, organization_id: str, shard_count: int, wanted: OutcomeFilter, behind: Place | None = None, *, page: int
    ) -> AsyncIterator[Outcome]:
        """By (time, id), newest first, from behind a place on; read as they are taken, about `page` of them at a time.
        `shard_count` is the largest that ever was.
        """
        ...

    async def decide(self, changes: Sequence[Change]) -> Changed:
        """Commit each decision together with what it adds to its total and the outbox entry beside it, unless the
        outcome has changed since it was read.
        """
        ...
