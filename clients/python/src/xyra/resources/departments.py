"""Methods of `departments`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Departments:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_summary(
        self, department_id: str, *, organization_id: str | None = None, period: str | None = None
    ) -> models.DepartmentSummaryAnswer:
        """What a department's agents cost and earn in a period, charge by charge."""
        answer: models.DepartmentSummaryAnswer = self._connection.call(
            "GET",
            f"/api/v1/departments/{segment(department_id)}/summary",
            query={"organization_id": organization_id, "period": period},
        )
        return answer

    def create(
        self, body: models.DepartmentRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.DepartmentAnswer:
        """Create a department."""
        answer: models.DepartmentAnswer = self._connection.call(
            "POST",
            "/api/v1/departments",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(self, *, organization_id: str | None = None, limit: int | None = None) -> Listing[models.DepartmentAnswer]:
        """Departments of an organization, newest first."""
        return Listing(
            self._connection, "GET", "/api/v1/departments", query={"organization_id": organization_id, "limit": limit}
        )

    def get(self, department_id: str, *, organization_id: str | None = None) -> models.DepartmentAnswer:
        """One department."""
        answer: models.DepartmentAnswer = self._connection.call(
            "GET", f"/api/v1/departments/{segment(department_id)}", query={"organization_id": organization_id}
        )
        return answer

    def update(
        self,
        department_id: str,
        body: models.DepartmentPatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.DepartmentAnswer:
        """Change a department."""
        answer: models.DepartmentAnswer = self._connection.call(
            "PATCH",
            f"/api/v1/departments/{segment(department_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def delete(self, department_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Delete a department. Its agents still name it, so their usage can still be found by it."""
        self._connection.call(
            "DELETE",
            f"/api/v1/departments/{segment(department_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )


class AsyncDepartments:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get_summary(
        self, department_id: str, *, organization_id: str | None = None, period: str | None = None
    ) -> models.DepartmentSummaryAnswer:
        """What a department's agents cost and earn in a period, charge by charge."""
        answer: models.DepartmentSummaryAnswer = await self._connection.call(
            "GET",
            f"/api/v1/departments/{segment(department_id)}/summary",
            query={"organization_id": organization_id, "period": period},
        )
        return answer

    async def create(
        self, body: models.DepartmentRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.DepartmentAnswer:
        """Create a department."""
        answer: models.DepartmentAnswer = await self._connection.call(
            "POST",
            "/api/v1/departments",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.DepartmentAnswer]:
        """Departments of an organization, newest first."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/departments", query={"organization_id": organization_id, "limit": limit}
        )

    async def get(self, department_id: str, *, organization_id: str | None = None) -> models.DepartmentAnswer:
        """One department."""
        answer: models.DepartmentAnswer = await self._connection.call(
            "GET", f"/api/v1/departments/{segment(department_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def update(
        self,
        department_id: str,
        body: models.DepartmentPatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.DepartmentAnswer:
        """Change a department."""
        answer: models.DepartmentAnswer = await self._connection.call(
            "PATCH",
            f"/api/v1/departments/{segment(department_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def delete(
        self, department_id: str, *, organization_id: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete a department. Its agents still name it, so their usage can still be found by it."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/departments/{segment(department_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )
