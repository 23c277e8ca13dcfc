"""Usage events: reported one by one, in lists or in batches."""

import asyncio
from collections.abc import Sequence
from typing import Any

import azure.functions as func
import pydantic

from functions.usage.event_forms import AnyEventRequest, EventsBody, SentEvents
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.validation import validation_error
from shared.http import LARGE_BODY, Call, Query, Reply, Schema, endpoint
from shared.services.usage.events import Rejection, ReportedEvent

blueprint = func.Blueprint()

ERRORS_PER_EVENT = 5
"""Shown for each rejected event."""
DETAILED_EVENTS = 20
"""The first rejected events, which are shown with their errors."""
READ_AT_ONCE = 20
"""Events that are validated before other requests get their turn."""


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


class EventsAnswer(Schema):
    accepted: int
    """How many will be metered."""
    duplicates_in_request: int
    """How many repeat another event of the request."""
    rejected: list[RejectedEvent]
    """Only with `partial`: every event that was not accepted."""
    events: list[AcceptedEventAnswer]
    """Those that were accepted."""


async def _read(sent: SentEvents) -> tuple[list[tuple[int, AnyEventRequest]], list[Rejection]]:
    """Well-formed events with their index, and the others. Of these, only the first are told with their errors."""
    well_formed: list[tuple[int, AnyEventRequest]] = []
    malformed: list[Rejection] = []
    for index, value in enumerate(sent.values):
        if index % READ_AT_ONCE == READ_AT_ONCE - 1:
            await asyncio.sleep(0)  # other requests need not wait for the whole batch
        try:
            well_formed.append((index, sent.adapter.validate_python(value)))
        except pydantic.ValidationError as error:
            told = validation_error(error).errors if len(malformed) < DETAILED_EVENTS else ()
            malformed.append(Rejection(index, told))
    return well_formed, malformed


def _refuse_malformed(sent: SentEvents, malformed: Sequence[Rejection]) -> None:
    """Raises `ValidationError` with pointers into the body."""
    errors = tuple(
        FieldError(sent.pointer_in_body(f"/{each.index}{error.pointer}"), error.detail)
        for each in malformed
        for error in each.errors
    )
    if len(errors) == 1:
        raise ValidationError(f"{errors[0].pointer or 'The input'}: {errors[0].detail}", errors=errors)
    if errors:
        raise ValidationError(f"{len(malformed)} of the events are not valid; none was taken", errors=errors)


def _in_body(sent: SentEvents, error: ValidationError) -> ValidationError:
    """The same error with pointers into the body."""
    errors = tuple(FieldError(sent.pointer_in_body(each.pointer), each.detail) for each in error.errors)
    return ValidationError(error.detail, errors=errors)


async def _organizations(call: Call[Any, Any, Any], events: Sequence[AnyEventRequest]) -> dict[str | None, str]:
    """The id of each organization that the events name; None stands for no name."""
    return {name: await call.organization_id(name) for name in {event.organization for event in events}}


@endpoint(
    blueprint,
    "POST",
    "events",
    summary="Report usage: one event, a list, or a batch; plain or as CloudEvents 1.0",
    access=Permission.EVENTS_WRITE,
    body=EventsBody(),
    body_limit=LARGE_BODY,
    query=EventsQuery,
    answers={202: EventsAnswer},
    example={"id": "commands-1", "type": "command", "agent": "coder", "data": {"quantity": 40}},
)
async def report_events(call: Call[SentEvents, EventsQuery]) -> Reply:
    partial = call.query.partial
    events, malformed = await _read(call.body)
    if not partial:
        _refuse_malformed(call.body, malformed)
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
        )
        for index, event in events
    ]
    try:
        acceptance = await call.services.events.accept(reported, partial=partial)
    except ValidationError as error:
        raise _in_body(call.body, error) from error
    rejected = sorted([*malformed, *acceptance.rejected], key=lambda rejection: rejection.index)
    return Reply(
        {
            "accepted": len(acceptance.accepted),
            "duplicates_in_request": acceptance.duplicates,
            "rejected": [
                {
                    "index": rejection.index,
                    "errors": [
                        {"pointer": call.body.pointer_in_event(error.pointer), "detail": error.detail}
                        for error in (rejection.errors[:ERRORS_PER_EVENT] if number < DETAILED_EVENTS else ())
                    ],
                }
                for number, rejection in enumerate(rejected)
            ],
            "events": [{"index": index, "id": event.id} for index, event in acceptance.accepted],
        }
    )
