"""Invitations: bound to an address, used once, and never more than the inviter may give."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.containers import TENANTS
from shared.domain.access.accounts import Account, user_partition
from shared.domain.access.api_keys import ApiKey
from shared.domain.access.identity import Permission, Principal
from shared.domain.access.invitations import Invitation
from shared.domain.access.members import member_id
from shared.domain.access.project_access import ProjectGrant
from shared.domain.kernel.errors import (
    ConflictError,
    EmailUnverifiedError,
    ForbiddenError,
    InvalidTokenError,
    UnauthenticatedError,
    ValidationError,
)
from shared.domain.kernel.ids import new_id
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.access.invitations import InvitationDraft, NewPerson
from tests.doubles.worlds.invoiced_organization import NOW
from tests.doubles.worlds.signed_up_user import PASSWORD, SignedUpUser

GRACE = "grace@example.com"
NEW = NewPerson("six horses under a paper moon", "Grace Hopper")


async def caller(user: SignedUpUser, email: str | None = None, password: str = PASSWORD) -> Principal:
    """Who is signed in as Ada, or as another user with an address."""
    signed_in = await (user.sign_in() if email is None else user.host.accounts.sign_in(email, password, None))
    return await user.host.authentication.authenticate(signed_in.access_token, for_events=False)


async def invite(user: SignedUpUser, email: str = GRACE, role: Any = "developer", **fields: Any) -> Invitation:
    by = fields.pop("by", None) or await caller(user)
    draft = InvitationDraft(email, role, **fields)
    return (await user.host.invitations.create(new_id("invt"), user.organization_id, draft, by)).entity


async def token_of(user: SignedUpUser, invitation: Invitation) -> str:
    letter = await user.host.invitations.letter(request_id=invitation.id, organization_id=user.organization_id)
    assert letter is not None
    assert letter.link is not None
    assert letter.to == invitation.email
    (token,) = parse_qs(urlsplit(letter.link.url).query)["token"]
    return token


async def roles(user: SignedUpUser) -> dict[str, str]:
    page = await user.host.members.page(user.organization_id, 100, None)
    accounts = await user.host.members.accounts_of([membership.id for membership in page.entities])
    return {accounts[membership.id].email: membership.role for membership in page.entities}


@pytest.fixture
async def verified(ada: SignedUpUser) -> SignedUpUser:
    await ada.change_account(status="active", verified_at=NOW)
    return ada


async def test_who_has_no_account_gets_one_by_accepting(verified: SignedUpUser) -> None:
    token = await token_of(verified, await invite(verified))
    membership, organization_id = await verified.host.invitations.accept(token, None, NEW)
    assert (membership.role, organization_id) == ("developer", verified.organization_id)
    assert await roles(verified) == {"ada@example.com": "owner", GRACE: "developer"}
    principal = await caller(verified, GRACE, NEW.password)
    assert (principal.user_id, principal.role) == (membership.id, "developer")
    account = (await verified.host.members.accounts_of([membership.id]))[membership.id]
    assert (account.organization_ids, account.verified_at) == ((organization_id,), NOW)
    assert await verified.host.outbox.sweep() == 0


async def test_an_invitation_is_used_once(verified: SignedUpUser) -> None:
    token = await token_of(verified, await invite(verified))
    await verified.host.invitations.accept(token, None, NEW)
    with pytest.raises(InvalidTokenError):
        await verified.host.invitations.accept(token, None, NEW)


async def test_a_day_after_it_was_accepted_it_is_gone_with_the_address(verified: SignedUpUser) -> None:
    invitation, pending = await invite(verified), await invite(verified, "pending@example.com")
    await verified.host.invitations.accept(await token_of(verified, invitation), None, NEW)
    kept = {
        each.id: (await verified.store.get(TENANTS.name, verified.organization_id, each.id)).document["ttl"]
        for each in (invitation, pending)
    }
    assert kept == {invitation.id: 24 * 60 * 60, pending.id: 37 * 24 * 60 * 60}


async def test_it_ends_after_seven_days_when_it_is_withdrawn_and_with_the_organization(
    verified: SignedUpUser,
) -> None:
    invitations = verified.host.invitations
    withdrawn = await invite(verified)
    token = await token_of(verified, withdrawn)
    await invitations.withdraw(verified.organization_id, withdrawn.id, None)
    left = await invite(verified, "left@example.com")
    late = await token_of(verified, left)
    verified.clock.move(timedelta(days=7))
    for ended in (token, late, "guessed"):
        with pytest.raises(InvalidTokenError):
            await invitations.accept(ended, None, NEW)
    assert await invitations.letter(request_id=left.id, organization_id=verified.organization_id) is None
    token = await token_of(verified, await invite(verified))
    await verified.host.organizations.delete(verified.organization_id, None)
    with pytest.raises(InvalidTokenError):
        await invitations.accept(token, None, NEW)


async def test_nobody_takes_an_invitation_meant_for_another_address(verified: SignedUpUser) -> None:
    token = await token_of(verified, await invite(verified))
    await verified.sign_up_another("mallory@example.com")
    mallory = await caller(verified, "mallory@example.com")
    with pytest.raises(ForbiddenError):
        await verified.host.invitations.accept(token, mallory, None)
    with pytest.raises(ForbiddenError):
        await verified.host.invitations.accept(token, None, None)
    assert await roles(verified) == {"ada@example.com": "owner"}


async def test_a_verified_user_accepts_signed_in_or_with_the_password(verified: SignedUpUser) -> None:
    for email, by_password in (("grace@example.com", False), ("hopper@example.com", True)):
        account = await verified.sign_up_another(email)
        await keep(verified, account.changed(verified_at=NOW))
        token = await token_of(verified, await invite(verified, email))
        if by_password:
            with pytest.raises(ConflictError):
                await verified.host.invitations.accept(token, None, NEW)
            await verified.host.invitations.accept(token, None, NewPerson(PASSWORD, "Grace"))
        else:
            await verified.host.invitations.accept(token, await caller(verified, email), None)
    assert await roles(verified) == {
        "ada@example.com": "owner",
        "grace@example.com": "developer",
        "hopper@example.com": "developer",
    }


async def keep(user: SignedUpUser, account: Account) -> None:
    await user.store.upsert("directory", user_partition(account.user_id), account.document())


async def test_accepting_for_an_unverified_account_ends_what_was_set_before(verified: SignedUpUser) -> None:
    """Somebody else may have signed up with the address, to be let in by its owner."""
    account = await verified.sign_up_another(GRACE)
    squatter = await verified.host.accounts.sign_in(GRACE, PASSWORD, None)
    principal = await verified.host.authentication.authenticate(squatter.access_token, for_events=False)
    draft = ApiKeyDraft(name="Key", scopes=(Permission.AGENTS_READ,))
    organization_id = account.organization_ids[0]
    key, key_token = await verified.host.api_keys.create(new_id("key"), organization_id, draft, principal)
    token = await token_of(verified, await invite(verified))
    with pytest.raises(EmailUnverifiedError):
        await verified.host.invitations.accept(token, principal, None)

    membership, _ = await verified.host.invitations.accept(token, None, NEW)
    assert membership.id == account.user_id
    for ended in (squatter.access_token, key_token):
        with pytest.raises(UnauthenticatedError):
            await verified.host.authentication.authenticate(ended, for_events=False)
    with pytest.raises(UnauthenticatedError):
        await verified.host.accounts.sign_in(GRACE, PASSWORD, organization_id)
    await verified.host.accounts.sign_in(GRACE, NEW.password, verified.organization_id)
    page = await verified.host.api_keys.page(organization_id, 10, None)
    assert [left.id for left in page.entities if isinstance(left, ApiKey)] == []
    assert key.entity.created_by == account.user_id


async def test_a_role_above_ones_own_is_not_given(verified: SignedUpUser) -> None:
    await verified.change_membership(role="admin")
    with pytest.raises(ForbiddenError):
        await invite(verified, role="owner")
    await invite(verified, role="admin")
    with pytest.raises(ValidationError):
        await invite(verified, "limited@example.com", projects=(ProjectGrant(id="prj_1", role="viewer"),))


async def test_an_invitation_ends_where_its_maker_may_no_longer_give_the_role(verified: SignedUpUser) -> None:
    token = await token_of(verified, await invite(verified, role="owner"))
    await verified.change_membership(role="admin")
    with pytest.raises(InvalidTokenError):
        await verified.host.invitations.accept(token, None, NEW)


async def test_only_verified_members_invite(ada: SignedUpUser) -> None:
    with pytest.raises(EmailUnverifiedError):
        await invite(ada)
    operator = Principal("usr_0", None, frozenset(Permission))
    await invite(ada, by=operator)


async def test_members_are_not_invited_again(verified: SignedUpUser) -> None:
    first, second = [await token_of(verified, await invite(verified)) for _ in range(2)]
    membership, _ = await verified.host.invitations.accept(first, None, NEW)
    with pytest.raises(ConflictError):
        await invite(verified)
    with pytest.raises(ConflictError):
        await verified.host.invitations.accept(second, None, NEW)
    await verified.host.members.remove(verified.organization_id, member_id(membership.id), await caller(verified), None)
    rejoined, _ = await verified.host.invitations.accept(second, None, NEW)
    assert rejoined.id == membership.id
