"""Usage events as they were rated."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

import azure.functions as func
from pydantic import Field

from functions.fields import ClientId
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import NotFoundError, ValidationError
from shared.domain.kernel.money import plain
from shared.domain.kernel.times import from_text
from shared.domain.metering.meters import EventType
from shared.http import Call, ListQuery, NoBody, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.usage.recorded_events import EventDetails, EventQuery

blueprint = func.Blueprint()


class RatedToAnswer(Schema):
    """Null and empty where no model version was in force. `line_keys` are the lines that it moves; of an outcome those
    of the charges that it counts for as it stands.
    """

    period_start: datetime
    model_id: str | None
    version_id: str | None
    line_keys: list[str]


class EventAnswer(Schema):
    """`provider_cost` is what it cost at a provider, by the price list where it is an LLM call; `stated_cost` is the
    sender's own figure for that, and `cost_difference` what ours is above it; all in `currency`, the organization's.
    `exchange_rate` is that of its amounts, where they are in another currency.
    """

    id: str
    event_id: str
    source: str
    type: str
    agent_id: str
    run: str | None
    time: datetime
    data: dict[str, Any]
    currency: str
    provider_cost: str | None
    cost_category: str | None
    stated_cost: str | None
    cost_difference: str | None
    priced_by: str | None
    exchange_rate: str | None
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


def _event_answer(details: EventDetails, currency: str) -> Mapping[str, Any]:
    event, cost = details.event, details.event.cost
    return {
        "id": event.id,
        "event_id": event.key,
        "source": event.source,
        "type": event.type,
        "agent_id": event.total.agent_id,
        "run": event.run,
        "time": from_text(event.time),
        "data": json.verbatim(json.encode_verbatim(event.data).decode()),
        "currency": currency,
        "provider_cost": _plain(cost.amount),
        "cost_category": cost.category,
        "stated_cost": _plain(cost.reported),
        "cost_difference": _plain(event.cost_difference),
        "priced_by": cost.priced_by,
        "exchange_rate": _plain(event.exchange_rate),
        "rated_to": asdict(details.metered_to),
    }


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


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
    organization = await call.organization()
    recorded = call.services.recorded_events
    wanted = EventQuery(query.agent, query.type, query.run, query.start, query.end)
    if query.source is None and query.id is None:
        events, cursor = await recorded.page(organization, wanted, query.limit, query.cursor)
        return Reply({"data": [_event_answer(event, organization.currency) for event in events], "next_cursor": cursor})
    if query.source is None or query.id is None:
        missing = "?source" if query.source is None else "?id"
        raise ValidationError.at(missing, "is needed: source and id name an event together")
    if wanted != EventQuery() or query.cursor is not None:
        raise ValidationError.at("?id", "names one event, so no filter goes with it")
    try:
        found = [await recorded.get_by_identity(organization, query.source, query.id)]
    except NotFoundError:
        found = []
    return Reply({"data": [_event_answer(event, organization.currency) for event in found], "next_cursor": None})


@endpoint(
    blueprint,
    "GET",
    "events/{event_id}",
    summary="One event, with what it was rated to; not found while it is on its way or parked",
    access=Permission.EVENTS_READ,
    answers={200: EventAnswer},
)
async def get_event(call: Call[NoBody, Query]) -> Reply:
    organization = await call.organization()
    found = await call.services.recorded_events.get(organization, call.path["event_id"])
    return Reply(_event_answer(found, organization.currency))
