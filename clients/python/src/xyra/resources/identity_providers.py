"""Methods of `identity_providers`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment


class IdentityProviders:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        body: models.IdentityProviderRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.IdentityProviderAnswer:
        """Let an organization's people sign in by its identity provider."""
        answer: models.IdentityProviderAnswer = self._connection.call(
            "POST",
            "/api/v1/identity-providers",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(self, *, organization_id: str | None = None) -> models.IdentityProviderList:
        """The identity providers of an organization. There are at most 10."""
        answer: models.IdentityProviderList = self._connection.call(
            "GET", "/api/v1/identity-providers", query={"organization_id": organization_id}
        )
        return answer

    def get(self, provider_id: str, *, organization_id: str | None = None) -> models.IdentityProviderAnswer:
        """One identity provider."""
        answer: models.IdentityProviderAnswer = self._connection.call(
            "GET", f"/api/v1/identity-providers/{segment(provider_id)}", query={"organization_id": organization_id}
        )
        return answer

    def update(
        self,
        provider_id: str,
        body: models.IdentityProviderPatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.IdentityProviderAnswer:
        """Change an identity provider. Another issuer is another provider."""
        answer: models.IdentityProviderAnswer = self._connection.call(
            "PATCH",
            f"/api/v1/identity-providers/{segment(provider_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def remove(self, provider_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Remove an identity provider. Sessions by it end, and its domains are free."""
        self._connection.call(
            "DELETE",
            f"/api/v1/identity-providers/{segment(provider_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    def verify_domain(
        self, provider_id: str, domain: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.IdentityProviderAnswer:
        """Look for the record that shows that a domain is the organization's."""
        answer: models.IdentityProviderAnswer = self._connection.call(
            "POST",
            f"/api/v1/identity-providers/{segment(provider_id)}/domains/{segment(domain)}/verify",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer


class AsyncIdentityProviders:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        body: models.IdentityProviderRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.IdentityProviderAnswer:
        """Let an organization's people sign in by its identity provider."""
        answer: models.IdentityProviderAnswer = await self._connection.call(
            "POST",
            "/api/v1/identity-providers",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def list(self, *, organization_id: str | None = None) -> models.IdentityProviderList:
        """The identity providers of an organization. There are at most 10."""
        answer: models.IdentityProviderList = await self._connection.call(
            "GET", "/api/v1/identity-providers", query={"organization_id": organization_id}
        )
        return answer

    async def get(self, provider_id: str, *, organization_id: str | None = None) -> models.IdentityProviderAnswer:
        """One identity provider."""
        answer: models.IdentityProviderAnswer = await self._connection.call(
            "GET", f"/api/v1/identity-providers/{segment(provider_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def update(
        self,
        provider_id: str,
        body: models.IdentityProviderPatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.IdentityProviderAnswer:
        """Change an identity provider. Another issuer is another provider."""
        answer: models.IdentityProviderAnswer = await self._connection.call(
            "PATCH",
            f"/api/v1/identity-providers/{segment(provider_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def remove(
        self, provider_id: str, *, organization_id: str | None = None, if_match: str | None = None
    ) -> None:
        """Remove an identity provider. Sessions by it end, and its domains are free."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/identity-providers/{segment(provider_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    async def verify_domain(
        self, provider_id: str, domain: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.IdentityProviderAnswer:
        """Look for the record that shows that a domain is the organization's."""
        answer: models.IdentityProviderAnswer = await self._connection.call(
            "POST",
            f"/api/v1/identity-providers/{segment(provider_id)}/domains/{segment(domain)}/verify",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer
