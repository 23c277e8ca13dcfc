"""Whether agents, threads and runs may be allocated to a project or a department."""

from shared.containers import TENANTS
from shared.domain.kernel.errors import ValidationError
from shared.domain.tenancy.departments import Department
from shared.domain.tenancy.projects import Project, ProjectStatus
from shared.services.storage import Records, Store


class AllocationTargets:
    """The projects and departments of organizations, as seen by what is allocated to them."""

    def __init__(self, store: Store) -> None:
        self._projects = Records(store, TENANTS, Project, prefix="prj")
        self._departments = Records(store, TENANTS, Department, prefix="dep")

    async def check_project(self, organization_id: str, project_id: str | None, pointer: str = "/project_id") -> None:
        """Raises `ValidationError` at `pointer` unless it is an active project of the organization's, or None."""
        if project_id is None:
            return
        status = await self.status_of_project(organization_id, project_id)
        if status is None:
            raise ValidationError.at(pointer, "there is no such project")
        if status != "active":
            raise ValidationError.at(pointer, f"the project is {status}")

    async def status_of_project(self, organization_id: str, project_id: str) -> ProjectStatus | None:
        """None where there is no such project, or it has expired."""
        project = await self._projects.find(organization_id, project_id)
        return None if project is None else project.entity.status

    async def check_department(self, organization_id: str, department_id: str | None) -> None:
        """Raises `ValidationError` unless it is a department of the organization's, or None."""
        await self.check_known_department(organization_id, department_id, "/department_id")

    async def check_known_project(self, organization_id: str, project_id: str | None, pointer: str) -> None:
        """Raise `ValidationError` at `pointer` unless there is such a project.

        It may have any state; None is accepted, too.
        """
        if project_id is not None and await self.status_of_project(organization_id, project_id) is None:
            raise ValidationError.at(pointer, "there is no such project")

    async def check_known_department(self, organization_id: str, department_id: str | None, pointer: str) -> None:
        """Raises `ValidationError` at `pointer` unless there is such a department, or it is None."""
        if department_id is not None and await self._departments.find(organization_id, department_id) is None:
            raise ValidationError.at(pointer, "there is no such department")
