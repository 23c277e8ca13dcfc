"""Usage events that were accepted and could not be rated."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

import azure.functions as func
from pydantic import Field, StringConstraints, model_validator

from functions.fields import ClientId
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.kernel.validation import refusal
from shared.domain.usage.parked_events import ParkedEvent, ParkedStatus
from shared.http import Call, ListQuery, NoBody, Query, Reply, Schema, endpoint
from shared.services.usage.metering import UNKNOWN_ORGANIZATION
from shared.services.usage.parked_events import MAXIMUM_REPLAYED

blueprint = func.Blueprint()


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
    subject = json.encode_verbatim(parked.public_subject()).decode()
    return asdict(parked) | {"subject": json.verbatim(subject)}


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
    organization_id = await call.organization_id_or_operator() or UNKNOWN_ORGANIZATION
    query = call.query
    page = await call.services.parked_events.page(organization_id, query.status, query.limit, query.cursor)
    return Reply({"data": [_parked_answer(parked) for parked in page.parked], "next_cursor": page.cursor})


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
    organization = await call.organization()
    parked_events, ids, cursor = call.services.parked_events, call.body.ids, None
    if ids is None:
        page = await parked_events.page(organization.id, "parked", MAXIMUM_REPLAYED, call.body.cursor)
        ids, cursor = [parked.id for parked in page.parked], page.cursor
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
    organization_id = await call.organization_id_or_operator()
    owner = await call.services.organizations.get(organization_id) if organization_id else UNKNOWN_ORGANIZATION
    discarded = await call.services.parked_events.discard(
        owner, call.path["parked_id"], call.body.reason, call.principal.id
    )
    return Reply(_parked_answer(discarded))
