"""Recorded events: read and listed, with what they count for."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.ids import is_id
from shared.domain.runs.run_figures import contributions
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import POOLED, event_key
from shared.domain.usage.outcomes import Outcome, is_outcome, outcome_id
from shared.domain.usage.payments import BEYOND_PAYMENT
from shared.domain.usage.recorded_events import RecordedEvent
from shared.ports.clock import Clock
from shared.ports.outcomes import OutcomeStore
from shared.ports.usage import EventFilter, Usage
from shared.services.agents.agents import Agents
from shared.services.storage import Position
from shared.services.storage.cursors import cursor_to, position_after, shape_of
from shared.services.usage.filtered_pages import filtered_page
from shared.services.usage.metered_versions import MeteredVersions


@dataclass(frozen=True, slots=True)
class MeteredTo:
    """Where an event counts: period, given by its start, model version and invoice lines.

    An outcome has the lines of outcome charges only while it counts for them: once it is verified, where the charge
    waits for that, and no longer when it is rejected or reversed.
    """

    period_start: datetime
    model_id: str | None
    version_id: str | None
    line_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventDetails:
    event: RecordedEvent
    metered_to: MeteredTo


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events are wanted; None is any. `agent` is an id or an external id."""

    agent: str | None = None
    type: str | None = None
    run: str | None = None
    start: datetime | None = None
    end: datetime | None = None


async def outcomes_of(
    store: OutcomeStore, organization: Organization, events: Iterable[RecordedEvent], now: datetime
) -> dict[str, Outcome]:
    """The outcomes that some of these events report, by the event's key."""
    ids = [outcome_id(event.key) for event in events if is_outcome(event.type)]
    if not ids:
        return {}
    stored = await store.find(organization.id, organization.shard_counts_until(now), ids, with_events=False)
    return {each.outcome.event_key: each.outcome for each in stored.values()}


class RecordedEvents:
    def __init__(
        self, usage: Usage, outcomes: OutcomeStore, clock: Clock, agents: Agents, metered_versions: MeteredVersions
    ) -> None:
        self._usage = usage
        self._outcomes = outcomes
        self._clock = clock
        self._agents = agents
        self._metered_versions = metered_versions

    async def get(self, organization: Organization, key: str) -> EventDetails:
        """Raises `NotFoundError`, also while the event is queued or parked; `UnavailableError`."""
        shard_counts = organization.shard_counts_until(self._clock.now())
        event = await self._usage.find(organization.id, shard_counts, key) if is_id(key, "evt") else None
        if event is None:
            raise NotFoundError("There is no such event, it is still on its way, or it is parked: see /events/parked")
        (details,) = await self._details(organization, [event])
        return details

    async def get_by_identity(self, organization: Organization, source: str, event_id: str) -> EventDetails:
        """By the source and id that its sender chose. Raises as `get`."""
        return await self.get(organization, event_key(organization.id, source, event_id))

    async def page(
        self,
        organization: Organization,
        query: EventQuery,
        limit: int,
        cursor: str | None,
        of_agents: AbstractSet[str] | None = None,
    ) -> tuple[list[EventDetails], str | None]:
        """Newest first, over all shards, with the cursor of the next page.

        No event that was there at the first page is missed or met twice, whatever comes in meanwhile. Only agent, run
        and time are indexed, as each index costs with every event; so a page may end early where another type is
        wanted, or only events `of_agents` with these ids. Raises `MalformedError` for a cursor of another query,
        `ValidationError` for an unknown agent.
        """
        shape = shape_of(organization.id, query)
        after = None if cursor is None else position_after(cursor, shape)
        wanted = EventFilter(run=query.run, start=query.start, end=query.end)
        if query.agent is not None:
            agent = await self._agents.named(organization.id, query.agent, "?agent")
            wanted = replace(wanted, agent_id=agent.id)
        events, position = await filtered_page(
            self._usage.events(organization.id, organization.largest_shard_count, wanted, after, page=limit),
            lambda event: query.type in (None, event.type) and (of_agents is None or event.total.agent_id in of_agents),
            lambda event: Position(event.time, event.key),
            limit,
        )
        return await self._details(organization, events), None if position is None else cursor_to(position, shape)

    async def _details(self, organization: Organization, events: Sequence[RecordedEvent]) -> list[EventDetails]:
        outcomes = await outcomes_of(self._outcomes, organization, events, self._clock.now())
        return [
            EventDetails(event, await self._metered_to(organization, event, outcomes.get(event.key)))
            for event in events
        ]

    async def _metered_to(self, organization: Organization, event: RecordedEvent, outcome: Outcome | None) -> MeteredTo:
        total = event.total
        version = await self._metered_versions.of(organization.id, total.agent_id, total.version_id)
        if version is None:
            return MeteredTo(total.period, None, None, ())
        added = contributions(event.costed(), outcome, version.charges, organization.currency)
        if event.is_paid:
            beyond = f"{version.model_id}/{BEYOND_PAYMENT}/{total.agent_id}"
            return MeteredTo(total.period, version.model_id, version.id, (beyond,) if event.beyond_payment else ())
        gauges = {name for contribution in added for name, _ in contribution.measures}
        line_keys = tuple(
            f"{version.model_id}/{charge.key}/{total.agent_id if charge.scope == 'agent' else POOLED}"
            for charge in version.charges
            if not gauges.isdisjoint(charge.gauges)
        )
        return MeteredTo(total.period, version.model_id, version.id, line_keys)
