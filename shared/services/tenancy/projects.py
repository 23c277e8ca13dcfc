"""Projects: created, changed, archived, deleted and restored."""

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from shared.containers import TENANTS
from shared.domain.kernel.errors import ConflictError
from shared.domain.tenancy.projects import GRACE, Project, ProjectStatus
from shared.ports.clock import Clock
from shared.services.storage import Owners, Page, Records, Store, Stored, UniqueField, name_claim
from shared.services.storage.caller_json import merged


class ProjectDraft(BaseModel):
    """What is to be created."""

    name: str
    description: str | None = None
    metadata: str = "{}"


class Projects:
    def __init__(self, store: Store, clock: Clock, owners: Owners) -> None:
        self._clock = clock
        self._projects = Records(
            store, TENANTS, Project, prefix="prj", owners=owners, unique=UniqueField("name", name_claim), clock=clock
        )

    async def create(self, project_id: str, organization_id: str, draft: ProjectDraft) -> Stored[Project]:
        """The project; repeating it with the same id gives what was created.

        Raises `ConflictError` for a taken name, `LimitExceededError` beyond the hard limit of a plan.
        """
        project = Project(
            id=project_id, organization_id=organization_id, created_at=self._clock.now(), **draft.model_dump()
        )
        return await self._projects.create(organization_id, project)

    async def get(self, organization_id: str, project_id: str) -> Stored[Project]:
        """Deleted ones as well, until they are gone. Raises `NotFoundError`."""
        return await self._projects.get(organization_id, project_id)

    async def names(self, organization_id: str, project_ids: Collection[str]) -> dict[str, str]:
        """By id; without those that are gone."""
        found = await self._projects.get_many(organization_id, project_ids)
        return {project.id: project.name for project, _ in found.values()}

    async def page(
        self, organization_id: str, status: ProjectStatus | None, limit: int, cursor: str | None
    ) -> Page[Project]:
        """Newest first; without a status all but the deleted ones."""
        equals: dict[str, str] = {"listed": "yes"} if status is None else {"status": status}
        return await self._projects.page(organization_id, equals=equals, descending=True, limit=limit, cursor=cursor)

    async def update(
        self, organization_id: str, project_id: str, changes: dict[str, Any], if_match: str | None
    ) -> Stored[Project]:
        """Apply changed fields.

        Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` for a taken name or a read-only project.
        """

        def decide(project: Project) -> Project:
            if project.status != "active":
                raise ConflictError(f"The project is {project.status} and can only be read; restore it first")
            return project.changed(**merged(project, changes))

        return await self._projects.change(organization_id, project_id, decide, if_match)

    async def archive(self, organization_id: str, project_id: str) -> Stored[Project]:
        """Make it read-only. Raises `NotFoundError`, `ConflictError` for a deleted one."""

        def decide(project: Project) -> Project:
            if project.status == "archived":
                return project
            if project.status == "deleted":
                raise ConflictError("The project is deleted; restore it first")
            return project.changed(status="archived", archived_at=self._clock.now())

        return await self._projects.change(organization_id, project_id, decide)

    async def restore(self, organization_id: str, project_id: str) -> Stored[Project]:
        """Make it active again, archived or deleted less than `GRACE` ago. Raises `NotFoundError`."""

        def decide(project: Project) -> Project:
            return project.changed(status="active", archived_at=None, gone_at=None)

        return await self._projects.change(organization_id, project_id, decide)

    async def delete(self, organization_id: str, project_id: str, if_match: str | None) -> None:
        """Make it expire after `GRACE`; then its name is free. Deleting it again does not delay that.

        Raises `NotFoundError`, `PreconditionFailedError`.
        """

        def decide(project: Project) -> Project:
            if project.status == "deleted":
                return project
            return project.changed(status="deleted", gone_at=self._clock.now() + GRACE)

        await self._projects.change(organization_id, project_id, decide, if_match)
