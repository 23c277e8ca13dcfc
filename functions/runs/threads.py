"""Threads: conversations that group runs."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
from pydantic import StringConstraints

from functions.fields import Listed, Metadata, ObjectPatch, Reference
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import LimitExceededError
from shared.http import (
    Call,
    ListQuery,
    MergePatch,
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
from shared.services.runs.threads import ThreadDraft

blueprint = func.Blueprint()

Title = Annotated[str, StringConstraints(max_length=200)]


class ThreadPath(PathValues):
    thread_id: Annotated[str, ThingId("thr")]
    """The thread's id."""


class ThreadRequest(Schema):
    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    project_id: Reference | None = None
    title: Title | None = None
    """What it is about."""
    metadata: Metadata = "{}"


class ThreadPatch(MergePatch):
    """JSON Merge Patch."""

    project_id: Reference | None = None
    title: Title | None = None
    """What it is about."""
    metadata: ObjectPatch = None
    """Merged into what is there."""


class ThreadListQuery(ListQuery):
    project_id: Reference | None = None
    """Only threads of this project."""


class ThreadAnswer(Schema):
    id: str
    organization_id: str
    project_id: str | None
    title: str | None
    """What it is about."""
    metadata: VerbatimObject
    """Data of the caller's own."""
    created_at: datetime


@endpoint(
    blueprint,
    "POST",
    "threads",
    summary="Create a thread",
    access=Permission.EVENTS_WRITE,
    projects=Projects.CHECKED,
    body=ThreadRequest,
    answers={201: ThreadAnswer},
    errors=(LimitExceededError,),
    example={"title": "Where is my parcel?", "metadata": {"channel": "chat"}},
)
async def create_thread(call: Call[ThreadRequest]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    draft = ThreadDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    thread, etag = await call.services.threads.create(call.new_id("thr"), organization_id, draft)
    return Reply(thread, etag=etag)


@endpoint(
    blueprint,
    "GET",
    "threads",
    summary="Threads of an organization, newest first",
    access=Permission.EVENTS_READ,
    projects=Projects.FILTERED,
    query=ThreadListQuery,
    answers={200: Listed[ThreadAnswer]},
)
async def list_threads(call: Call[NoBody, ThreadListQuery]) -> Reply:
    query = call.query
    page = await call.services.threads.page(await call.organization_id(), query.project_id, query.limit, query.cursor)
    return Reply(page.where(lambda thread: call.sees(thread.project_id)))


@endpoint(
    blueprint,
    "GET",
    "threads/{thread_id}",
    summary="One thread",
    access=Permission.EVENTS_READ,
    projects=Projects.BY_PATH,
    path_values=ThreadPath,
    answers={200: ThreadAnswer},
)
async def get_thread(call: Call[NoBody, Query, ThreadPath]) -> Reply:
    thread_id = call.path.thread_id
    thread, etag = await call.services.threads.get(await call.organization_id_of(thread_id), thread_id)
    return Reply(thread, etag=etag)


@endpoint(
    blueprint,
    "PATCH",
    "threads/{thread_id}",
    summary="Change a thread",
    access=Permission.EVENTS_WRITE,
    projects=Projects.BY_PATH,
    path_values=ThreadPath,
    body=ThreadPatch,
    answers={200: ThreadAnswer},
    errors=(LimitExceededError,),
    example={"title": "A parcel is missing"},
)
async def update_thread(call: Call[ThreadPatch, Query, ThreadPath]) -> Reply:
    thread_id = call.path.thread_id
    changes = call.body.model_dump(exclude_unset=True)
    owner = await call.organization_id_of(thread_id)
    thread, etag = await call.services.threads.update(owner, thread_id, changes, call.if_match)
    return Reply(thread, etag=etag)
