"""Runs, and reports of their cost, price and margin."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import azure.functions as func
from pydantic import BeforeValidator, Field, StringConstraints

from functions.fields import BudgetLimit, ClientId, Listed, Metadata, ObjectPatch, Reference, RunBudgetAnswer
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import NotFoundError, ValidationError
from shared.domain.kernel.money import ExactDecimal, plain
from shared.domain.runs.run_figures import RunFigures
from shared.domain.runs.runs import Run, RunStatus
from shared.domain.tenancy.organizations import Organization
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
    VerbatimJson,
    VerbatimObject,
    ZonedTime,
    endpoint,
)
from shared.services.runs.runs import RunDraft
from shared.services.storage.caller_json import small_text

blueprint = func.Blueprint()

_MICROSECOND = timedelta(microseconds=1)


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


class RunAnswer(Schema):
    id: str
    organization_id: str
    key: str
    """What events name as their `run`."""
    thread_id: str | None
    agent_id: str | None
    project_id: str | None
    status: RunStatus
    started_at: datetime | None
    """Null before it is running."""
    completed_at: datetime | None
    """When it ended, completed or failed."""
    duration: str | None
    """Seconds from the start to the end; null before the end."""
    error: str | None
    """Why it failed."""
    result: VerbatimJson
    """JSON of the caller's own."""
    metadata: VerbatimObject
    """Data of the caller's own."""
    budget: RunBudgetAnswer | None
    """What it may spend in all; null where it was created without a limit of its own."""
    created_at: datetime


class RunReportAnswer(Schema):
    """A run with the figures of its metered events.

    A run that is known only from events has no `id`, `status`, `metadata` and `created_at`.
    """

    id: str | None
    organization_id: str
    key: str
    """What events name as their `run`."""
    thread_id: str | None
    agent_id: str | None
    project_id: str | None
    status: RunStatus | None
    started_at: datetime | None
    """Null before it is running, and for a run that is known only from events."""
    completed_at: datetime | None
    """When it ended, completed or failed; null for a run that is known only from events."""
    duration: str | None
    """Seconds, from its start or first event to its end or last event."""
    error: str | None
    """Why it failed."""
    result: VerbatimJson
    """JSON of the caller's own."""
    metadata: VerbatimObject | None
    """Data of the caller's own."""
    budget: RunBudgetAnswer | None
    """What it may spend in all; null where it was created without a limit of its own."""
    created_at: datetime | None
    currency: str
    events: dict[str, int]
    """How many of each type."""
    event_count: int
    """How many together."""
    first_event_at: datetime | None
    """When its earliest event happened."""
    last_event_at: datetime | None
    """When its latest event happened."""
    provider_cost: ExactDecimal
    """The cost of its events at providers."""
    price: ExactDecimal
    """The price of its events under the agents' billing models, as if there were no other usage.

    Fees, minima, maxima and discounts are left out. A run over several billing periods is priced period by period.
    """
    margin: ExactDecimal
    """(price - provider_cost) / price; 0 where the price is 0."""
    outcomes: dict[str, int]
    """How many in each state."""
    outcome_value: ExactDecimal
    """The value of its verified outcomes."""
    unpriced_calls: int
    """The number of LLM calls of models without a price."""
    is_complete: bool
    """False for more than 10,000 events, of which only the newest are counted."""


def _reply(run: Run, etag: str) -> Reply:
    return Reply(_answer(run), etag=etag)


def _answer(run: Run) -> RunAnswer:
    return RunAnswer.showing(run, duration=_duration(run.started_at, run.completed_at))


def _duration(start: datetime | None, end: datetime | None) -> str | None:
    if start is None or end is None or end < start:
        return None
    return plain(Decimal((end - start) // _MICROSECOND).scaleb(-6))


def _report(organization: Organization, key: str, run: Run | None, figures: RunFigures) -> RunReportAnswer:
    known = dict.fromkeys(RunAnswer.model_fields) if run is None else dict(_answer(run))
    start = known["started_at"] or figures.first_event_at
    end = known["completed_at"] or figures.last_event_at
    return RunReportAnswer.showing(
        figures,
        **known
        | {
            "organization_id": organization.id,
            "key": key,
            "duration": _duration(start, end),
            "events": dict(sorted(figures.events.items())),
            "event_count": figures.events.total(),
            "outcomes": dict(figures.outcomes),
        },
    )


@endpoint(
    blueprint,
    "POST",
    "runs",
    summary="Create a run of an agent",
    access=Permission.EVENTS_WRITE,
    projects=Projects.CHECKED,
    body=RunRequest,
    answers={201: RunAnswer},
    example={"key": "run-7", "status": "running", "metadata": {"issue": "XY-12"}},
)
async def create_run(call: Call[RunRequest]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    if call.projects is not None and call.body.agent is None and call.body.thread_id is None:
        raise ValidationError.at("/agent", "name an agent or a thread of your projects")
    draft = RunDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    return _reply(*await call.services.runs.create(call.new_id("run"), organization_id, draft))


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
    data = [_answer(run) for run in page.where(lambda run: call.sees(run.project_id)).entities]
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
    return Reply(_report(organization, run.key, run, figures), etag=etag)


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
    return Reply(_report(organization, key, run, figures))


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
    changes = call.body.model_dump(exclude_unset=True)
    owner = await call.organization_id_of(run_id)
    return _reply(*await call.services.runs.update(owner, run_id, changes, call.if_match))
