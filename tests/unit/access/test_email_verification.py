"""Who follows the link in a mail has the mailbox; who signed up may be somebody else."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.access.identity import READING
from shared.domain.kernel.errors import ConflictError, InvalidTokenError, UnavailableError, ValidationError
from shared.settings import Settings
from tests.doubles.worlds.mailed_user import MailedUser
from tests.doubles.worlds.signed_up_user import ADA, PASSWORD

OTHER_PASSWORD = "seven green umbrellas in the rain"


async def is_unverified(mailed: MailedUser) -> bool:
    """As it is said of who calls with a new session."""
    token = (await mailed.sign_in()).access_token
    return (await mailed.host.authentication.authenticate(token, for_events=False)).unverified


async def test_signing_up_mails_a_link(mailed: MailedUser) -> None:
    (mail,) = await mailed.mails()
    assert mail.to == ADA
    assert "Ada Lovelace" in mail.text
    assert "/account/verify?token=" in (mail.link or "")


async def test_nothing_is_mailed_inside_the_request(mailed: MailedUser) -> None:
    await mailed.host.email_verification.send(mailed.account.user_id)
    assert mailed.post.tries == 0


async def test_until_the_link_is_followed_the_user_is_unverified(mailed: MailedUser) -> None:
    assert await is_unverified(mailed)
    await mailed.host.email_verification.verify(await mailed.token(), PASSWORD)
    assert not await is_unverified(mailed)


async def test_a_setting_lets_unverified_users_be(mailed: MailedUser) -> None:
    token = (await mailed.sign_in()).access_token
    lenient = type(mailed.host)(mailed.ports, Settings(unverified_may_write=True))
    assert not (await lenient.authentication.authenticate(token, for_events=False)).unverified


async def test_accounts_of_earlier_versions_are_not_asked_to_verify(mailed: MailedUser) -> None:
    await mailed.change_account(needs_verification=False)
    assert not await is_unverified(mailed)


async def test_the_link_ends_all_sessions_and_the_password_that_somebody_else_may_have_chosen(
    mailed: MailedUser,
) -> None:
    session = (await mailed.sign_in()).access_token
    await mailed.host.email_verification.verify(await mailed.token(), None)
    assert await mailed.is_refused(session)
    assert not await mailed.signs_in(PASSWORD)
    account = await mailed.stored()
    assert (account.password_hash, account.earlier_password_hashes, account.is_unverified) == (None, (), False)


@pytest.mark.parametrize("password", [PASSWORD, OTHER_PASSWORD])
async def test_with_a_password_the_user_signs_in_by_that_one(mailed: MailedUser, password: str) -> None:
    session = (await mailed.sign_in()).access_token
    await mailed.host.email_verification.verify(await mailed.token(), password)
    assert await mailed.is_refused(session)
    assert await mailed.signs_in(password)
    assert await mailed.signs_in(PASSWORD) is (password == PASSWORD)


async def test_a_password_outside_the_policy_uses_no_link(mailed: MailedUser) -> None:
    token = await mailed.token()
    with pytest.raises(ValidationError) as refused:
        await mailed.host.email_verification.verify(token, "password123456")
    assert [error.pointer for error in refused.value.errors] == ["/password"]
    assert await is_unverified(mailed)
    await mailed.host.email_verification.verify(token, PASSWORD)


@pytest.mark.parametrize("password", [None, PASSWORD])
async def test_a_link_works_once(mailed: MailedUser, password: str | None) -> None:
    token = await mailed.token()
    await mailed.host.email_verification.verify(token, password)
    with pytest.raises(InvalidTokenError):
        await mailed.other_host.email_verification.verify(token, OTHER_PASSWORD)
    assert not await mailed.signs_in(OTHER_PASSWORD)


async def test_each_link_works_until_one_was_used(mailed: MailedUser) -> None:
    first = await mailed.token()
    second = await mailed.verification_token()
    assert first != second
    await mailed.host.email_verification.verify(first, PASSWORD)
    with pytest.raises(InvalidTokenError):
        await mailed.host.email_verification.verify(second, OTHER_PASSWORD)


@pytest.mark.parametrize("changes", [{"email": "other@example.com"}, {"status": "disabled"}])
async def test_a_link_to_an_earlier_address_or_a_disabled_account_opens_nothing(
    mailed: MailedUser, changes: dict[str, Any]
) -> None:
    token = await mailed.token()
    await mailed.change_account(**changes)
    with pytest.raises(InvalidTokenError):
        await mailed.host.email_verification.verify(token, PASSWORD)


async def test_a_reset_link_verifies_nothing_and_the_other_way_round(mailed: MailedUser) -> None:
    verification = await mailed.token()
    reset = await mailed.reset_token()
    with pytest.raises(InvalidTokenError):
        await mailed.host.email_verification.verify(reset, PASSWORD)
    with pytest.raises(InvalidTokenError):
        await mailed.host.password_resets.confirm(verification, OTHER_PASSWORD)


async def test_a_verified_user_gets_no_other_link(mailed: MailedUser) -> None:
    await mailed.host.email_verification.verify(await mailed.token(), PASSWORD)
    with pytest.raises(ConflictError):
        await mailed.host.email_verification.send(mailed.account.user_id)


async def test_what_was_verified_meanwhile_is_not_mailed(mailed: MailedUser) -> None:
    token = await mailed.token()
    await mailed.host.email_verification.send(mailed.account.user_id)
    await mailed.host.email_verification.verify(token, PASSWORD)
    assert await mailed.mails() == []


async def test_while_no_mail_goes_out_it_waits_and_then_it_is_one_with_a_link_that_works(mailed: MailedUser) -> None:
    mailed.post.failing(UnavailableError("down"))
    assert await mailed.mails() == []
    mailed.post.fail = lambda: None
    mailed.clock.move(timedelta(minutes=5))
    await mailed.host.email_verification.verify(await mailed.token(), PASSWORD)


async def test_a_mail_that_could_not_go_out_within_an_hour_is_given_up(mailed: MailedUser) -> None:
    mailed.post.failing(UnavailableError("down"))
    for _ in range(15):
        mailed.clock.move(timedelta(minutes=5))
        await mailed.mails()
    tries, mailed.post.fail = mailed.post.tries, lambda: None
    mailed.clock.move(timedelta(minutes=30))
    assert await mailed.mails() == []
    assert 0 < tries <= 12


def test_reading_is_what_an_unverified_user_may_do() -> None:
    assert {permission.value.rpartition(":")[2] for permission in READING} == {"read"}
