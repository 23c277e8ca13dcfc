"""Methods of `members`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Members:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, *, organization_id: str | None = None, limit: int | None = None) -> Listing[models.MemberAnswer]:
        """Members of an organization."""
        return Listing(
            self._connection, "GET", "/api/v1/members", query={"organization_id": organization_id, "limit": limit}
        )

    def update(
        self,
        member_id: str,
        body: models.MemberPatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.MemberAnswer:
        """Give a member another role."""
        answer: models.MemberAnswer = self._connection.call(
            "PATCH",
            f"/api/v1/members/{segment(member_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def remove(self, member_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Remove a member. The member's keys stop, unless an owner adopts them."""
        self._connection.call(
            "DELETE",
            f"/api/v1/members/{segment(member_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )


class AsyncMembers:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.MemberAnswer]:
        """Members of an organization."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/members", query={"organization_id": organization_id, "limit": limit}
        )

    async def update(
        self,
        member_id: str,
        body: models.MemberPatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.MemberAnswer:
        """Give a member another role."""
        answer: models.MemberAnswer = await self._connection.call(
            "PATCH",
            f"/api/v1/members/{segment(member_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def remove(self, member_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Remove a member. The member's keys stop, unless an owner adopts them."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/members/{segment(member_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )
