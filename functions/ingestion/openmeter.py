"""OpenMeter's ingestion: its SDKs, and LiteLLM's callback for it, work when they are pointed here.

https://openmeter.io/docs/api/cloud#events. OpenMeter answers 204, or an error. Here, one bad event fails alone: the
others of its request are taken, and the error says so.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import azure.functions as func
import pydantic
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, field_validator

from functions.fields import ClientId, FreeObject
from functions.ingestion.senders import NotTakenError, Sender
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.ingestion.openmeter import usage_of
from shared.domain.ingestion.reported_calls import identity_of, label_of
from shared.domain.kernel.errors import (
    MAXIMUM_ERRORS,
    FieldError,
    MalformedError,
    Rejection,
    ValidationError,
    XyraError,
)
from shared.domain.kernel.times import Time
from shared.domain.kernel.validation import Length, validation_error
from shared.domain.kernel.validation_messages import ISO_TIME
from shared.domain.metering.event_types import EventType
from shared.domain.usage.events import MAXIMUM_EVENTS_OF_REQUEST
from shared.domain.usage.ingestion import OTHERS
from shared.http import LARGE_BODY, Call, Projects, Query, Reply, Schema, endpoint
from shared.services.ingestion.protocol_events import ProtocolEvent
from shared.turns import Turns

blueprint = func.Blueprint()

PLAIN = "application/json"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENT_BATCH = "application/cloudevents-batch+json"
MAXIMUM_LONG_ID = 2048
"""LiteLLM's ids of answers may be long."""


def _with_offset(value: object) -> object:
    """LiteLLM on Python 3.10 and older writes UTC without saying so."""
    if not isinstance(value, str) or "T" not in value.upper():
        raise ValueError(ISO_TIME)
    with suppress(ValueError):
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return value


class OpenMeterEvent(Schema):
    """One usage event as a CloudEvent 1.0. `agent`, `run` and `organization` are extension attributes."""

    model_config = ConfigDict(extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    """Of CloudEvents."""
    id: Annotated[str, StringConstraints(min_length=1, max_length=MAXIMUM_LONG_ID)]
    """With `source` the identity of the event: it counts once, however often it is sent."""
    source: ClientId
    """The system that it comes from."""
    type: EventType
    """`litellm_tokens` becomes an `llm_call`; other types stay."""
    subject: ClientId
    """By the API key's `subject_is`: an agent's id or external id, an organization's external id, or not read."""
    time: Annotated[Time, BeforeValidator(_with_offset, json_schema_input_type=str)] | None = None
    """When it happened; now, if it is left out. In UTC, if it has no offset."""
    agent: ClientId | None = None
    """The agent's id or external id, where the subject is no agent; an extension attribute."""
    run: ClientId | None = None
    """The key of the run that it belongs to; an extension attribute."""
    organization: ClientId | None = None
    """The organization's id, slug or external id. Only operators need it; an extension attribute."""
    data: FreeObject | None = None
    """The values that meters read, and any others of the sender's."""

    @field_validator("id")
    @classmethod
    def _identity(cls, value: str) -> str:
        identity = identity_of(value)
        if identity is None:
            raise ValueError("has control characters")
        return identity


OpenMeterEvents = Annotated[list[OpenMeterEvent], Length(1, MAXIMUM_EVENTS_OF_REQUEST)]

_event = TypeAdapter(OpenMeterEvent)


@dataclass(frozen=True, slots=True)
class SentValues:
    """The values of a body that should be events, before they are validated."""

    values: Sequence[Any]
    single: bool

    def pointer(self, index: int, in_event: str) -> str:
        return in_event if self.single else f"/{index}{in_event}"


class OpenMeterBody:
    """One event or a list of them, under any of the content types."""

    content: Mapping[str, Any] = {
        PLAIN: OpenMeterEvent | OpenMeterEvents,
        CLOUD_EVENT: OpenMeterEvent,
        # As raw JSON: the generator of Python clients cannot tell two forms of lists apart.
        CLOUD_EVENT_BATCH: Annotated[bytes, Field(description="A JSON array of CloudEvents.")],
    }

    @property
    def required(self) -> bool:
        return True

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> SentValues:  # noqa: ARG002
        value = json.decode_request(raw)
        if isinstance(value, list):
            if not 1 <= len(value) <= MAXIMUM_EVENTS_OF_REQUEST:
                raise ValidationError.at("", f"has {len(value)} events; 1 to {MAXIMUM_EVENTS_OF_REQUEST} are allowed")
            return SentValues(value, single=False)
        return SentValues([value], single=True)


@endpoint(
    blueprint,
    "POST",
    "/openmeter/api/v1/events",
    summary="Report usage as to OpenMeter: CloudEvents, among them those of LiteLLM's callback",
    access=Permission.EVENTS_WRITE,
    projects=Projects.CHECKED,
    body=OpenMeterBody(),
    body_limit=LARGE_BODY,
    answers={204: None},
    idempotent=False,
    example={
        "specversion": "1.0",
        "id": "call-1",
        "source": "shop",
        "type": "command",
        "subject": "coder",
        "data": {"quantity": 1},
    },
)
async def ingest_openmeter_events(call: Call[SentValues, Query]) -> Reply:
    sender = Sender(call)
    well_formed, rejected = await _well_formed(call.body.values, call.services.turns)
    events: list[ProtocolEvent] = []
    for index, event in well_formed:
        try:
            events.append(await _read(sender, index, event))
        except NotTakenError as error:
            if call.body.single and isinstance(error.__cause__, XyraError):
                raise error.__cause__ from error
            rejected.append(Rejection(index, (error.error,)))
    await sender.count_malformed([_source_and_type(call.body.values[each.index]) for each in rejected])
    taken = await call.services.protocol_events.take(sender.credential, events)
    rejected += taken.acceptance.rejected
    if rejected:
        raise _partly_taken(call.body, rejected)
    return Reply()


async def _well_formed(
    values: Sequence[object], turns: Turns
) -> tuple[list[tuple[int, OpenMeterEvent]], list[Rejection]]:
    """Events that are well-formed, each with its index, and why others are not."""
    well_formed: list[tuple[int, OpenMeterEvent]] = []
    malformed: list[Rejection] = []
    with turns.begun() as turn:
        for index, value in enumerate(values):
            if turn.is_over:
                await turn.pause()
            try:
                well_formed.append((index, _event.validate_python(value)))
            except pydantic.ValidationError as error:
                malformed.append(Rejection(index, validation_error(error).errors))
    return well_formed, malformed


async def _read(sender: Sender, index: int, event: OpenMeterEvent) -> ProtocolEvent:
    """Raises `NotTakenError`."""
    usage = usage_of(event.type, event.source, event.subject, event.data or {})
    return ProtocolEvent(
        index=index,
        id=event.id,
        source=usage.source,
        type=usage.type,
        agent=sender.agent(event.subject, event.agent, usage.source),
        time=event.time,
        run=event.run,
        data=dict(usage.data),
        organization_id=await sender.organization_id(event.subject, event.organization),
        compared=usage.compared,
        hides_cache=usage.hides_cache,
    )


def _source_and_type(value: object) -> tuple[str, str]:
    """Of a value that is no valid event, as far as it has them."""
    named = value if isinstance(value, dict) else {}
    source, type_ = (label_of(named.get(name)) or OTHERS for name in ("source", "type"))
    return source, type_


def _partly_taken(sent: SentValues, rejected: Sequence[Rejection]) -> MalformedError:
    """OpenMeter's status for bad events. Its SDKs raise it and do not send again; sending again would do no harm."""
    errors = [
        FieldError(sent.pointer(rejection.index, error.pointer), error.detail)
        for rejection in sorted(rejected, key=lambda rejection: rejection.index)
        for error in rejection.errors
    ]
    others = len(sent.values) - len(rejected)
    detail = f"{len(rejected)} of {len(sent.values)} events are not valid; the other {others} were taken"
    return MalformedError(detail, errors=tuple(errors[:MAXIMUM_ERRORS]))
