"""Projects, to which agents, their costs and their threads are allocated."""

from datetime import datetime

import azure.functions as func

from functions.fields import Listed, Metadata, Name, ObjectPatch, ProjectPath, Reference, Text
from functions.limit_warnings import WithLimitWarnings, limit_warnings
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import LimitExceededError
from shared.domain.tenancy.projects import ProjectStatus
from shared.http import Call, ListQuery, MergePatch, NoBody, Projects, Query, Reply, Schema, VerbatimObject, endpoint
from shared.services.tenancy.projects import ProjectDraft

blueprint = func.Blueprint()


class ProjectRequest(Schema):
    name: Name
    """Unique in the organization, regardless of case."""
    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    description: Text | None = None
    metadata: Metadata = "{}"


class ProjectPatch(MergePatch):
    """JSON Merge Patch."""

    name: Name = "-"
    description: Text | None = None
    metadata: ObjectPatch = None
    """Merged into what is there."""


class ProjectListQuery(ListQuery):
    status: ProjectStatus | None = None
    """Only projects in this state; by default all but deleted ones."""


class ProjectAnswer(Schema):
    id: str
    organization_id: str
    name: str
    description: str | None
    metadata: VerbatimObject
    """Data of the caller's own."""
    status: str
    created_at: datetime
    archived_at: datetime | None
    """Since when it is read-only."""
    gone_at: datetime | None
    """When a deleted project is erased. Until then it can be restored."""


class CreatedProjectAnswer(ProjectAnswer, WithLimitWarnings):
    pass


@endpoint(
    blueprint,
    "POST",
    "projects",
    summary="Create a project",
    access=Permission.PROJECTS_WRITE,
    body=ProjectRequest,
    answers={201: CreatedProjectAnswer},
    errors=(LimitExceededError,),
    example={"name": "Website", "metadata": {"cost_center": "4711"}},
)
async def create_project(call: Call[ProjectRequest]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    draft = ProjectDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    project, etag = await call.services.projects.create(call.new_id("prj"), organization_id, draft)
    warnings = await limit_warnings(call, organization_id, "projects")
    return Reply(CreatedProjectAnswer.showing(project, warnings=warnings), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "projects",
    summary="Projects of an organization, newest first",
    access=Permission.PROJECTS_READ,
    projects=Projects.FILTERED,
    query=ProjectListQuery,
    answers={200: Listed[ProjectAnswer]},
)
async def list_projects(call: Call[NoBody, ProjectListQuery]) -> Reply:
    query = call.query
    page = await call.services.projects.page(await call.organization_id(), query.status, query.limit, query.cursor)
    return Reply(page.where(lambda project: call.sees(project.id)))


@endpoint(
    blueprint,
    "GET",
    "projects/{project_id}",
    summary="One project",
    access=Permission.PROJECTS_READ,
    projects=Projects.BY_PATH,
    path_values=ProjectPath,
    answers={200: ProjectAnswer},
)
async def get_project(call: Call[NoBody, Query, ProjectPath]) -> Reply:
    project_id = call.path.project_id
    project, etag = await call.services.projects.get(await call.organization_id_of(project_id), project_id)
    return Reply(project, etag=etag)


@endpoint(
    blueprint,
    "PATCH",
    "projects/{project_id}",
    summary="Change an active project",
    access=Permission.PROJECTS_WRITE,
    path_values=ProjectPath,
    body=ProjectPatch,
    answers={200: ProjectAnswer},
    errors=(LimitExceededError,),
    example={"description": "The new website"},
)
async def update_project(call: Call[ProjectPatch, Query, ProjectPath]) -> Reply:
    project_id = call.path.project_id
    changes = call.body.model_dump(exclude_unset=True)
    owner = await call.organization_id_of(project_id)
    project, etag = await call.services.projects.update(owner, project_id, changes, call.if_match)
    return Reply(project, etag=etag)


@endpoint(
    blueprint,
    "POST",
    "projects/{project_id}/archive",
    summary="Archive a project: it becomes read-only; its agents are metered as before",
    access=Permission.PROJECTS_WRITE,
    path_values=ProjectPath,
    answers={200: ProjectAnswer},
)
async def archive_project(call: Call[NoBody, Query, ProjectPath]) -> Reply:
    project_id = call.path.project_id
    project, etag = await call.services.projects.archive(await call.organization_id_of(project_id), project_id)
    return Reply(project, etag=etag)


@endpoint(
    blueprint,
    "POST",
    "projects/{project_id}/restore",
    summary="Restore a project that is archived or deleted",
    access=Permission.PROJECTS_WRITE,
    path_values=ProjectPath,
    answers={200: ProjectAnswer},
    errors=(LimitExceededError,),
)
async def restore_project(call: Call[NoBody, Query, ProjectPath]) -> Reply:
    project_id = call.path.project_id
    project, etag = await call.services.projects.restore(await call.organization_id_of(project_id), project_id)
    return Reply(project, etag=etag)


@endpoint(
    blueprint,
    "DELETE",
    "projects/{project_id}",
    summary="Delete a project: read-only at once, erased after 30 days. Usage of its agents stays billed",
    access=Permission.PROJECTS_WRITE,
    path_values=ProjectPath,
    answers={204: None},
)
async def delete_project(call: Call[NoBody, Query, ProjectPath]) -> Reply:
    project_id = call.path.project_id
    await call.services.projects.delete(await call.organization_id_of(project_id), project_id, call.if_match)
    return Reply()
