"""Events that were rated, with what they were rated to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from shared import json
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.money import EXACT
from shared.domain.kernel.times import from_text
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.rating.facts import POOLED
from shared.domain.runs.run_figures import contributions
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import event_key
from shared.domain.usage.outcomes import Outcome, is_outcome, outcome_id
from shared.ports.clock import Clock
from shared.ports.outcomes import OutcomeStore
from shared.ports.store import Document, Place
from shared.ports.usage import EventFilter, Usage
from shared.services.agents.agents import Agents
from shared.services.storage.cursors import cursor_to, place_behind, shape_of
from shared.services.usage.rated_versions import RatedVersions


@dataclass(frozen=True, slots=True)
class RatedTo:
    """Where an event counts: the period by its start, the model version, the keys of the lines that it moves. An
    outcome moves those of charges for outcomes as it stands: what waits for its verification not before, and none once
    it is rejected or reversed.
    """

    period_start: datetime
    model_id: str | None
    version_id: str | None
    line_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    document: Document
    rated_to: RatedTo

    @property
    def cost_difference(self) -> Decimal | None:
        """What an LLM call costs by our price, less what its sender says; None where one of the two is not known."""
        cost, reported = self.document.get("cost"), self.document.get("stated_cost")
        return None if cost is None or reported is None else EXACT.subtract(Decimal(cost), Decimal(reported))


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events are wanted; None is any. `agent` is an id or an external id."""

    agent: str | None = None
    type: str | None = None
    run: str | None = None
    start: datetime | None = None
    end: datetime | None = None


LOOKED_AT = 2000
"""How many events one page looks at most: only agent, run and time have an index, as each costs with every event."""


def metered(event: Document) -> CostedEvent:
    """A recorded event, with the cost and the exchange rate that it was rated with."""
    cost, rate = event.get("cost"), event.get("exchange_rate")
    return CostedEvent(
        event["type"],
        json.decode(event["data"]),
        event["time"],
        event["id"],
        None if cost is None else Decimal(cost),
        event.get("cost_category"),
        None if rate is None else Decimal(rate),
    )


async def outcomes_of(
    kept: OutcomeStore, organization: Organization, events: Iterable[Document], now: datetime
) -> dict[str, Outcome]:
    """What became of those that report outcomes, by the key of the event."""
    ids = [outcome_id(event["id"]) for event in events if is_outcome(event["type"])]
    if not ids:
        return {}
    found = await kept.find(organization.id, organization.counts_until(now), ids, with_events=False)
    return {each.outcome.event_key: each.outcome for each in found.values()}


class RecordedEvents:
    def __init__(
        self, usage: Usage, outcomes: OutcomeStore, clock: Clock, agents: Agents, rated_versions: RatedVersions
    ) -> None:
        self._usage = usage
        self._outcomes = outcomes
        self._clock = clock
        self._agents = agents
        self._rated_versions = rated_versions

    async def get(self, organization: Organization, key: str) -> RecordedEvent:
        """Raises `NotFoundError`, also while the event is still on its way or parked; `UnavailableError`."""
        shard_counts = organization.counts_until(self._clock.now())
        found = await self._usage.find(organization.id, shard_counts, key) if is_id(key, "evt") else None
        if found is None:
            raise NotFoundError("There is no such event, it is still on its way, or it is parked: see /events/parked")
        return (await self._with_what_they_move(organization, [found]))[0]

    async def named(self, organization: Organization, source: str, event_id: str) -> RecordedEvent:
        """By the identity that its sender chose. Raises `NotFoundError`."""
        return await self.get(organization, event_key(organization.id, source, event_id))

    async def page(
        self, organization: Organization, query: EventQuery, limit: int, cursor: str | None
    ) -> tuple[list[RecordedEvent], str | None]:
        """Newest first, over all shards. No event that was there at the first page is missed or met twice, whatever
        comes in meanwhile. A page ends early where many events are of other types than the one that is wanted.

        Raises `MalformedError` for a cursor that this query did not give.
        """
        shape = shape_of(organization.id, query)
        place = None if cursor is None else place_behind(cursor, shape)
        wanted = EventFilter(run=query.run, start=query.start, end=query.end)
        if query.agent is not None:
            agent = (await self._agents.resolve(organization.id, {query.agent})).get(query.agent)
            if agent is None:
                return [], None
            wanted = replace(wanted, agent_id=agent.id)
        found: list[Document] = []
        looked_at = 0
        shards = organization.largest_shard_count
        async for event in self._usage.events(organization.id, shards, wanted, place, page=limit):
            if len(found) == limit or looked_at == LOOKED_AT:
                break
            looked_at += 1
            place = Place(event["time"], event["id"])
            if query.type in (None, event["type"]):
                found.append(event)
        else:
            place = None
        return await self._with_what_they_move(organization, found), None if place is None else cursor_to(place, shape)

    async def _with_what_they_move(self, organization: Organization, events: Sequence[Document]) -> list[RecordedEvent]:
        outcomes = await outcomes_of(self._outcomes, organization, events, self._clock.now())
        return [
            RecordedEvent(event, await self._rated_to(organization, event, outcomes.get(event["id"])))
            for event in events
        ]

    async def _rated_to(self, organization: Organization, event: Document, outcome: Outcome | None) -> RatedTo:
        start = from_text(event["rated_period"])
        version = await self._rated_versions.of(organization.id, event["agent_id"], event["version_id"])
        if version is None:
            return RatedTo(start, None, None, ())
        added = contributions(metered(event), outcome, version.charges, organization.currency)
        contributed = {name for each in added for name, _ in each.measures}
        keys = tuple(
            f"{version.model_id}/{charge.key}/{event['agent_id'] if charge.scope == 'agent' else POOLED}"
            for charge in version.charges
            if not contributed.isdisjoint(charge.gauges)
        )
        return RatedTo(start, version.model_id, version.id, keys)
