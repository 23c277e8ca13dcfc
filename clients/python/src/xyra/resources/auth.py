"""Methods of `auth`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment


class Auth:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send_verification(self, *, organization_id: str | None = None) -> None:
        """Have a link mailed by which the user's e-mail address is verified."""
        self._connection.call(
            "POST", "/api/v1/auth/email/send", query={"organization_id": organization_id}, is_repeatable=False
        )

    def verify_email(self, body: models.EmailVerificationRequest, *, organization_id: str | None = None) -> None:
        """Verify an e-mail address by a mailed link. All sessions end, and the earlier password."""
        self._connection.call(
            "POST",
            "/api/v1/auth/email/verify",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )

    def sign_up(self, body: models.SignUpRequest, *, organization_id: str | None = None) -> models.SignUpAnswer:
        """Create a user and an organization that the user owns."""
        answer: models.SignUpAnswer = self._connection.call(
            "POST", "/api/v1/auth/signup", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    def sign_in(self, body: models.SignInForm, *, organization_id: str | None = None) -> models.SignInAnswer:
        """Sign in with e-mail and password (OAuth2 password form)."""
        answer: models.SignInAnswer = self._connection.call(
            "POST",
            "/api/v1/auth/login/access-token",
            query={"organization_id": organization_id},
            form=body,
            is_repeatable=False,
        )
        return answer

    def sign_in_alias(self, body: models.SignInForm, *, organization_id: str | None = None) -> models.SignInAnswer:
        """The same as auth/login/access-token."""
        answer: models.SignInAnswer = self._connection.call(
            "POST", "/api/v1/auth/login", query={"organization_id": organization_id}, form=body, is_repeatable=False
        )
        return answer

    def forget_password(self, body: models.ForgottenPasswordRequest, *, organization_id: str | None = None) -> None:
        """Have a link mailed by which a new password is chosen. The answer is the same for every address."""
        self._connection.call(
            "POST",
            "/api/v1/auth/password/forgot",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )

    def confirm_password(self, body: models.PasswordConfirmationRequest, *, organization_id: str | None = None) -> None:
        """Choose a new password by a mailed link. All sessions end."""
        self._connection.call(
            "POST",
            "/api/v1/auth/password/confirm",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )

    def reset_password(self, body: models.PasswordResetRequest, *, organization_id: str | None = None) -> None:
        """End a user's sessions and password, and have a link mailed to choose a new one."""
        self._connection.call(
            "POST",
            "/api/v1/auth/password/reset",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )

    def refresh_session(self, body: models.RefreshRequest, *, organization_id: str | None = None) -> models.TokenAnswer:
        """New tokens for a refresh token, which is used up. A used one ends the session."""
        answer: models.TokenAnswer = self._connection.call(
            "POST", "/api/v1/auth/refresh", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    def log_out(self, body: models.RefreshRequest, *, organization_id: str | None = None) -> None:
        """End the session of a refresh token."""
        self._connection.call(
            "POST", "/api/v1/auth/logout", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )

    def log_out_everywhere(self, *, organization_id: str | None = None) -> None:
        """End all sessions of the user, and forget the devices."""
        self._connection.call(
            "POST", "/api/v1/auth/logout-all", query={"organization_id": organization_id}, is_repeatable=False
        )

    def switch_organization(
        self, body: models.SwitchRequest, *, organization_id: str | None = None
    ) -> models.TokenAnswer:
        """Begin a session in another organization of the user's, and end the present one."""
        answer: models.TokenAnswer = self._connection.call(
            "POST", "/api/v1/auth/switch", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    def show_me(self, *, organization_id: str | None = None) -> models.MeAnswer:
        """Who is signed in, where, and what they may do."""
        answer: models.MeAnswer = self._connection.call(
            "GET", "/api/v1/auth/me", query={"organization_id": organization_id}
        )
        return answer

    def list_sessions(self, *, organization_id: str | None = None) -> models.SessionList:
        """The user's sessions, the one used last first. There are at most 20."""
        answer: models.SessionList = self._connection.call(
            "GET", "/api/v1/auth/sessions", query={"organization_id": organization_id}
        )
        return answer

    def end_session(self, session_id: str, *, organization_id: str | None = None) -> None:
        """End one of the user's sessions."""
        self._connection.call(
            "DELETE", f"/api/v1/auth/sessions/{segment(session_id)}", query={"organization_id": organization_id}
        )

    def change_password(self, body: models.PasswordChangeRequest, *, organization_id: str | None = None) -> None:
        """Change the password. All sessions end, the present one, too."""
        self._connection.call(
            "POST",
            "/api/v1/auth/password/change",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )


class AsyncAuth:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def send_verification(self, *, organization_id: str | None = None) -> None:
        """Have a link mailed by which the user's e-mail address is verified."""
        await self._connection.call(
            "POST", "/api/v1/auth/email/send", query={"organization_id": organization_id}, is_repeatable=False
        )

    async def verify_email(self, body: models.EmailVerificationRequest, *, organization_id: str | None = None) -> None:
        """Verify an e-mail address by a mailed link. All sessions end, and the earlier password."""
        await self._connection.call(
            "POST",
            "/api/v1/auth/email/verify",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )

    async def sign_up(self, body: models.SignUpRequest, *, organization_id: str | None = None) -> models.SignUpAnswer:
        """Create a user and an organization that the user owns."""
        answer: models.SignUpAnswer = await self._connection.call(
            "POST", "/api/v1/auth/signup", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    async def sign_in(self, body: models.SignInForm, *, organization_id: str | None = None) -> models.SignInAnswer:
        """Sign in with e-mail and password (OAuth2 password form)."""
        answer: models.SignInAnswer = await self._connection.call(
            "POST",
            "/api/v1/auth/login/access-token",
            query={"organization_id": organization_id},
            form=body,
            is_repeatable=False,
        )
        return answer

    async def sign_in_alias(
        self, body: models.SignInForm, *, organization_id: str | None = None
    ) -> models.SignInAnswer:
        """The same as auth/login/access-token."""
        answer: models.SignInAnswer = await self._connection.call(
            "POST", "/api/v1/auth/login", query={"organization_id": organization_id}, form=body, is_repeatable=False
        )
        return answer

    async def forget_password(
        self, body: models.ForgottenPasswordRequest, *, organization_id: str | None = None
    ) -> None:
        """Have a link mailed by which a new password is chosen. The answer is the same for every address."""
        await self._connection.call(
            "POST",
            "/api/v1/auth/password/forgot",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )

    async def confirm_password(
        self, body: models.PasswordConfirmationRequest, *, organization_id: str | None = None
    ) -> None:
        """Choose a new password by a mailed link. All sessions end."""
        await self._connection.call(
            "POST",
            "/api/v1/auth/password/confirm",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )

    async def reset_password(self, body: models.PasswordResetRequest, *, organization_id: str | None = None) -> None:
        """End a user's sessions and password, and have a link mailed to choose a new one."""
        await self._connection.call(
            "POST",
            "/api/v1/auth/password/reset",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )

    async def refresh_session(
        self, body: models.RefreshRequest, *, organization_id: str | None = None
    ) -> models.TokenAnswer:
        """New tokens for a refresh token, which is used up. A used one ends the session."""
        answer: models.TokenAnswer = await self._connection.call(
            "POST", "/api/v1/auth/refresh", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    async def log_out(self, body: models.RefreshRequest, *, organization_id: str | None = None) -> None:
        """End the session of a refresh token."""
        await self._connection.call(
            "POST", "/api/v1/auth/logout", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )

    async def log_out_everywhere(self, *, organization_id: str | None = None) -> None:
        """End all sessions of the user, and forget the devices."""
        await self._connection.call(
            "POST", "/api/v1/auth/logout-all", query={"organization_id": organization_id}, is_repeatable=False
        )

    async def switch_organization(
        self, body: models.SwitchRequest, *, organization_id: str | None = None
    ) -> models.TokenAnswer:
        """Begin a session in another organization of the user's, and end the present one."""
        answer: models.TokenAnswer = await self._connection.call(
            "POST", "/api/v1/auth/switch", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    async def show_me(self, *, organization_id: str | None = None) -> models.MeAnswer:
        """Who is signed in, where, and what they may do."""
        answer: models.MeAnswer = await self._connection.call(
            "GET", "/api/v1/auth/me", query={"organization_id": organization_id}
        )
        return answer

    async def list_sessions(self, *, organization_id: str | None = None) -> models.SessionList:
        """The user's sessions, the one used last first. There are at most 20."""
        answer: models.SessionList = await self._connection.call(
            "GET", "/api/v1/auth/sessions", query={"organization_id": organization_id}
        )
        return answer

    async def end_session(self, session_id: str, *, organization_id: str | None = None) -> None:
        """End one of the user's sessions."""
        await self._connection.call(
            "DELETE", f"/api/v1/auth/sessions/{segment(session_id)}", query={"organization_id": organization_id}
        )

    async def change_password(self, body: models.PasswordChangeRequest, *, organization_id: str | None = None) -> None:
        """Change the password. All sessions end, the present one, too."""
        await self._connection.call(
            "POST",
            "/api/v1/auth/password/change",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
