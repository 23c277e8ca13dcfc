"""Users: oneself, the people of one's organization, and for the operator's support everybody."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

import azure.functions as func
from pydantic import EmailStr

from functions.fields import Listed, Name
from shared.domain.access.accounts import Account
from shared.domain.access.identity import OperatorRole, Permission
from shared.domain.access.users import NotificationPreferences
from shared.domain.kernel.errors import ForbiddenError, NotFoundError
from shared.http import Access, Call, ListQuery, MergePatch, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint

blueprint = func.Blueprint()


class UserPath(PathValues):
    user_id: Annotated[str, ThingId("usr")]
    """The user's id."""


class PreferencesPatch(MergePatch):
    """What is not sent stays as it is."""

    billing: bool = True
    """Invoices and payments of organizations in which the user may see them."""
    usage: bool = True
    """Limits that are near, and usage that cannot be metered."""
    product: bool = False
    """News."""


class UserPatch(MergePatch):
    """JSON Merge Patch. Roles and organizations are no fields of a user: `PATCH /members/{id}` changes a role."""

    full_name: Name = "-"
    """The user's."""
    notification_preferences: PreferencesPatch = PreferencesPatch()
    """Which mails the user wants, besides those about the account itself."""


class UserDetailsAnswer(Schema):
    id: str
    email: str
    """What the user signs in with."""
    full_name: str
    """The user's."""
    status: Literal["pending", "active", "disabled"]
    """It is pending until all that a sign-up promised is there."""
    operator_role: OperatorRole | None
    """Of the operator's staff; null for everybody else."""
    notification_preferences: NotificationPreferences
    """Which mails the user wants, besides those about the account itself."""
    last_login_at: datetime | None
    """When the user signed in last."""
    created_at: datetime

    @classmethod
    def of(cls, account: Account) -> Self:
        return cls.showing(account, id=account.user_id)


class StaffRequest(Schema):
    email: EmailStr
    """What the person signs in with, after choosing a password by `auth/password/forgot`."""
    name: Name
    """The person's."""
    operator_role: OperatorRole
    """What the person may do in all organizations."""


def _reply(stored: tuple[Account, str]) -> Reply:
    account, etag = stored
    return Reply(UserDetailsAnswer.of(account), etag=etag)


def _changes(patch: UserPatch, account: Account) -> dict[str, Any]:
    changes = patch.model_dump(exclude_unset=True)
    if "notification_preferences" in changes:
        present = account.notification_preferences.model_dump()
        changes["notification_preferences"] = present | changes["notification_preferences"]
    return changes


async def _change(call: Call[UserPatch, Any, Any], user_id: str) -> Reply:
    account, _ = await call.services.users.get(user_id, call.principal)
    changes = _changes(call.body, account)
    return _reply(await call.services.users.change(user_id, changes, call.principal, call.if_match))


async def _user_id(call: Call[Any, Query, UserPath]) -> str:
    """Of the user in the path. Raises `NotFoundError` where the query names an organization without this user."""
    if call.query.organization_id is not None:
        organization_id = await call.organization_id()
        account, _ = await call.services.users.get(call.path.user_id, call.principal)
        if organization_id not in account.organization_ids:
            raise NotFoundError("There is no such user in this organization")
    return call.path.user_id


@endpoint(
    blueprint,
    "GET",
    "users/me",
    summary="The signed-in user",
    access=Access.SIGNED_IN,
    for_provider=True,
    answers={200: UserDetailsAnswer},
)
async def get_own_user(call: Call) -> Reply:
    return _reply(await call.services.users.get(call.principal.id, call.principal))


@endpoint(
    blueprint,
    "PATCH",
    "users/me",
    summary="Change one's name, or which mails one wants",
    access=Access.SIGNED_IN,
    body=UserPatch,
    answers={200: UserDetailsAnswer},
    example={"full_name": "Ada King", "notification_preferences": {"product": True}},
)
async def update_own_user(call: Call[UserPatch]) -> Reply:
    return await _change(call, call.principal.id)


@endpoint(
    blueprint,
    "GET",
    "users",
    summary="Users of one's organization, or only oneself without the permission to see members; for staff everybody",
    access=Access.SIGNED_IN,
    query=ListQuery,
    answers={200: Listed[UserDetailsAnswer]},
)
async def list_users(call: Call[NoBody, ListQuery]) -> Reply:
    users, query = call.services.users, call.query
    if call.principal.is_operator and query.organization_id is None:
        accounts, cursor = await users.page(query.limit, query.cursor)
    elif call.principal.may(Permission.MEMBERS_READ):
        page = await call.services.members.page(await call.organization_id(), query.limit, query.cursor)
        known = await call.services.members.accounts_of([membership.id for membership in page.entities])
        accounts, cursor = list(known.values()), page.cursor
    else:
        account, _ = await users.get(call.principal.id, call.principal)
        accounts, cursor = [account], None
    return Reply(Listed(data=[UserDetailsAnswer.of(account) for account in accounts], next_cursor=cursor))


@endpoint(
    blueprint,
    "POST",
    "users",
    summary="Create an account of the operator's staff, who gets a password by auth/password/forgot",
    access=Access.SIGNED_IN,
    body=StaffRequest,
    answers={201: UserDetailsAnswer},
    example={"email": "grace@example.com", "name": "Grace Hopper", "operator_role": "support"},
)
async def create_staff_user(call: Call[StaffRequest]) -> Reply:
    call.refuse_organization("this makes an account of the operator's")
    if not call.principal.may(Permission.STAFF_WRITE):
        raise ForbiddenError(f"This needs the permission {Permission.STAFF_WRITE.value}")
    body = call.body
    return _reply(await call.services.users.create_staff(call.new_id("usr"), body.email, body.name, body.operator_role))


@endpoint(
    blueprint,
    "GET",
    "users/{user_id}",
    summary="A user: oneself, or for the operator's support anybody but staff",
    access=Access.SIGNED_IN,
    path_values=UserPath,
    answers={200: UserDetailsAnswer},
)
async def get_user(call: Call[NoBody, Query, UserPath]) -> Reply:
    return _reply(await call.services.users.get(await _user_id(call), call.principal))


@endpoint(
    blueprint,
    "PATCH",
    "users/{user_id}",
    summary="Change a user's name, or which mails the user gets",
    access=Access.SIGNED_IN,
    path_values=UserPath,
    body=UserPatch,
    answers={200: UserDetailsAnswer},
    example={"full_name": "Ada King"},
)
async def update_user(call: Call[UserPatch, Query, UserPath]) -> Reply:
    return await _change(call, await _user_id(call))


@endpoint(
    blueprint,
    "POST",
    "users/{user_id}/deactivate",
    summary="Disable an account: its sessions end and its keys stop",
    access=Access.SIGNED_IN,
    after_step_up=True,
    path_values=UserPath,
    answers={200: UserDetailsAnswer},
)
async def deactivate_user(call: Call[NoBody, Query, UserPath]) -> Reply:
    return _reply(await call.services.users.deactivate(await _user_id(call), call.principal))


@endpoint(
    blueprint,
    "POST",
    "users/{user_id}/activate",
    summary="Enable a disabled account again",
    access=Access.SIGNED_IN,
    after_step_up=True,
    path_values=UserPath,
    answers={200: UserDetailsAnswer},
)
async def activate_user(call: Call[NoBody, Query, UserPath]) -> Reply:
    return _reply(await call.services.users.activate(await _user_id(call), call.principal))


@endpoint(
    blueprint,
    "DELETE",
    "users/{user_id}",
    summary="End all memberships of a user and disable the account",
    access=Access.SIGNED_IN,
    after_step_up=True,
    path_values=UserPath,
    answers={204: None},
)
async def delete_user(call: Call[NoBody, Query, UserPath]) -> Reply:
    await call.services.users.delete(await _user_id(call), call.principal)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "users/{user_id}/erase",
    summary="Erase a person: the account is disabled at once, and what names the person is gone within minutes",
    access=Access.SIGNED_IN,
    after_step_up=True,
    path_values=UserPath,
    answers={202: None},
)
async def erase_user(call: Call[NoBody, Query, UserPath]) -> Reply:
    await call.services.erasures.ask(await _user_id(call), call.principal)
    return Reply()
