"""The convenience routes: what an agent did, told in its own words; they make the same events as `/events`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import azure.functions as func
from pydantic import Field, StringConstraints

from functions.fields import ClientId
from functions.usage.events import DEFAULT_SOURCE
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import FieldError, NotFoundError, ValidationError
from shared.domain.kernel.ids import new_id
from shared.domain.kernel.money import Currency, NonNegativeAmount, NonNegativeQuantity, as_written
from shared.domain.kernel.validation import pointer
from shared.domain.metering.meters import LLM_CALL, EventType
from shared.domain.pricing.charges.cost import Category
from shared.domain.pricing.charges.workflow import EVENT_TYPE, MAXIMUM_WORKFLOWS, WorkflowName
from shared.domain.provider_costs.costs import COST_TYPE
from shared.domain.usage.events import event_key
from shared.http import Call, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.usage.events import ReportedEvent

blueprint = func.Blueprint()

MAXIMUM_ID = 256
MAXIMUM_METADATA = 50

Metadata = Annotated[dict[str, Any], Field(max_length=MAXIMUM_METADATA)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Tokens = Annotated[int, Field(ge=0, lt=10**15, strict=True)]


class Report(Schema):
    """What every report may say: when it happened, in which run, and the id that makes it the same when it is sent
    again.
    """

    time: ZonedTime | None = None
    run: ClientId | None = None
    id: ClientId | None = None


class ActivityRequest(Report):
    activity_type: EventType
    quantity: NonNegativeQuantity | None = None
    metadata: Metadata = {}


class CostRequest(Report):
    """Without a currency it is in the organization's."""

    cost_type: Category
    amount: NonNegativeAmount
    currency: Currency | None = None
    details: Metadata = {}


class LlmCallRequest(Report):
    """`input_tokens` include the cached ones, `output_tokens` the reasoning ones. `cost` is what the sender was charged
    by its own figures; it is kept beside ours.
    """

    model: Name
    provider: Name | None = None
    input_tokens: Tokens | None = None
    cached_input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None
    cost: NonNegativeAmount | None = None
    currency: Currency | None = None
    metadata: Metadata = {}


class WorkflowsRequest(Report):
    """How many of each type."""

    workflows: Annotated[dict[WorkflowName, NonNegativeQuantity], Field(min_length=1, max_length=MAXIMUM_WORKFLOWS)]
    metadata: Metadata = {}


class OneEventAnswer(Schema):
    id: str
    event_id: str


class WorkflowEventAnswer(OneEventAnswer):
    workflow: str


class WorkflowsAnswer(Schema):
    """`id` is that of the whole; the events have it before their own workflow's name."""

    id: str
    events: list[WorkflowEventAnswer]


@dataclass(frozen=True, slots=True)
class _Part:
    """One event of a report. `places` says where the body has what the event has there; the longest that fits
    counts.
    """

    id: str
    type: str
    data: dict[str, Any]
    places: Mapping[str, str]


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/activities",
    summary="Report one activity of an agent",
    access=Permission.EVENTS_WRITE,
    body=ActivityRequest,
    answers={202: OneEventAnswer},
    example={"activity_type": "command", "quantity": "1"},
)
async def report_activity(call: Call[ActivityRequest, Query]) -> Reply:
    activity = call.body
    return await report_one(
        call,
        activity.activity_type,
        fixed={"quantity": activity.quantity},
        free=("metadata", activity.metadata),
        named="activity_type",
    )


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/costs",
    summary="Report what an agent has cost at a provider",
    access=Permission.EVENTS_WRITE,
    body=CostRequest,
    answers={202: OneEventAnswer},
    example={"cost_type": "compute", "amount": "0.25", "currency": "USD", "details": {"instance": "a-1"}},
)
async def report_cost(call: Call[CostRequest, Query]) -> Reply:
    cost = call.body
    return await report_one(
        call,
        COST_TYPE + cost.cost_type,
        fixed={"amount": cost.amount, "currency": cost.currency},
        free=("details", cost.details),
        named="cost_type",
    )


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/llm-calls",
    summary="Report one call of a language model by an agent",
    access=Permission.EVENTS_WRITE,
    body=LlmCallRequest,
    answers={202: OneEventAnswer},
    example={"model": "gpt-5", "input_tokens": 1200, "cached_input_tokens": 800, "output_tokens": 90},
)
async def report_llm_call(call: Call[LlmCallRequest, Query]) -> Reply:
    told = call.body
    fixed = {name: getattr(told, name) for name in LlmCallRequest.model_fields if name not in _NOT_OF_A_CALL}
    return await report_one(call, LLM_CALL, fixed=fixed, free=("metadata", told.metadata), named="")


_NOT_OF_A_CALL = {"metadata", *Report.model_fields}


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/workflows/bulk",
    summary="Report how many workflows of each type an agent has carried through: all or none are taken",
    access=Permission.EVENTS_WRITE,
    body=WorkflowsRequest,
    answers={202: WorkflowsAnswer},
    example={"workflows": {"lead_research": "12", "email": "3"}},
)
async def report_workflows(call: Call[WorkflowsRequest, Query]) -> Reply:
    whole = _chosen_id(call)
    _refuse_in(("metadata", call.body.metadata), {"quantity"})
    parts = []
    for workflow, quantity in call.body.workflows.items():
        id_, place = f"{whole}:{workflow}", pointer(("workflows", workflow))
        if len(id_) > MAXIMUM_ID:
            raise ValidationError.at(place, f"makes the id of its event longer than {MAXIMUM_ID} characters")
        data = {**call.body.metadata, "quantity": as_written(quantity)}
        places = {"/data/quantity": place, "/data": "/metadata", "/type": place}
        parts.append(_Part(id_, EVENT_TYPE + workflow, data, places))
    keys = await _accept(call, parts)
    events = [
        {"id": part.id, "event_id": key, "workflow": workflow}
        for part, key, workflow in zip(parts, keys, call.body.workflows, strict=True)
    ]
    return Reply({"id": whole, "events": events}, status=202, headers=_location(keys[0]))


async def report_one(
    call: Call[Any, Query],
    event_type: str,
    *,
    fixed: Mapping[str, object],
    free: tuple[str, Mapping[str, Any]],
    named: str,
) -> Reply:
    """`fixed` are the fields of the body that have a meaning in the event's data, those that were given, amounts as
    texts; `free` is the field whose content is the rest of it, with the content; `named` is the field that says the
    type.
    """
    _refuse_in(free, set(fixed))
    told = {
        name: as_written(value) if isinstance(value, Decimal) else value
        for name, value in fixed.items()
        if value is not None
    }
    data = {**free[1], **told}
    places = {f"/data/{name}": f"/{name}" for name in fixed} | {"/data": f"/{free[0]}", "/type": f"/{named}"}
    part = _Part(_chosen_id(call), event_type, data, places)
    (key,) = await _accept(call, [part])
    return Reply({"id": part.id, "event_id": key}, status=202, headers=_location(key))


def _chosen_id(call: Call[Any, Query]) -> str:
    """From the body, else from the Idempotency-Key, else made."""
    return call.body.id or call.idempotency_key or new_id("act")


def _location(key: str) -> dict[str, str]:
    return {"Location": f"/api/v1/events/{key}"}


def _refuse_in(free: tuple[str, Mapping[str, Any]], names: set[str]) -> None:
    field, content = free
    for name in sorted(names & content.keys()):
        raise ValidationError.at(pointer((field, name)), f"belongs beside {field}, as {name}")


async def _accept(call: Call[Any, Query], parts: Sequence[_Part]) -> list[str]:
    """The keys of the events. Raises `NotFoundError`, `ValidationError` with pointers into the body."""
    agent_id = call.path["agent_id"]
    owner = await call.organization_id_of(agent_id)
    if agent_id not in await call.services.agents.resolve(owner, {agent_id}):
        raise NotFoundError("There is no such agent")
    time, run = call.body.time, call.body.run
    events = [
        ReportedEvent(
            index, part.id, part.type, agent_id, DEFAULT_SOURCE, time, run, part.data, owner, call.principal.id
        )
        for index, part in enumerate(parts)
    ]
    try:
        await call.services.events.accept(events, partial=False)
    except ValidationError as error:
        places = tuple(FieldError(_place_in_body(parts, place.pointer), place.detail) for place in error.errors)
        raise ValidationError(error.detail, errors=tuple(dict.fromkeys(places))) from error
    return [event_key(owner, DEFAULT_SOURCE, part.id) for part in parts]


def _place_in_body(parts: Sequence[_Part], place: str) -> str:
    _, index, *rest = place.split("/")
    inner = "".join(f"/{part}" for part in rest)
    places = parts[int(index)].places
    for prefix in sorted(places, key=len, reverse=True):
        if inner == prefix or inner.startswith(f"{prefix}/"):
            return places[prefix] + inner.removeprefix(prefix)
    return inner
