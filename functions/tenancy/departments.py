"""Departments, to which agents and their costs are allocated."""

from datetime import datetime

import azure.functions as func

from functions.fields import DepartmentPath, Listed, Metadata, Name, ObjectPatch, Reference, Text
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import LimitExceededError
from shared.http import Call, ListQuery, MergePatch, NoBody, Projects, Query, Reply, Schema, VerbatimObject, endpoint
from shared.services.tenancy.departments import DepartmentDraft

blueprint = func.Blueprint()


class DepartmentRequest(Schema):
    name: Name
    """Unique in the organization, regardless of case."""
    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    description: Text | None = None
    metadata: Metadata = "{}"


class DepartmentPatch(MergePatch):
    """JSON Merge Patch."""

    name: Name = "-"
    description: Text | None = None
    metadata: ObjectPatch = None
    """Merged into what is there."""


class DepartmentAnswer(Schema):
    id: str
    organization_id: str
    name: str
    description: str | None
    metadata: VerbatimObject
    """Data of the caller's own."""
    created_at: datetime


@endpoint(
    blueprint,
    "POST",
    "departments",
    summary="Create a department",
    access=Permission.PROJECTS_WRITE,
    body=DepartmentRequest,
    answers={201: DepartmentAnswer},
    errors=(LimitExceededError,),
    example={"name": "Support", "metadata": {"cost_center": "4711"}},
)
async def create_department(call: Call[DepartmentRequest]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    draft = DepartmentDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    department, etag = await call.services.departments.create(call.new_id("dep"), organization_id, draft)
    return Reply(department, etag=etag)


@endpoint(
    blueprint,
    "GET",
    "departments",
    summary="Departments of an organization, newest first",
    access=Permission.PROJECTS_READ,
    projects=Projects.REFUSED,
    query=ListQuery,
    answers={200: Listed[DepartmentAnswer]},
)
async def list_departments(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.departments.page(await call.organization_id(), call.query.limit, call.query.cursor)
    return Reply(page)


@endpoint(
    blueprint,
    "GET",
    "departments/{department_id}",
    summary="One department",
    access=Permission.PROJECTS_READ,
    projects=Projects.REFUSED,
    path_values=DepartmentPath,
    answers={200: DepartmentAnswer},
)
async def get_department(call: Call[NoBody, Query, DepartmentPath]) -> Reply:
    department_id = call.path.department_id
    owner = await call.organization_id_of(department_id)
    department, etag = await call.services.departments.get(owner, department_id)
    return Reply(department, etag=etag)


@endpoint(
    blueprint,
    "PATCH",
    "departments/{department_id}",
    summary="Change a department",
    access=Permission.PROJECTS_WRITE,
    path_values=DepartmentPath,
    body=DepartmentPatch,
    answers={200: DepartmentAnswer},
    errors=(LimitExceededError,),
    example={"description": "Answers customers"},
)
async def update_department(call: Call[DepartmentPatch, Query, DepartmentPath]) -> Reply:
    department_id = call.path.department_id
    changes = call.body.model_dump(exclude_unset=True)
    owner = await call.organization_id_of(department_id)
    department, etag = await call.services.departments.update(owner, department_id, changes, call.if_match)
    return Reply(department, etag=etag)


@endpoint(
    blueprint,
    "DELETE",
    "departments/{department_id}",
    summary="Delete a department. Its agents still name it, so their usage can still be found by it",
    access=Permission.PROJECTS_WRITE,
    path_values=DepartmentPath,
    answers={204: None},
)
async def delete_department(call: Call[NoBody, Query, DepartmentPath]) -> Reply:
    department_id = call.path.department_id
    await call.services.departments.delete(await call.organization_id_of(department_id), department_id, call.if_match)
    return Reply()
