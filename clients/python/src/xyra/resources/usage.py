"""Methods of `usage`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection
from xyra.listing import AsyncListing, Listing


class Usage:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(
        self,
        *,
        organization_id: str | None = None,
        period: str | None = None,
        agent: str | None = None,
        charge: str | None = None,
        project: str | None = None,
        department: str | None = None,
        limit: int | None = None,
    ) -> Listing[models.UsageRow]:
        """Usage of a period by agent and charge, and how many accepted events are not metered yet."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/usage",
            query={
                "organization_id": organization_id,
                "period": period,
                "agent": agent,
                "charge": charge,
                "project": project,
                "department": department,
                "limit": limit,
            },
        )


class AsyncUsage:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def get(
        self,
        *,
        organization_id: str | None = None,
        period: str | None = None,
        agent: str | None = None,
        charge: str | None = None,
        project: str | None = None,
        department: str | None = None,
        limit: int | None = None,
    ) -> AsyncListing[models.UsageRow]:
        """Usage of a period by agent and charge, and how many accepted events are not metered yet."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/usage",
            query={
                "organization_id": organization_id,
                "period": period,
                "agent": agent,
                "charge": charge,
                "project": project,
                "department": department,
                "limit": limit,
            },
        )
