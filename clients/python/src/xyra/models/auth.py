"""Models of `auth`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import OrganizationAnswer


class EmailVerificationRequest(TypedDict):
    token: str
    """The one in the mailed link. It works once, for 60 minutes."""
    password: NotRequired[str | None]
    """What the user signs in with from now on; it may be the one of the sign-up. Without it the account has none: the
    one that it had was chosen by somebody who had not shown that the address is theirs."""


class ForgottenPasswordRequest(TypedDict):
    email: str
    """The address that the user signs in with."""


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


class UserAnswer(TypedDict):
    id: str
    """Its id."""
    email: str
    """What the user signs in with."""
    full_name: str
    """The user's."""
