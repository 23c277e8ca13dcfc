"""Methods of `users`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Users:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_own(self, *, organization_id: str | None = None) -> models.UserDetailsAnswer:
        """The signed-in user."""
        answer: models.UserDetailsAnswer = self._connection.call(
            "GET", "/api/v1/users/me", query={"organization_id": organization_id}
        )
        return answer

    def update_own(
        self, body: models.UserPatch, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.UserDetailsAnswer:
        """Change one's name, or which mails one wants."""
        answer: models.UserDetailsAnswer = self._connection.call(
            "PATCH", "/api/v1/users/me", query={"organization_id": organization_id}, body=body, if_match=if_match
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.UserDetailsAnswer]:
        """Users of one's organization, or only oneself without the permission to see members; for staff everybody."""
        return Listing(
            self._connection, "GET", "/api/v1/users", query={"organization_id": organization_id, "limit": limit}
        )

    def create_staff(
        self, body: models.StaffRequest, *, organization_id: str | None = None
    ) -> models.UserDetailsAnswer:
        """Create an account of the operator's staff, who gets a password by auth/password/forgot."""
        answer: models.UserDetailsAnswer = self._connection.call(
            "POST", "/api/v1/users", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    def get(self, user_id: str, *, organization_id: str | None = None) -> models.UserDetailsAnswer:
        """A user: oneself, or for the operator's support anybody but staff."""
        answer: models.UserDetailsAnswer = self._connection.call(
            "GET", f"/api/v1/users/{segment(user_id)}", query={"organization_id": organization_id}
        )
        return answer

    def update(
        self, user_id: str, body: models.UserPatch, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.UserDetailsAnswer:
        """Change a user's name, or which mails the user gets."""
        answer: models.UserDetailsAnswer = self._connection.call(
            "PATCH",
            f"/api/v1/users/{segment(user_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def delete(self, user_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """End all memberships of a user and disable the account."""
        self._connection.call(
            "DELETE", f"/api/v1/users/{segment(user_id)}", query={"organization_id": organization_id}, if_match=if_match
        )

    def deactivate(self, user_id: str, *, organization_id: str | None = None) -> models.UserDetailsAnswer:
        """Disable an account: its sessions end and its keys stop."""
        answer: models.UserDetailsAnswer = self._connection.call(
            "POST",
            f"/api/v1/users/{segment(user_id)}/deactivate",
            query={"organization_id": organization_id},
            is_repeatable=False,
        )
        return answer

    def activate(self, user_id: str, *, organization_id: str | None = None) -> models.UserDetailsAnswer:
        """Enable a disabled account again."""
        answer: models.UserDetailsAnswer = self._connection.call(
            "POST",
            f"/api/v1/users/{segment(user_id)}/activate",
            query={"organization_id": organization_id},
            is_repeatable=False,
        )
        return answer

    def erase(self, user_id: str, *, organization_id: str | None = None) -> None:
        """Erase a person: the account is disabled at once, and what names the person is gone within minutes."""
        self._connection.call(
            "POST",
            f"/api/v1/users/{segment(user_id)}/erase",
            query={"organization_id": organization_id},
            is_repeatable=False,
        )


class AsyncUsers:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get_own(self, *, organization_id: str | None = None) -> models.UserDetailsAnswer:
        """The signed-in user."""
        answer: models.UserDetailsAnswer = await self._connection.call(
            "GET", "/api/v1/users/me", query={"organization_id": organization_id}
        )
        return answer

    async def update_own(
        self, body: models.UserPatch, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.UserDetailsAnswer:
        """Change one's name, or which mails one wants."""
        answer: models.UserDetailsAnswer = await self._connection.call(
            "PATCH", "/api/v1/users/me", query={"organization_id": organization_id}, body=body, if_match=if_match
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.UserDetailsAnswer]:
        """Users of one's organization, or only oneself without the permission to see members; for staff everybody."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/users", query={"organization_id": organization_id, "limit": limit}
        )

    async def create_staff(
        self, body: models.StaffRequest, *, organization_id: str | None = None
    ) -> models.UserDetailsAnswer:
        """Create an account of the operator's staff, who gets a password by auth/password/forgot."""
        answer: models.UserDetailsAnswer = await self._connection.call(
            "POST", "/api/v1/users", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    async def get(self, user_id: str, *, organization_id: str | None = None) -> models.UserDetailsAnswer:
        """A user: oneself, or for the operator's support anybody but staff."""
        answer: models.UserDetailsAnswer = await self._connection.call(
            "GET", f"/api/v1/users/{segment(user_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def update(
        self, user_id: str, body: models.UserPatch, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.UserDetailsAnswer:
        """Change a user's name, or which mails the user gets."""
        answer: models.UserDetailsAnswer = await self._connection.call(
            "PATCH",
            f"/api/v1/users/{segment(user_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def delete(self, user_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """End all memberships of a user and disable the account."""
        await self._connection.call(
            "DELETE", f"/api/v1/users/{segment(user_id)}", query={"organization_id": organization_id}, if_match=if_match
        )

    async def deactivate(self, user_id: str, *, organization_id: str | None = None) -> models.UserDetailsAnswer:
        """Disable an account: its sessions end and its keys stop."""
        answer: models.UserDetailsAnswer = await self._connection.call(
            "POST",
            f"/api/v1/users/{segment(user_id)}/deactivate",
            query={"organization_id": organization_id},
            is_repeatable=False,
        )
        return answer

    async def activate(self, user_id: str, *, organization_id: str | None = None) -> models.UserDetailsAnswer:
        """Enable a disabled account again."""
        answer: models.UserDetailsAnswer = await self._connection.call(
            "POST",
            f"/api/v1/users/{segment(user_id)}/activate",
            query={"organization_id": organization_id},
            is_repeatable=False,
        )
        return answer

    async def erase(self, user_id: str, *, organization_id: str | None = None) -> None:
        """Erase a person: the account is disabled at once, and what names the person is gone within minutes."""
        await self._connection.call(
            "POST",
            f"/api/v1/users/{segment(user_id)}/erase",
            query={"organization_id": organization_id},
            is_repeatable=False,
        )
