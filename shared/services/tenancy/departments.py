"""Departments: created, changed and deleted."""

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from shared.containers import TENANTS
from shared.domain.tenancy.departments import Department
from shared.ports.clock import Clock
from shared.services.storage import Owners, Page, Records, Store, Stored, UniqueField, name_claim
from shared.services.storage.caller_json import merged


class DepartmentDraft(BaseModel):
    """What is to be created."""

    name: str
    description: str | None = None
    metadata: str = "{}"


class Departments:
    def __init__(self, store: Store, clock: Clock, owners: Owners) -> None:
        self._clock = clock
        self._departments = Records(
            store, TENANTS, Department, prefix="dep", owners=owners, unique=UniqueField("name", name_claim)
        )

    async def create(self, department_id: str, organization_id: str, draft: DepartmentDraft) -> Stored[Department]:
        """The department; repeating it with the same id gives what was created.

        Raises `ConflictError` for a taken name.
        """
        department = Department(
            id=department_id, organization_id=organization_id, created_at=self._clock.now(), **draft.model_dump()
        )
        return await self._departments.create(organization_id, department)

    async def get(self, organization_id: str, department_id: str) -> Stored[Department]:
        """Raises `NotFoundError`."""
        return await self._departments.get(organization_id, department_id)

    async def names(self, organization_id: str, department_ids: Collection[str]) -> dict[str, str]:
        """By id; without those that are gone."""
        found = await self._departments.get_many(organization_id, department_ids)
        return {department.id: department.name for department, _ in found.values()}

    async def page(self, organization_id: str, limit: int, cursor: str | None) -> Page[Department]:
        """Newest first."""
        return await self._departments.page(organization_id, descending=True, limit=limit, cursor=cursor)

    async def update(
        self, organization_id: str, department_id: str, changes: dict[str, Any], if_match: str | None
    ) -> Stored[Department]:
        """Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` for a taken name."""

        def decide(department: Department) -> Department:
            return department.changed(**merged(department, changes))

        return await self._departments.change(organization_id, department_id, decide, if_match)

    async def delete(self, organization_id: str, department_id: str, if_match: str | None) -> None:
        """Its agents keep naming it, so that what they did is still found by it.

        Raises `NotFoundError`, `PreconditionFailedError`.
        """
        await self._departments.delete(organization_id, department_id, if_match)
