"""Recorded events: listed and read, with what they count for."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import azure.functions as func
from pydantic import Field

from functions.fields import ClientId, Listed
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import NotFoundError, ValidationError
from shared.domain.kernel.money import plain
from shared.domain.kernel.times import from_text
from shared.domain.metering.event_types import EventType
from shared.domain.provider_costs.price_lookup import CostSource
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
    ZonedTime,
    endpoint,
)
from shared.services.usage.recorded_events import EventDetails, EventQuery

blueprint = func.Blueprint()


class EventPath(PathValues):
    event_id: Annotated[str, ThingId("evt")]
    """The event's id at Xyra (`evt_...`), not the one that its sender chose."""


class RatedToAnswer(Schema):
    """Where an event counts."""

    period_start: datetime
    """Of the billing period."""
    model_id: str | None
    """Null where the agent had no billing model."""
    version_id: str | None
    """Null where no version of a model was in force."""
    line_keys: list[str]
    """The invoice lines that it counts in; for an outcome, with its present status."""


class EventAnswer(Schema):
    id: str
    """As its sender chose it."""
    event_id: str
    """Its id at Xyra."""
    source: str
    """The system that it came from."""
    type: str
    """What it says happened."""
    agent_id: str
    run: str | None
    """The key of the run that it belongs to."""
    time: datetime
    """When it happened."""
    data: VerbatimObject
    """As it was sent; the counts of an LLM call under our names."""
    currency: str
    """The organization's."""
    provider_cost: str | None
    """The cost at the provider; for an LLM call by the price list."""
    cost_category: str | None
    """`llm`, `compute`, `api`, `labor`, `tools` or any other that was reported."""
    stated_cost: str | None
    """The cost of an LLM call as its sender reported it."""
    cost_difference: str | None
    """`provider_cost`, or `byok_cost`, minus `stated_cost`; null where the cost is the reported one."""
    cost_source: CostSource | None
    """Whose figure the cost of an LLM call is: `list`, `override`, or `reported`."""
    priced_by: str | None
    """The `provider/model` whose price was used."""
    list_version: str | None
    """The price list that it comes from."""
    unpriced_reason: str | None
    """Why an LLM call has no price."""
    byok: bool
    """Whether the customer's own key paid for an LLM call, so that it costs the operator nothing."""
    byok_cost: str | None
    """What such a call costs the customer."""
    exchange_rate: str | None
    """From the currency of its amounts to the organization's, where they differ."""
    paid_with: str | None
    """The transaction, hold or lease whose credits have paid for it."""
    beyond_payment: str | None
    """What it costs beyond what that keeps, in `currency`; null without `paid_with`."""
    payment_taken_off: bool
    """Whether the operator took the payment off, so that it is priced like any other event."""
    rated_to: RatedToAnswer
    """Where it counts."""


class EventListQuery(ListQuery):
    agent: ClientId | None = None
    """Only events of this agent, by its id or external id."""
    type: EventType | None = None
    """Only events of this type."""
    run: ClientId | None = None
    """Only events of the run with this key."""
    start: ZonedTime | None = Field(default=None, alias="from")
    """Only events from this time on."""
    end: ZonedTime | None = Field(default=None, alias="to")
    """Only events before this time."""
    source: ClientId | None = None
    """With `id`: the one event with the identity that its sender chose."""
    id: ClientId | None = None
    """With `source`: the one event with the identity that its sender chose."""


def event_answer(details: EventDetails, currency: str) -> EventAnswer:
    event, cost = details.event, details.event.cost
    return EventAnswer(
        id=event.id,
        event_id=event.key,
        source=event.source,
        type=event.type,
        agent_id=event.total.agent_id,
        run=event.run,
        time=from_text(event.time),
        data=json.encode_verbatim(event.data).decode(),
        currency=currency,
        provider_cost=_plain(cost.amount),
        cost_category=cost.category,
        stated_cost=_plain(cost.reported),
        cost_difference=_plain(event.cost_difference),
        cost_source=cost.source,
        priced_by=cost.priced_by,
        list_version=cost.list_version,
        unpriced_reason=cost.reason,
        byok=cost.byok,
        byok_cost=_plain(cost.byok_amount),
        exchange_rate=_plain(event.exchange_rate),
        paid_with=event.paid_with,
        beyond_payment=None if event.paid_with is None else plain(event.beyond_payment),
        payment_taken_off=event.payment_taken_off,
        rated_to=RatedToAnswer.model_validate(details.metered_to),
    )


async def _check_visible(call: Call[Any, Any, Any], details: EventDetails) -> None:
    """Raises `NotFoundError` for an event of an agent in another project than the caller's."""
    if call.projects is None:
        return
    agent = await call.services.agents.newest(await call.organization_id(), details.event.total.agent_id)
    call.check_sees(None if agent is None else agent.project_id)


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


@endpoint(
    blueprint,
    "GET",
    "events",
    summary="Metered events, newest first, with times at or after `from` and before `to`; with a type that is rare"
    " among them, a page may be shorter than its limit without being the last one",
    access=Permission.EVENTS_READ,
    projects=Projects.FILTERED,
    query=EventListQuery,
    answers={200: Listed[EventAnswer]},
)
async def list_events(call: Call[NoBody, EventListQuery]) -> Reply:
    query = call.query
    organization = await call.organization()
    recorded = call.services.recorded_events
    wanted = EventQuery(query.agent, query.type, query.run, query.start, query.end)
    if query.source is None and query.id is None:
        visible = await call.visible_agents(organization.id)
        events, cursor = await recorded.page(organization, wanted, query.limit, query.cursor, visible)
        return Reply(Listed(data=[event_answer(event, organization.currency) for event in events], next_cursor=cursor))
    if query.source is None or query.id is None:
        missing = "?source" if query.source is None else "?id"
        raise ValidationError.at(missing, "is needed: source and id name an event together")
    if wanted != EventQuery() or query.cursor is not None:
        raise ValidationError.at("?id", "names one event, so no filter goes with it")
    try:
        event = await recorded.get_by_identity(organization, query.source, query.id)
        await _check_visible(call, event)
    except NotFoundError:
        return Reply(Listed(data=[], next_cursor=None))
    return Reply(Listed(data=[event_answer(event, organization.currency)], next_cursor=None))


@endpoint(
    blueprint,
    "GET",
    "events/{event_id}",
    summary="One event, with what it counts for; not found while it is on its way or parked",
    access=Permission.EVENTS_READ,
    projects=Projects.BY_PATH,
    path_values=EventPath,
    answers={200: EventAnswer},
)
async def get_event(call: Call[NoBody, Query, EventPath]) -> Reply:
    organization = await call.organization()
    event = await call.services.recorded_events.get(organization, call.path.event_id)
    return Reply(event_answer(event, organization.currency))
