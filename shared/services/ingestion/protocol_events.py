"""Takes events that routes of other products have read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.ports.clock import Clock
from shared.services.agents.agent_making import AgentMaking, Made, first_times
from shared.services.ingestion.trace_records import TraceCredential
from shared.services.usage.events import Acceptance, Events, ReportedEvent
from shared.services.usage.ingestion_counts import IngestionCounts


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


@dataclass(slots=True)
class Taken:
    """What became of the events of a request."""

    acceptance: Acceptance = field(default_factory=Acceptance)
    made: set[str] = field(default_factory=set)
    """Names of agents that were made now, which owe fees."""
    unknown: dict[str, str] = field(default_factory=dict)
    """By the name of an agent that there is not: why it was not made. What names it will be parked."""


class ProtocolEvents:
    def __init__(self, clock: Clock, events: Events, agents: AgentMaking, counts: IngestionCounts) -> None:
        self._counts = counts
        self._clock = clock
        self._events = events
        self._agents = agents

    async def take(self, credential: TraceCredential, events: Sequence[ProtocolEvent]) -> Taken:
        """Take the valid ones; each bad one fails alone. Sending them again changes nothing.

        Raises `UnavailableError` when the broker does not accept: send the request again then.
        """
        taken, now = Taken(), self._clock.now()
        for organization_id in dict.fromkeys(event.organization_id for event in events):
            since = first_times(
                (event.agent, event.time or now) for event in events if event.organization_id == organization_id
            )
            made = await self._agents.make(organization_id, since, credential.make_with)
            taken.made.update(made.names)
            taken.unknown.update(made.refused)
            self._warn(organization_id, made)
        reported = [_reported(event, credential) for event in events]
        taken.acceptance = await self._events.accept(reported, partial=True)
        return taken

    def _warn(self, organization_id: str, made: Made) -> None:
        for code, number in (("agent_made", len(made.names)), ("agent_unknown", len(made.refused))):
            if number:
                self._counts.warn(organization_id, code, count=number)


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
    )
