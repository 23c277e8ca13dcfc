"""Invitations: made, listed, withdrawn and accepted."""

from datetime import datetime
from typing import Annotated, Self

import azure.functions as func
from pydantic import EmailStr, Field, model_validator

from functions.access.fields import ProjectGrants
from functions.access.signing_in import NewPassword
from functions.fields import Listed, Name
from shared.domain.access.identity import Permission, Principal, Role
from shared.domain.access.invitations import Invitation
from shared.domain.access.members import member_id
from shared.domain.access.project_access import ProjectGrant
from shared.domain.access.rate_limits import ACCEPTED_INVITATIONS, INVITATIONS_OF_EMAIL, INVITATIONS_OF_ORGANIZATION
from shared.domain.kernel.errors import ConflictError, ForbiddenError, UnauthenticatedError
from shared.domain.kernel.validation import refusal
from shared.http import Access, Call, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint
from shared.http.serving import credential
from shared.services.access.invitations import InvitationDraft, NewPerson

blueprint = func.Blueprint()


class InvitationPath(PathValues):
    invitation_id: Annotated[str, ThingId("invt")]
    """The invitation's id."""


class InvitationRequest(Schema):
    email: EmailStr
    """Where the invitation is sent; only who has this address can accept it."""
    role: Role
    """At most one's own."""
    projects: ProjectGrants | None = None
    """The projects that the member will be limited to, with the role in each."""


class InvitationAnswer(Schema):
    id: str
    email: str
    """The address that it is bound to."""
    role: Role
    """What the member will be."""
    projects: list[ProjectGrant] | None
    """The projects that the member will be limited to; null without a limit."""
    invited_by: str
    """The id of the user or API key that made it."""
    is_expired: bool
    """Whether it can no longer be accepted."""
    created_at: datetime
    expires_at: datetime
    """Seven days after it was made."""

    @classmethod
    def of(cls, invitation: Invitation, now: datetime) -> Self:
        return cls.showing(invitation, is_expired=now >= invitation.expires_at)


class AcceptRequest(Schema):
    token: str = Field(min_length=1, max_length=512)
    """From the link in the mail."""
    password: NewPassword | None = None
    """A new one for an address without an account; with one, its password. Left out by who is signed in."""
    full_name: Name | None = None
    """Goes with the password."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.password is None) != (self.full_name is None):
            raise refusal((("full_name",), "and password go together"))
        return self


class AcceptedAnswer(Schema):
    member_id: str
    """The new membership."""
    user_id: str
    """Who accepted it."""
    organization_id: str
    """Sign in to it, or switch to it."""
    role: Role
    """What the new member is, unless the invitation was limited to projects."""


@endpoint(
    blueprint,
    "POST",
    "invitations",
    summary="Invite somebody to become a member. The invitation is mailed and good for 7 days",
    access=Permission.MEMBERS_WRITE,
    body=InvitationRequest,
    answers={201: InvitationAnswer},
    rate_limits=(INVITATIONS_OF_ORGANIZATION, INVITATIONS_OF_EMAIL),
    example={"email": "grace@example.com", "role": "developer"},
)
async def create_invitation(call: Call[InvitationRequest]) -> Reply:
    draft = InvitationDraft(call.body.email, call.body.role, call.body.projects)
    invitation, etag = await call.services.invitations.create(
        call.new_id("invt"), await call.organization_id(), draft, call.principal
    )
    return Reply(InvitationAnswer.of(invitation, call.now), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "invitations",
    summary="Invitations that nobody has accepted, newest first",
    access=Permission.MEMBERS_READ,
    query=ListQuery,
    answers={200: Listed[InvitationAnswer]},
)
async def list_invitations(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.invitations.page(await call.organization_id(), call.query.limit, call.query.cursor)
    data = [InvitationAnswer.of(invitation, call.now) for invitation in page.entities]
    return Reply(Listed(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "DELETE",
    "invitations/{invitation_id}",
    summary="Withdraw an invitation: its link opens nothing from then on",
    access=Permission.MEMBERS_WRITE,
    path_values=InvitationPath,
    answers={204: None},
)
async def withdraw_invitation(call: Call[NoBody, Query, InvitationPath]) -> Reply:
    await call.services.invitations.withdraw(await call.organization_id(), call.path.invitation_id, call.if_match)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "invitations/accept",
    summary="Accept an invitation: signed in as the invited address, or with a password and a full name",
    access=Access.PUBLIC,
    body=AcceptRequest,
    answers={200: AcceptedAnswer},
    rate_limits=(ACCEPTED_INVITATIONS,),
    errors=(UnauthenticatedError, ForbiddenError, ConflictError),
    example={"token": "from-the-mail", "password": "correct horse battery staple", "full_name": "Grace Hopper"},
)
async def accept_invitation(call: Call[AcceptRequest]) -> Reply:
    body = call.body
    person = None
    if body.password is not None and body.full_name is not None:
        person = NewPerson(body.password, body.full_name)
    caller = await _caller(call) if person is None else None
    membership, organization_id = await call.services.invitations.accept(body.token, caller, person)
    answer = {
        "member_id": member_id(membership.id),
        "user_id": membership.id,
        "organization_id": organization_id,
        "role": membership.role,
    }
    return Reply(answer, headers={"Cache-Control": "no-store"})


async def _caller(call: Call[AcceptRequest]) -> Principal:
    """Who is signed in. Raises `UnauthenticatedError`."""
    return await call.services.authentication.authenticate(credential(call.headers), for_events=False)
