"""Methods of `projects`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from typing import Literal

from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Projects:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_summary(
        self, project_id: str, *, organization_id: str | None = None, period: str | None = None
    ) -> models.ProjectSummaryAnswer:
        """What a project's agents cost and earn in a period, charge by charge."""
        answer: models.ProjectSummaryAnswer = self._connection.call(
            "GET",
            f"/api/v1/projects/{segment(project_id)}/summary",
            query={"organization_id": organization_id, "period": period},
        )
        return answer

    def create(
        self, body: models.ProjectRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.CreatedProjectAnswer:
        """Create a project."""
        answer: models.CreatedProjectAnswer = self._connection.call(
            "POST",
            "/api/v1/projects",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        status: Literal["active", "archived", "deleted"] | None = None,
    ) -> Listing[models.ProjectAnswer]:
        """Projects of an organization, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/projects",
            query={"organization_id": organization_id, "limit": limit, "status": status},
        )

    def get(self, project_id: str, *, organization_id: str | None = None) -> models.ProjectAnswer:
        """One project."""
        answer: models.ProjectAnswer = self._connection.call(
            "GET", f"/api/v1/projects/{segment(project_id)}", query={"organization_id": organization_id}
        )
        return answer

    def update(
        self,
        project_id: str,
        body: models.ProjectPatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.ProjectAnswer:
        """Change an active project."""
        answer: models.ProjectAnswer = self._connection.call(
            "PATCH",
            f"/api/v1/projects/{segment(project_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def delete(self, project_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Delete a project: read-only at once, erased after 30 days. Usage of its agents stays billed."""
        self._connection.call(
            "DELETE",
            f"/api/v1/projects/{segment(project_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    def archive(
        self, project_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.ProjectAnswer:
        """Archive a project: it becomes read-only; its agents are metered as before."""
        answer: models.ProjectAnswer = self._connection.call(
            "POST",
            f"/api/v1/projects/{segment(project_id)}/archive",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer

    def restore(
        self, project_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.ProjectAnswer:
        """Restore a project that is archived or deleted."""
        answer: models.ProjectAnswer = self._connection.call(
            "POST",
            f"/api/v1/projects/{segment(project_id)}/restore",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer


class AsyncProjects:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get_summary(
        self, project_id: str, *, organization_id: str | None = None, period: str | None = None
    ) -> models.ProjectSummaryAnswer:
        """What a project's agents cost and earn in a period, charge by charge."""
        answer: models.ProjectSummaryAnswer = await self._connection.call(
            "GET",
            f"/api/v1/projects/{segment(project_id)}/summary",
            query={"organization_id": organization_id, "period": period},
        )
        return answer

    async def create(
        self, body: models.ProjectRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.CreatedProjectAnswer:
        """Create a project."""
        answer: models.CreatedProjectAnswer = await self._connection.call(
            "POST",
            "/api/v1/projects",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        status: Literal["active", "archived", "deleted"] | None = None,
    ) -> AsyncListing[models.ProjectAnswer]:
        """Projects of an organization, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/projects",
            query={"organization_id": organization_id, "limit": limit, "status": status},
        )

    async def get(self, project_id: str, *, organization_id: str | None = None) -> models.ProjectAnswer:
        """One project."""
        answer: models.ProjectAnswer = await self._connection.call(
            "GET", f"/api/v1/projects/{segment(project_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def update(
        self,
        project_id: str,
        body: models.ProjectPatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.ProjectAnswer:
        """Change an active project."""
        answer: models.ProjectAnswer = await self._connection.call(
            "PATCH",
            f"/api/v1/projects/{segment(project_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def delete(self, project_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Delete a project: read-only at once, erased after 30 days. Usage of its agents stays billed."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/projects/{segment(project_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    async def archive(
        self, project_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.ProjectAnswer:
        """Archive a project: it becomes read-only; its agents are metered as before."""
        answer: models.ProjectAnswer = await self._connection.call(
            "POST",
            f"/api/v1/projects/{segment(project_id)}/archive",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer

    async def restore(
        self, project_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.ProjectAnswer:
        """Restore a project that is archived or deleted."""
        answer: models.ProjectAnswer = await self._connection.call(
            "POST",
            f"/api/v1/projects/{segment(project_id)}/restore",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer
