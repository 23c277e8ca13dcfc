"""Sessions of the signed-in user: refreshed, switched, listed and ended; and the password."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
from pydantic import Field

from functions.access.signing_in import NOT_KEPT, NewPassword, TokenAnswer, origin_of
from functions.fields import Listed
from shared.domain.access.sessions import Session
from shared.domain.kernel.errors import ForbiddenError, LockedError, UnauthenticatedError
from shared.http import Access, Call, IfMatch, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint

blueprint = func.Blueprint()


class RefreshRequest(Schema):
    refresh_token: str = Field(min_length=1, max_length=512)
    """The one that was answered last; it works once."""


class SwitchRequest(Schema):
    organization_id: str = Field(min_length=1, max_length=256)
    """The id of another organization of the user's."""


class PasswordChangeRequest(Schema):
    current: str = Field(max_length=256)
    """The present password."""
    password: NewPassword
    """The new one: hard to guess (zxcvbn rates it 3 or more), and none of the last five."""


class SessionPath(PathValues):
    session_id: Annotated[str, ThingId("ses")]
    """The session's id."""


class OwnUserAnswer(Schema):
    id: str
    email: str
    """What the user signs in with."""
    full_name: str
    """The user's."""


class OwnOrganizationAnswer(Schema):
    id: str
    name: str


class MeAnswer(Schema):
    user: OwnUserAnswer
    """Whose token was sent."""
    organization: OwnOrganizationAnswer | None
    """The organization that the session is in; null on the operator's side."""
    role: str
    """The user's role there, or as the operator's staff."""
    permissions: list[str]
    """What the role allows."""
    session_id: str
    """The session that the token belongs to."""


class SessionAnswer(Schema):
    id: str
    organization_id: str | None
    """The organization that it is in; null on the operator's side."""
    created_at: datetime
    """When it was begun, by signing in or switching."""
    last_used_at: datetime
    """When it was begun or refreshed last."""
    expires_at: datetime
    """When it ends at the latest."""
    device: str | None
    """The browser and the system, or the program; null where it did not say."""
    ip: str | None
    """The network of the address, such as `203.0.113.0/24`; null where it is not known."""
    location: str | None
    """The country, ISO 3166-1 alpha-2; null where it is not known."""
    current: bool
    """Whether it is the session of this request."""

    @classmethod
    def of(cls, session: Session, current_id: str | None) -> "SessionAnswer":
        return cls.showing(session, current=session.id == current_id)


@endpoint(
    blueprint,
    "POST",
    "auth/refresh",
    summary="New tokens for a refresh token, which is used up. A used one ends the session",
    access=Access.PUBLIC,
    body=RefreshRequest,
    answers={200: TokenAnswer},
    errors=(UnauthenticatedError, ForbiddenError),
    example={"refresh_token": "usr_01.ses_01.0.signature"},
)
async def refresh_session(call: Call[RefreshRequest]) -> Reply:
    signed_in = await call.services.sessions.refresh(call.body.refresh_token, origin_of(call))
    return Reply(signed_in, headers=NOT_KEPT)


@endpoint(
    blueprint,
    "POST",
    "auth/logout",
    summary="End the session of a refresh token",
    access=Access.PUBLIC,
    body=RefreshRequest,
    answers={204: None},
    errors=(UnauthenticatedError,),
    example={"refresh_token": "usr_01.ses_01.0.signature"},
)
async def log_out(call: Call[RefreshRequest]) -> Reply:
    await call.services.sessions.end_by_token(call.body.refresh_token)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "auth/logout-all",
    summary="End all sessions of the user, and forget the devices",
    access=Access.SIGNED_IN,
    for_enrolment=True,
    for_provider=True,
    answers={204: None},
)
async def log_out_everywhere(call: Call) -> Reply:
    await call.services.sessions.end_all(_user_id(call), with_devices=True)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "auth/switch",
    summary="Begin a session in another organization of the user's, and end the present one",
    access=Access.SIGNED_IN,
    for_enrolment=True,
    body=SwitchRequest,
    answers={200: TokenAnswer},
    example={"organization_id": "org_01"},
)
async def switch_organization(call: Call[SwitchRequest]) -> Reply:
    signed_in = await call.services.sessions.switch(
        _user_id(call), call.principal.session_id or "", call.body.organization_id, origin_of(call)
    )
    return Reply(signed_in, headers=NOT_KEPT)


@endpoint(
    blueprint,
    "GET",
    "auth/me",
    summary="Who is signed in, where, and what they may do",
    access=Access.SIGNED_IN,
    for_enrolment=True,
    for_provider=True,
    answers={200: MeAnswer},
)
async def show_me(call: Call) -> Reply:
    principal = call.principal
    account = await call.services.accounts.get(_user_id(call))
    organization = None
    if principal.organization_id is not None:
        organization = await call.services.organizations.made(principal.organization_id)
    return Reply(
        {
            "user": OwnUserAnswer.showing(account, id=account.user_id),
            "organization": organization,
            "role": principal.role,
            "permissions": sorted(principal.permissions),
            "session_id": principal.session_id,
        }
    )


@endpoint(
    blueprint,
    "GET",
    "auth/sessions",
    summary="The user's sessions, the one used last first. There are at most 20",
    access=Access.SIGNED_IN,
    answers={200: Listed[SessionAnswer]},
)
async def list_sessions(call: Call) -> Reply:
    sessions = await call.services.sessions.in_force(_user_id(call))
    return Reply(
        {"data": [SessionAnswer.of(each, call.principal.session_id) for each in sessions], "next_cursor": None}
    )


@endpoint(
    blueprint,
    "DELETE",
    "auth/sessions/{session_id}",
    summary="End one of the user's sessions",
    access=Access.SIGNED_IN,
    path_values=SessionPath,
    if_match=IfMatch.NONE,
    answers={204: None},
)
async def end_session(call: Call[NoBody, Query, SessionPath]) -> Reply:
    await call.services.sessions.end(_user_id(call), call.path.session_id)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "auth/password/change",
    summary="Change the password. All sessions end, the present one, too",
    access=Access.SIGNED_IN,
    body=PasswordChangeRequest,
    answers={204: None},
    errors=(LockedError,),
    example={"current": "correct horse battery staple", "password": "seven green umbrellas in the rain"},
)
async def change_password(call: Call[PasswordChangeRequest]) -> Reply:
    await call.services.password_changes.change(_user_id(call), call.body.current, call.body.password)
    return Reply()


def _user_id(call: Call) -> str:
    """Of the caller, who is a user: the endpoints above take nobody else."""
    return call.principal.user_id or ""
