"""Departments: made, changed and deleted."""

from typing import Any

from pydantic import BaseModel

from shared.containers import TENANTS
from shared.domain.tenancy.departments import Department
from shared.ports.clock import Clock
from shared.ports.store import Page, Store
from shared.services.storage.caller_json import merged
from shared.services.storage.owners import Owners
from shared.services.storage.unique_names import UniqueNames


class DepartmentDraft(BaseModel):
    name: str
    description: str | None = None
    metadata: str = "{}"


class Departments:
    def __init__(self, store: Store, clock: Clock, owners: Owners) -> None:
        self._store = store
        self._clock = clock
        self._named = UniqueNames(store, owners, Department, kind=Department.kind, prefix="dep")

    async def create(self, department_id: str, organization_id: str, draft: DepartmentDraft) -> tuple[Department, str]:
        """Raises `ConflictError` for a taken name. Repeating it with the same id gives the department that was made."""
        now = self._clock.now()
        return await self._named.create(
            Department(id=department_id, organization_id=organization_id, created_at=now, **draft.model_dump())
        )

    async def get_item(self, organization_id: str, department_id: str) -> tuple[Department, str]:
        """Raises `NotFoundError`."""
        return await self._named.get(organization_id, department_id)

    async def page(self, organization_id: str, limit: int, cursor: str | None) -> Page:
        """Newest first."""
        return await self._store.query(
            TENANTS.name, organization_id, Department.kind, descending=True, limit=limit, cursor=cursor
        )

    async def update(
        self, organization_id: str, department_id: str, changes: dict[str, Any], if_match: str | None
    ) -> tuple[Department, str]:
        """Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` for a taken name."""
        department, etag = await self._named.get(organization_id, department_id, if_match)
        changed = department.changed(**merged(department, changes))
        return changed, await self._named.replace(department, changed, etag)

    async def delete(self, organization_id: str, department_id: str, if_match: str | None) -> None:
        """Its agents keep naming it, so that what they did is still found by it. Raises `NotFoundError`."""
        await self._named.delete(*await self._named.get(organization_id, department_id, if_match))
