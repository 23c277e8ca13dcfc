"""Usage events: the one way in, plain or as CloudEvents."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import azure.functions as func
import pydantic
from pydantic import ConfigDict, Field, TypeAdapter, model_validator

from functions.fields import ClientId
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import FieldError, ValidationError, XyraError
from shared.domain.kernel.validation import refusal, validation_error
from shared.domain.metering.event_types import EventType
from shared.domain.usage.events import MAXIMUM_EVENTS
from shared.http import Call, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.usage.events import Rejection, ReportedEvent

blueprint = func.Blueprint()

PLAIN = "application/json"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENT_BATCH = "application/cloudevents-batch+json"
DEFAULT_SOURCE = "api"
ERRORS_PER_EVENT = 5
"""Shown for each rejected event."""


class EventRequest(Schema):
    """One usage event in the plain form."""

    id: ClientId
    """With `source` the event's identity: what has the same is the same event, however often it is sent."""
    type: EventType
    """`llm_call`, `cost.{category}`, `outcome.{name}`, `workflow.{name}`, or the name of an activity."""
    agent: ClientId
    """The agent's id or external id."""
    time: ZonedTime | None = None
    """When it happened; without it now."""
    source: ClientId = DEFAULT_SOURCE
    """Where it comes from."""
    run: ClientId | None = None
    """The key of the run that it belongs to."""
    organization: ClientId | None = None
    """Whose it is: id, slug or external id. Only operators need it."""
    data: dict[str, Any] = {}
    """What meters read, and what the caller keeps with it."""


class EventBatchRequest(Schema):
    events: list[EventRequest]


class CloudEventRequest(Schema):
    """One usage event as a CloudEvent 1.0; `run` and `organization` are extension attributes, others are ignored."""

    model_config = ConfigDict(extra="ignore")

    specversion: Literal["1.0"]
    id: ClientId
    """With `source` the event's identity: what has the same is the same event, however often it is sent."""
    source: ClientId
    """Where it comes from."""
    type: EventType
    """`llm_call`, `cost.{category}`, `outcome.{name}`, `workflow.{name}`, or the name of an activity."""
    subject: ClientId
    """The agent's id or external id."""
    time: ZonedTime | None = None
    """When it happened; without it now."""
    datacontenttype: str | None = None
    """Without effect: the data has to be JSON."""
    run: ClientId | None = None
    """The key of the run that it belongs to; an extension attribute."""
    organization: ClientId | None = None
    """Whose it is: id, slug or external id. Only operators need it; an extension attribute."""
    data: dict[str, Any] = {}
    """What meters read, and what the caller keeps with it."""
    data_base64: str | None = None
    """The same as JSON in Base64, instead of `data`."""

    @model_validator(mode="before")
    @classmethod
    def _decoded(cls, value: object) -> object:
        """Binary data has to be JSON, too."""
        if not isinstance(value, dict) or value.get("data_base64") is None:
            return value
        if "data" in value:
            raise refusal((("data_base64",), "cannot stand beside data"))
        try:
            data = json.decode_request(base64.b64decode(value["data_base64"], validate=True))
        except (TypeError, ValueError, XyraError):
            raise refusal((("data_base64",), "is not JSON in Base64")) from None
        return {**value, "data": data, "data_base64": None}

    @property
    def agent(self) -> str:
        return self.subject


Incoming = EventRequest | CloudEventRequest

_plain = TypeAdapter(EventRequest)
_plain_list = TypeAdapter(list[EventRequest])
_cloud = TypeAdapter(CloudEventRequest)
_cloud_list = TypeAdapter(list[CloudEventRequest])


@dataclass(frozen=True, slots=True)
class SentEvents:
    """A body as it was sent: objects that may be events, and where event `i` stands in it (`prefix` + `/i`, or the
    whole).
    """

    values: list[Any]
    prefix: str
    single: bool
    adapter: TypeAdapter[Any]
    list_adapter: TypeAdapter[Any]

    def placed(self, pointer: str) -> str:
        """`/{index}/...` as it is in this body."""
        _, index, *steps = pointer.split("/")
        inner = self.named("".join(f"/{step}" for step in steps))
        return inner if self.single else f"{self.prefix}/{index}{inner}"

    def named(self, inner: str) -> str:
        """A place of an event as this form names it: the agent of a CloudEvent is its subject."""
        return "/subject" if inner == "/agent" and self.adapter is _cloud else inner


# As raw JSON: a client generated for a list of a second form tells the forms apart by `isinstance(body, list[...])`,
# which Python refuses.
CloudEventBatch = Annotated[bytes, Field(description="A JSON array of CloudEvents, each as in the single form.")]


class EventsBody:
    """Every form in which events may be sent."""

    content: Mapping[str, Any] = {
        PLAIN: EventRequest | list[EventRequest] | EventBatchRequest,
        CLOUD_EVENT: CloudEventRequest,
        CLOUD_EVENT_BATCH: CloudEventBatch,
    }

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> SentEvents:
        if "ce-specversion" in headers:
            return self._binary(headers, raw)
        value = json.decode_request(raw)
        if media_type == CLOUD_EVENT:
            return self._checked(SentEvents([value], "", single=True, adapter=_cloud, list_adapter=_cloud_list))
        if media_type == CLOUD_EVENT_BATCH:
            return self._checked(
                SentEvents(_list(value, ""), "", single=False, adapter=_cloud, list_adapter=_cloud_list)
            )
        if isinstance(value, dict) and "events" in value:
            if unknown := sorted(set(value) - {"events"}):
                raise ValidationError.at(f"/{unknown[0]}", "is not a field of a batch")
            values = _list(value["events"], "/events")
            return self._checked(SentEvents(values, "/events", single=False, adapter=_plain, list_adapter=_plain_list))
        single = not isinstance(value, list)
        values = [value] if single else value
        return self._checked(SentEvents(values, "", single=single, adapter=_plain, list_adapter=_plain_list))

    def _binary(self, headers: Mapping[str, str], raw: bytes) -> SentEvents:
        attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
        value = {**attributes, "data": json.decode_request(raw) if raw else {}}
        return SentEvents([value], "", single=True, adapter=_cloud, list_adapter=_cloud_list)

    def _checked(self, sent: SentEvents) -> SentEvents:
        if not sent.values:
            raise ValidationError.at(sent.prefix, "is empty")
        if len(sent.values) > MAXIMUM_EVENTS:
            raise ValidationError.at(
                sent.prefix, f"has {len(sent.values)} events, at most {MAXIMUM_EVENTS} are allowed"
            )
        return sent


def _list(value: object, pointer: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValidationError.at(pointer, "is not a list of events")
    return value


class EventsQuery(Query):
    partial: bool = False
    """Whether to take the good events where others are wrong; else one wrong event refuses all."""


class FieldProblem(Schema):
    pointer: str
    """RFC 6901, from the event on."""
    detail: str


class RejectedEvent(Schema):
    index: int
    """Its place in the request, from 0 on."""
    errors: list[FieldProblem]
    """At most 5."""


class AcceptedEventAnswer(Schema):
    index: int
    """Its place in the request, from 0 on."""
    id: str
    """As its sender names it."""


class EventsAnswer(Schema):
    accepted: int
    """How many are on their way to be rated."""
    duplicates_in_request: int
    """How many repeat an event of the same request."""
    rejected: list[RejectedEvent]
    """Only with `partial`."""
    events: list[AcceptedEventAnswer]


def _read(sent: SentEvents, *, partial: bool) -> tuple[list[tuple[int, Incoming]], list[Rejection]]:
    """Well-formed events with their index, and the others; without `partial` the others are an error."""
    try:
        return list(enumerate(sent.list_adapter.validate_python(sent.values))), []
    except pydantic.ValidationError as error:
        if not partial:
            raise validation_error(error, placed=sent.placed) from error
    good: list[tuple[int, Incoming]] = []
    bad: list[Rejection] = []
    for index, value in enumerate(sent.values):
        try:
            good.append((index, sent.adapter.validate_python(value)))
        except pydantic.ValidationError as error:
            bad.append(Rejection(index, validation_error(error).errors[:ERRORS_PER_EVENT]))
    return good, bad


def _placed(sent: SentEvents, error: ValidationError) -> ValidationError:
    """The same error, its `/{index}/...` pointers as they are in this body."""
    places = tuple(FieldError(sent.placed(place.pointer), place.detail) for place in error.errors)
    return ValidationError(error.detail, errors=places)


async def _organizations(call: Call[Any, Any, Any], events: Sequence[Incoming]) -> dict[str | None, str]:
    """The organization behind each name that the events use; None stands for no name."""
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
    example={"id": "call-1", "type": "llm_call", "agent": "coder", "data": {"input_tokens": 1200, "output_tokens": 90}},
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
            call.principal.id,
        )
        for index, event in events
    ]
    try:
        acceptance = await call.services.events.accept(reported, partial=partial)
    except ValidationError as error:
        raise _placed(call.body, error) from error
    rejected = sorted([*malformed, *acceptance.rejected], key=lambda rejection: rejection.index)
    return Reply(
        {
            "accepted": len(acceptance.accepted),
            "duplicates_in_request": acceptance.duplicates,
            "rejected": [
                {
                    "index": rejection.index,
                    "errors": [
                        {"pointer": call.body.named(place.pointer), "detail": place.detail}
                        for place in rejection.errors
                    ],
                }
                for rejection in rejected
            ],
            "events": [{"index": index, "id": event.id} for index, event in acceptance.accepted],
        }
    )
