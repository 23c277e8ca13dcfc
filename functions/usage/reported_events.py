"""Activities, costs, LLM calls and workflows, reported in their own terms.

They become the same events as those that `/events` accepts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import azure.functions as func
from pydantic import StringConstraints

from functions.fields import AgentReferencePath, ClientId, LlmUsage
from functions.usage.event_forms import DEFAULT_SOURCE
from functions.usage.event_warnings import WithWarnings, event_warnings
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import FieldError, NotFoundError, ValidationError
from shared.domain.kernel.ids import new_id
from shared.domain.kernel.money import Currency, ReportedAmount, as_written
from shared.domain.kernel.validation import Length, pointer
from shared.domain.metering.event_types import LLM_CALL, EventType
from shared.domain.pricing.charges.cost import Category
from shared.domain.pricing.charges.workflow import EVENT_TYPE, MAXIMUM_WORKFLOWS, WorkflowName
from shared.domain.provider_costs.costs import COST_TYPE
from shared.domain.usage.events import event_key
from shared.http import Call, Projects, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.usage.reported_event import ReportedEvent

blueprint = func.Blueprint()

MAXIMUM_ID = 256
MAXIMUM_METADATA = 50

ReportMetadata = Annotated[dict[str, Any], Length(0, MAXIMUM_METADATA)]
ReportedName = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Report(Schema):
    """Fields that every report may have."""

    time: ZonedTime | None = None
    """When it happened; now, if it is left out."""
    run: ClientId | None = None
    """The key of the run that it belongs to."""
    id: ClientId | None = None
    """Identifies the event, which counts once however often it is sent. If left out: the Idempotency-Key, else a new
    one.
    """


class PaidReport(Report):
    """Fields of reports of what credits may have paid."""

    paid_with: ClientId | None = None
    """The transaction, hold or lease whose credits have paid for it: it costs only what goes beyond what that keeps."""


class ActivityRequest(PaidReport):
    activity_type: EventType
    """The type of the event."""
    quantity: ReportedAmount | None = None
    """1, if left out."""
    metadata: ReportMetadata = {}
    """Other data of the event, which meters can read."""


class CostRequest(PaidReport):
    cost_type: Category
    """The category: `llm`, `compute`, `api`, `labor`, `tools` or any other."""
    amount: ReportedAmount
    """What the provider charges."""
    currency: Currency | None = None
    """The organization's, if left out. From another one, the amount is converted by the operator's exchange rate."""
    details: ReportMetadata = {}
    """Other data of the event, which meters can read."""


class LlmCallRequest(LlmUsage, PaidReport):
    model: ReportedName
    """As the provider names it."""
    provider: ReportedName | None = None
    """Where the same model's prices depend on it."""
    cost: ReportedAmount | None = None
    """The cost by the sender's own figures, stored beside the cost by the price list. Rounded to 12 places."""
    currency: Currency | None = None
    """Of `cost`; the organization's, if left out."""
    metadata: ReportMetadata = {}
    """Other data of the event, which meters can read."""


class WorkflowsRequest(PaidReport):
    workflows: Annotated[dict[WorkflowName, ReportedAmount], Length(1, MAXIMUM_WORKFLOWS)]
    """The number of workflows by type."""
    metadata: ReportMetadata = {}
    """Other data of each event, which meters can read."""


class ReportedEventAnswer(Schema):
    id: str
    """As its sender chose it."""
    event_id: str
    """For `GET /events/{event_id}`, once the event is metered."""


class OneEventAnswer(ReportedEventAnswer, WithWarnings):
    pass


class WorkflowEventAnswer(ReportedEventAnswer):
    workflow: str
    """The type of the workflow."""


class WorkflowsAnswer(WithWarnings):
    id: str
    """Of the report; the id of each event is this one with its workflow's type."""
    events: list[WorkflowEventAnswer]
    """One for each type."""


@dataclass(frozen=True, slots=True)
class _ReportedEvent:
    """One event of a report."""

    id: str
    type: str
    data: dict[str, Any]
    pointers: Mapping[str, str]
    """Where the body has the values of the event: by pointer in the event, the pointer in the body."""


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/activities",
    summary="Report one activity of an agent",
    access=Permission.EVENTS_WRITE,
    projects=Projects.BY_PATH,
    path_values=AgentReferencePath,
    body=ActivityRequest,
    answers={202: OneEventAnswer},
    example={"activity_type": "command", "quantity": "1"},
)
async def report_activity(call: Call[ActivityRequest, Query, AgentReferencePath]) -> Reply:
    activity = call.body
    event = await report_one(
        call,
        activity.activity_type,
        fixed={"quantity": activity.quantity},
        free=("metadata", activity.metadata),
        type_field="activity_type",
    )
    return Reply(event, headers=location(event.event_id))


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/costs",
    summary="Report what an agent cost at a provider",
    access=Permission.EVENTS_WRITE,
    projects=Projects.BY_PATH,
    path_values=AgentReferencePath,
    body=CostRequest,
    answers={202: OneEventAnswer},
    example={"cost_type": "compute", "amount": "0.25", "currency": "USD", "details": {"instance": "a-1"}},
)
async def report_cost(call: Call[CostRequest, Query, AgentReferencePath]) -> Reply:
    cost = call.body
    event = await report_one(
        call,
        COST_TYPE + cost.cost_type,
        fixed={"amount": cost.amount, "currency": cost.currency},
        free=("details", cost.details),
        type_field="cost_type",
    )
    return Reply(event, headers=location(event.event_id))


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/llm-calls",
    summary="Report one call of a language model by an agent",
    access=Permission.EVENTS_WRITE,
    projects=Projects.BY_PATH,
    path_values=AgentReferencePath,
    body=LlmCallRequest,
    answers={202: OneEventAnswer},
    example={"model": "gpt-5", "input_tokens": 1200, "cached_input_tokens": 800, "output_tokens": 90},
)
async def report_llm_call(call: Call[LlmCallRequest, Query, AgentReferencePath]) -> Reply:
    llm_call = call.body
    fixed = {name: getattr(llm_call, name) for name in LlmCallRequest.model_fields if name not in _NOT_OF_THE_CALL}
    event = await report_one(call, LLM_CALL, fixed=fixed, free=("metadata", llm_call.metadata), type_field="")
    return Reply(event, headers=location(event.event_id))


_NOT_OF_THE_CALL = {"metadata", *PaidReport.model_fields}


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/workflows/bulk",
    summary="Report how many workflows of each type an agent completed; all of them are accepted, or none",
    access=Permission.EVENTS_WRITE,
    projects=Projects.BY_PATH,
    path_values=AgentReferencePath,
    body=WorkflowsRequest,
    answers={202: WorkflowsAnswer},
    example={"workflows": {"lead_research": "12", "email": "3"}},
)
async def report_workflows(call: Call[WorkflowsRequest, Query, AgentReferencePath]) -> Reply:
    report_id = _id_of(call)
    _refuse_in(("metadata", call.body.metadata), {"quantity"})
    parts = []
    for workflow, quantity in call.body.workflows.items():
        id_, in_body = f"{report_id}:{workflow}", pointer(("workflows", workflow))
        if len(id_) > MAXIMUM_ID:
            raise ValidationError.at(in_body, f"makes the id of its event longer than {MAXIMUM_ID} characters")
        data = {**call.body.metadata, "quantity": as_written(quantity)}
        pointers = {"/data/quantity": in_body, "/data": "/metadata", "/type": in_body}
        parts.append(_ReportedEvent(id_, EVENT_TYPE + workflow, data, pointers))
    keys, warnings = await _accept(call, parts)
    events = [
        {"id": part.id, "event_id": key, "workflow": workflow}
        for part, key, workflow in zip(parts, keys, call.body.workflows, strict=True)
    ]
    return Reply({"id": report_id, "events": events, **warnings}, headers=location(keys[0]))


async def report_one(
    call: Call[Any, Query, AgentReferencePath],
    event_type: str,
    *,
    fixed: Mapping[str, object],
    free: tuple[str, Mapping[str, Any]],
    type_field: str,
) -> OneEventAnswer:
    """Accept the event of a report.

    Its data are the fields of the body in `fixed` that are not None, and the content of the field `free`, given by its
    name and content. `type_field` is the field of the body that the type is made from.
    """
    _refuse_in(free, set(fixed))
    given = {
        name: as_written(value) if isinstance(value, Decimal) else value
        for name, value in fixed.items()
        if value is not None
    }
    data = {**free[1], **given}
    pointers = {f"/data/{name}": f"/{name}" for name in fixed} | {"/data": f"/{free[0]}", "/type": f"/{type_field}"}
    part = _ReportedEvent(_id_of(call), event_type, data, pointers)
    (key,), warnings = await _accept(call, [part])
    return OneEventAnswer(id=part.id, event_id=key, **warnings)


def _id_of(call: Call[Any, Query, AgentReferencePath]) -> str:
    """The id in the body, else the Idempotency-Key, else a new one."""
    return call.body.id or call.idempotency_key or new_id("act")


def location(key: str) -> dict[str, str]:
    return {"Location": f"/api/v1/events/{key}"}


def _refuse_in(free: tuple[str, Mapping[str, Any]], names: set[str]) -> None:
    field, content = free
    for name in sorted(names & content.keys()):
        raise ValidationError.at(pointer((field, name)), f"belongs beside {field}, as {name}")


async def _accept(
    call: Call[Any, Query, AgentReferencePath], parts: Sequence[_ReportedEvent]
) -> tuple[list[str], dict[str, Any]]:
    """The keys of the events, and the fields of `WithWarnings`.

    Raises `NotFoundError`, `ValidationError` with pointers into the body.
    """
    agent_id = call.path.agent_id
    owner = await call.organization_id_of(agent_id)
    if agent_id not in await call.services.agents.resolve(owner, {agent_id}):
        raise NotFoundError("There is no such agent")
    time, run = call.body.time, call.body.run
    events = [
        ReportedEvent(
            index,
            part.id,
            part.type,
            agent_id,
            DEFAULT_SOURCE,
            time,
            run,
            part.data,
            owner,
            call.principal.root_id,
            call.principal.is_operator,
            projects=call.projects,
            paid_with=call.body.paid_with if isinstance(call.body, PaidReport) else None,
            may_spend=call.principal.may(Permission.CREDITS_USE),
        )
        for index, part in enumerate(parts)
    ]
    try:
        acceptance = await call.services.events.accept(events, partial=False)
    except ValidationError as error:
        errors = tuple(FieldError(_pointer_in_body(parts, each.pointer), each.detail) for each in error.errors)
        raise ValidationError(error.detail, errors=tuple(dict.fromkeys(errors))) from error
    warnings = await event_warnings(call, [owner], acceptance.findings)
    return [event_key(owner, DEFAULT_SOURCE, part.id) for part in parts], warnings


def _pointer_in_body(parts: Sequence[_ReportedEvent], pointer_in_events: str) -> str:
    """The longest pointer of the part that leads to it."""
    _, index, *names = pointer_in_events.split("/")
    in_event = "".join(f"/{name}" for name in names)
    pointers = parts[int(index)].pointers
    for prefix in sorted(pointers, key=len, reverse=True):
        if in_event == prefix or in_event.startswith(f"{prefix}/"):
            return pointers[prefix] + in_event.removeprefix(prefix)
    return in_event
