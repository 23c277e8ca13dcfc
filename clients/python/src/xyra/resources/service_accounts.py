"""Methods of `service_accounts`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from typing import Literal

from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class ServiceAccounts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, *, organization_id: str | None = None) -> models.ServiceAccountList:
        """The catalog of service accounts. There are at most 200."""
        answer: models.ServiceAccountList = self._connection.call(
            "GET", "/api/v1/service-accounts", query={"organization_id": organization_id}
        )
        return answer

    def list_tokens(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        status: Literal["active", "expired", "revoked"] | None = None,
    ) -> Listing[models.ServiceAccountTokenAnswer]:
        """Tokens of service accounts, without their secrets; those that expired for 30 days."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/service-accounts/tokens",
            query={"organization_id": organization_id, "limit": limit, "status": status},
        )

    def put(
        self,
        name: str,
        body: models.ServiceAccountRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.ServiceAccountAnswer:
        """Write what the catalog says of a service account."""
        answer: models.ServiceAccountAnswer = self._connection.call(
            "PUT",
            f"/api/v1/service-accounts/{segment(name)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def issue_token(
        self, name: str, body: models.ServiceAccountTokenRequest, *, organization_id: str | None = None
    ) -> models.NewServiceAccountTokenAnswer | models.ReusedServiceAccountTokenAnswer:
        """Issue a token of a service account, or get the record of an equal one that is active."""
        answer: models.NewServiceAccountTokenAnswer | models.ReusedServiceAccountTokenAnswer = self._connection.call(
            "POST",
            f"/api/v1/service-accounts/{segment(name)}/tokens",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    def revoke_token(
        self,
        token_id: str,
        body: models.ServiceAccountTokenRevocation,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.ServiceAccountTokenAnswer:
        """Stop a token of a service account for good. It stays listed."""
        answer: models.ServiceAccountTokenAnswer = self._connection.call(
            "POST",
            f"/api/v1/service-accounts/tokens/{segment(token_id)}/revoke",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def add_workload_client(
        self,
        name: str,
        body: models.WorkloadClientRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.WorkloadClientAnswer:
        """Register a workload that gets tokens of a service account by assertions that it signs."""
        answer: models.WorkloadClientAnswer = self._connection.call(
            "POST",
            f"/api/v1/service-accounts/{segment(name)}/clients",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_workload_clients(
        self, name: str, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.WorkloadClientAnswer]:
        """The clients of a service account."""
        return Listing(
            self._connection,
            "GET",
            f"/api/v1/service-accounts/{segment(name)}/clients",
            query={"organization_id": organization_id, "limit": limit},
        )

    def remove_workload_client(self, client_id: str, *, organization_id: str | None = None) -> None:
        """Remove a client; its tokens stop."""
        self._connection.call(
            "DELETE",
            f"/api/v1/service-accounts/clients/{segment(client_id)}",
            query={"organization_id": organization_id},
        )


class AsyncServiceAccounts:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def list(self, *, organization_id: str | None = None) -> models.ServiceAccountList:
        """The catalog of service accounts. There are at most 200."""
        answer: models.ServiceAccountList = await self._connection.call(
            "GET", "/api/v1/service-accounts", query={"organization_id": organization_id}
        )
        return answer

    def list_tokens(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        status: Literal["active", "expired", "revoked"] | None = None,
    ) -> AsyncListing[models.ServiceAccountTokenAnswer]:
        """Tokens of service accounts, without their secrets; those that expired for 30 days."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/service-accounts/tokens",
            query={"organization_id": organization_id, "limit": limit, "status": status},
        )

    async def put(
        self,
        name: str,
        body: models.ServiceAccountRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.ServiceAccountAnswer:
        """Write what the catalog says of a service account."""
        answer: models.ServiceAccountAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/service-accounts/{segment(name)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def issue_token(
        self, name: str, body: models.ServiceAccountTokenRequest, *, organization_id: str | None = None
    ) -> models.NewServiceAccountTokenAnswer | models.ReusedServiceAccountTokenAnswer:
        """Issue a token of a service account, or get the record of an equal one that is active."""
        answer: (
            models.NewServiceAccountTokenAnswer | models.ReusedServiceAccountTokenAnswer
        ) = await self._connection.call(
            "POST",
            f"/api/v1/service-accounts/{segment(name)}/tokens",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    async def revoke_token(
        self,
        token_id: str,
        body: models.ServiceAccountTokenRevocation,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.ServiceAccountTokenAnswer:
        """Stop a token of a service account for good. It stays listed."""
        answer: models.ServiceAccountTokenAnswer = await self._connection.call(
            "POST",
            f"/api/v1/service-accounts/tokens/{segment(token_id)}/revoke",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def add_workload_client(
        self,
        name: str,
        body: models.WorkloadClientRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.WorkloadClientAnswer:
        """Register a workload that gets tokens of a service account by assertions that it signs."""
        answer: models.WorkloadClientAnswer = await self._connection.call(
            "POST",
            f"/api/v1/service-accounts/{segment(name)}/clients",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_workload_clients(
        self, name: str, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.WorkloadClientAnswer]:
        """The clients of a service account."""
        return AsyncListing(
            self._connection,
            "GET",
            f"/api/v1/service-accounts/{segment(name)}/clients",
            query={"organization_id": organization_id, "limit": limit},
        )

    async def remove_workload_client(self, client_id: str, *, organization_id: str | None = None) -> None:
        """Remove a client; its tokens stop."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/service-accounts/clients/{segment(client_id)}",
            query={"organization_id": organization_id},
        )
