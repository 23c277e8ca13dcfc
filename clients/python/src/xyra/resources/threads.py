"""Methods of `threads`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Threads:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        body: models.ThreadRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.ThreadAnswer:
        """Create a thread."""
        answer: models.ThreadAnswer = self._connection.call(
            "POST",
            "/api/v1/threads",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None, project_id: str | None = None
    ) -> Listing[models.ThreadAnswer]:
        """Threads of an organization, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/threads",
            query={"organization_id": organization_id, "limit": limit, "project_id": project_id},
        )

    def get(self, thread_id: str, *, organization_id: str | None = None) -> models.ThreadAnswer:
        """One thread."""
        answer: models.ThreadAnswer = self._connection.call(
            "GET", f"/api/v1/threads/{segment(thread_id)}", query={"organization_id": organization_id}
        )
        return answer

    def update(
        self,
        thread_id: str,
        body: models.ThreadPatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.ThreadAnswer:
        """Change a thread."""
        answer: models.ThreadAnswer = self._connection.call(
            "PATCH",
            f"/api/v1/threads/{segment(thread_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer


class AsyncThreads:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        body: models.ThreadRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.ThreadAnswer:
        """Create a thread."""
        answer: models.ThreadAnswer = await self._connection.call(
            "POST",
            "/api/v1/threads",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None, project_id: str | None = None
    ) -> AsyncListing[models.ThreadAnswer]:
        """Threads of an organization, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/threads",
            query={"organization_id": organization_id, "limit": limit, "project_id": project_id},
        )

    async def get(self, thread_id: str, *, organization_id: str | None = None) -> models.ThreadAnswer:
        """One thread."""
        answer: models.ThreadAnswer = await self._connection.call(
            "GET", f"/api/v1/threads/{segment(thread_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def update(
        self,
        thread_id: str,
        body: models.ThreadPatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.ThreadAnswer:
        """Change a thread."""
        answer: models.ThreadAnswer = await self._connection.call(
            "PATCH",
            f"/api/v1/threads/{segment(thread_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer
