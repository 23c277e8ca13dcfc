"""Methods of `audit`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection
from xyra.listing import AsyncListing, Listing


class Audit:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_entries(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        from_: str | None = None,
        to: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
    ) -> Listing[models.AuditEntryAnswer]:
        """The audit trail of an organization, newest first; of the operator's own things without one."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/audit",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "from": from_,
                "to": to,
                "actor": actor,
                "action": action,
                "target": target,
            },
        )


class AsyncAudit:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def list_entries(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        from_: str | None = None,
        to: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        target: str | None = None,
    ) -> AsyncListing[models.AuditEntryAnswer]:
        """The audit trail of an organization, newest first; of the operator's own things without one."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/audit",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "from": from_,
                "to": to,
                "actor": actor,
                "action": action,
                "target": target,
            },
        )
