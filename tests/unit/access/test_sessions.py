"""Who a token stands for is read with every call: its session, account, membership and organization."""

from datetime import timedelta
from typing import Any

import pytest

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import (
    ACCOUNT,
    Account,
    address_partition,
    user_partition,
)
from shared.domain.access.identity import OPERATOR_ONLY, ROLE_PERMISSIONS, Permission
from shared.domain.access.sessions import MAXIMUM_SESSIONS, Session, session_partition_of_before
from shared.domain.kernel.errors import ForbiddenError
from shared.domain.kernel.ids import new_id
from shared.services.access.tokens import Claims
from tests.doubles.worlds.invoiced_organization import NOW
from tests.doubles.worlds.signed_up_user import ADA, SignedUpUser


async def test_the_role_is_the_memberships_and_not_the_tokens(ada: SignedUpUser) -> None:
    signed_in = await ada.sign_in()
    assert await ada.permissions(signed_in.access_token) == ROLE_PERMISSIONS["owner"] - OPERATOR_ONLY
    claims = Claims(ada.account.user_id, ada.organization_id, ("owner", "system"), signed_in.session_id)
    forged = await ada.host.tokens.issue(claims)
    await ada.change_membership(role="viewer")
    principal = await ada.host.authentication.authenticate(forged, for_events=False)
    assert principal.permissions == ROLE_PERMISSIONS["viewer"] - OPERATOR_ONLY
    assert (principal.role, principal.user_id) == ("viewer", ada.account.user_id)
    assert (principal.session_id, principal.projects) == (signed_in.session_id, None)


@pytest.mark.parametrize(
    "changes", [{"status": "disabled"}, {"sessions_ended_at": NOW}, {"sessions_ended_at": NOW + timedelta(minutes=1)}]
)
async def test_what_ends_sessions_of_an_account_ends_them_at_the_next_call(
    ada: SignedUpUser, changes: dict[str, Any]
) -> None:
    token = (await ada.sign_in()).access_token
    await ada.permissions(token)
    await ada.change_account(**changes)
    assert await ada.is_refused(token)


async def test_what_ends_sessions_of_a_membership_ends_them_in_that_organization(ada: SignedUpUser) -> None:
    token = (await ada.sign_in()).access_token
    await ada.change_membership(sessions_ended_at=NOW)
    assert await ada.is_refused(token)
    again = (await ada.sign_in()).access_token
    assert await ada.permissions(again)
    await ada.store.delete(TENANTS.name, ada.organization_id, ada.account.user_id)
    assert await ada.is_refused(again)


async def test_who_was_signed_out_can_sign_in_at_the_same_moment(ada: SignedUpUser) -> None:
    await ada.change_account(sessions_ended_at=NOW + timedelta(seconds=1))  # by a host whose clock is ahead
    assert await ada.permissions((await ada.sign_in()).access_token)


async def test_a_disabled_account_cannot_sign_in(ada: SignedUpUser) -> None:
    await ada.change_account(status="disabled")
    with pytest.raises(ForbiddenError):
        await ada.sign_in()


async def test_only_events_may_use_what_was_read_ten_seconds_ago(ada: SignedUpUser) -> None:
    token = (await ada.sign_in()).access_token
    assert Permission.EVENTS_WRITE in await ada.permissions(token, for_events=True)
    await ada.change_membership(role="viewer")
    assert Permission.EVENTS_WRITE not in await ada.permissions(token)
    ada.clock.move(timedelta(seconds=9))
    assert Permission.EVENTS_WRITE in await ada.permissions(token, for_events=True)
    ada.clock.move(timedelta(seconds=1))
    assert Permission.EVENTS_WRITE not in await ada.permissions(token, for_events=True)


async def test_a_session_ends_with_its_family_even_for_a_token_that_lives_longer(ada: SignedUpUser) -> None:
    signed_in = await ada.sign_in()
    ada.clock.move(timedelta(days=30, seconds=-1))
    late = await ada.host.tokens.issue(
        Claims(ada.account.user_id, ada.organization_id, ("owner",), signed_in.session_id)
    )
    assert await ada.permissions(late)
    ada.clock.move(timedelta(seconds=1))
    assert await ada.is_refused(late)


async def test_the_twenty_first_sign_in_ends_the_session_unused_longest(ada: SignedUpUser) -> None:
    tokens = []
    for _ in range(MAXIMUM_SESSIONS + 2):
        tokens.append((await ada.sign_in()).access_token)
        ada.clock.move(timedelta(seconds=1))
    refused = [await ada.is_refused(token) for token in tokens]
    assert refused == [True, True, *[False] * MAXIMUM_SESSIONS]


async def test_a_token_of_another_organization_or_side_than_its_sessions_is_refused(ada: SignedUpUser) -> None:
    session_id = (await ada.sign_in()).session_id
    for organization_id in (new_id("org"), None):
        claims = Claims(ada.account.user_id, organization_id, ("system",), session_id)
        assert await ada.is_refused(await ada.host.tokens.issue(claims))


def as_before(account: Account) -> dict[str, Any]:
    """The account as earlier versions stored it, in the partition of its address."""
    newer = {"earlier_password_hashes", "last_login_at", "sessions_ended_at"}
    return {name: value for name, value in account.document().items() if name not in newer}


async def test_an_account_and_a_session_of_an_earlier_version_keep_working(ada: SignedUpUser) -> None:
    account = ada.account
    await ada.store.delete(DIRECTORY.name, user_partition(account.user_id), ACCOUNT)
    await ada.store.upsert(DIRECTORY.name, address_partition(ADA), as_before(account))
    session_id = new_id("ses")
    session = {
        "id": session_id,
        "kind": Session.kind,
        "user_id": account.user_id,
        "organization_id": ada.organization_id,
        "refresh_fingerprint": "f" * 64,
        "expires_at": "2026-04-01T00:00:00.000000Z",
    }
    await ada.store.create(DIRECTORY.name, session_partition_of_before(session_id), session)
    token = await ada.host.tokens.issue(Claims(account.user_id, ada.organization_id, ("owner",), session_id))
    assert await ada.permissions(token) == ROLE_PERMISSIONS["owner"] - OPERATOR_ONLY
    signed_in = await ada.sign_in()
    assert await ada.permissions(signed_in.access_token) == await ada.permissions(token)
    assert signed_in.organization_id == ada.organization_id
    item = await ada.store.get(DIRECTORY.name, user_partition(account.user_id), ACCOUNT)
    assert item is not None
    carried_over = Account.read(item.document)
    assert carried_over.changed(last_login_at=None) == account
    await ada.change_account(sessions_ended_at=NOW - timedelta(days=1))
    assert await ada.is_refused(token)


async def require_factor(ada: SignedUpUser, organization_id: str) -> None:
    item = await ada.store.get(TENANTS.name, organization_id, organization_id)
    assert item is not None
    own = {**item.document["own_settings"], "mfa_required": True}
    await ada.store.upsert(TENANTS.name, organization_id, {**item.document, "own_settings": own})


async def test_a_session_without_a_factor_ends_where_one_is_asked_for(ada: SignedUpUser) -> None:
    second = await ada.second_organization()
    signed_in = await ada.sign_in(organization_id=ada.organization_id)
    await require_factor(ada, second)
    with pytest.raises(ForbiddenError):
        await ada.host.sessions.switch(ada.account.user_id, signed_in.session_id, second)
    assert await ada.permissions(signed_in.access_token)
    await require_factor(ada, ada.organization_id)
    assert await ada.is_refused(signed_in.access_token)
    with pytest.raises(ForbiddenError):
        await ada.host.sessions.refresh(signed_in.refresh_token)
    only_enrolling = await ada.sign_in(organization_id=ada.organization_id)
    assert await ada.permissions(only_enrolling.access_token) == frozenset()
    with pytest.raises(ForbiddenError):
        await ada.host.sessions.switch(ada.account.user_id, only_enrolling.session_id, second)
