"""Usage events: reported one by one, in lists or in batches."""

from collections.abc import Sequence
from typing import Any

import azure.functions as func
import pydantic

from functions.usage.event_forms import AnyEventRequest, EventsBody, SentEvents
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.validation import validation_error
from shared.http import Call, Query, Reply, Schema, endpoint
from shared.services.usage.events import Rejection, ReportedEvent

blueprint = func.Blueprint()

ERRORS_PER_EVENT = 5
"""Shown for each rejected event."""


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
    """At most 5."""


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
    """Only with `partial`."""
    events: list[AcceptedEventAnswer]
    """Those that were accepted."""


def _read(sent: SentEvents, *, partial: bool) -> tuple[list[tuple[int, AnyEventRequest]], list[Rejection]]:
    """Well-formed events with their index, and the others. Without `partial`, raises `ValidationError` for these."""
    try:
        return list(enumerate(sent.list_adapter.validate_python(sent.values))), []
    except pydantic.ValidationError as error:
        if not partial:
            raise validation_error(error, placed=sent.pointer_in_body) from error
    well_formed: list[tuple[int, AnyEventRequest]] = []
    malformed: list[Rejection] = []
    for index, value in enumerate(sent.values):
        try:
            well_formed.append((index, sent.adapter.validate_python(value)))
        except pydantic.ValidationError as error:
            malformed.append(Rejection(index, validation_error(error).errors[:ERRORS_PER_EVENT]))
    return well_formed, malformed


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
    query=EventsQuery,
    answers={202: EventsAnswer},
    example={"id": "commands-1", "type": "command", "agent": "coder", "data": {"quantity": 40}},
)
async def report_events(call: Call[SentEvents, EventsQuery]) -> Reply:
    partial = call.query.partial
    events, malformed = _read(call.body, partial=partial)
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
                        for error in rejection.errors
                    ],
                }
                for rejection in rejected
            ],
            "events": [{"index": index, "id": event.id} for index, event in acceptance.accepted],
        }
    )
