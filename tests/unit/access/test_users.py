"""Users: who sees and changes whom, and the accounts that are disabled."""

from datetime import timedelta

import pytest

from shared.domain.access.identity import OPERATOR_PERMISSIONS, OperatorRole, Permission, Principal
from shared.domain.access.members import LastOwnerError, member_id
from shared.domain.kernel.errors import ConflictError, ForbiddenError, UnauthenticatedError, ValidationError
from shared.domain.kernel.ids import new_id
from shared.services.access.api_keys import ApiKeyDraft
from tests.doubles.worlds.signed_up_user import PASSWORD, SignedUpUser


def staff(role: OperatorRole) -> Principal:
    return Principal("usr_0", None, OPERATOR_PERMISSIONS[role], user_id="usr_0", role=role)


async def caller(user: SignedUpUser) -> Principal:
    signed_in = await user.sign_in(organization_id=user.organization_id)
    return await user.host.authentication.authenticate(signed_in.access_token, for_events=False)


async def test_an_account_is_for_its_user_and_support_except_of_staff(ada: SignedUpUser) -> None:
    me, users = await caller(ada), ada.host.users
    other = await ada.sign_up_another("bob@example.com")
    colleague, _ = await users.create_staff(new_id("usr"), "grace@example.com", "Grace", "billing")
    assert (await users.get(me.id, me)).entity.email == "ada@example.com"
    assert (await users.get(other.user_id, staff("support"))).entity.email == "bob@example.com"
    assert (await users.get(colleague.user_id, staff("system"))).entity.operator_role == "billing"
    for user_id, by in (
        (other.user_id, me),
        (other.user_id, staff("billing")),
        (colleague.user_id, staff("support")),
        (colleague.user_id, me),
    ):
        for refused in (users.get, users.deactivate, users.activate, users.delete):
            with pytest.raises(ForbiddenError):
                await refused(user_id, by)


async def test_a_disabled_user_is_out_until_enabled_again(ada: SignedUpUser) -> None:
    me = await caller(ada)
    second = await ada.sign_up_another("bob@example.com")
    await ada.second_owner(second)
    signed_in = await ada.sign_in()
    draft = ApiKeyDraft(name="Key", scopes=(Permission.AGENTS_READ,))
    _, key = await ada.host.api_keys.create(new_id("key"), ada.organization_id, draft, me)
    disabled, _ = await ada.host.users.deactivate(me.id, staff("support"))
    assert disabled.status == "disabled"
    for credential in (signed_in.access_token, key):
        assert await ada.is_refused(credential)
    with pytest.raises(ForbiddenError):
        await ada.sign_in()
    await ada.host.users.deactivate(me.id, staff("support"))
    await ada.host.users.activate(me.id, staff("support"))
    assert await ada.is_refused(signed_in.access_token)
    assert not await ada.is_refused(key)
    await ada.sign_in()


async def test_the_last_owner_is_not_disabled_and_nothing_is_changed_then(ada: SignedUpUser) -> None:
    await ada.second_organization()
    me = await caller(ada)
    for refused in (ada.host.users.deactivate, ada.host.users.delete):
        with pytest.raises(LastOwnerError):
            await refused(me.id, staff("support"))
    assert not await ada.is_refused((await ada.sign_in(organization_id=ada.organization_id)).access_token)


async def test_a_deleted_user_is_a_member_of_nothing(ada: SignedUpUser) -> None:
    me = await caller(ada)
    await ada.second_owner(await ada.sign_up_another("bob@example.com"))
    ada.clock.move(timedelta(days=1))
    for _ in range(2):
        await ada.host.users.delete(me.id, staff("support"))
    page = await ada.host.members.page(ada.organization_id, 10, None)
    assert me.id not in [membership.id for membership in page.entities]
    counts = await ada.host.members.member_counts(ada.organization_id)
    assert max(entry.value for entry in counts.entries) == 2
    with pytest.raises((ForbiddenError, UnauthenticatedError)):
        await ada.sign_in()


async def test_an_owner_who_is_disabled_does_not_count_as_one(ada: SignedUpUser) -> None:
    me = await caller(ada)
    bob = await ada.sign_up_another("bob@example.com")
    await ada.second_owner(bob)
    await ada.host.organizations.delete(bob.organization_ids[0], None)
    await ada.host.users.deactivate(bob.user_id, staff("support"))
    with pytest.raises(LastOwnerError):
        await ada.host.members.remove(ada.organization_id, member_id(me.id), me, None)


async def test_staff_has_one_account_an_address_and_everybody_is_listed(ada: SignedUpUser) -> None:
    users = ada.host.users
    user_id = new_id("usr")
    made, _ = await users.create_staff(user_id, "grace@example.com", "Grace", "support")
    again, _ = await users.create_staff(user_id, "grace@example.com", "Grace", "support")
    assert made.user_id == again.user_id
    with pytest.raises(ConflictError):
        await users.create_staff(new_id("usr"), "ada@example.com", "Ada", "support")
    with pytest.raises(UnauthenticatedError):
        await ada.host.accounts.sign_in("grace@example.com", PASSWORD, None)
    found, cursor = [], None
    while True:
        page, cursor = await users.page(1, cursor)
        found += page
        if cursor is None:
            break
    assert sorted(account.email for account in found) == ["ada@example.com", "grace@example.com"]


async def test_no_key_acts_on_accounts_of_others(ada: SignedUpUser) -> None:
    for scope in (Permission.USERS_WRITE, Permission.STAFF_WRITE):
        draft = ApiKeyDraft(name="Key", scopes=(scope,))
        with pytest.raises(ValidationError):
            await ada.host.api_keys.create(new_id("key"), None, draft, staff("system"))
