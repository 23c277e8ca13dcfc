"""Runs, and reports of their cost, price and margin."""

from typing import Annotated, Any

import azure.functions as func
from pydantic import BeforeValidator, Field, StringConstraints

from functions.fields import BudgetLimit, ClientId, Listed, Metadata, ObjectPatch, Reference
from functions.limit_warnings import limit_warnings
from functions.runs.run_answers import CreatedRunAnswer, RunAnswer, RunReportAnswer, answer_of, report_of
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import LimitExceededError, NotFoundError, ValidationError
from shared.domain.runs.runs import Run, RunStatus
from shared.http import (
    Call,
    ListQuery,
    MergePatch,
    NoBody,
    PathText,
    PathValues,
    Projects,
    Query,
    Reply,
    Schema,
    ThingId,
    ZonedTime,
    endpoint,
)
from shared.services.runs.runs import RunDraft
from shared.services.storage.caller_json import small_text

blueprint = func.Blueprint()

Result = Annotated[
    str, BeforeValidator(small_text, json_schema_input_type=Any), Field(json_schema_extra={"default": None})
]
"""Any JSON, carried as its text."""
ErrorText = Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class RunPath(PathValues):
    run_id: Annotated[str, ThingId("run")]
    """The run's id."""


class RunKeyPath(PathValues):
    run_key: PathText
    """What events name as their `run`."""


class RunRequest(Schema):
    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    key: ClientId | None = None
    """What events name as their `run`; by default the run's id."""
    thread_id: Reference | None = None
    agent: Reference | None = None
    """The agent's id or external id."""
    status: RunStatus = "pending"
    started_at: ZonedTime | None = None
    """By default now, for a run that is running or has ended."""
    completed_at: ZonedTime | None = None
    """By default now, for a run that has ended."""
    error: ErrorText | None = None
    """Why it failed."""
    result: Result = "null"
    """JSON of the caller's own, at most 16 KiB."""
    metadata: Metadata = "{}"
    budget: BudgetLimit | None = None
    """What the run may spend in all; what would pass it is refused with 403."""


class RunPatch(MergePatch):
    """JSON Merge Patch."""

    status: RunStatus = "pending"
    """From pending to running or failed, from running to completed or failed."""
    started_at: ZonedTime | None = None
    """By default now, where the run starts."""
    completed_at: ZonedTime | None = None
    """By default now, where the run ends."""
    error: ErrorText | None = None
    """Why it failed."""
    result: Any = None
    """JSON of the caller's own, at most 16 KiB."""
    metadata: ObjectPatch = None
    """Merged into what is there."""


class RunListQuery(ListQuery):
    key: ClientId | None = None
    """Only the run with this key, if it was created. Unlike in a path, it may contain any character."""
    thread_id: Reference | None = None
    """Only runs of this thread."""
    agent: Reference | None = None
    """Only runs of this agent, by its id or external id."""
    project_id: Reference | None = None
    """Only runs of this project."""
    status: RunStatus | None = None
    """Only runs in this state."""


class RunKeyQuery(Query):
    key: ClientId
    """What events name as their `run`."""


def _reply(run: Run, etag: str) -> Reply:
    return Reply(answer_of(run), etag=etag)


@endpoint(
    blueprint,
    "POST",
    "runs",
    summary="Create a run of an agent",
    access=Permission.EVENTS_WRITE,
    projects=Projects.CHECKED,
    body=RunRequest,
    answers={201: CreatedRunAnswer},
    errors=(LimitExceededError,),
    example={"key": "run-7", "status": "running", "metadata": {"issue": "XY-12"}},
)
async def create_run(call: Call[RunRequest]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    if call.projects is not None and call.body.agent is None and call.body.thread_id is None:
        raise ValidationError.at("/agent", "name an agent or a thread of your projects")
    draft = RunDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    run, etag = await call.services.runs.create(call.new_id("run"), organization_id, draft)
    shown = {**dict(answer_of(run)), "warnings": await limit_warnings(call, organization_id, "runs")}
    return Reply(CreatedRunAnswer.model_validate(shown), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "runs",
    summary="Runs of an organization, newest first",
    access=Permission.EVENTS_READ,
    projects=Projects.FILTERED,
    query=RunListQuery,
    answers={200: Listed[RunAnswer]},
)
async def list_runs(call: Call[NoBody, RunListQuery]) -> Reply:
    query = call.query
    page = await call.services.runs.page(
        await call.organization_id(),
        key=query.key,
        thread_id=query.thread_id,
        agent=query.agent,
        project_id=query.project_id,
        status=query.status,
        limit=query.limit,
        cursor=query.cursor,
    )
    data = [answer_of(run) for run in page.where(lambda run: call.sees(run.project_id)).entities]
    return Reply(Listed(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "runs/{run_id}",
    summary="One run with its cost, price, margin and outcomes",
    access=Permission.EVENTS_READ,
    projects=Projects.BY_PATH,
    path_values=RunPath,
    answers={200: RunReportAnswer},
)
async def get_run(call: Call[NoBody, Query, RunPath]) -> Reply:
    run_id = call.path.run_id
    owner = await call.organization_id_of(run_id)
    run, etag = await call.services.runs.get(owner, run_id)
    organization = await call.services.organizations.get(owner)
    figures = await call.services.run_figures.of_key(organization, run.key)
    return Reply(report_of(organization, run.key, run, figures), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "runs/by-key/{run_key}",
    summary="The same report by the key that events name, whether or not the run was created",
    access=Permission.EVENTS_READ,
    projects=Projects.BY_PATH,
    path_values=RunKeyPath,
    answers={200: RunReportAnswer},
)
async def get_run_by_key(call: Call[NoBody, Query, RunKeyPath]) -> Reply:
    return await _report_by_key(call, call.path.run_key)


@endpoint(
    blueprint,
    "GET",
    "runs/by-key",
    summary="The same report by a key that may contain any character",
    access=Permission.EVENTS_READ,
    projects=Projects.CHECKED,
    query=RunKeyQuery,
    answers={200: RunReportAnswer},
)
async def find_run_by_key(call: Call[NoBody, RunKeyQuery]) -> Reply:
    return await _report_by_key(call, call.query.key)


async def _report_by_key(call: Call[NoBody, Any, Any], key: str) -> Reply:
    organization = await call.organization()
    run = await call.services.runs.by_key(organization.id, key)
    call.check_sees(None if run is None else run.project_id)
    figures = await call.services.run_figures.of_key(organization, key)
    if run is None and not figures.events:
        raise NotFoundError("There is no such run, or its events are still on their way or parked: see /events/parked")
    return Reply(report_of(organization, key, run, figures))


@endpoint(
    blueprint,
    "PATCH",
    "runs/{run_id}",
    summary="Change a run: its status, times, error, result or metadata",
    access=Permission.EVENTS_WRITE,
    projects=Projects.BY_PATH,
    path_values=RunPath,
    body=RunPatch,
    answers={200: RunAnswer},
    example={"metadata": {"issue": "XY-13"}},
)
async def update_run(call: Call[RunPatch, Query, RunPath]) -> Reply:
    run_id = call.path.run_id
    owner, changes = await call.organization_id_of(run_id), call.body.model_dump(exclude_unset=True)
    return _reply(*await call.services.runs.update(owner, run_id, changes, call.if_match))
