"""Runs: single executions of an agent, each with its cost, price and margin in one read."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import azure.functions as func
from pydantic import BeforeValidator, Field, StringConstraints

from functions.fields import ClientId, Metadata, ObjectPatch, Reference
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.money import plain
from shared.domain.runs.run_figures import RunFigures
from shared.domain.runs.runs import Run, RunStatus
from shared.domain.tenancy.organizations import Organization
from shared.http import Call, ListQuery, MergePatch, NoBody, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.runs.runs import RunDraft
from shared.services.storage.caller_json import small_text

blueprint = func.Blueprint()

_MICROSECOND = timedelta(microseconds=1)


Result = Annotated[
    str, BeforeValidator(small_text, json_schema_input_type=Any), Field(json_schema_extra={"default": None})
]
"""Any JSON, carried as its text."""
ErrorText = Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class RunRequest(Schema):
    """`key` is what events name as their `run`; without one the run's own id is. `agent` is an id or an external id."""

    organization_id: Reference | None = None
    key: ClientId | None = None
    thread_id: Reference | None = None
    agent: Reference | None = None
    status: RunStatus = "pending"
    started_at: ZonedTime | None = None
    completed_at: ZonedTime | None = None
    error: ErrorText | None = None
    result: Result = "null"
    metadata: Metadata = "{}"


class RunPatch(MergePatch):
    """JSON Merge Patch. From pending to running or failed, from running to completed or failed; it starts and ends now,
    where no other time is given.
    """

    status: RunStatus = "pending"
    started_at: ZonedTime | None = None
    completed_at: ZonedTime | None = None
    error: ErrorText | None = None
    result: Any = None
    metadata: ObjectPatch = None


class RunListQuery(ListQuery):
    thread_id: Reference | None = None
    agent: Reference | None = None
    project_id: Reference | None = None
    status: RunStatus | None = None


class RunAnswer(Schema):
    """`duration` is in seconds, from the start to the end; null before the end."""

    id: str
    organization_id: str
    key: str
    thread_id: str | None
    agent_id: str | None
    project_id: str | None
    status: RunStatus
    started_at: datetime | None
    completed_at: datetime | None
    duration: str | None
    error: str | None
    result: Any
    metadata: dict[str, Any]
    created_at: datetime


class RunList(Schema):
    data: list[RunAnswer]
    next_cursor: str | None


class RunReportAnswer(Schema):
    """A run with its figures, from its events that have been rated: how many of each type, what they cost at providers,
    and what they come to under the billing models of their agents as if there was no other usage, without fees, minima,
    maxima and discounts; a run that goes on over the end of a billing period is priced in each of its periods, as bills
    are. `margin` is the part of the price that is left after the costs, `outcomes` counts by state,
    `unpriced_calls` those LLM calls whose cost is not known. `duration` is in seconds; while a start or end is not
    known, the first or last event stands for it. `is_complete` is false beyond 10,000 events: then the newest were
    counted. What is only known from events has no `id`, `status`, `metadata` and `created_at`.
    """

    id: str | None
    organization_id: str
    key: str
    thread_id: str | None
    agent_id: str | None
    project_id: str | None
    status: RunStatus | None
    started_at: datetime | None
    completed_at: datetime | None
    duration: str | None
    error: str | None
    result: Any
    metadata: dict[str, Any] | None
    created_at: datetime | None
    currency: str
    events: dict[str, int]
    event_count: int
    first_event_at: datetime | None
    last_event_at: datetime | None
    provider_cost: str
    price: str
    margin: str
    outcomes: dict[str, int]
    outcome_value: str
    unpriced_calls: int
    is_complete: bool


def _shown(run: Run) -> dict[str, Any]:
    return {
        **dict(run),
        "result": json.verbatim(run.result),
        "metadata": json.verbatim(run.metadata),
        "duration": _duration(run.started_at, run.completed_at),
    }


def _duration(start: datetime | None, end: datetime | None) -> str | None:
    if start is None or end is None or end < start:
        return None
    return plain(Decimal((end - start) // _MICROSECOND).scaleb(-6))


def _answer(run: Run, etag: str, status: int = 200) -> Reply:
    return Reply(_shown(run), status=status, etag=etag)


def _reported(organization: Organization, key: str, run: Run | None, figures: RunFigures) -> dict[str, Any]:
    known = dict.fromkeys(RunReportAnswer.model_fields) if run is None else _shown(run)
    start = known["started_at"] or figures.first_event_at
    end = known["completed_at"] or figures.last_event_at
    return {
        **known,
        "organization_id": organization.id,
        "key": key,
        "duration": _duration(start, end),
        "currency": figures.currency,
        "events": dict(sorted(figures.events.items())),
        "event_count": figures.events.total(),
        "first_event_at": figures.first_event_at,
        "last_event_at": figures.last_event_at,
        "provider_cost": plain(figures.provider_cost),
        "price": plain(figures.price),
        "margin": plain(figures.margin),
        "outcomes": dict(figures.outcomes),
        "outcome_value": plain(figures.outcome_value),
        "unpriced_calls": figures.unpriced_calls,
        "is_complete": figures.is_complete,
    }


@endpoint(
    blueprint,
    "POST",
    "runs",
    summary="Make a run of an agent",
    access=Permission.EVENTS_WRITE,
    body=RunRequest,
    answers={201: RunAnswer},
    example={"key": "run-7", "status": "running", "metadata": {"issue": "XY-12"}},
)
async def create_run(call: Call[RunRequest, Query]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    draft = RunDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    return _answer(*await call.services.runs.create(call.new_id("run"), organization_id, draft), status=201)


@endpoint(
    blueprint,
    "GET",
    "runs",
    summary="Runs of an organization, newest first",
    access=Permission.EVENTS_READ,
    query=RunListQuery,
    answers={200: RunList},
)
async def list_runs(call: Call[NoBody, RunListQuery]) -> Reply:
    query = call.query
    page = await call.services.runs.page(
        await call.organization_id(),
        thread_id=query.thread_id,
        agent=query.agent,
        project_id=query.project_id,
        status=query.status,
        limit=query.limit,
        cursor=query.cursor,
    )
    data = [_shown(run) for run in page.entities]
    return Reply({"data": data, "next_cursor": page.cursor})


@endpoint(
    blueprint,
    "GET",
    "runs/{run_id}",
    summary="One run, with what its events cost at providers, their price, the margin and its outcomes",
    access=Permission.EVENTS_READ,
    answers={200: RunReportAnswer},
)
async def get_run(call: Call[NoBody, Query]) -> Reply:
    run_id = call.path["run_id"]
    owner = await call.organization_id_of(run_id)
    run, etag = await call.services.runs.get_item(owner, run_id)
    organization = await call.services.organizations.get(owner)
    figures = await call.services.runs.figures(organization, run.key)
    return Reply(_reported(organization, run.key, run, figures), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "runs/by-key/{run_key}",
    summary="The same by the key that its events name, whether or not the run was ever made",
    access=Permission.EVENTS_READ,
    answers={200: RunReportAnswer},
)
async def get_run_by_key(call: Call[NoBody, Query]) -> Reply:
    key = call.path["run_key"]
    organization = await call.organization()
    run = await call.services.runs.by_key(organization.id, key)
    figures = await call.services.runs.figures(organization, key)
    if run is None and not figures.events:
        raise NotFoundError("There is no such run, or its events are still on their way or parked: see /events/parked")
    return Reply(_reported(organization, key, run, figures))


@endpoint(
    blueprint,
    "PATCH",
    "runs/{run_id}",
    summary="Move a run on, or change what is kept with it",
    access=Permission.EVENTS_WRITE,
    body=RunPatch,
    answers={200: RunAnswer},
    example={"metadata": {"issue": "XY-13"}},
)
async def update_run(call: Call[RunPatch, Query]) -> Reply:
    run_id = call.path["run_id"]
    changes = call.body.model_dump(exclude_unset=True)
    owner = await call.organization_id_of(run_id)
    return _answer(*await call.services.runs.update(owner, run_id, changes, call.if_match))
