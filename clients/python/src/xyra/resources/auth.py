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

    def sign_in(
        self, body: models.SignInForm, *, organization_id: str | None = None
    ) -> models.SignInAnswer | models.FactorRequiredAnswer:
        """Sign in with e-mail and password (OAuth2 password form)."""
        answer: models.SignInAnswer | models.FactorRequiredAnswer = self._connection.call(
            "POST",
            "/api/v1/auth/login/access-token",
            query={"organization_id": organization_id},
            form=body,
            is_repeatable=False,
        )
        return answer

    def sign_in_alias(
        self, body: models.SignInForm, *, organization_id: str | None = None
    ) -> models.SignInAnswer | models.FactorRequiredAnswer:
        """The same as auth/login/access-token."""
        answer: models.SignInAnswer | models.FactorRequiredAnswer = self._connection.call(
            "POST", "/api/v1/auth/login", query={"organization_id": organization_id}, form=body, is_repeatable=False
        )
        return answer

    def show_second_factor(self, body: models.MfaRequest, *, organization_id: str | None = None) -> models.SignInAnswer:
        """Show the second factor of a sign-in."""
        answer: models.SignInAnswer = self._connection.call(
            "POST", "/api/v1/auth/mfa", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    def enrol_totp(self, *, organization_id: str | None = None) -> models.NewTotpAnswer:
        """Begin to enrol an app that makes one-time passwords."""
        answer: models.NewTotpAnswer = self._connection.call(
            "POST", "/api/v1/auth/totp", query={"organization_id": organization_id}, is_repeatable=False
        )
        return answer

    def remove_totp(self, *, organization_id: str | None = None) -> None:
        """Remove the app, after a second factor was shown within 10 minutes."""
        self._connection.call("DELETE", "/api/v1/auth/totp", query={"organization_id": organization_id})

    def confirm_totp(
        self, body: models.CodeRequest, *, organization_id: str | None = None
    ) -> models.RecoveryCodesAnswer:
        """Make the app a second factor by a code of it, and get recovery codes."""
        answer: models.RecoveryCodesAnswer = self._connection.call(
            "POST",
            "/api/v1/auth/totp/confirm",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    def renew_recovery_codes(self, *, organization_id: str | None = None) -> models.RecoveryCodesAnswer:
        """Ten new recovery codes in place of those before."""
        answer: models.RecoveryCodesAnswer = self._connection.call(
            "POST", "/api/v1/auth/recovery-codes", query={"organization_id": organization_id}, is_repeatable=False
        )
        return answer

    def step_up(
        self, body: models.StepUpRequest | None = None, *, organization_id: str | None = None
    ) -> models.StepUpAnswer:
        """Show again who you are, for what asks for that."""
        answer: models.StepUpAnswer = self._connection.call(
            "POST", "/api/v1/auth/step-up", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    def offer_passkey(self, *, organization_id: str | None = None) -> models.PasskeyOptionsAnswer:
        """What a device is asked for to register a passkey."""
        answer: models.PasskeyOptionsAnswer = self._connection.call(
            "POST", "/api/v1/auth/passkeys/options", query={"organization_id": organization_id}, is_repeatable=False
        )
        return answer

    def register_passkey(
        self, body: models.PasskeyRequest, *, organization_id: str | None = None
    ) -> models.NewPasskeyAnswer:
        """Register a passkey by what the device has answered."""
        answer: models.NewPasskeyAnswer = self._connection.call(
            "POST", "/api/v1/auth/passkeys", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    def list_passkeys(self, *, organization_id: str | None = None) -> models.PasskeyList:
        """The user's passkeys. There are at most 10."""
        answer: models.PasskeyList = self._connection.call(
            "GET", "/api/v1/auth/passkeys", query={"organization_id": organization_id}
        )
        return answer

    def remove_passkey(self, passkey_id: str, *, organization_id: str | None = None) -> None:
        """Remove a passkey, after a second factor was shown within 10 minutes."""
        self._connection.call(
            "DELETE", f"/api/v1/auth/passkeys/{segment(passkey_id)}", query={"organization_id": organization_id}
        )

    def offer_step_up(self, *, organization_id: str | None = None) -> models.PasskeyOptionsAnswer:
        """What a device is asked for to show again who the user is."""
        answer: models.PasskeyOptionsAnswer = self._connection.call(
            "POST", "/api/v1/auth/step-up/options", query={"organization_id": organization_id}, is_repeatable=False
        )
        return answer

    def offer_sign_in(
        self, body: models.SignInOptionsRequest | None = None, *, organization_id: str | None = None
    ) -> models.PasskeyOptionsAnswer:
        """What a device is asked for to sign in."""
        answer: models.PasskeyOptionsAnswer = self._connection.call(
            "POST",
            "/api/v1/auth/passkeys/login/options",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    def sign_in_by_passkey(
        self, body: models.PasskeySignInRequest, *, organization_id: str | None = None
    ) -> models.SignInAnswer:
        """Sign in with a passkey alone."""
        answer: models.SignInAnswer = self._connection.call(
            "POST",
            "/api/v1/auth/passkeys/login",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
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

    def offer_single_sign_on(self, *, organization_id: str | None = None, email: str) -> models.OfferedProvidersAnswer:
        """The identity providers that speak for the domain of an address, whether or not it has an account."""
        answer: models.OfferedProvidersAnswer = self._connection.call(
            "GET", "/api/v1/auth/sso", query={"organization_id": organization_id, "email": email}
        )
        return answer

    def link_account(self, provider_id: str, *, organization_id: str | None = None) -> models.LinkAnswer:
        """Begin to link the signed-in user's account with an identity provider."""
        answer: models.LinkAnswer = self._connection.call(
            "POST",
            f"/api/v1/auth/sso/{segment(provider_id)}/link",
            query={"organization_id": organization_id},
            is_repeatable=False,
        )
        return answer

    def issue_workload_token(
        self, body: models.TokenForm | None = None, *, organization_id: str | None = None
    ) -> models.WorkloadTokenAnswer:
        """A token of a service account, for an assertion that its client has signed."""
        answer: models.WorkloadTokenAnswer = self._connection.call(
            "POST", "/api/v1/auth/token", query={"organization_id": organization_id}, form=body, is_repeatable=False
        )
        return answer


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

    async def sign_in(
        self, body: models.SignInForm, *, organization_id: str | None = None
    ) -> models.SignInAnswer | models.FactorRequiredAnswer:
        """Sign in with e-mail and password (OAuth2 password form)."""
        answer: models.SignInAnswer | models.FactorRequiredAnswer = await self._connection.call(
            "POST",
            "/api/v1/auth/login/access-token",
            query={"organization_id": organization_id},
            form=body,
            is_repeatable=False,
        )
        return answer

    async def sign_in_alias(
        self, body: models.SignInForm, *, organization_id: str | None = None
    ) -> models.SignInAnswer | models.FactorRequiredAnswer:
        """The same as auth/login/access-token."""
        answer: models.SignInAnswer | models.FactorRequiredAnswer = await self._connection.call(
            "POST", "/api/v1/auth/login", query={"organization_id": organization_id}, form=body, is_repeatable=False
        )
        return answer

    async def show_second_factor(
        self, body: models.MfaRequest, *, organization_id: str | None = None
    ) -> models.SignInAnswer:
        """Show the second factor of a sign-in."""
        answer: models.SignInAnswer = await self._connection.call(
            "POST", "/api/v1/auth/mfa", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    async def enrol_totp(self, *, organization_id: str | None = None) -> models.NewTotpAnswer:
        """Begin to enrol an app that makes one-time passwords."""
        answer: models.NewTotpAnswer = await self._connection.call(
            "POST", "/api/v1/auth/totp", query={"organization_id": organization_id}, is_repeatable=False
        )
        return answer

    async def remove_totp(self, *, organization_id: str | None = None) -> None:
        """Remove the app, after a second factor was shown within 10 minutes."""
        await self._connection.call("DELETE", "/api/v1/auth/totp", query={"organization_id": organization_id})

    async def confirm_totp(
        self, body: models.CodeRequest, *, organization_id: str | None = None
    ) -> models.RecoveryCodesAnswer:
        """Make the app a second factor by a code of it, and get recovery codes."""
        answer: models.RecoveryCodesAnswer = await self._connection.call(
            "POST",
            "/api/v1/auth/totp/confirm",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    async def renew_recovery_codes(self, *, organization_id: str | None = None) -> models.RecoveryCodesAnswer:
        """Ten new recovery codes in place of those before."""
        answer: models.RecoveryCodesAnswer = await self._connection.call(
            "POST", "/api/v1/auth/recovery-codes", query={"organization_id": organization_id}, is_repeatable=False
        )
        return answer

    async def step_up(
        self, body: models.StepUpRequest | None = None, *, organization_id: str | None = None
    ) -> models.StepUpAnswer:
        """Show again who you are, for what asks for that."""
        answer: models.StepUpAnswer = await self._connection.call(
            "POST", "/api/v1/auth/step-up", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    async def offer_passkey(self, *, organization_id: str | None = None) -> models.PasskeyOptionsAnswer:
        """What a device is asked for to register a passkey."""
        answer: models.PasskeyOptionsAnswer = await self._connection.call(
            "POST", "/api/v1/auth/passkeys/options", query={"organization_id": organization_id}, is_repeatable=False
        )
        return answer

    async def register_passkey(
        self, body: models.PasskeyRequest, *, organization_id: str | None = None
    ) -> models.NewPasskeyAnswer:
        """Register a passkey by what the device has answered."""
        answer: models.NewPasskeyAnswer = await self._connection.call(
            "POST", "/api/v1/auth/passkeys", query={"organization_id": organization_id}, body=body, is_repeatable=False
        )
        return answer

    async def list_passkeys(self, *, organization_id: str | None = None) -> models.PasskeyList:
        """The user's passkeys. There are at most 10."""
        answer: models.PasskeyList = await self._connection.call(
            "GET", "/api/v1/auth/passkeys", query={"organization_id": organization_id}
        )
        return answer

    async def remove_passkey(self, passkey_id: str, *, organization_id: str | None = None) -> None:
        """Remove a passkey, after a second factor was shown within 10 minutes."""
        await self._connection.call(
            "DELETE", f"/api/v1/auth/passkeys/{segment(passkey_id)}", query={"organization_id": organization_id}
        )

    async def offer_step_up(self, *, organization_id: str | None = None) -> models.PasskeyOptionsAnswer:
        """What a device is asked for to show again who the user is."""
        answer: models.PasskeyOptionsAnswer = await self._connection.call(
            "POST", "/api/v1/auth/step-up/options", query={"organization_id": organization_id}, is_repeatable=False
        )
        return answer

    async def offer_sign_in(
        self, body: models.SignInOptionsRequest | None = None, *, organization_id: str | None = None
    ) -> models.PasskeyOptionsAnswer:
        """What a device is asked for to sign in."""
        answer: models.PasskeyOptionsAnswer = await self._connection.call(
            "POST",
            "/api/v1/auth/passkeys/login/options",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    async def sign_in_by_passkey(
        self, body: models.PasskeySignInRequest, *, organization_id: str | None = None
    ) -> models.SignInAnswer:
        """Sign in with a passkey alone."""
        answer: models.SignInAnswer = await self._connection.call(
            "POST",
            "/api/v1/auth/passkeys/login",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
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

    async def offer_single_sign_on(
        self, *, organization_id: str | None = None, email: str
    ) -> models.OfferedProvidersAnswer:
        """The identity providers that speak for the domain of an address, whether or not it has an account."""
        answer: models.OfferedProvidersAnswer = await self._connection.call(
            "GET", "/api/v1/auth/sso", query={"organization_id": organization_id, "email": email}
        )
        return answer

    async def link_account(self, provider_id: str, *, organization_id: str | None = None) -> models.LinkAnswer:
        """Begin to link the signed-in user's account with an identity provider."""
        answer: models.LinkAnswer = await self._connection.call(
            "POST",
            f"/api/v1/auth/sso/{segment(provider_id)}/link",
            query={"organization_id": organization_id},
            is_repeatable=False,
        )
        return answer

    async def issue_workload_token(
        self, body: models.TokenForm | None = None, *, organization_id: str | None = None
    ) -> models.WorkloadTokenAnswer:
        """A token of a service account, for an assertion that its client has signed."""
        answer: models.WorkloadTokenAnswer = await self._connection.call(
            "POST", "/api/v1/auth/token", query={"organization_id": organization_id}, form=body, is_repeatable=False
        )
        return answer
