"""Threads: conversations that group runs."""

from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from pydantic import StringConstraints

from functions.fields import Metadata, ObjectPatch, Reference
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.runs.threads import Thread
from shared.http import Call, ListQuery, MergePatch, NoBody, Query, Reply, Schema, endpoint
from shared.services.runs.threads import ThreadDraft

blueprint = func.Blueprint()

Title = Annotated[str, StringConstraints(max_length=200)]


class ThreadRequest(Schema):
    organization_id: Reference | None = None
    project_id: Reference | None = None
    title: Title | None = None
    metadata: Metadata = "{}"


class ThreadPatch(MergePatch):
    """JSON Merge Patch."""

    project_id: Reference | None = None
    title: Title | None = None
    metadata: ObjectPatch = None


class ThreadListQuery(ListQuery):
    project_id: Reference | None = None


class ThreadAnswer(Schema):
    id: str
    organization_id: str
    project_id: str | None
    title: str | None
    metadata: dict[str, Any]
    created_at: datetime


class ThreadList(Schema):
    data: list[ThreadAnswer]
    next_cursor: str | None


def _shown(thread: Thread) -> dict[str, Any]:
    return {**dict(thread), "metadata": json.verbatim(thread.metadata)}


def _answer(thread: Thread, etag: str, status: int = 200) -> Reply:
    return Reply(_shown(thread), status=status, etag=etag)


@endpoint(
    blueprint,
    "POST",
    "threads",
    summary="Make a thread",
    access=Permission.EVENTS_WRITE,
    body=ThreadRequest,
    answers={201: ThreadAnswer},
    example={"title": "Where is my parcel?", "metadata": {"channel": "chat"}},
)
async def create_thread(call: Call[ThreadRequest, Query]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    draft = ThreadDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    return _answer(*await call.services.threads.create(call.new_id("thr"), organization_id, draft), status=201)


@endpoint(
    blueprint,
    "GET",
    "threads",
    summary="Threads of an organization, newest first",
    access=Permission.EVENTS_READ,
    query=ThreadListQuery,
    answers={200: ThreadList},
)
async def list_threads(call: Call[NoBody, ThreadListQuery]) -> Reply:
    query = call.query
    page = await call.services.threads.page(await call.organization_id(), query.project_id, query.limit, query.cursor)
    data = [_shown(thread) for thread in page.entities]
    return Reply({"data": data, "next_cursor": page.cursor})


@endpoint(
    blueprint,
    "GET",
    "threads/{thread_id}",
    summary="One thread",
    access=Permission.EVENTS_READ,
    answers={200: ThreadAnswer},
)
async def get_thread(call: Call[NoBody, Query]) -> Reply:
    thread_id = call.path["thread_id"]
    return _answer(*await call.services.threads.get_item(await call.organization_id_of(thread_id), thread_id))


@endpoint(
    blueprint,
    "PATCH",
    "threads/{thread_id}",
    summary="Change a thread",
    access=Permission.EVENTS_WRITE,
    body=ThreadPatch,
    answers={200: ThreadAnswer},
    example={"title": "A parcel is missing"},
)
async def update_thread(call: Call[ThreadPatch, Query]) -> Reply:
    thread_id = call.path["thread_id"]
    changes = call.body.model_dump(exclude_unset=True)
    owner = await call.organization_id_of(thread_id)
    return _answer(*await call.services.threads.update(owner, thread_id, changes, call.if_match))
