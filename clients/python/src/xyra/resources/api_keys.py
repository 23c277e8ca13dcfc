"""Methods of `api_keys`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class ApiKeys:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self, body: models.ApiKeyRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.NewApiKeyAnswer | models.ReusedApiKeyAnswer:
        """Create an API key. Its token is shown only in this answer."""
        answer: models.NewApiKeyAnswer | models.ReusedApiKeyAnswer = self._connection.call(
            "POST",
            "/api/v1/api-keys",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(self, *, organization_id: str | None = None, limit: int | None = None) -> Listing[models.ApiKeyAnswer]:
        """API keys, without their tokens."""
        return Listing(
            self._connection, "GET", "/api/v1/api-keys", query={"organization_id": organization_id, "limit": limit}
        )

    def get(self, key_id: str, *, organization_id: str | None = None) -> models.ApiKeyAnswer:
        """One API key, without its token."""
        answer: models.ApiKeyAnswer = self._connection.call(
            "GET", f"/api/v1/api-keys/{segment(key_id)}", query={"organization_id": organization_id}
        )
        return answer

    def update(
        self, key_id: str, body: models.ApiKeyPatch, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.ApiKeyAnswer:
        """Change an API key's name, and how what it reports is read."""
        answer: models.ApiKeyAnswer = self._connection.call(
            "PATCH",
            f"/api/v1/api-keys/{segment(key_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def delete(self, key_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Revoke an API key, and with it all keys that descend from it."""
        self._connection.call(
            "DELETE",
            f"/api/v1/api-keys/{segment(key_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    def deactivate(
        self, key_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.ApiKeyAnswer:
        """Stop an API key for good, and with it all keys that descend from it. It stays listed."""
        answer: models.ApiKeyAnswer = self._connection.call(
            "POST",
            f"/api/v1/api-keys/{segment(key_id)}/deactivate",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer

    def adopt(
        self, key_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.ApiKeyAnswer:
        """Let an API key go on whose maker was removed or may do less: it stops with you from then on."""
        answer: models.ApiKeyAnswer = self._connection.call(
            "POST",
            f"/api/v1/api-keys/{segment(key_id)}/adopt",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer


class AsyncApiKeys:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self, body: models.ApiKeyRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.NewApiKeyAnswer | models.ReusedApiKeyAnswer:
        """Create an API key. Its token is shown only in this answer."""
        answer: models.NewApiKeyAnswer | models.ReusedApiKeyAnswer = await self._connection.call(
            "POST",
            "/api/v1/api-keys",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.ApiKeyAnswer]:
        """API keys, without their tokens."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/api-keys", query={"organization_id": organization_id, "limit": limit}
        )

    async def get(self, key_id: str, *, organization_id: str | None = None) -> models.ApiKeyAnswer:
        """One API key, without its token."""
        answer: models.ApiKeyAnswer = await self._connection.call(
            "GET", f"/api/v1/api-keys/{segment(key_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def update(
        self, key_id: str, body: models.ApiKeyPatch, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.ApiKeyAnswer:
        """Change an API key's name, and how what it reports is read."""
        answer: models.ApiKeyAnswer = await self._connection.call(
            "PATCH",
            f"/api/v1/api-keys/{segment(key_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def delete(self, key_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Revoke an API key, and with it all keys that descend from it."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/api-keys/{segment(key_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    async def deactivate(
        self, key_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.ApiKeyAnswer:
        """Stop an API key for good, and with it all keys that descend from it. It stays listed."""
        answer: models.ApiKeyAnswer = await self._connection.call(
            "POST",
            f"/api/v1/api-keys/{segment(key_id)}/deactivate",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer

    async def adopt(
        self, key_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.ApiKeyAnswer:
        """Let an API key go on whose maker was removed or may do less: it stops with you from then on."""
        answer: models.ApiKeyAnswer = await self._connection.call(
            "POST",
            f"/api/v1/api-keys/{segment(key_id)}/adopt",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer
