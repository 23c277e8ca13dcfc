"""Departments: whose costs they are."""

from datetime import datetime
from typing import Any

import azure.functions as func

from functions.fields import Metadata, Name, ObjectPatch, Reference, Text
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.tenancy.departments import Department
from shared.http import Call, ListQuery, MergePatch, NoBody, Query, Reply, Schema, endpoint
from shared.services.tenancy.departments import DepartmentDraft

blueprint = func.Blueprint()


class DepartmentRequest(Schema):
    name: Name
    organization_id: Reference | None = None
    description: Text | None = None
    metadata: Metadata = "{}"


class DepartmentPatch(MergePatch):
    """JSON Merge Patch."""

    name: Name = "-"
    description: Text | None = None
    metadata: ObjectPatch = None


class DepartmentAnswer(Schema):
    id: str
    organization_id: str
    name: str
    description: str | None
    metadata: dict[str, Any]
    created_at: datetime


class DepartmentList(Schema):
    data: list[DepartmentAnswer]
    next_cursor: str | None


def _shown(department: Department) -> dict[str, Any]:
    return {**dict(department), "metadata": json.verbatim(department.metadata)}


def _answer(department: Department, etag: str, status: int = 200) -> Reply:
    return Reply(_shown(department), status=status, etag=etag)


@endpoint(
    blueprint,
    "POST",
    "departments",
    summary="Make a department",
    access=Permission.PROJECTS_WRITE,
    body=DepartmentRequest,
    answers={201: DepartmentAnswer},
    example={"name": "Support", "metadata": {"cost_center": "4711"}},
)
async def create_department(call: Call[DepartmentRequest, Query]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    draft = DepartmentDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    return _answer(*await call.services.departments.create(call.new_id("dep"), organization_id, draft), status=201)


@endpoint(
    blueprint,
    "GET",
    "departments",
    summary="Departments of an organization, newest first",
    access=Permission.PROJECTS_READ,
    query=ListQuery,
    answers={200: DepartmentList},
)
async def list_departments(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.departments.page(await call.organization_id(), call.query.limit, call.query.cursor)
    data = [_shown(department) for department in page.entities]
    return Reply({"data": data, "next_cursor": page.cursor})


@endpoint(
    blueprint,
    "GET",
    "departments/{department_id}",
    summary="One department",
    access=Permission.PROJECTS_READ,
    answers={200: DepartmentAnswer},
)
async def get_department(call: Call[NoBody, Query]) -> Reply:
    department_id = call.path["department_id"]
    return _answer(
        *await call.services.departments.get_item(await call.organization_id_of(department_id), department_id)
    )


@endpoint(
    blueprint,
    "PATCH",
    "departments/{department_id}",
    summary="Change a department",
    access=Permission.PROJECTS_WRITE,
    body=DepartmentPatch,
    answers={200: DepartmentAnswer},
    example={"description": "Answers customers"},
)
async def update_department(call: Call[DepartmentPatch, Query]) -> Reply:
    department_id = call.path["department_id"]
    changes = call.body.model_dump(exclude_unset=True)
    owner = await call.organization_id_of(department_id)
    return _answer(*await call.services.departments.update(owner, department_id, changes, call.if_match))


@endpoint(
    blueprint,
    "DELETE",
    "departments/{department_id}",
    summary="Delete a department; its agents keep naming it, so that what they did is still found by it",
    access=Permission.PROJECTS_WRITE,
    answers={204: None},
)
async def delete_department(call: Call[NoBody, Query]) -> Reply:
    department_id = call.path["department_id"]
    await call.services.departments.delete(await call.organization_id_of(department_id), department_id, call.if_match)
    return Reply(status=204)
