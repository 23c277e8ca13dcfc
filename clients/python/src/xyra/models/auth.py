"""Models of `auth`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from xyra.models.shared import OrganizationAnswer


class CodeRequest(TypedDict):
    code: str
    """The six digits that the app shows."""


class DeviceCredential(TypedDict):
    """As `PublicKeyCredential.toJSON` writes it. What browsers say besides is ignored."""

    id: str
    """What the device calls the passkey, base64url."""
    rawId: str
    """The same."""
    type: Literal["public-key"]
    """The kind of credential."""
    response: DeviceResponse
    """What the device has answered."""


class DeviceResponse(TypedDict):
    """All in base64url. What browsers say besides is ignored."""

    clientDataJSON: str
    """What the browser has let the device sign."""
    attestationObject: NotRequired[str | None]
    """Of a registration: the new public key."""
    authenticatorData: NotRequired[str | None]
    """Of a sign-in: what the device has done."""
    signature: NotRequired[str | None]
    """Of a sign-in."""
    userHandle: NotRequired[str | None]
    """Of a sign-in: whose passkey it is."""


class EmailVerificationRequest(TypedDict):
    token: str
    """The one in the mailed link. It works once, for 60 minutes."""
    password: NotRequired[str | None]
    """What the user signs in with from now on; it may be the one of the sign-up. Without it the account has none: the
    one that it had was chosen by somebody who had not shown that the address is theirs."""


class FactorRequiredAnswer(TypedDict):
    mfa_token: str
    """Sent to `auth/mfa` with the second factor, within 5 minutes. It works once."""
    methods: Sequence[Literal["password", "totp", "recovery_code", "passkey", "provider"]]
    """The second factors that the user has."""


class ForgottenPasswordRequest(TypedDict):
    email: str
    """The address that the user signs in with."""


class LinkAnswer(TypedDict):
    url: str
    """Where the browser goes to link the account, within 10 minutes. It works once."""


class MeAnswer(TypedDict):
    user: OwnUserAnswer
    """Whose token was sent."""
    organization: OwnOrganizationAnswer | None
    """The organization that the session is in; null on the operator's side."""
    role: str
    """The user's role there, or as the operator's staff."""
    permissions: Sequence[str]
    """What the role allows."""
    session_id: str
    """The session that the token belongs to."""


class MfaRequest(TypedDict):
    """One of `code`, `recovery_code` and `passkey`."""

    mfa_token: str
    """As the sign-in with the password answered it."""
    code: NotRequired[str | None]
    """The six digits that the app shows. Each works once."""
    recovery_code: NotRequired[str | None]
    """One of those that were shown when the factor was enrolled. Each works once."""
    passkey: NotRequired[PasskeyAnswerRequest | None]
    """What a device has answered to `auth/passkeys/login/options` with this token."""


class NewPasskeyAnswer(TypedDict):
    id: str
    """Its id."""
    name: str
    """What the user calls the device."""
    created_at: str
    """When it was created."""
    last_used_at: str | None
    """When it last signed in; null where it has not."""
    recovery_codes: Sequence[str] | None
    """Where it is the user's first second factor: each stands in for it once. They are shown this once."""


class NewTotpAnswer(TypedDict):
    secret: str
    """In base32, to be typed into an app. It is shown this once."""
    uri: str
    """The same as `otpauth://` for a QR code."""


class OfferedProvider(TypedDict):
    id: str
    """Its id."""
    name: str
    """As its organization calls it."""
    url: str
    """Where the browser goes to sign in by it."""


class OfferedProvidersAnswer(TypedDict):
    providers: Sequence[OfferedProvider]
    """Those that speak for the domain of the address."""


class OwnOrganizationAnswer(TypedDict):
    id: str
    """Its id."""
    name: str
    """Its name, for people."""


class OwnUserAnswer(TypedDict):
    id: str
    """Its id."""
    email: str
    """What the user signs in with."""
    full_name: str
    """The user's."""


class PasskeyAnswer(TypedDict):
    id: str
    """Its id."""
    name: str
    """What the user calls the device."""
    created_at: str
    """When it was created."""
    last_used_at: str | None
    """When it last signed in; null where it has not."""


class PasskeyAnswerRequest(TypedDict):
    challenge_id: str
    """As it was answered with the options."""
    credential: DeviceCredential
    """What the device has answered."""


class PasskeyList(TypedDict):
    data: Sequence[PasskeyAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class PasskeyOptionsAnswer(TypedDict):
    challenge_id: str
    """Sent back with what the device answers, within 5 minutes. It works once."""
    options: Mapping[str, Any]
    """For `navigator.credentials`, as its `parse...OptionsFromJSON` reads them."""


class PasskeyRequest(TypedDict):
    challenge_id: str
    """As it was answered with the options."""
    credential: DeviceCredential
    """What the device has answered."""
    name: str
    """What the user calls the device."""


class PasskeySignInRequest(TypedDict):
    challenge_id: str
    """As it was answered with the options."""
    credential: DeviceCredential
    """What the device has answered."""
    organization_id: NotRequired[str | None]
    """Which organization to sign in to, where the user belongs to several."""


class PasswordChangeRequest(TypedDict):
    current: str
    """The present password."""
    password: str
    """The new one: hard to guess (zxcvbn rates it 3 or more), and none of the last five."""


class PasswordConfirmationRequest(TypedDict):
    token: str
    """The one in the mailed link. The newest link works, once, for 30 minutes."""
    password: str
    """The new one: hard to guess (zxcvbn rates it 3 or more), and none of the last five."""


class PasswordResetRequest(TypedDict):
    user_id: str
    """The id of a user of an organization."""
    reason: str
    """Why; it stands in the audit trail."""


class RecoveryCodesAnswer(TypedDict):
    recovery_codes: Sequence[str]
    """Each stands in for the factor once. They are shown this once."""


class RefreshRequest(TypedDict):
    refresh_token: str
    """The one that was answered last; it works once."""


class SessionAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str | None
    """The organization that it is in; null on the operator's side."""
    created_at: str
    """When it was begun, by signing in or switching."""
    last_used_at: str
    """When it was begun or refreshed last."""
    expires_at: str
    """When it ends at the latest."""
    device: str | None
    """The browser and the system, or the program; null where it did not say."""
    ip: str | None
    """The network of the address, such as `203.0.113.0/24`; null where it is not known."""
    location: str | None
    """The country, ISO 3166-1 alpha-2; null where it is not known."""
    current: bool
    """Whether it is the session of this request."""


class SessionList(TypedDict):
    data: Sequence[SessionAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class SignInAnswer(TypedDict):
    access_token: str
    """Sent in the header `Authorization`, after `Bearer`."""
    refresh_token: str
    """Used once, to get new tokens by `auth/refresh`."""
    token_type: Literal["bearer"]
    """How the access token is sent."""
    expires_in: int
    """Seconds until the access token expires."""
    session_id: str
    """The session that the tokens belong to."""
    organization_id: str | None
    """The organization that it is in; null on the operator's side."""
    device_token: str
    """Sent with later sign-ins on this device, for 90 days: nobody else's wrong guesses lock it out."""


class SignInForm(TypedDict):
    username: str
    """The e-mail address."""
    password: str
    """The user's."""
    organization_id: NotRequired[str | None]
    """Which organization to sign in to, where the user belongs to several."""
    device_token: NotRequired[str | None]
    """Of an earlier sign-in on this device: it can sign in although others locked the address by guessing."""
    grant_type: NotRequired[Literal["password"]]
    """As OAuth2 defines it."""
    scope: NotRequired[str]
    """Ignored; OAuth2 clients send it."""
    client_id: NotRequired[str | None]
    """Ignored; OAuth2 clients send it."""
    client_secret: NotRequired[str | None]
    """Ignored; OAuth2 clients send it."""


class SignInOptionsRequest(TypedDict):
    mfa_token: NotRequired[str | None]
    """Of a sign-in whose password was right; without it the passkey alone signs in."""


class SignUpAnswer(TypedDict):
    user: UserAnswer
    """The new user."""
    organization: OrganizationAnswer
    """The organization that the user owns."""


class SignUpRequest(TypedDict):
    email: str
    """What the user signs in with."""
    password: str
    """Hard to guess: zxcvbn rates it 3 or more. Only a hash of it is stored."""
    full_name: str
    """The user's."""
    organization_name: str
    """The name of the organization that is created for the user."""
    currency: str
    """The organization's, by ISO 4217. It can never be changed."""
    timezone: str
    """IANA name. The organization's billing periods are calendar months there."""
    accept_terms: Literal[True]
    """Has to be true."""


class StepUpAnswer(TypedDict):
    valid_until: str
    """Until then it counts that the user has shown who they are."""


class StepUpRequest(TypedDict):
    """One of `code`, `recovery_code`, `passkey` and, without a second factor, `password`."""

    code: NotRequired[str | None]
    """The six digits that the app shows."""
    recovery_code: NotRequired[str | None]
    """One of those that were shown when the factor was enrolled."""
    passkey: NotRequired[PasskeyAnswerRequest | None]
    """What a device has answered to `auth/step-up/options`."""
    password: NotRequired[str | None]
    """For users who have no second factor."""


class SwitchRequest(TypedDict):
    organization_id: str
    """The id of another organization of the user's."""


class TokenAnswer(TypedDict):
    access_token: str
    """Sent in the header `Authorization`, after `Bearer`."""
    refresh_token: str
    """Used once, to get new tokens by `auth/refresh`."""
    token_type: Literal["bearer"]
    """How the access token is sent."""
    expires_in: int
    """Seconds until the access token expires."""
    session_id: str
    """The session that the tokens belong to."""
    organization_id: str | None
    """The organization that it is in; null on the operator's side."""


class TokenForm(TypedDict):
    grant_type: NotRequired[str]
    """`client_credentials`."""
    client_assertion_type: NotRequired[str]
    """`urn:ietf:params:oauth:client-assertion-type:jwt-bearer`."""
    client_assertion: NotRequired[str]
    """A JWT that the client has signed: `iss` and `sub` are its id, `aud` is our address or this endpoint's, `exp` is
    at most 5 minutes after `iat`, and `jti` is used once. Or a token of Entra ID, which works until it expires."""
    client_id: NotRequired[str | None]
    """The client's id. An assertion that the client has signed says it as well; a token of Entra ID does not."""
    scope: NotRequired[str]
    """Permissions of the token, separated by spaces; all of the service account's by default."""


class UserAnswer(TypedDict):
    id: str
    """Its id."""
    email: str
    """What the user signs in with."""
    full_name: str
    """The user's."""


class WorkloadTokenAnswer(TypedDict):
    access_token: str
    """Sent as `Authorization: Bearer`."""
    token_type: Literal["Bearer"]
    """How the token is sent."""
    expires_in: int
    """Seconds until the token expires."""
    scope: str
    """The permissions of the token."""
