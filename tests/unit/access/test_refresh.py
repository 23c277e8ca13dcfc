"""Refresh tokens work once; an old one ends its session, and a guess changes nothing."""

import asyncio
from datetime import timedelta

import pytest

from shared.containers import TENANTS
from shared.domain.access.origins import Origin
from shared.domain.kernel.errors import ForbiddenError, UnauthenticatedError, XyraError
from shared.services.access.refresh_tokens import RefreshReference
from shared.services.access.sessions import SignedIn
from tests.doubles.worlds.invoiced_organization import NOW
from tests.doubles.worlds.signed_up_user import SignedUpUser


async def refreshed(ada: SignedUpUser, before: SignedIn) -> SignedIn:
    return await ada.host.sessions.refresh(before.refresh_token)


async def test_each_refresh_token_works_once_and_the_session_stays(ada: SignedUpUser) -> None:
    signed_in = await ada.sign_in()
    tokens = [signed_in]
    for _ in range(3):
        ada.clock.move(timedelta(minutes=40))
        tokens.append(await refreshed(ada, tokens[-1]))
        assert await ada.permissions(tokens[-1].access_token)
    assert len({each.refresh_token for each in tokens}) == len(tokens)
    assert {each.session_id for each in tokens} == {signed_in.session_id}


@pytest.mark.parametrize("used", [0, 1])
async def test_an_old_token_ends_its_session_and_no_other(ada: SignedUpUser, used: int) -> None:
    other = await ada.sign_in()
    tokens = [await ada.sign_in()]
    tokens.append(await refreshed(ada, tokens[-1]))
    tokens.append(await refreshed(ada, tokens[-1]))
    with pytest.raises(UnauthenticatedError, match="used before"):
        await refreshed(ada, tokens[used])
    for each in tokens:
        assert await ada.is_refused(each.access_token)
        with pytest.raises(UnauthenticatedError):
            await refreshed(ada, each)
    assert await refreshed(ada, other)


async def test_a_guess_changes_nothing(ada: SignedUpUser) -> None:
    signed_in = await ada.sign_in()
    token = signed_in.refresh_token
    reference, _, signature = token.rpartition(".")
    named, _, number = reference.rpartition(".")
    stranger = SignedUpUser(ada.secrets.with_name("others.json"), ada.hasher)
    forged = await stranger.host.sessions.refresh_tokens.issue(
        RefreshReference(ada.account.user_id, signed_in.session_id, 0)
    )
    for guess in (
        "",
        "guess",
        "é" * 100,
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        f"{named}.{int(number) + 1}.{signature}",
        f"{named}.00.{signature}",
        f"{token}x",
        token.upper(),
        forged,
        signed_in.access_token,
    ):
        with pytest.raises(UnauthenticatedError):
            await ada.host.sessions.refresh(guess)
    assert await refreshed(ada, signed_in)


async def test_of_two_who_use_a_token_at_once_one_is_refused_and_the_session_ends(ada: SignedUpUser) -> None:
    signed_in = await ada.sign_in()
    outcomes = await asyncio.gather(
        ada.host.sessions.refresh(signed_in.refresh_token),
        ada.other_host.sessions.refresh(signed_in.refresh_token),
        return_exceptions=True,
    )
    (winner,) = (outcome for outcome in outcomes if isinstance(outcome, SignedIn))
    assert await ada.is_refused(winner.access_token)
    with pytest.raises(UnauthenticatedError):
        await refreshed(ada, winner)


async def test_a_family_lives_thirty_days_from_its_sign_in(ada: SignedUpUser) -> None:
    latest = await ada.sign_in()
    for _ in range(29):
        ada.clock.move(timedelta(days=1))
        latest = await refreshed(ada, latest)
    ada.clock.move(timedelta(days=1))
    with pytest.raises(UnauthenticatedError):
        await refreshed(ada, latest)


async def test_refreshing_looks_at_account_membership_and_organization(ada: SignedUpUser) -> None:
    disabled, ended, deleted, removed = [await ada.sign_in() for _ in range(4)]
    await ada.change_account(status="disabled")
    with pytest.raises(ForbiddenError):
        await refreshed(ada, disabled)
    await ada.change_account()
    await ada.change_membership(role="viewer", sessions_ended_at=NOW)
    with pytest.raises(UnauthenticatedError):
        await refreshed(ada, ended)
    await ada.change_membership(role="viewer")
    await ada.host.organizations.delete(ada.organization_id, None)
    ada.clock.move(timedelta(days=29))
    deleted = await refreshed(ada, deleted)
    assert (await ada.host.authentication.authenticate(deleted.access_token, for_events=False)).organization_deleted
    ada.clock.move(timedelta(hours=23, minutes=59))
    deleted = await refreshed(ada, deleted)
    await ada.store.delete(TENANTS.name, ada.organization_id, ada.account.user_id)
    with pytest.raises(UnauthenticatedError):
        await refreshed(ada, removed)


async def test_long_after_its_deletion_an_organization_refreshes_nothing(ada: SignedUpUser) -> None:
    await ada.host.organizations.delete(ada.organization_id, None)
    ada.clock.move(timedelta(days=20))
    signed_in = await ada.sign_in()
    ada.clock.move(timedelta(days=11))
    with pytest.raises(UnauthenticatedError, match="deleted"):
        await refreshed(ada, signed_in)


async def test_logging_out_ends_one_session_and_logging_out_everywhere_all(ada: SignedUpUser) -> None:
    first, second, third = [await ada.sign_in() for _ in range(3)]
    used = await refreshed(ada, first)
    await ada.host.sessions.end_by_token(first.refresh_token)
    await ada.host.sessions.end_by_token(first.refresh_token)
    assert await ada.is_refused(used.access_token)
    await ada.host.sessions.end(ada.account.user_id, second.session_id)
    assert await ada.is_refused(second.access_token)
    assert await ada.permissions(third.access_token)
    await ada.host.sessions.end_all(ada.account.user_id)
    assert await ada.is_refused(third.access_token)
    for each in (used, second, third):
        with pytest.raises(UnauthenticatedError):
            await refreshed(ada, each)
    assert await ada.host.sessions.in_force(ada.account.user_id) == []


async def test_switching_begins_a_session_and_ends_the_present_one(ada: SignedUpUser) -> None:
    other = await ada.second_organization()
    signed_in = await ada.sign_in(organization_id=ada.organization_id)
    ada.clock.move(timedelta(days=10))
    switched = await ada.host.sessions.switch(ada.account.user_id, signed_in.session_id, other)
    principal = await ada.host.authentication.authenticate(switched.access_token, for_events=False)
    assert (principal.organization_id, principal.role) == (other, "viewer")
    assert await ada.is_refused(signed_in.access_token)
    for end in (signed_in, switched):
        with pytest.raises(XyraError):
            await ada.host.sessions.switch(ada.account.user_id, end.session_id, "org_none")
    ada.clock.move(timedelta(days=20))
    with pytest.raises(UnauthenticatedError):
        await refreshed(ada, switched)


async def test_sessions_say_where_they_come_from_and_when_they_were_used(ada: SignedUpUser) -> None:
    first = await ada.sign_in()
    ada.clock.move(timedelta(minutes=1))
    second = await ada.sign_in()
    ada.clock.move(timedelta(minutes=1))
    await ada.host.sessions.refresh(first.refresh_token, Origin("Firefox on Linux", "203.0.113.0/24", "AT"))
    listed = await ada.host.sessions.in_force(ada.account.user_id)
    assert [each.id for each in listed] == [first.session_id, second.session_id]
    assert (listed[0].device, listed[0].ip, listed[0].location) == ("Firefox on Linux", "203.0.113.0/24", "AT")
    assert (listed[0].created_at, listed[0].last_used_at) == (NOW, NOW + timedelta(minutes=2))


async def test_a_sign_in_with_a_password_that_is_changed_meanwhile_begins_no_session(ada: SignedUpUser) -> None:
    async def change() -> None:
        account = await ada.other_host.accounts.get(ada.account.user_id)
        await ada.other_host.password_changes.replace(account, "seven green umbrellas in the rain")

    ada.store.before_session = change
    with pytest.raises(UnauthenticatedError):
        await ada.sign_in()
    assert await ada.host.sessions.in_force(ada.account.user_id) == []


async def test_a_switch_while_all_sessions_end_begins_none(ada: SignedUpUser) -> None:
    other = await ada.second_organization()
    signed_in = await ada.sign_in(organization_id=ada.organization_id)

    async def end_all() -> None:
        await ada.other_host.sessions.end_all(ada.account.user_id)

    ada.store.before_session = end_all
    with pytest.raises(UnauthenticatedError):
        await ada.host.sessions.switch(ada.account.user_id, signed_in.session_id, other)
    assert await ada.host.sessions.in_force(ada.account.user_id) == []
