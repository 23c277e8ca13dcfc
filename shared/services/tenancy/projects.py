"""Projects: made, changed, archived, deleted and taken back."""

from typing import Any

from pydantic import BaseModel

from shared.containers import TENANTS
from shared.domain.kernel.errors import ConflictError
from shared.domain.tenancy.projects import GRACE, Project, ProjectStatus
from shared.ports.clock import Clock
from shared.ports.store import Page, Store
from shared.services.storage.caller_json import merged
from shared.services.storage.owners import Owners
from shared.services.storage.unique_names import UniqueNames


class ProjectDraft(BaseModel):
    name: str
    description: str | None = None
    metadata: str = "{}"


class Projects:
    def __init__(self, store: Store, clock: Clock, owners: Owners) -> None:
        self._store = store
        self._clock = clock
        self._named = UniqueNames(store, owners, Project, kind=Project.kind, prefix="prj")

    async def create(self, project_id: str, organization_id: str, draft: ProjectDraft) -> tuple[Project, str]:
        """Raises `ConflictError` for a taken name. Repeating it with the same id gives the project that was made."""
        return await self._named.create(
            Project(id=project_id, organization_id=organization_id, created_at=self._clock.now(), **draft.model_dump())
        )

    async def get_item(self, organization_id: str, project_id: str) -> tuple[Project, str]:
        """Deleted ones as well, until they are gone. Raises `NotFoundError`."""
        return await self._named.get(organization_id, project_id)

    async def page(self, organization_id: str, status: ProjectStatus | None, limit: int, cursor: str | None) -> Page:
        """Newest first; without a status all but the deleted ones."""
        equals: dict[str, str] = {"listed": "yes"} if status is None else {"status": status}
        return await self._store.query(
            TENANTS.name, organization_id, Project.kind, equals=equals, descending=True, limit=limit, cursor=cursor
        )

    async def update(
        self, organization_id: str, project_id: str, changes: dict[str, Any], if_match: str | None
    ) -> tuple[Project, str]:
        """Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` for a taken name, or where it can only be
        read.
        """
        project, etag = await self._named.get(organization_id, project_id, if_match)
        if project.status != "active":
            raise ConflictError(f"The project is {project.status} and can only be read; restore it first")
        changed = project.changed(**merged(project, changes))
        return changed, await self._named.replace(project, changed, etag)

    async def archive(self, organization_id: str, project_id: str) -> tuple[Project, str]:
        """From now on it can only be read. Raises `NotFoundError`, `ConflictError` for a deleted one."""
        project, etag = await self._named.get(organization_id, project_id)
        if project.status == "archived":
            return project, etag
        if project.status == "deleted":
            raise ConflictError("The project is deleted; restore it first")
        archived = project.changed(status="archived", archived_at=self._clock.now())
        return archived, await self._named.replace(project, archived, etag)

    async def restore(self, organization_id: str, project_id: str) -> tuple[Project, str]:
        """As it was before it was archived, or deleted less than `GRACE` ago. Raises `NotFoundError`."""
        project, etag = await self._named.get(organization_id, project_id)
        if project.status == "active":
            return project, etag
        restored = project.changed(status="active", archived_at=None, gone_at=None)
        return restored, await self._named.replace(project, restored, etag)

    async def delete(self, organization_id: str, project_id: str, if_match: str | None) -> None:
        """It is gone after `GRACE`, and its name free. Deleting it again puts nothing off. Raises `NotFoundError`."""
        project, etag = await self._named.get(organization_id, project_id, if_match)
        if project.status != "deleted":
            deleted = project.changed(status="deleted", gone_at=self._clock.now() + GRACE)
            await self._named.replace(project, deleted, etag)
