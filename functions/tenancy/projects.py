"""Projects: what an organization's work, and so its costs, are allocated to."""

from datetime import datetime
from typing import Any

import azure.functions as func

from functions.fields import Metadata, Name, ObjectPatch, Reference, Text
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.tenancy.projects import Project, ProjectStatus
from shared.http import Call, ListQuery, MergePatch, NoBody, Query, Reply, Schema, endpoint
from shared.services.tenancy.projects import ProjectDraft

blueprint = func.Blueprint()


class ProjectRequest(Schema):
    name: Name
    organization_id: Reference | None = None
    description: Text | None = None
    metadata: Metadata = "{}"


class ProjectPatch(MergePatch):
    """JSON Merge Patch."""

    name: Name = "-"
    description: Text | None = None
    metadata: ObjectPatch = None


class ProjectListQuery(ListQuery):
    status: ProjectStatus | None = None


class ProjectAnswer(Schema):
    """`gone_at` is when a deleted project is gone; until then it can be restored."""

    id: str
    organization_id: str
    name: str
    description: str | None
    metadata: dict[str, Any]
    status: str
    created_at: datetime
    archived_at: datetime | None
    gone_at: datetime | None


class ProjectList(Schema):
    data: list[ProjectAnswer]
    next_cursor: str | None


def _shown(project: Project) -> dict[str, Any]:
    return {**dict(project), "metadata": json.verbatim(project.metadata)}


def _answer(project: Project, etag: str, status: int = 200) -> Reply:
    return Reply(_shown(project), status=status, etag=etag)


@endpoint(
    blueprint,
    "POST",
    "projects",
    summary="Make a project",
    access=Permission.PROJECTS_WRITE,
    body=ProjectRequest,
    answers={201: ProjectAnswer},
    example={"name": "Website", "metadata": {"cost_center": "4711"}},
)
async def create_project(call: Call[ProjectRequest, Query]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    draft = ProjectDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    return _answer(*await call.services.projects.create(call.new_id("prj"), organization_id, draft), status=201)


@endpoint(
    blueprint,
    "GET",
    "projects",
    summary="Projects of an organization, newest first; without a status all but the deleted ones",
    access=Permission.PROJECTS_READ,
    query=ProjectListQuery,
    answers={200: ProjectList},
)
async def list_projects(call: Call[NoBody, ProjectListQuery]) -> Reply:
    query = call.query
    page = await call.services.projects.page(await call.organization_id(), query.status, query.limit, query.cursor)
    data = [_shown(project) for project in page.entities]
    return Reply({"data": data, "next_cursor": page.cursor})


@endpoint(
    blueprint,
    "GET",
    "projects/{project_id}",
    summary="One project",
    access=Permission.PROJECTS_READ,
    answers={200: ProjectAnswer},
)
async def get_project(call: Call[NoBody, Query]) -> Reply:
    project_id = call.path["project_id"]
    return _answer(*await call.services.projects.get_item(await call.organization_id_of(project_id), project_id))


@endpoint(
    blueprint,
    "PATCH",
    "projects/{project_id}",
    summary="Change an active project",
    access=Permission.PROJECTS_WRITE,
    body=ProjectPatch,
    answers={200: ProjectAnswer},
    example={"description": "The new website"},
)
async def update_project(call: Call[ProjectPatch, Query]) -> Reply:
    project_id = call.path["project_id"]
    changes = call.body.model_dump(exclude_unset=True)
    owner = await call.organization_id_of(project_id)
    return _answer(*await call.services.projects.update(owner, project_id, changes, call.if_match))


@endpoint(
    blueprint,
    "POST",
    "projects/{project_id}/archive",
    summary="Make a project read-only: nothing can be put into it any more, while its agents are metered as before",
    access=Permission.PROJECTS_WRITE,
    answers={200: ProjectAnswer},
)
async def archive_project(call: Call[NoBody, Query]) -> Reply:
    project_id = call.path["project_id"]
    return _answer(*await call.services.projects.archive(await call.organization_id_of(project_id), project_id))


@endpoint(
    blueprint,
    "POST",
    "projects/{project_id}/restore",
    summary="Take back a project that is archived, or deleted and not gone yet",
    access=Permission.PROJECTS_WRITE,
    answers={200: ProjectAnswer},
)
async def restore_project(call: Call[NoBody, Query]) -> Reply:
    project_id = call.path["project_id"]
    return _answer(*await call.services.projects.restore(await call.organization_id_of(project_id), project_id))


@endpoint(
    blueprint,
    "DELETE",
    "projects/{project_id}",
    summary="Delete a project: read-only at once, gone after 30 days; what its agents did stays billed",
    access=Permission.PROJECTS_WRITE,
    answers={204: None},
)
async def delete_project(call: Call[NoBody, Query]) -> Reply:
    project_id = call.path["project_id"]
    await call.services.projects.delete(await call.organization_id_of(project_id), project_id, call.if_match)
    return Reply(status=204)
