"""Usage: events, each counted once, and the totals that they add up to.

The port says what must hold, not how usage is stored.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Protocol

from shared.domain.credits.counters import Context
from shared.domain.credits.windows import Window
from shared.domain.kernel.errors import XyraError
from shared.domain.provider_costs.costs import NO_COST, EventCost
from shared.domain.usage.events import AcceptedEvent, TotalKey
from shared.domain.usage.outcomes import Outcome
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Contribution, Totals
from shared.ports.store import Document, Position

MAXIMUM_DISTINCT_VALUES = 1_000_000
"""How many distinct values of a meter one line counts in a period and shard, unless a setting says otherwise."""


@dataclass(frozen=True, slots=True)
class Worth:
    """How usage counts in caps: for what, when, and by which price."""

    context: Context
    windows: tuple[Window, ...]
    """Of the time of the event."""
    credit_value: Decimal
    """What one credit was worth then."""
    price: Callable[[Totals], Decimal]
    """What a total comes to, so that an event is worth by how much it changes that."""
    now: datetime

    @property
    def group(self) -> tuple[Context, tuple[Window, ...], Decimal]:
        """The same for events that count together."""
        return self.context, self.windows, self.credit_value


@dataclass(frozen=True, slots=True)
class MeteredEvent:
    """An event with the total that it counts in, and what it adds to it."""

    event: AcceptedEvent
    total: TotalKey
    contribution: Contribution
    rebilling: Document | None
    """The outbox entry to commit with it, where its period has ended already."""
    cost: EventCost = NO_COST
    outcome: Outcome | None = None
    """To be created with it, where it reports one."""
    exchange_rate: Decimal | None = None
    """By which its amounts were converted, where they are in another currency."""
    returned_at: str | None = None
    """When its agent came back to its billing model in this period, text of `to_text`; None if it never left."""
    worth: Worth | None = None
    """None where it counts in no cap."""

    @property
    def id(self) -> str:
        return self.event.key


@dataclass(slots=True)
class Recorded:
    """What became of the events of one call."""

    recorded: list[MeteredEvent] = field(default_factory=list)
    """Those that were new."""
    duplicates: list[MeteredEvent] = field(default_factory=list)
    conflicting: list[MeteredEvent] = field(default_factory=list)
    """With the identity of a recorded or discarded event and other content."""
    discarded: list[MeteredEvent] = field(default_factory=list)
    """Discarded before, and so not recorded."""
    refused: list[tuple[MeteredEvent, str]] = field(default_factory=list)
    """Not accepted by the store, with the reason; repeating does not help."""
    over_limit: list[tuple[MeteredEvent, str]] = field(default_factory=list)
    """With a distinct value more than is counted, with the reason; repeating helps once the limit is raised."""
    outbox_entries: set[tuple[str, str, str]] = field(default_factory=set)
    """(container, partition, id) of each outbox entry that was committed."""


@dataclass(frozen=True, slots=True)
class UsageTotal:
    key: TotalKey
    totals: Totals


@dataclass(frozen=True, slots=True)
class EventFilter:
    """By the agent's id, the run's key and time; None is any.

    Times are at or after `start` and before `end`.
    """

    agent_id: str | None = None
    run: str | None = None
    start: datetime | None = None
    end: datetime | None = None


class ShardCountChangedError(XyraError):
    """The caller's shard history is not the newest: read it again, then repeat."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
    title = "Temporarily unavailable"


class Usage(Protocol):
    """All methods raise `UnavailableError` for faults that may pass; repeating is always safe.

    `shard_counts` is the history of an organization's shard counts, the current one last; `shard_count` is the largest
    of them.
    """

    async def record(
        self, organization_id: str, shard_counts: Sequence[int], events: Sequence[MeteredEvent]
    ) -> Recorded:
        """Commit each event exactly once ever, with what it adds to its total.

        Its outbox entry is committed with it. It does not matter what was sent before, by whom, and under which shard
        count. Raises `ShardCountChangedError`.
        """
        ...

    async def discard(self, organization_id: str, shard_counts: Sequence[int], event: AcceptedEvent) -> bool:
        """Use up the identity of an event, so that it can never be recorded.

        False where it is recorded already. Of recording and discarding an event, the first stands. Raises
        `ShardCountChangedError`.
        """
        ...

    async def totals(
        self, organization_id: str, shard_count: int, period: datetime, *, distinct: bool = True
    ) -> list[UsageTotal]:
        """All totals of a period, given by its start, merged over the shards.

        Unique meters are known by the number of their values, where these lie in one shard and under one version; else
        by the values, which are read one by one. Without `distinct` the totals lack unique meters.
        """
        ...

    async def find(self, organization_id: str, shard_counts: Sequence[int], key: str) -> RecordedEvent | None: ...

    def events(
        self, organization_id: str, shard_count: int, wanted: EventFilter, after: Position | None = None, *, page: int
    ) -> AsyncIterator[RecordedEvent]:
        """Recorded events by (time, key), newest first, from after a place on. They are read as they are taken, about
        `page` of them at a time.
        """
        ...
