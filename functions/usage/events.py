"""Usage events: reported one by one, in lists or in batches."""

from collections.abc import Sequence
from typing import Any

import azure.functions as func
import pydantic

from functions.usage.event_forms import AnyEventRequest, EventsBody, SentEvents, source_and_type_of
from functions.usage.event_warnings import WithWarnings, event_warnings
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import FieldError, RejectedItemsError, Rejection, ValidationError
from shared.domain.kernel.validation import validation_error
from shared.domain.kernel.value import UNTOLD
from shared.domain.usage.ingestion import REFUSED
from shared.http import LARGE_BODY, Call, Projects, Query, Reply, Schema, endpoint
from shared.services.usage.events import MALFORMED
from shared.services.usage.reported_event import ReportedEvent
from shared.turns import Turns

blueprint = func.Blueprint()

ERRORS_PER_EVENT = 5
"""Shown for each rejected event."""
DETAILED_EVENTS = 20
"""The first rejected events, which are shown with their errors."""


class EventsQuery(Query):
    partial: bool = False
    """Whether to accept the valid events of a request with invalid ones; else one invalid event rejects them all."""


class FieldProblem(Schema):
    pointer: str
    """A JSON pointer (RFC 6901), relative to the event."""
    detail: str
    """What is wrong there."""


class RejectedEvent(Schema):
    index: int
    """The place of the event in the request, from 0."""
    errors: list[FieldProblem]
    """At most 5. Of all but the first 20 rejected events they are left out."""


class AcceptedEventAnswer(Schema):
    index: int
    """The place of the event in the request, from 0."""
    id: str
    """As its sender chose it."""


class EventsAnswer(WithWarnings):
    accepted: int
    """How many will be metered."""
    duplicates_in_request: int
    """How many repeat another event of the request."""
    rejected: list[RejectedEvent]
    """Only with `partial`: every event that was not accepted."""
    events: list[AcceptedEventAnswer]
    """Those that were accepted."""


async def _read(sent: SentEvents, turns: Turns) -> tuple[list[tuple[int, AnyEventRequest]], list[Rejection]]:
    """Well-formed events with their index, and the others. Of these, only the first are told with their errors."""
    well_formed: list[tuple[int, AnyEventRequest]] = []
    malformed: list[Rejection] = []
    with turns.begun() as turn:
        for index, value in enumerate(sent.values):
            if turn.is_over:
                await turn.pause()
            is_told = len(malformed) < DETAILED_EVENTS
            try:
                event = sent.adapter.validator.validate_python(value, context=None if is_told else UNTOLD)
            except pydantic.ValidationError as error:
                malformed.append(Rejection(index, validation_error(error).errors if is_told else ()))
            else:
                well_formed.append((index, event))
    return well_formed, malformed


async def _count_malformed(call: Call[SentEvents, EventsQuery], malformed: Sequence[Rejection]) -> None:
    """Count the malformed events for the organization of the request, where it has one."""
    if not malformed or (call.principal.is_operator and call.query.organization_id is None):
        return
    senders = [
        (call.principal.root_id, *source_and_type_of(call.body.values[rejection.index])) for rejection in malformed
    ]
    call.services.ingestion_counts.count(await call.organization_id(), senders, REFUSED + MALFORMED)


def _in_body(sent: SentEvents, error: RejectedItemsError) -> ValidationError:
    """The same error with pointers into the body; of a list or a batch, with all events that are not valid."""
    errors = tuple(FieldError(sent.pointer_in_body(each.pointer), each.detail) for each in error.errors)
    detail = f"{errors[0].pointer or 'The input'}: {errors[0].detail}" if len(errors) == 1 else error.detail
    if sent.single:
        return ValidationError(detail, errors=errors)
    return RejectedItemsError(detail, errors=errors, rejected=_told(sent, error.rejected))


def _told(sent: SentEvents, rejected: Sequence[Rejection]) -> tuple[Rejection, ...]:
    """All that were rejected; the first of them with their first errors, in the names of the form that was sent."""
    return tuple(
        Rejection(
            rejection.index,
            tuple(
                FieldError(sent.pointer_in_event(error.pointer), error.detail).shortened()
                for error in (rejection.errors[:ERRORS_PER_EVENT] if number < DETAILED_EVENTS else ())
            ),
        )
        for number, rejection in enumerate(rejected)
    )


async def _organizations(call: Call[Any, Any, Any], events: Sequence[AnyEventRequest]) -> dict[str | None, str]:
    """The id of each organization that the events name; None stands for no name."""
    return {name: await call.organization_id(name) for name in {event.organization for event in events}}


@endpoint(
    blueprint,
    "POST",
    "events",
    summary="Report usage: one event, a list, or a batch; plain or as CloudEvents 1.0",
    access=Permission.EVENTS_WRITE,
    projects=Projects.CHECKED,
    body=EventsBody(),
    body_limit=LARGE_BODY,
    query=EventsQuery,
    answers={202: EventsAnswer},
    errors=(RejectedItemsError,),
    example={"id": "commands-1", "type": "command", "agent": "coder", "data": {"quantity": 40}},
)
async def report_events(call: Call[SentEvents, EventsQuery]) -> Reply:
    events, malformed = await _read(call.body, call.services.turns)
    await _count_malformed(call, malformed)
    organizations = await _organizations(call, [event for _, event in events])
    reported = [
        ReportedEvent(
            index,
            event.id,
            event.type,
            event.agent,
            event.source,
            event.time,
            event.run,
            event.data,
            organizations[event.organization],
            call.principal.root_id,
            call.principal.is_operator,
            extensions=event.extensions,
            projects=call.projects,
            paid_with=event.paid_with,
            may_spend=call.principal.may(Permission.CREDITS_USE),
        )
        for index, event in events
    ]
    try:
        acceptance = await call.services.events.accept(reported, partial=call.query.partial, rejected=malformed)
    except RejectedItemsError as error:
        raise _in_body(call.body, error) from error
    return Reply(
        {
            "accepted": len(acceptance.accepted),
            "duplicates_in_request": len(acceptance.duplicates),
            "rejected": _told(call.body, acceptance.rejected) if acceptance.rejected else (),
            "events": [{"index": index, "id": event.id} for index, event in acceptance.accepted],
            **await event_warnings(call, organizations.values(), acceptance.findings),
        }
    )
