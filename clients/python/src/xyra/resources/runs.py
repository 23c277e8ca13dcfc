"""Methods of `runs`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from typing import Literal

from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Runs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        body: models.RunRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.CreatedRunAnswer:
        """Create a run of an agent."""
        answer: models.CreatedRunAnswer = self._connection.call(
            "POST",
            "/api/v1/runs",
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
        key: str | None = None,
        thread_id: str | None = None,
        agent: str | None = None,
        project_id: str | None = None,
        status: Literal["pending", "running", "completed", "failed"] | None = None,
    ) -> Listing[models.RunAnswer]:
        """Runs of an organization, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/runs",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "key": key,
                "thread_id": thread_id,
                "agent": agent,
                "project_id": project_id,
                "status": status,
            },
        )

    def get(self, run_id: str, *, organization_id: str | None = None) -> models.RunReportAnswer:
        """One run with its cost, price, margin and outcomes."""
        answer: models.RunReportAnswer = self._connection.call(
            "GET", f"/api/v1/runs/{segment(run_id)}", query={"organization_id": organization_id}
        )
        return answer

    def update(
        self, run_id: str, body: models.RunPatch, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.RunAnswer:
        """Change a run: its status, times, error, result or metadata."""
        answer: models.RunAnswer = self._connection.call(
            "PATCH",
            f"/api/v1/runs/{segment(run_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def get_by_key(self, run_key: str, *, organization_id: str | None = None) -> models.RunReportAnswer:
        """The same report by the key that events name, whether or not the run was created."""
        answer: models.RunReportAnswer = self._connection.call(
            "GET", f"/api/v1/runs/by-key/{segment(run_key)}", query={"organization_id": organization_id}
        )
        return answer

    def find_by_key(self, *, organization_id: str | None = None, key: str) -> models.RunReportAnswer:
        """The same report by a key that may contain any character."""
        answer: models.RunReportAnswer = self._connection.call(
            "GET", "/api/v1/runs/by-key", query={"organization_id": organization_id, "key": key}
        )
        return answer


class AsyncRuns:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        body: models.RunRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.CreatedRunAnswer:
        """Create a run of an agent."""
        answer: models.CreatedRunAnswer = await self._connection.call(
            "POST",
            "/api/v1/runs",
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
        key: str | None = None,
        thread_id: str | None = None,
        agent: str | None = None,
        project_id: str | None = None,
        status: Literal["pending", "running", "completed", "failed"] | None = None,
    ) -> AsyncListing[models.RunAnswer]:
        """Runs of an organization, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/runs",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "key": key,
                "thread_id": thread_id,
                "agent": agent,
                "project_id": project_id,
                "status": status,
            },
        )

    async def get(self, run_id: str, *, organization_id: str | None = None) -> models.RunReportAnswer:
        """One run with its cost, price, margin and outcomes."""
        answer: models.RunReportAnswer = await self._connection.call(
            "GET", f"/api/v1/runs/{segment(run_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def update(
        self, run_id: str, body: models.RunPatch, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.RunAnswer:
        """Change a run: its status, times, error, result or metadata."""
        answer: models.RunAnswer = await self._connection.call(
            "PATCH",
            f"/api/v1/runs/{segment(run_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def get_by_key(self, run_key: str, *, organization_id: str | None = None) -> models.RunReportAnswer:
        """The same report by the key that events name, whether or not the run was created."""
        answer: models.RunReportAnswer = await self._connection.call(
            "GET", f"/api/v1/runs/by-key/{segment(run_key)}", query={"organization_id": organization_id}
        )
        return answer

    async def find_by_key(self, *, organization_id: str | None = None, key: str) -> models.RunReportAnswer:
        """The same report by a key that may contain any character."""
        answer: models.RunReportAnswer = await self._connection.call(
            "GET", "/api/v1/runs/by-key", query={"organization_id": organization_id, "key": key}
        )
        return answer
