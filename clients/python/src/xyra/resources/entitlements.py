"""Methods of `entitlements`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Entitlements:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.EntitlementAnswer]:
        """The features that the organization's plans name, and how much of them is used."""
        return Listing(
            self._connection, "GET", "/api/v1/entitlements", query={"organization_id": organization_id, "limit": limit}
        )

    def get(self, feature: str, *, organization_id: str | None = None) -> models.EntitlementAnswer:
        """Whether the organization may use a feature, or one more of it."""
        answer: models.EntitlementAnswer = self._connection.call(
            "GET", f"/api/v1/entitlements/{segment(feature)}", query={"organization_id": organization_id}
        )
        return answer


class AsyncEntitlements:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.EntitlementAnswer]:
        """The features that the organization's plans name, and how much of them is used."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/entitlements", query={"organization_id": organization_id, "limit": limit}
        )

    async def get(self, feature: str, *, organization_id: str | None = None) -> models.EntitlementAnswer:
        """Whether the organization may use a feature, or one more of it."""
        answer: models.EntitlementAnswer = await self._connection.call(
            "GET", f"/api/v1/entitlements/{segment(feature)}", query={"organization_id": organization_id}
        )
        return answer
