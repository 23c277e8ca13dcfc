"""Taking usage in: validate everything, then hand it to the broker; what is acknowledged is durable there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared import correlation, json
from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import to_text
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import (
    AHEAD,
    MAXIMUM_EVENT_BYTES,
    AcceptedEvent,
    content_hash,
    event_key,
    shard_of,
    with_derived,
    wrong_in_data,
)
from shared.domain.usage.outcomes import is_outcome
from shared.ports.clock import Clock
from shared.ports.queue import MAXIMUM_MESSAGE_BYTES, Message, Queue
from shared.services.agents.agents import Agents
from shared.services.tenancy.organizations import Organizations

QUEUE = "usage"
MAXIMUM_MESSAGE_EVENTS = 64
_ENVELOPE_BYTES = 256
_ERRORS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """An event as it was sent: well-formed, not yet checked against the agents and the clock. `index` is its place in
    the request.
    """

    index: int
    id: str
    type: str
    agent: str
    source: str
    time: datetime | None
    run: str | None
    data: dict[str, Any]
    organization_id: str
    reporter: str | None = None
    """The principal that sent it."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Pointers are relative to the event."""

    index: int
    errors: tuple[FieldError, ...]


@dataclass(slots=True)
class Acceptance:
    accepted: list[tuple[int, AcceptedEvent]] = field(default_factory=list)
    duplicates: int = 0
    """Repeats inside the request of an event in it; they are sent once."""
    rejected: list[Rejection] = field(default_factory=list)


@dataclass(slots=True)
class _Parcel:
    """The events of one organization and shard that still fit one message."""

    organization_id: str
    shard: int
    events: list[bytes] = field(default_factory=list)
    size: int = _ENVELOPE_BYTES
    attempt: int = 0
    """The highest of its events', which are sent again; 0 when they are sent for the first time."""

    def has_room_for(self, event: bytes) -> bool:
        return len(self.events) < MAXIMUM_MESSAGE_EVENTS and self.size + len(event) < MAXIMUM_MESSAGE_BYTES

    def add(self, event: bytes, attempt: int) -> None:
        self.events.append(event)
        self.attempt = max(self.attempt, attempt)
        self.size += len(event) + 1

    def message(self) -> Message:
        # As part of the body it is part of the message id: the broker must not take a deliberate resend for a repeat.
        replay = b'"replay":%d,' % self.attempt if self.attempt else b""
        body = b'{"organization":"%b",%b"events":[%b]}' % (
            self.organization_id.encode(),
            replay,
            b",".join(self.events),
        )
        return Message(
            body=body,
            session_id=session_of(self.organization_id, self.shard),
            message_id=fingerprint(body)[:32],
            correlation_id=correlation.current(),
            count=len(self.events),
        )


def session_of(organization_id: str, shard: int) -> str:
    return f"{organization_id}:{shard}"


class Events:
    def __init__(self, queue: Queue, clock: Clock, organizations: Organizations, agents: Agents) -> None:
        self._queue = queue
        self._clock = clock
        self._organizations = organizations
        self._agents = agents

    async def accept(self, reported: Sequence[ReportedEvent], *, partial: bool) -> Acceptance:
        """All or, with `partial`, the good ones; returned only after the broker has accepted them.

        Raises `ValidationError` with pointers `/{index}/...`, `UnavailableError` when the broker does not accept (send
        again then).
        """
        now = self._clock.now()
        acceptance = Acceptance()
        parcels: dict[tuple[str, int], list[_Parcel]] = {}
        seen: dict[str, str] = {}
        for organization_id, members in _by_organization(reported).items():
            organization = await self._organizations.cached(organization_id)
            agents = await self._agents.resolve(organization_id, {event.agent for event in members})
            shard_count = organization.counts_until(now)[-1]
            for event in members:
                agent = agents.get(event.agent)
                wrong = tuple(_wrong(event, agent, organization, now))
                if wrong or agent is None:
                    acceptance.rejected.append(Rejection(event.index, wrong))
                    continue
                accepted = _accepted(event, agent, organization, now)
                encoded = json.encode_verbatim(accepted)
                if len(encoded) > MAXIMUM_EVENT_BYTES:
                    size = FieldError("", f"has {len(encoded)} bytes, at most {MAXIMUM_EVENT_BYTES} are allowed")
                    acceptance.rejected.append(Rejection(event.index, (size,)))
                    continue
                if seen.get(accepted.key) == accepted.content:
                    acceptance.duplicates += 1
                    continue
                seen[accepted.key] = accepted.content
                acceptance.accepted.append((event.index, accepted))
                _pack(parcels, organization_id, shard_of(accepted.key, shard_count), encoded, attempt=0)
        if acceptance.rejected and not partial:
            raise _refusal(acceptance.rejected)
        await self._send(parcels)
        return acceptance

    async def send_again(self, organization: Organization, events: Sequence[tuple[AcceptedEvent, int]]) -> None:
        """Events that were accepted before, each with the number of its attempt, which grows from time to time.

        Raises `UnavailableError`; send again under another attempt then.
        """
        shard_count = organization.counts_until(self._clock.now())[-1]
        parcels: dict[tuple[str, int], list[_Parcel]] = {}
        for event, attempt in events:
            shard = shard_of(event.key, shard_count)
            _pack(parcels, organization.id, shard, json.encode_verbatim(event), attempt=attempt)
        await self._send(parcels)

    async def _send(self, parcels: dict[tuple[str, int], list[_Parcel]]) -> None:
        messages = [parcel.message() for waiting in parcels.values() for parcel in waiting]
        if messages:
            await self._queue.send(QUEUE, messages)

    async def pending(self, organization: Organization) -> int:
        """How many accepted events of the organization are still on their way to its totals."""
        sessions = [session_of(organization.id, shard) for shard in range(organization.largest_shard_count)]
        return await self._queue.pending(QUEUE, sessions)


def _by_organization(reported: Sequence[ReportedEvent]) -> dict[str, list[ReportedEvent]]:
    grouped: dict[str, list[ReportedEvent]] = {}
    for event in reported:
        grouped.setdefault(event.organization_id, []).append(event)
    return grouped


def _wrong(
    event: ReportedEvent, agent: Agent | None, organization: Organization, now: datetime
) -> Iterator[FieldError]:
    time = event.time or now
    if agent is None:
        yield FieldError("/agent", "there is no such agent")
    elif agent.ended_by(time):
        yield FieldError("/agent", "the agent had been deleted by then")
    if organization.ended_at is not None and time >= organization.ended_at:
        yield FieldError("/time", "the organization had been deleted by then")
    if time > now + AHEAD:
        yield FieldError("/time", f"is more than {AHEAD.total_seconds() / 60:.0f} minutes ahead")
    if time < now - timedelta(days=organization.late_window_days):
        yield FieldError("/time", f"is more than {organization.late_window_days} days ago")
    yield from wrong_in_data(event.type, event.data)


def _accepted(event: ReportedEvent, agent: Agent, organization: Organization, now: datetime) -> AcceptedEvent:
    data = with_derived(event.type, event.data, organization.currency)
    return AcceptedEvent(
        key=event_key(event.organization_id, event.source, event.id),
        id=event.id,
        source=event.source,
        type=event.type,
        agent=agent.id,
        time=to_text(event.time or now),
        run=event.run,
        data=data,
        reporter=event.reporter if is_outcome(event.type) else None,
        content=content_hash(event.type, agent.id, event.run, data),
    )


def _pack(
    parcels: dict[tuple[str, int], list[_Parcel]], organization_id: str, shard: int, encoded: bytes, *, attempt: int
) -> None:
    waiting = parcels.setdefault((organization_id, shard), [])
    if not waiting or not waiting[-1].has_room_for(encoded):
        waiting.append(_Parcel(organization_id, shard))
    waiting[-1].add(encoded, attempt)


def _refusal(rejected: Sequence[Rejection]) -> ValidationError:
    places = [
        FieldError(f"/{rejection.index}{place.pointer}", place.detail)
        for rejection in sorted(rejected, key=lambda rejection: rejection.index)
        for place in rejection.errors
    ]
    return ValidationError(
        f"{len(rejected)} of the events are not valid; none was taken", errors=tuple(places[:_ERRORS_SHOWN])
    )
