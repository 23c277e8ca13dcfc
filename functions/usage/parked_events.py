"""Parked events: accepted, but not metered."""

from datetime import datetime
from typing import Annotated, Literal, Self

import azure.functions as func
from pydantic import Field, StringConstraints, model_validator

from functions.fields import ClientId, Listed
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.kernel.validation import Length, refusal
from shared.domain.usage.parked_events import ParkedEvent, ParkedStatus
from shared.http import (
    Call,
    ListQuery,
    NoBody,
    PathValues,
    Projects,
    Query,
    Reply,
    Schema,
    ThingId,
    VerbatimObject,
    endpoint,
)
from shared.services.usage.metering import UNKNOWN_ORGANIZATION
from shared.services.usage.parked_events import MAXIMUM_REPLAYED

blueprint = func.Blueprint()


class ParkedEventPath(PathValues):
    parked_id: Annotated[str, ThingId("park")]
    """The parked event's id."""


class ReplayAnswer(Schema):
    """The last time that the event was sent again."""

    attempt: int
    """The number of this resend, from 1."""
    at: datetime
    """When."""
    by: str
    """The id of the user or API key."""


class DiscardAnswer(Schema):
    at: datetime
    """When it was discarded."""
    by: str
    """The id of the user or API key."""
    reason: str
    """Why it was discarded."""


class ParkedEventAnswer(Schema):
    id: str
    status: ParkedStatus
    reason: str
    """Why it was not metered."""
    parked_at: datetime
    """When metering it failed."""
    subject: VerbatimObject
    """The event as it was accepted, or the message that could not be read."""
    replay: ReplayAnswer | None
    """When it was sent again; null where it never was."""
    discard: DiscardAnswer | None
    """Who gave it up; null where nobody did."""

    @classmethod
    def of(cls, parked: ParkedEvent) -> Self:
        return cls.showing(parked, subject=json.encode_verbatim(parked.public_subject()).decode())


class ParkedEventsQuery(ListQuery):
    status: ParkedStatus = "parked"
    """Only events with this status."""


@endpoint(
    blueprint,
    "GET",
    "events/parked",
    summary="Accepted events that could not be metered, with the reason, newest first; for an operator who names no"
    " organization, the messages that could not be read",
    access=Permission.EVENTS_READ,
    projects=Projects.FILTERED,
    query=ParkedEventsQuery,
    answers={200: Listed[ParkedEventAnswer]},
)
async def list_parked_events(call: Call[NoBody, ParkedEventsQuery]) -> Reply:
    organization_id = await call.organization_id_or_operator() or UNKNOWN_ORGANIZATION
    query = call.query
    page = await call.services.parked_events.page(organization_id, query.status, query.limit, query.cursor)
    visible = await call.visible_agents(organization_id)
    shown = [parked for parked in page.parked if visible is None or parked.subject.get("agent") in visible]
    return Reply(Listed(data=[ParkedEventAnswer.of(parked) for parked in shown], next_cursor=page.cursor))


class ReplayRequest(Schema):
    """Either `ids` or `all`."""

    ids: Annotated[list[ClientId], Length(1, MAXIMUM_REPLAYED)] | None = None
    """Ids of parked events."""
    all: Literal[True] | None = None
    """The newest 200 that are parked, or the next ones after `cursor`."""
    cursor: Annotated[str, Field(max_length=2048)] | None = None
    """With `all`: the `next_cursor` of the previous answer."""

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
    """Why it was not sent again."""


class ReplayedAnswer(Schema):
    sent: int
    """How many were sent again."""
    rated: int
    """How many had been metered already, so that they are parked no longer."""
    refused: list[NotReplayedAnswer]
    """Those that were not sent again."""
    next_cursor: str | None
    """With `all`: asks for the next ones; null after the last."""


@endpoint(
    blueprint,
    "POST",
    "events/parked/replay",
    summary="Send parked events again; each stays parked until it is found metered",
    access=Permission.PARKED_EVENTS_WRITE,
    body=ReplayRequest,
    answers={202: ReplayedAnswer},
    example={"all": True},
)
async def replay_parked_events(call: Call[ReplayRequest]) -> Reply:
    organization = await call.organization()
    parked_events, ids, cursor = call.services.parked_events, call.body.ids, None
    if ids is None:
        page = await parked_events.page(organization.id, "parked", MAXIMUM_REPLAYED, call.body.cursor)
        ids, cursor = [parked.id for parked in page.parked], page.cursor
    replayed = await parked_events.replay(organization, ids, call.principal.id)
    return Reply(ReplayedAnswer.showing(replayed, next_cursor=cursor))


class DiscardRequest(Schema):
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    """Why it is discarded."""


@endpoint(
    blueprint,
    "POST",
    "events/parked/{parked_id}/discard",
    summary="Give up a parked event for good; without an organization, a message that could not be read",
    access=Permission.PARKED_EVENTS_WRITE,
    path_values=ParkedEventPath,
    body=DiscardRequest,
    answers={200: ParkedEventAnswer},
    example={"reason": "The sender has corrected it and sent it under another id"},
)
async def discard_parked_event(call: Call[DiscardRequest, Query, ParkedEventPath]) -> Reply:
    organization_id = await call.organization_id_or_operator()
    owner = await call.services.organizations.get(organization_id) if organization_id else UNKNOWN_ORGANIZATION
    discarded = await call.services.parked_events.discard(
        owner, call.path.parked_id, call.body.reason, call.principal.id
    )
    return Reply(ParkedEventAnswer.of(discarded))
