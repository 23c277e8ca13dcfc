"""Outcomes: read, listed and counted."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.money import truncate
from shared.domain.metering.readings import CountAndSum
from shared.domain.periods.periods import Period
from shared.domain.rating.figures import ratio
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.outcomes import SYSTEM_TOTAL_OF, Outcome, Status
from shared.domain.usage.recorded_events import RecordedEvent
from shared.ports.clock import Clock
from shared.ports.outcomes import OutcomeFilter, OutcomeStore, StoredOutcome
from shared.ports.usage import Usage
from shared.services.agents.agents import Agents
from shared.services.periods.periods import Periods
from shared.services.storage import Position, look_twice
from shared.services.storage.cursors import cursor_to, position_after, shape_of
from shared.services.usage.filtered_pages import filtered_page


@dataclass(frozen=True, slots=True)
class OutcomeQuery:
    """Which outcomes are wanted; None is any. `agent` is an id or an external id."""

    status: Status | None = None
    agent: str | None = None
    type: str | None = None
    period: Period | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutcomeDetails:
    outcome: Outcome
    event_data: Mapping[str, Any]
    """The data of the event that reported it; empty once the event has expired."""


@dataclass(frozen=True, slots=True)
class StatusTotal:
    """The number and value of outcomes with a status, in the organization's currency.

    A value in another currency without an exchange rate is not in the sum.
    """

    count: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Statistics:
    by_status: Mapping[Status, StatusTotal]

    @property
    def count(self) -> int:
        return sum(total.count for total in self.by_status.values())

    @property
    def success_rate(self) -> Decimal:
        """Verified / all, rounded as all ratios are; 0 where there are none."""
        return ratio(self.by_status["verified"].count, self.count)


class Outcomes:
    def __init__(self, store: OutcomeStore, usage: Usage, clock: Clock, agents: Agents, periods: Periods) -> None:
        self._store = store
        self._usage = usage
        self._clock = clock
        self._agents = agents
        self._periods = periods

    async def get(self, organization: Organization, outcome_id: str) -> OutcomeDetails:
        """Raises `NotFoundError`, also while its event is queued or parked."""

        async def find() -> StoredOutcome | None:
            return (await self.find(organization, [outcome_id])).get(outcome_id)

        stored = await look_twice(find, is_doubtful=lambda outcome: outcome is None)
        if stored is None:
            raise not_found()
        return _details(stored.outcome, stored.event)

    async def details(self, organization: Organization, outcome: Outcome) -> OutcomeDetails:
        """Of an outcome that was just decided, which a read may not show yet."""
        shard_counts = organization.shard_counts_until(self._clock.now())
        return _details(outcome, await self._usage.find(organization.id, shard_counts, outcome.event_key))

    async def find(self, organization: Organization, outcome_ids: Sequence[str]) -> dict[str, StoredOutcome]:
        """Those that exist, by id, with their events."""
        wanted = [outcome_id for outcome_id in outcome_ids if is_id(outcome_id, "out")]
        return await self._store.find(organization.id, organization.shard_counts_until(self._clock.now()), wanted)

    async def page(  # noqa: PLR0913  the parts of a list
        self,
        organization: Organization,
        query: OutcomeQuery,
        limit: int,
        cursor: str | None,
        is_wanted: Callable[[Outcome], bool] = lambda _: True,
        pointer: str = "?agent",
    ) -> tuple[list[Outcome], str | None]:
        """Newest first, over all shards, with the cursor of the next page.

        A page may end early where few of the examined outcomes are wanted. Raises `MalformedError` for a cursor of
        another query, `ValidationError` at `pointer` for an unknown agent.
        """
        shape = shape_of(organization.id, query)
        after = None if cursor is None else position_after(cursor, shape)
        agent_id = await self._agent_id(organization, query.agent, pointer)
        period = query.period.start if query.period is not None else None
        wanted = OutcomeFilter(query.status, agent_id, period, query.start, query.end)
        outcomes, position = await filtered_page(
            self._store.newest(organization.id, organization.largest_shard_count, wanted, after, page=limit),
            lambda outcome: query.type in (None, outcome.type) and is_wanted(outcome),
            lambda outcome: Position(outcome.time, outcome.id),
            limit,
        )
        return outcomes, None if position is None else cursor_to(position, shape)

    async def statistics(
        self,
        organization: Organization,
        agent: str | None,
        period: Period | None,
        of_agents: AbstractSet[str] | None = None,
    ) -> Statistics:
        """Outcomes of one agent, of some or of all, in one period or ever, by status.

        `agent` is an id or an external id. Read from totals alone, so that it costs the same however many outcomes
        there are. Raises `ValidationError` for an unknown agent.
        """
        agent_id = await self._agent_id(organization, agent, "?agent")
        periods = [period] if period is not None else await self._periods.created(organization.id)
        shard_count = organization.largest_shard_count
        by_status = dict.fromkeys(SYSTEM_TOTAL_OF, CountAndSum())
        for counted_period in periods:
            for total in await self._usage.totals(organization.id, shard_count, counted_period.start, distinct=False):
                if agent_id not in (None, total.key.agent_id):
                    continue
                if of_agents is not None and total.key.agent_id not in of_agents:
                    continue
                for status, name in SYSTEM_TOTAL_OF.items():
                    reading = total.totals.reading(name)
                    if isinstance(reading, CountAndSum):
                        by_status[status] = by_status[status].merge(reading)
        return Statistics(
            {
                status: StatusTotal(int(reading.count), truncate(Fraction(reading.sum)))
                for status, reading in by_status.items()
            }
        )

    async def _agent_id(self, organization: Organization, agent: str | None, pointer: str) -> str | None:
        """None is any agent. Raises `ValidationError` at `pointer` for an unknown one."""
        return None if agent is None else (await self._agents.named(organization.id, agent, pointer)).id


def not_found() -> NotFoundError:
    return NotFoundError("There is no such outcome, its event is still on its way, or it is parked: see /events/parked")


def _details(outcome: Outcome, event: RecordedEvent | None) -> OutcomeDetails:
    return OutcomeDetails(outcome, {} if event is None else event.data)
