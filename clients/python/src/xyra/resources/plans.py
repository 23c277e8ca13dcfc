"""Methods of `plans`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Plans:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self, body: models.PlanDraft, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.PlanAnswer:
        """Create a plan with its first version."""
        answer: models.PlanAnswer = self._connection.call(
            "POST",
            "/api/v1/plans",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(self, *, organization_id: str | None = None, limit: int | None = None) -> Listing[models.PlanAnswer]:
        """The whole catalog, newest plan first."""
        return Listing(
            self._connection, "GET", "/api/v1/plans", query={"organization_id": organization_id, "limit": limit}
        )

    def get(self, plan_id: str, *, organization_id: str | None = None) -> models.PlanAnswer:
        """One plan with its newest version."""
        answer: models.PlanAnswer = self._connection.call(
            "GET", f"/api/v1/plans/{segment(plan_id)}", query={"organization_id": organization_id}
        )
        return answer

    def publish(
        self, plan_id: str, body: models.PlanDraft, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.PlanAnswer:
        """Publish a new version of a plan. It moves no subscription."""
        answer: models.PlanAnswer = self._connection.call(
            "PUT",
            f"/api/v1/plans/{segment(plan_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def list_versions(self, plan_id: str, *, organization_id: str | None = None) -> models.PlanVersionList:
        """All versions of a plan, oldest first."""
        answer: models.PlanVersionList = self._connection.call(
            "GET", f"/api/v1/plans/{segment(plan_id)}/versions", query={"organization_id": organization_id}
        )
        return answer

    def archive(
        self, plan_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.PlanAnswer:
        """Archive a plan: nobody can subscribe to it any more."""
        answer: models.PlanAnswer = self._connection.call(
            "POST",
            f"/api/v1/plans/{segment(plan_id)}/archive",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer


class AsyncPlans:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self, body: models.PlanDraft, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.PlanAnswer:
        """Create a plan with its first version."""
        answer: models.PlanAnswer = await self._connection.call(
            "POST",
            "/api/v1/plans",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(self, *, organization_id: str | None = None, limit: int | None = None) -> AsyncListing[models.PlanAnswer]:
        """The whole catalog, newest plan first."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/plans", query={"organization_id": organization_id, "limit": limit}
        )

    async def get(self, plan_id: str, *, organization_id: str | None = None) -> models.PlanAnswer:
        """One plan with its newest version."""
        answer: models.PlanAnswer = await self._connection.call(
            "GET", f"/api/v1/plans/{segment(plan_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def publish(
        self, plan_id: str, body: models.PlanDraft, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.PlanAnswer:
        """Publish a new version of a plan. It moves no subscription."""
        answer: models.PlanAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/plans/{segment(plan_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def list_versions(self, plan_id: str, *, organization_id: str | None = None) -> models.PlanVersionList:
        """All versions of a plan, oldest first."""
        answer: models.PlanVersionList = await self._connection.call(
            "GET", f"/api/v1/plans/{segment(plan_id)}/versions", query={"organization_id": organization_id}
        )
        return answer

    async def archive(
        self, plan_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.PlanAnswer:
        """Archive a plan: nobody can subscribe to it any more."""
        answer: models.PlanAnswer = await self._connection.call(
            "POST",
            f"/api/v1/plans/{segment(plan_id)}/archive",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer
