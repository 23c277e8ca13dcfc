"""Usage events: the one way in, plain or as CloudEvents, and what became of them."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import azure.functions as func
import pydantic
from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

from shared import json
from shared.domain.errors import FieldError, NotFoundError, ValidationError, XyraError
from shared.domain.events import MAXIMUM_EVENTS
from shared.domain.identity import Permission
from shared.domain.meters import EventType
from shared.domain.money import plain
from shared.domain.times import from_text
from shared.domain.validation import refusal, validation_error
from shared.http import Call, ListQuery, NoBody, Query, Reply, Schema, ZonedTime, endpoint
from shared.ports.usage import ParkedStatus
from shared.services.events import Rejection, ReportedEvent
from shared.services.parked_events import MAXIMUM_REPLAYED, ParkedEvent
from shared.services.rating import UNKNOWN_ORGANIZATION
from shared.services.recorded_events import EventQuery, RecordedEvent

blueprint = func.Blueprint()

PLAIN = "application/json"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENT_BATCH = "application/cloudevents-batch+json"
DEFAULT_SOURCE = "api"
ERRORS_PER_EVENT = 5
"""Shown for each rejected event."""

# No control characters: an identity must be readable and unambiguous wherever it is shown.
ClientId = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]


class EventRequest(Schema):
    """One usage event in the plain form."""

    id: ClientId
    type: EventType
    agent: ClientId
    time: ZonedTime | None = None
    source: ClientId = DEFAULT_SOURCE
    run: ClientId | None = None
    organization: ClientId | None = None
    data: dict[str, Any] = {}


class EventBatchRequest(Schema):
    events: list[EventRequest]


class CloudEventRequest(Schema):
    """One usage event as a CloudEvent 1.0; `run` and `organization` are extension attributes, others are ignored."""

    model_config = ConfigDict(extra="ignore")

    specversion: Literal["1.0"]
    id: ClientId
    source: ClientId
    type: EventType
    subject: ClientId
    time: ZonedTime | None = None
    datacontenttype: str | None = None
    run: ClientId | None = None
    organization: ClientId | None = None
    data: dict[str, Any] = {}
    data_base64: str | None = None

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

    def pointer(self, index: int, inner: str) -> str:
        return self.named(inner) if self.single else f"{self.prefix}/{index}{self.named(inner)}"

    def named(self, inner: str) -> str:
        """A place of an event as this form names it: the agent of a CloudEvent is its subject."""
        return "/subject" if inner == "/agent" and self.adapter is _cloud else inner


class EventsBody:
    """Every form in which events may be sent."""

    content: Mapping[str, Any] = {
        PLAIN: EventRequest | list[EventRequest] | EventBatchRequest,
        CLOUD_EVENT: CloudEventRequest,
        CLOUD_EVENT_BATCH: list[CloudEventRequest],
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


class FieldProblem(Schema):
    pointer: str
    detail: str


class RejectedEvent(Schema):
    index: int
    errors: list[FieldProblem]


class AcceptedEventAnswer(Schema):
    index: int
    id: str


class EventsAnswer(Schema):
    accepted: int
    duplicates_in_request: int
    rejected: list[RejectedEvent]
    events: list[AcceptedEventAnswer]


def _read(sent: SentEvents, *, partial: bool) -> tuple[list[tuple[int, Incoming]], list[Rejection]]:
    """Well-formed events with their index, and the others; without `partial` the others are an error."""
    try:
        return list(enumerate(sent.list_adapter.validate_python(sent.values))), []
    except pydantic.ValidationError as error:
        if not partial:
            raise _placed(sent, validation_error(error)) from error
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
    places = []
    for place in error.errors:
        _, index, *inner = place.pointer.split("/")
        places.append(FieldError(sent.pointer(int(index), "".join(f"/{part}" for part in inner)), place.detail))
    return ValidationError(error.detail, errors=tuple(places))


async def _organizations(call: Call[Any, Any], events: Sequence[Incoming]) -> dict[str | None, str]:
    """The organization behind each name that the events use; None stands for no name."""
    return {name: await call.organization(name) for name in {event.organization for event in events}}


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
                    "index": each.index,
                    "errors": [
                        {"pointer": call.body.named(place.pointer), "detail": place.detail} for place in each.errors
                    ],
                }
                for each in rejected
            ],
            "events": [{"index": index, "id": event.id} for index, event in acceptance.accepted],
        },
        status=202,
    )


class RatedToAnswer(Schema):
    """Null and empty where no model version was in force."""

    period_start: datetime
    model_id: str | None
    version_id: str | None
    line_keys: list[str]


class EventAnswer(Schema):
    """`provider_cost` is what it cost at a provider, in the organization's currency, by the price list where it is an
    LLM call; `stated_cost` is the sender's own figure for that, and `cost_difference` what ours is above it.
    """

    id: str
    event_id: str
    source: str
    type: str
    agent_id: str
    run: str | None
    time: datetime
    data: dict[str, Any]
    provider_cost: str | None
    cost_category: str | None
    stated_cost: str | None
    cost_difference: str | None
    priced_by: str | None
    rated_to: RatedToAnswer


class EventList(Schema):
    data: list[EventAnswer]
    next_cursor: str | None


class EventListQuery(ListQuery):
    """`source` and `id` name one event, by the identity that its sender chose."""

    agent: ClientId | None = None
    type: EventType | None = None
    run: ClientId | None = None
    start: ZonedTime | None = Field(default=None, alias="from")
    end: ZonedTime | None = Field(default=None, alias="to")
    source: ClientId | None = None
    id: ClientId | None = None


def _event_answer(found: RecordedEvent) -> Mapping[str, Any]:
    event = found.document
    return {
        "id": event["event_id"],
        "event_id": event["id"],
        "time": from_text(event["time"]),
        "data": json.verbatim(event["data"]),
        "run": event.get("run"),
        "provider_cost": event.get("cost"),
        "cost_difference": None if found.cost_difference is None else plain(found.cost_difference),
        "rated_to": asdict(found.rated_to),
        **{name: event[name] for name in ("source", "type", "agent_id")},
        **{name: event.get(name) for name in ("cost_category", "stated_cost", "priced_by")},
    }


@endpoint(
    blueprint,
    "GET",
    "events",
    summary="Events that were rated, newest first, with times from `from` on and before `to`; where a type is wanted"
    " that is rare among them, a page may be shorter than its limit and not the last one",
    access=Permission.EVENTS_READ,
    query=EventListQuery,
    answers={200: EventList},
)
async def list_events(call: Call[NoBody, EventListQuery]) -> Reply:
    query = call.query
    organization = await call.services.organizations.get(await call.organization())
    recorded = call.services.recorded_events
    wanted = EventQuery(query.agent, query.type, query.run, query.start, query.end)
    if query.source is None and query.id is None:
        events, cursor = await recorded.page(organization, wanted, query.limit, query.cursor)
        return Reply({"data": [_event_answer(each) for each in events], "next_cursor": cursor})
    if query.source is None or query.id is None:
        missing = "?source" if query.source is None else "?id"
        raise ValidationError.at(missing, "is needed: source and id name an event together")
    if wanted != EventQuery() or query.cursor is not None:
        raise ValidationError.at("?id", "names one event, so no filter goes with it")
    try:
        found = [await recorded.named(organization, query.source, query.id)]
    except NotFoundError:
        found = []
    return Reply({"data": [_event_answer(each) for each in found], "next_cursor": None})


class ReplayAnswer(Schema):
    """When, by whom and for the how many-th time the event was last sent again."""

    attempt: int
    at: datetime
    by: str


class DiscardAnswer(Schema):
    at: datetime
    by: str
    reason: str


class ParkedEventAnswer(Schema):
    """`subject` is the event as it was accepted, or the message that could not be read."""

    id: str
    status: ParkedStatus
    reason: str
    parked_at: datetime
    subject: dict[str, Any]
    replay: ReplayAnswer | None
    discard: DiscardAnswer | None


class ParkedEventList(Schema):
    data: list[ParkedEventAnswer]
    next_cursor: str | None


class ParkedEventsQuery(ListQuery):
    status: ParkedStatus = "parked"


def _parked_answer(parked: ParkedEvent) -> Mapping[str, Any]:
    return asdict(parked) | {"subject": json.verbatim(parked.subject)}


@endpoint(
    blueprint,
    "GET",
    "events/parked",
    summary="Accepted events that could not be rated, with the reason, newest first; for an operator who names no"
    " organization the messages that could not be read",
    access=Permission.EVENTS_READ,
    query=ParkedEventsQuery,
    answers={200: ParkedEventList},
)
async def list_parked_events(call: Call[NoBody, ParkedEventsQuery]) -> Reply:
    organization_id = await call.organization_or_operator() or UNKNOWN_ORGANIZATION
    query = call.query
    parked, cursor = await call.services.parked_events.page(organization_id, query.status, query.limit, query.cursor)
    return Reply({"data": [_parked_answer(each) for each in parked], "next_cursor": cursor})


class ReplayRequest(Schema):
    """Either `ids`, or `all`: the newest 200 that are parked, and from `cursor` on the next ones."""

    ids: Annotated[list[ClientId], Field(min_length=1, max_length=MAXIMUM_REPLAYED)] | None = None
    all: Literal[True] | None = None
    cursor: Annotated[str, Field(max_length=2048)] | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> "ReplayRequest":
        if (self.ids is None) == (self.all is None):
            raise refusal((("ids",), "is given, or all is true; not both"))
        if self.cursor is not None and self.all is None:
            raise refusal((("cursor",), "belongs to all"))
        return self


class NotReplayedAnswer(Schema):
    id: str
    detail: str


class ReplayedAnswer(Schema):
    """`sent` events are on their way again; `rated` ones had been rated already, so their entries are closed."""

    sent: int
    rated: int
    refused: list[NotReplayedAnswer]
    next_cursor: str | None


@endpoint(
    blueprint,
    "POST",
    "events/parked/replay",
    summary="Send parked events again; each stays parked until it is found rated",
    access=Permission.PARKED_EVENTS_WRITE,
    body=ReplayRequest,
    answers={202: ReplayedAnswer},
    example={"all": True},
)
async def replay_parked_events(call: Call[ReplayRequest, Query]) -> Reply:
    organization = await call.services.organizations.get(await call.organization())
    parked_events, ids, cursor = call.services.parked_events, call.body.ids, None
    if ids is None:
        page, cursor = await parked_events.page(organization.id, "parked", MAXIMUM_REPLAYED, call.body.cursor)
        ids = [each.id for each in page]
    replayed = await parked_events.replay(organization, ids, call.principal.id)
    return Reply(asdict(replayed) | {"next_cursor": cursor}, status=202)


class DiscardRequest(Schema):
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


@endpoint(
    blueprint,
    "POST",
    "events/parked/{parked_id}/discard",
    summary="Give up a parked event for good; without an organization, a message that could not be read",
    access=Permission.PARKED_EVENTS_WRITE,
    body=DiscardRequest,
    answers={200: ParkedEventAnswer},
    example={"reason": "The sender has corrected it and sent it under another id"},
)
async def discard_parked_event(call: Call[DiscardRequest, Query]) -> Reply:
    organization_id = await call.organization_or_operator()
    owner = await call.services.organizations.get(organization_id) if organization_id else UNKNOWN_ORGANIZATION
    discarded = await call.services.parked_events.discard(
        owner, call.path["parked_id"], call.body.reason, call.principal.id
    )
    return Reply(_parked_answer(discarded))


@endpoint(
    blueprint,
    "GET",
    "events/{event_id}",
    summary="One event, with what it was rated to; not found while it is on its way",
    access=Permission.EVENTS_READ,
    answers={200: EventAnswer},
)
async def get_event(call: Call[NoBody, Query]) -> Reply:
    organization = await call.services.organizations.get(await call.organization())
    return Reply(_event_answer(await call.services.recorded_events.get(organization, call.path["event_id"])))
