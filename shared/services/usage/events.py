"""Accepts usage events: validates them and hands them to the broker, which makes them durable."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared import json
from shared.domain.kernel.errors import FieldError, RejectedItemsError, Rejection
from shared.domain.kernel.times import to_text
from shared.domain.metering.event_types import LLM_CALL, TRACE_SOURCE
from shared.domain.provider_costs.findings import Finding, Unpriced
from shared.domain.provider_costs.llm_calls import STANDARD_PRICE, LlmCall, has_terms
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.entered_numbers import errors_at_paths, with_entered_numbers
from shared.domain.usage.events import (
    AHEAD,
    MAXIMUM_EVENT_BYTES,
    AcceptedEvent,
    content_hash,
    errors_in_data,
    event_key,
    shard_of,
    with_derived_fields,
    with_extensions,
)
from shared.domain.usage.ingestion import REFUSED
from shared.ports.clock import Clock
from shared.ports.queue import Pending, Queue
from shared.services.agents.agents import Agents
from shared.services.provider_costs.llm_calls import LlmCallReader
from shared.services.tenancy.organizations import Organizations
from shared.services.usage.acceptance_checks import AcceptanceChecks
from shared.services.usage.ingestion_counts import IngestionCounts
from shared.services.usage.messages import QUEUE, MessagePacker, session_of
from shared.services.usage.pricing_in_force import TypeInForce
from shared.services.usage.reported_event import ReportedEvent, errors_in_payment
from shared.turns import Turns

MALFORMED = "malformed"
WITH_ITS_REQUEST = "with_its_request"
"""Why a valid event is not taken: another one of its request was refused."""

_COUNTED_FIELDS = frozenset(
    {"agent", "data", "id", "organization", "paid_with", "run", "source", "subject", "time", "type"}
)


def _reason(rejection: Rejection) -> str:
    """The field of the event that is wrong first, by which refused events are counted."""
    if not rejection.errors:
        return MALFORMED
    name = rejection.errors[0].pointer.removeprefix("/").partition("/")[0]
    return "size" if not name else name if name in _COUNTED_FIELDS else MALFORMED


@dataclass(slots=True)
class Acceptance:
    accepted: list[tuple[int, AcceptedEvent]] = field(default_factory=list)
    """Each with its index."""
    duplicates: list[AcceptedEvent] = field(default_factory=list)
    """Those of the request that repeat another one of it; each is sent once."""
    rejected: list[Rejection] = field(default_factory=list)
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    """What the senders of accepted events should know, each with the event's index."""

    def add(self, other: "Acceptance") -> None:
        self.accepted += other.accepted
        self.duplicates += other.duplicates
        self.rejected += other.rejected
        self.findings += other.findings


class Events:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        queue: Queue,
        clock: Clock,
        organizations: Organizations,
        agents: Agents,
        llm_calls: LlmCallReader,
        checks: AcceptanceChecks,
        counts: IngestionCounts,
        turns: Turns,
    ) -> None:
        self._queue = queue
        self._llm_calls = llm_calls
        self._clock = clock
        self._organizations = organizations
        self._agents = agents
        self._checks = checks
        self._counts = counts
        self._turns = turns

    async def accept(
        self, reported: Sequence[ReportedEvent], *, partial: bool, rejected: Sequence[Rejection] = ()
    ) -> Acceptance:
        """Accept all events or none; with `partial`, the valid ones. Returns once the broker has them.

        `rejected` are events of the same request that cannot be read. Raises `RejectedItemsError` with pointers
        `/{index}/...`, and `UnavailableError` when the broker does not accept: send the request again then.
        """
        now = self._clock.now()
        packer, acceptance = MessagePacker(), Acceptance(rejected=list(rejected))
        by_organization: dict[str, Acceptance] = {}
        for organization_id, members in _by_organization(reported).items():
            of_organization = await self._accept_of(organization_id, members, now, packer)
            by_organization[organization_id] = of_organization
            acceptance.add(of_organization)
        acceptance.rejected.sort(key=lambda rejection: rejection.index)
        if acceptance.rejected and not partial:
            self.count_refused(reported, acceptance.rejected, WITH_ITS_REQUEST)
            raise _rejection_of_all(acceptance.rejected)
        await self._send(packer)
        if acceptance.rejected:
            self.count_refused(reported, acceptance.rejected)
        for organization_id, of_organization in by_organization.items():
            self._count(organization_id, of_organization)
        return acceptance

    async def refusals(self, reported: Sequence[ReportedEvent]) -> list[Rejection]:
        """Those of the events that `accept` would refuse now. It accepts none."""
        now = self._clock.now()
        refused: list[Rejection] = []
        for organization_id, members in _by_organization(reported).items():
            refused += (await self._accept_of(organization_id, members, now, MessagePacker())).rejected
        return refused

    async def _accept_of(
        self, organization_id: str, members: Sequence[ReportedEvent], now: datetime, packer: MessagePacker
    ) -> Acceptance:
        """Check the events of an organization, and pack those that are accepted."""
        organization = await self._organizations.cached(organization_id)
        agents = await self._agents.resolve(organization_id, {event.agent for event in members})
        has_llm_calls = any(event.type == LLM_CALL for event in members)
        checks = await self._checks.of(
            organization, agents.values(), _first_and_last(members, now), has_llm_calls=has_llm_calls
        )
        shard_count = organization.shard_counts_until(now)[-1]
        acceptance = Acceptance()
        contents: dict[str, str] = {}
        with self._turns.begun() as turn:
            for event in (reported.parked_for(agents) for reported in members):
                if turn.is_over:
                    await turn.pause()
                agent, time = agents.get(event.agent), event.time or now
                call = self._llm_calls.read(event.data) if event.type == LLM_CALL else LlmCall(event.data)
                in_force = checks.in_force(agent, event.type, time)
                data = with_entered_numbers(event.type, call.data, in_force.number_paths)
                errors = _errors_of(event, call, data, agent, organization, now)
                if not errors and in_force.number_paths and not event.is_taken:
                    errors = list(errors_at_paths(data, in_force.number_paths))
                if errors:
                    acceptance.rejected.append(Rejection(event.index, tuple(errors)))
                    continue
                accepted = _accepted(event, data, agent, organization, now)
                encoded = json.encode_verbatim(accepted)
                if len(encoded) > MAXIMUM_EVENT_BYTES:
                    size = FieldError("", f"has {len(encoded)} bytes, at most {MAXIMUM_EVENT_BYTES} are allowed")
                    acceptance.rejected.append(Rejection(event.index, (size,)))
                    continue
                if contents.get(accepted.key) == accepted.content:
                    acceptance.duplicates.append(accepted)
                    continue
                contents[accepted.key] = accepted.content
                acceptance.accepted.append((event.index, accepted))
                unpriced = None
                if event.type == LLM_CALL:
                    unpriced = checks.unpriced(call.data, time, standard_terms=accepted.standard_terms)
                if call.findings or accepted.standard_terms or in_force.finding is not None or unpriced is not None:
                    found = _findings(call, accepted, in_force, unpriced)
                    acceptance.findings += [(event.index, finding) for finding in found]
                packer.add(organization_id, shard_of(accepted.key, shard_count), encoded)
        return acceptance

    def count_refused(
        self, reported: Sequence[ReportedEvent], rejected: Sequence[Rejection], neighbours: str | None = None
    ) -> None:
        """Count the events that are not taken: the rejected ones by their reasons, all others by `neighbours`."""
        reasons = {rejection.index: _reason(rejection) for rejection in rejected}
        for event in reported:
            reason = reasons.get(event.index, neighbours)
            if reason is not None:
                sent = (event.reporter, event.source, event.type)
                self._counts.count(event.organization_id, [sent], REFUSED + reason)

    def _count(self, organization_id: str, acceptance: Acceptance) -> None:
        accepted = [(event.reporter, event.source, event.type) for _, event in acceptance.accepted]
        self._counts.count(organization_id, accepted, "accepted")
        if acceptance.duplicates:
            repeated = [(event.reporter, event.source, event.type) for event in acceptance.duplicates]
            self._counts.count(organization_id, repeated, "duplicates")
        if acceptance.findings:
            for code, number in Counter(finding.code for _, finding in acceptance.findings).items():
                self._counts.warn(organization_id, code, count=number)

    async def send_again(self, organization: Organization, events: Sequence[tuple[AcceptedEvent, int]]) -> None:
        """Send accepted events again, each with the number of its attempt.

        The number grows with every resend. Raises `UnavailableError` when the broker does not accept; send them with a
        higher attempt then.
        """
        shard_count = organization.shard_counts_until(self._clock.now())[-1]
        packer = MessagePacker()
        for event, attempt in events:
            shard = shard_of(event.key, shard_count)
            packer.add(organization.id, shard, json.encode_verbatim(event), attempt=attempt)
        await self._send(packer)

    async def _send(self, packer: MessagePacker) -> None:
        messages = list(packer.messages())
        if messages:
            await self._queue.send(QUEUE, messages)

    async def pending(self, organization: Organization) -> int:
        """How many accepted events of the organization are not metered yet."""
        return (await self.waiting(organization)).count

    async def waiting(self, organization: Organization) -> Pending:
        """The same, with the time of the oldest."""
        sessions = [session_of(organization.id, shard) for shard in range(organization.largest_shard_count)]
        return await self._queue.waiting_since(QUEUE, sessions)


def _by_organization(reported: Sequence[ReportedEvent]) -> dict[str, list[ReportedEvent]]:
    grouped: dict[str, list[ReportedEvent]] = {}
    for event in reported:
        grouped.setdefault(event.organization_id, []).append(event)
    return grouped


def _first_and_last(events: Sequence[ReportedEvent], now: datetime) -> tuple[datetime, datetime]:
    times = [event.time or now for event in events]
    return min(times), max(times)


def _errors_of(  # noqa: PLR0913  the event and what it is checked against
    event: ReportedEvent,
    call: LlmCall,
    data: Mapping[str, Any],
    agent: Agent | None,
    organization: Organization,
    now: datetime,
) -> list[FieldError]:
    time = event.time or now
    errors: list[FieldError] = []
    if not event.by_protocol:
        errors += _errors_in_agent(agent, time)
    if not event.may_name(agent):
        errors.append(FieldError("/agent", "there is no such agent in the projects of this credential"))
    if not event.is_taken:
        errors += _errors_in_time(time, organization, now)
    errors += call.errors or errors_in_data(event.type, data)
    if event.paid_with is not None:
        errors += errors_in_payment(event, organization)
    return errors


def _errors_in_agent(agent: Agent | None, time: datetime) -> list[FieldError]:
    if agent is None:
        return [FieldError("/agent", "there is no such agent")]
    return [FieldError("/agent", "the agent had been deleted by then")] if agent.ended_by(time) else []


def _errors_in_time(time: datetime, organization: Organization, now: datetime) -> list[FieldError]:
    errors: list[FieldError] = []
    if organization.ended_at is not None and time >= organization.ended_at:
        errors.append(FieldError("/time", "the organization had been deleted by then"))
    if time > now + AHEAD:
        errors.append(FieldError("/time", f"is more than {AHEAD.total_seconds() / 60:.0f} minutes ahead"))
    if time < now - timedelta(days=organization.late_window_days):
        errors.append(FieldError("/time", f"is more than {organization.late_window_days} days ago"))
    return errors


def _findings(
    call: LlmCall, accepted: AcceptedEvent, in_force: TypeInForce, unpriced: Unpriced | None
) -> Iterator[Finding]:
    yield from call.findings
    if accepted.standard_terms:
        yield STANDARD_PRICE
    if in_force.finding is not None:
        yield in_force.finding
    if unpriced is not None:
        yield unpriced.finding


def _accepted(
    event: ReportedEvent, data: dict[str, Any], agent: Agent | None, organization: Organization, now: datetime
) -> AcceptedEvent:
    agent_id = agent.id if agent is not None else event.agent
    data = with_derived_fields(event.type, data, organization.currency)
    # The SDK reports a call under the id that it has in a trace, which names the provider's answer and its counts.
    first_stands = event.by_protocol or (event.type == LLM_CALL and event.source == TRACE_SOURCE)
    may_say_terms = event.by_operator or organization.settings.reported_llm_terms
    return AcceptedEvent(
        key=event_key(event.organization_id, event.source, event.id),
        id=event.id,
        source=event.source,
        type=event.type,
        agent=agent_id,
        time=to_text(event.time or now),
        run=event.run,
        data=with_extensions(data, event.extensions) if event.extensions else data,
        reporter=event.reporter,
        standard_terms=event.type == LLM_CALL and not may_say_terms and has_terms(data),
        first_stands=first_stands,
        paid_with=event.paid_with,
        content=(
            content_hash(event.type, "", None, {name: data[name] for name in event.compared if name in data})
            if first_stands
            else content_hash(event.type, agent_id, event.run, data, event.paid_with)
        ),
    )


def _rejection_of_all(rejected: Sequence[Rejection]) -> RejectedItemsError:
    errors = [
        FieldError(f"/{rejection.index}{error.pointer}", error.detail)
        for rejection in rejected
        for error in rejection.errors
    ]
    detail = f"{len(rejected)} of the events are not valid; none was taken"
    return RejectedItemsError(detail, errors=tuple(errors), rejected=tuple(rejected))
