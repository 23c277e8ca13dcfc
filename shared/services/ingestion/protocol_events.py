"""Takes events that routes of other products have read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.domain.ingestion.calls import WarningCode
from shared.domain.ingestion.reported_calls import agent_in_project
from shared.domain.tenancy.agents import Agent
from shared.ports.clock import Clock
from shared.services.agents.agent_making import AgentMaking, Made, first_times
from shared.services.agents.agents import Agents
from shared.services.ingestion.trace_records import TraceCredential
from shared.services.usage.events import Acceptance, Events
from shared.services.usage.ingestion_counts import IngestionCounts
from shared.services.usage.reported_event import ReportedEvent


@dataclass(frozen=True, slots=True)
class ProtocolEvent:
    """An event of another product, in our terms."""

    index: int
    """Its place in the request."""
    id: str
    source: str
    type: str
    agent: str
    """The name of an agent, maybe one that nobody has made."""
    time: datetime | None
    run: str | None
    data: dict[str, Any]
    organization_id: str
    compared: tuple[str, ...] = ()
    """Names in the data: a repetition that differs in them is warned of."""
    project_id: str | None = None
    """The project that its agent has to be in; None where it may be in any."""
    hides_cache: bool = False
    """Whether it is a call that may have cached tokens, which its sender does not tell."""


@dataclass(slots=True)
class Taken:
    """What became of the events of a request."""

    acceptance: Acceptance = field(default_factory=Acceptance)
    made: set[str] = field(default_factory=set)
    """Names of agents that were made now, which owe fees."""
    unknown: dict[str, str] = field(default_factory=dict)
    """By the name of an agent that there is not: why it was not made. What names it will be parked."""


class ProtocolEvents:
    def __init__(
        self, clock: Clock, events: Events, agents: Agents, agent_making: AgentMaking, counts: IngestionCounts
    ) -> None:
        self._clock = clock
        self._events = events
        self._agents = agents
        self._agent_making = agent_making
        self._counts = counts

    async def take(self, credential: TraceCredential, events: Sequence[ProtocolEvent]) -> Taken:
        """Take the valid ones; each bad one fails alone. Sending them again changes nothing.

        Raises `UnavailableError` when the broker does not accept: send the request again then.
        """
        taken = Taken()
        reported: list[ReportedEvent] = []
        for organization_id in dict.fromkeys(event.organization_id for event in events):
            members = [event for event in events if event.organization_id == organization_id]
            reported += await self._with_agents(organization_id, credential, members, taken)
        taken.acceptance = await self._events.accept(reported, partial=True)
        accepted = {index for index, _ in taken.acceptance.accepted}
        hidden = Counter(event.organization_id for event in events if event.hides_cache and event.index in accepted)
        for organization_id, number in hidden.items():
            self._counts.warn(organization_id, WarningCode.CACHE_NOT_TOLD, count=number)
        return taken

    async def _with_agents(
        self, organization_id: str, credential: TraceCredential, events: Sequence[ProtocolEvent], taken: Taken
    ) -> list[ReportedEvent]:
        """The events of an organization, with agents for those that will be accepted, as far as they may be made."""
        if any(event.project_id is not None for event in events):
            named = await self._agents.resolve(organization_id, {event.agent for event in events})
            events = [_in_its_project(event, named) for event in events]
        reported = [_reported(event, credential) for event in events]
        known = await self._agents.resolve(organization_id, {event.agent for event in events})
        of_unknown = [each for each in reported if each.agent not in known]
        if of_unknown:
            refused = {rejection.index for rejection in await self._events.refusals(of_unknown)}
            now = self._clock.now()
            made = await self._agent_making.make(
                organization_id,
                first_times((each.agent, each.time or now) for each in of_unknown if each.index not in refused),
                credential.make_with,
                {event.agent: event.project_id for event in events if event.project_id is not None},
            )
            self._tell(organization_id, made, taken)
        return reported

    def _tell(self, organization_id: str, made: Made, taken: Taken) -> None:
        taken.made.update(made.names)
        taken.unknown.update(made.refused)
        for code, number in (("agent_made", len(made.names)), ("agent_unknown", len(made.refused))):
            if number:
                self._counts.warn(organization_id, code, count=number)


def _in_its_project(event: ProtocolEvent, named: Mapping[str, Agent]) -> ProtocolEvent:
    """The event with an agent of its project: the named one where it is in it, else one that is named after both."""
    if event.project_id is None:
        return event
    agent = named.get(event.agent)
    if agent is not None and agent.is_in(project_id=event.project_id):
        return event
    name = event.agent if agent is None else agent.external_id
    return replace(event, agent=agent_in_project(name, event.project_id))


def _reported(event: ProtocolEvent, credential: TraceCredential) -> ReportedEvent:
    return ReportedEvent(
        event.index,
        event.id,
        event.type,
        event.agent,
        event.source,
        event.time,
        event.run,
        event.data,
        event.organization_id,
        credential.id,
        credential.by_operator,
        by_protocol=True,
        compared=event.compared,
        projects=credential.project_set,
    )
