"""What has been used: events, each counted once, and the totals they come to.

The port says what must hold, not how it is laid out.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from shared.domain.kernel.errors import XyraError
from shared.domain.provider_costs.costs import NO_COST, EventCost
from shared.domain.usage.events import AcceptedEvent, TotalKey
from shared.domain.usage.outcomes import Outcome
from shared.domain.usage.totals import Contribution, Totals
from shared.ports.store import Document, Item, Page, Place

ParkedStatus = Literal["parked", "rated", "discarded"]
"""Of what could not be rated: it waits, its event was found rated after all, or it was given up with a reason. The
`kind` of its entry.
"""


@dataclass(frozen=True, slots=True)
class MeteredEvent:
    """An event with where it counts and how much."""

    event: AcceptedEvent
    total: TotalKey
    contribution: Contribution
    rebilling: Document | None
    """The outbox entry to commit with it, when its period has ended already."""
    cost: EventCost = NO_COST
    outcome: Outcome | None = None
    """To be made with it, where it reports one."""
    exchange_rate: Decimal | None = None
    """By which its amounts were converted, where they are in another currency."""

    @property
    def id(self) -> str:
        return self.event.key


@dataclass(slots=True)
class Recorded:
    """What became of the events of one call; `recorded` counts those that were new."""

    recorded: list[MeteredEvent] = field(default_factory=list)
    duplicates: list[MeteredEvent] = field(default_factory=list)
    conflicting: list[MeteredEvent] = field(default_factory=list)
    """The same identity as a recorded or discarded event, with other content."""
    discarded: list[MeteredEvent] = field(default_factory=list)
    """Were given up before; they were left alone."""
    refused: list[tuple[MeteredEvent, str]] = field(default_factory=list)
    """Cannot be kept, with why not; repeating does not help."""
    entries: set[tuple[str, str, str]] = field(default_factory=set)
    """Where outbox entries were committed: (container, partition, id)."""


@dataclass(frozen=True, slots=True)
class UsageTotal:
    key: TotalKey
    totals: Totals


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Of an agent, by its id, of a run, by its name, from a time on and before another; None is any."""

    agent_id: str | None = None
    run: str | None = None
    start: datetime | None = None
    end: datetime | None = None


class ShardCountChangedError(XyraError):
    """The shard count known to the caller is not the newest: read its history again, then repeat."""

    code = "unavailable"


class Usage(Protocol):
    """All methods raise `UnavailableError` for faults that repeating may cure; repeating is always safe."""

    async def record(
        self, organization_id: str, shard_counts: Sequence[int], events: Sequence[MeteredEvent]
    ) -> Recorded:
        """Commit each event together with what it adds to its total and the outbox entry beside it, exactly once ever,
        whatever was sent before, by whom, and into which shard. `shard_counts` is the history, the count in force
        last.

        Raises `ShardCountChangedError`.
        """
        ...

    async def totals(
        self, organization_id: str, shard_count: int, period: datetime, *, distinct: bool = True
    ) -> list[UsageTotal]:
        """All totals of a period, merged over the shards; `shard_count` is the largest that ever was. Without
        `distinct`, unique meters are left out, whose values are read one by one.
        """
        ...

    async def find(self, organization_id: str, shard_counts: Sequence[int], key: str) -> Document | None:
        """A recorded event; its `data` is JSON text."""
        ...

    def events(
        self, organization_id: str, shard_count: int, wanted: EventFilter, behind: Place | None = None, *, page: int
    ) -> AsyncIterator[Document]:
        """Recorded events by (time, key), newest first, from behind a place on; read as they are taken, about `page` of
        them at a time. `shard_count` is the largest that ever was.
        """
        ...

    async def discard(self, organization_id: str, shard_counts: Sequence[int], event: AcceptedEvent) -> bool:
        """Give up an event that is not recorded: it never will be, whatever is on its way. False where it is recorded.
        Either uses up the event's identity, and the first of the two stands.

        Raises `ShardCountChangedError`.
        """
        ...

    async def park(self, organization_id: str, entry_id: str, reason: str, subject: Mapping[str, Any]) -> None:
        """Keep what could not be rated, with its reason: the newest, while it is parked."""
        ...

    async def parked(
        self, organization_id: str, limit: int, cursor: str | None, status: ParkedStatus = "parked"
    ) -> Page:
        """Newest first."""
        ...

    async def parked_entries(self, organization_id: str, entry_ids: Collection[str]) -> dict[str, Item]:
        """Those that exist, by id, whatever their status."""
        ...

    async def change_parked(self, organization_id: str, entry: Document, etag: str) -> None:
        """Raises `StaleEtagError`."""
        ...

    async def close_parked(self, organization_id: str, entry_ids: Collection[str]) -> None:
        """Their events were found rated: those that exist have the status `rated` from now on."""
        ...
