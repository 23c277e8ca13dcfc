"""Whether something may be put into a project or a department."""

from shared.containers import TENANTS
from shared.domain.kernel.errors import ValidationError
from shared.domain.tenancy.departments import Department
from shared.domain.tenancy.projects import Project, ProjectStatus
from shared.ports.store import Document, Store


async def check_project(
    store: Store, organization_id: str, project_id: str | None, pointer: str = "/project_id"
) -> None:
    """Raises `ValidationError` unless it is one of the organization's, neither archived nor deleted."""
    if project_id is None:
        return
    status = await status_of_project(store, organization_id, project_id)
    if status is None:
        raise ValidationError.at(pointer, "there is no such project")
    if status != "active":
        raise ValidationError.at(pointer, f"the project is {status}")


async def status_of_project(store: Store, organization_id: str, project_id: str) -> ProjectStatus | None:
    """None where there is none, or none any more."""
    project = await _found(store, organization_id, project_id, Project.kind)
    return None if project is None else Project.read(project).status


async def check_department(store: Store, organization_id: str, department_id: str | None) -> None:
    """Raises `ValidationError` unless it is one of the organization's."""
    if department_id is not None and await _found(store, organization_id, department_id, Department.kind) is None:
        raise ValidationError.at("/department_id", "there is no such department")


async def _found(store: Store, organization_id: str, thing_id: str, kind: str) -> Document | None:
    item = await store.get(TENANTS.name, organization_id, thing_id)
    return item.document if item is not None and item.document["kind"] == kind else None
