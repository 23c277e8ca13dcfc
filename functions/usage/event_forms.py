"""The forms in which events are sent: plain JSON, or CloudEvents 1.0.

CloudEvents come one by one, in batches, or in binary mode with their attributes as headers.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

from pydantic import ConfigDict, Field, TypeAdapter, model_validator

from functions.fields import ClientId, FreeObject
from shared import json
from shared.domain.kernel.errors import ValidationError, XyraError
from shared.domain.kernel.validation import Length, refusal
from shared.domain.metering.event_types import EventType
from shared.domain.usage.events import MAXIMUM_EVENT_BYTES, MAXIMUM_EVENTS_OF_REQUEST
from shared.domain.usage.ingestion import OTHERS
from shared.http import Schema, ZonedTime

PLAIN = "application/json"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENT_BATCH = "application/cloudevents-batch+json"
DEFAULT_SOURCE = "api"
MAXIMUM_EXTENSIONS = 50

_MAXIMUM_BASE64 = MAXIMUM_EVENT_BYTES * 4 // 3 + 4


class EventRequest(Schema):
    """One usage event in the plain form."""

    id: ClientId
    """With `source` the identity of the event: it counts once, however often it is sent."""
    type: EventType
    """`llm_call`, `cost.{category}`, `outcome.{name}`, `workflow.{name}`, or the name of an activity."""
    agent: ClientId
    """The agent's id or external id."""
    time: ZonedTime | None = None
    """When it happened; now, if it is left out."""
    source: ClientId = DEFAULT_SOURCE
    """The system that it comes from."""
    run: ClientId | None = None
    """The key of the run that it belongs to."""
    organization: ClientId | None = None
    """The organization's id, slug or external id. Only operators need it."""
    paid_with: ClientId | None = None
    """The transaction, hold or lease whose credits have paid for it: it costs only what goes beyond what that keeps."""
    data: FreeObject = {}
    """The values that meters read, and any others of the caller's."""

    @property
    def extensions(self) -> dict[str, Any]:
        """Only CloudEvents have them."""
        return {}


EventList = Annotated[list[EventRequest], Length(1, MAXIMUM_EVENTS_OF_REQUEST)]


class EventBatchRequest(Schema):
    events: EventList
    """At most 1,000."""


class CloudEventRequest(Schema):
    """One usage event as a CloudEvent 1.0.

    `run`, `organization` and `paidwith` are extension attributes. All others are kept under `data.extensions`.
    """

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    """Of CloudEvents."""
    id: ClientId
    """With `source` the identity of the event: it counts once, however often it is sent."""
    source: ClientId
    """The system that it comes from."""
    type: EventType
    """`llm_call`, `cost.{category}`, `outcome.{name}`, `workflow.{name}`, or the name of an activity."""
    subject: ClientId
    """The agent's id or external id."""
    time: ZonedTime | None = None
    """When it happened; now, if it is left out."""
    datacontenttype: str | None = None
    """Not read: the data has to be JSON."""
    dataschema: Any = None
    """Not read."""
    run: ClientId | None = None
    """The key of the run that it belongs to; an extension attribute."""
    organization: ClientId | None = None
    """The organization's id, slug or external id. Only operators need it; an extension attribute."""
    paidwith: ClientId | None = None
    """The transaction, hold or lease whose credits have paid for it; an extension attribute."""
    data: FreeObject = {}
    """The values that meters read, and any others of the caller's."""
    data_base64: str | None = None
    """In place of `data`: the same as JSON in Base64."""

    @model_validator(mode="before")
    @classmethod
    def _decoded(cls, value: object) -> object:
        """Takes `data` from `data_base64`."""
        if not isinstance(value, dict) or value.get("data_base64") is None:
            return value
        if "data" in value:
            raise refusal((("data_base64",), "cannot be combined with data"))
        try:
            data = json.decode_request(_decoded_text(value["data_base64"]))
        except (TypeError, ValueError, XyraError):
            raise refusal((("data_base64",), f"is not JSON in Base64 of at most {MAXIMUM_EVENT_BYTES} bytes")) from None
        return {**value, "data": data, "data_base64": None}

    @model_validator(mode="after")
    def _has_few_extensions(self) -> Self:
        if len(self.extensions) > MAXIMUM_EXTENSIONS:
            raise ValueError(f"has {len(self.extensions)} extension attributes, at most {MAXIMUM_EXTENSIONS} are taken")
        return self

    @property
    def agent(self) -> str:
        return self.subject

    @property
    def paid_with(self) -> str | None:
        return self.paidwith

    @property
    def extensions(self) -> dict[str, Any]:
        """All attributes that are neither the specification's nor ours."""
        return {name: value for name, value in (self.model_extra or {}).items() if value is not None}


def _decoded_text(text: str) -> bytes:
    """Raises `ValueError` for more than an event may have, and for anything but Base64."""
    if len(text) > _MAXIMUM_BASE64:
        raise ValueError("is too long")
    return base64.b64decode(text, validate=True)


AnyEventRequest = EventRequest | CloudEventRequest

_plain = TypeAdapter(EventRequest)
_cloud = TypeAdapter(CloudEventRequest)


_IN_CLOUD_EVENTS = {"/agent": "/subject", "/paid_with": "/paidwith"}


@dataclass(frozen=True, slots=True)
class SentEvents:
    """The values of a body that should be events, before they are validated."""

    values: list[Any]
    prefix: str
    """The pointer to the list of events in the body."""
    single: bool
    """Whether the body is one event, not a list."""
    adapter: TypeAdapter[Any]

    def pointer_in_body(self, pointer: str) -> str:
        """The place in the body of `/{index}/...`, which is relative to the list of events."""
        _, index, *names = pointer.split("/")
        in_event = self.pointer_in_event("".join(f"/{name}" for name in names))
        return in_event if self.single else f"{self.prefix}/{index}{in_event}"

    def pointer_in_event(self, pointer: str) -> str:
        """With the names of the form: the agent of a CloudEvent is its subject."""
        return _IN_CLOUD_EVENTS.get(pointer, pointer) if self.adapter is _cloud else pointer


# As raw JSON: a client generated for a list of a second form tells the forms apart by `isinstance(body, list[...])`,
# which Python refuses.
CloudEventBatch = Annotated[bytes, Field(description="A JSON array of CloudEvents, each as in the single form.")]


class EventsBody:
    """Reads a body in any of the forms."""

    content: Mapping[str, Any] = {
        PLAIN: EventRequest | EventList | EventBatchRequest,
        CLOUD_EVENT: CloudEventRequest,
        CLOUD_EVENT_BATCH: CloudEventBatch,
    }

    @property
    def required(self) -> bool:
        return True

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> SentEvents:
        if "ce-specversion" in headers:
            return self._read_binary(headers, raw)
        value = json.decode_request(raw)
        if media_type == CLOUD_EVENT:
            return self._checked(SentEvents([value], "", single=True, adapter=_cloud))
        if media_type == CLOUD_EVENT_BATCH:
            return self._checked(SentEvents(_list(value, ""), "", single=False, adapter=_cloud))
        if isinstance(value, dict) and "events" in value:
            if unknown := sorted(set(value) - {"events"}):
                raise ValidationError.at(f"/{unknown[0]}", "is not a field of a batch")
            values = _list(value["events"], "/events")
            return self._checked(SentEvents(values, "/events", single=False, adapter=_plain))
        single = not isinstance(value, list)
        values = [value] if single else value
        return self._checked(SentEvents(values, "", single=single, adapter=_plain))

    def _read_binary(self, headers: Mapping[str, str], raw: bytes) -> SentEvents:
        attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
        value = {**attributes, "data": json.decode_request(raw) if raw else {}}
        return SentEvents([value], "", single=True, adapter=_cloud)

    def _checked(self, sent: SentEvents) -> SentEvents:
        if not sent.values:
            raise ValidationError.at(sent.prefix, "is empty")
        if len(sent.values) > MAXIMUM_EVENTS_OF_REQUEST:
            raise ValidationError.at(
                sent.prefix, f"has {len(sent.values)} events, at most {MAXIMUM_EVENTS_OF_REQUEST} are allowed"
            )
        return sent


def source_and_type_of(value: object) -> tuple[str, str]:
    """The source and the type of an event that is malformed, as far as they can be read."""
    fields = value if isinstance(value, dict) else {}
    source, type_ = fields.get("source", DEFAULT_SOURCE), fields.get("type")
    return source if isinstance(source, str) else OTHERS, type_ if isinstance(type_, str) else OTHERS


def _list(value: object, pointer: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValidationError.at(pointer, "is not a list of events")
    return value
