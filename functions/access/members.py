"""Members of an organization: listed, given another role, removed."""

from datetime import datetime
from typing import Annotated, Self

import azure.functions as func

from functions.access.fields import ProjectGrants
from functions.fields import Listed
from shared.domain.access.accounts import Account, Membership
from shared.domain.access.identity import Permission, Role
from shared.domain.access.members import member_id
from shared.domain.access.project_access import ProjectGrant
from shared.http import Call, ListQuery, MergePatch, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint

blueprint = func.Blueprint()


class MemberPath(PathValues):
    member_id: Annotated[str, ThingId("mem")]
    """The member's id."""


class MemberPatch(MergePatch):
    """JSON Merge Patch."""

    role: Role = "viewer"
    """At most one's own. Another role ends the member's sessions in the organization."""
    projects: ProjectGrants | None = None
    """The projects that the member is limited to, with the role in each; null lifts the limit."""


class MemberAnswer(Schema):
    id: str
    user_id: str
    """The same in all organizations of the user."""
    email: str | None
    """Null for an account from before there were members, until its user signs in."""
    full_name: str | None
    """The user's; null as for the e-mail address."""
    role: Role
    """What the member may do, unless the member is limited to projects."""
    projects: list[ProjectGrant] | None
    """The projects that the member is limited to, with the role in each; null without a limit."""
    is_active: bool
    """Whether the member's account is not disabled."""
    joined_at: datetime
    """From then on a seat counts."""

    @classmethod
    def of(cls, membership: Membership, account: Account | None) -> Self:
        return cls.showing(
            membership,
            id=member_id(membership.id),
            user_id=membership.id,
            email=None if account is None else account.email,
            full_name=None if account is None else account.full_name,
            is_active=not membership.suspended,
        )


@endpoint(
    blueprint,
    "GET",
    "members",
    summary="Members of an organization",
    access=Permission.MEMBERS_READ,
    query=ListQuery,
    answers={200: Listed[MemberAnswer]},
)
async def list_members(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.members.page(await call.organization_id(), call.query.limit, call.query.cursor)
    accounts = await call.services.members.accounts_of([membership.id for membership in page.entities])
    data = [MemberAnswer.of(membership, accounts.get(membership.id)) for membership in page.entities]
    return Reply(Listed(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "PATCH",
    "members/{member_id}",
    summary="Give a member another role",
    access=Permission.MEMBERS_WRITE,
    path_values=MemberPath,
    body=MemberPatch,
    answers={200: MemberAnswer},
    example={"role": "developer"},
)
async def update_member(call: Call[MemberPatch, Query, MemberPath]) -> Reply:
    organization_id, changes = await call.organization_id(), call.body.model_dump(exclude_unset=True)
    membership, etag = await call.services.members.change(
        organization_id, call.path.member_id, changes, call.principal, call.if_match
    )
    accounts = await call.services.members.accounts_of([membership.id])
    return Reply(MemberAnswer.of(membership, accounts.get(membership.id)), etag=etag)


@endpoint(
    blueprint,
    "DELETE",
    "members/{member_id}",
    summary="Remove a member. The member's keys stop, unless an owner adopts them",
    access=Permission.MEMBERS_WRITE,
    path_values=MemberPath,
    answers={204: None},
)
async def remove_member(call: Call[NoBody, Query, MemberPath]) -> Reply:
    await call.services.members.remove(await call.organization_id(), call.path.member_id, call.principal, call.if_match)
    return Reply()
