"""Methods of `invitations`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Invitations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self, body: models.InvitationRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.InvitationAnswer:
        """Invite somebody to become a member. The invitation is mailed and good for 7 days."""
        answer: models.InvitationAnswer = self._connection.call(
            "POST",
            "/api/v1/invitations",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(self, *, organization_id: str | None = None, limit: int | None = None) -> Listing[models.InvitationAnswer]:
        """Invitations that nobody has accepted, newest first."""
        return Listing(
            self._connection, "GET", "/api/v1/invitations", query={"organization_id": organization_id, "limit": limit}
        )

    def withdraw(self, invitation_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Withdraw an invitation: its link opens nothing from then on."""
        self._connection.call(
            "DELETE",
            f"/api/v1/invitations/{segment(invitation_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    def accept(self, body: models.AcceptRequest, *, organization_id: str | None = None) -> models.AcceptedAnswer:
        """Accept an invitation: signed in as the invited address, or with a password and a full name."""
        answer: models.AcceptedAnswer = self._connection.call(
            "POST",
            "/api/v1/invitations/accept",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer


class AsyncInvitations:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self, body: models.InvitationRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.InvitationAnswer:
        """Invite somebody to become a member. The invitation is mailed and good for 7 days."""
        answer: models.InvitationAnswer = await self._connection.call(
            "POST",
            "/api/v1/invitations",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.InvitationAnswer]:
        """Invitations that nobody has accepted, newest first."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/invitations", query={"organization_id": organization_id, "limit": limit}
        )

    async def withdraw(
        self, invitation_id: str, *, organization_id: str | None = None, if_match: str | None = None
    ) -> None:
        """Withdraw an invitation: its link opens nothing from then on."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/invitations/{segment(invitation_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    async def accept(self, body: models.AcceptRequest, *, organization_id: str | None = None) -> models.AcceptedAnswer:
        """Accept an invitation: signed in as the invited address, or with a password and a full name."""
        answer: models.AcceptedAnswer = await self._connection.call(
            "POST",
            "/api/v1/invitations/accept",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer
