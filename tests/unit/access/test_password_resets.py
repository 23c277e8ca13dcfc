"""A new password by a mailed link: the newest, once, for whoever has the mailbox of the account."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import (
    ForbiddenError,
    InvalidTokenError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from shared.domain.kernel.ids import new_id
from shared.services.access.api_keys import ApiKeyDraft
from tests.doubles.fakes.post_box import token_of
from tests.doubles.worlds.mailed_user import MailedUser
from tests.doubles.worlds.signed_up_user import ADA, PASSWORD

NEW, NEWER = "seven green umbrellas in the rain", "eleven quiet trains leave at dawn"


async def test_the_password_is_the_new_one_and_all_sessions_end(mailed: MailedUser) -> None:
    session = (await mailed.sign_in()).access_token
    await mailed.host.password_resets.confirm(await mailed.reset_token(), NEW)
    assert await mailed.is_refused(session)
    assert (await mailed.signs_in(NEW), await mailed.signs_in(PASSWORD)) == (True, False)


async def test_asking_ends_no_session(mailed: MailedUser) -> None:
    session = (await mailed.sign_in()).access_token
    await mailed.reset_token()
    assert not await mailed.is_refused(session)
    assert await mailed.signs_in(PASSWORD)


async def test_a_link_works_once(mailed: MailedUser) -> None:
    token = await mailed.reset_token()
    await mailed.host.password_resets.confirm(token, NEW)
    with pytest.raises(InvalidTokenError):
        await mailed.other_host.password_resets.confirm(token, NEWER)
    assert await mailed.signs_in(NEW)


async def test_only_the_newest_link_works(mailed: MailedUser) -> None:
    older, newer = await mailed.reset_token(), await mailed.reset_token()
    with pytest.raises(InvalidTokenError):
        await mailed.host.password_resets.confirm(older, NEW)
    await mailed.host.password_resets.confirm(newer, NEW)


async def test_mails_that_go_out_in_another_order_leave_the_newest_link_working(mailed: MailedUser) -> None:
    await mailed.mails()
    compose = mailed.host.password_resets.compose
    newer = await compose(request_id="req_2", email=ADA, asked_at="2026-11-30T12:00:01.000000Z")
    older = await compose(request_id="req_1", email=ADA, asked_at="2026-11-30T12:00:00.000000Z")
    again = await compose(request_id="req_2", email=ADA, asked_at="2026-11-30T12:00:01.000000Z")
    assert older is None
    assert newer == again


async def test_requests_that_wait_are_one_mail(mailed: MailedUser) -> None:
    await mailed.mails()
    for _ in range(5):
        await mailed.host.password_resets.ask(ADA)
    assert len(await mailed.mails()) == 1


async def test_any_change_of_the_password_voids_the_link(mailed: MailedUser) -> None:
    token = await mailed.reset_token()
    await mailed.host.password_changes.change(mailed.account.user_id, PASSWORD, NEW)
    with pytest.raises(InvalidTokenError):
        await mailed.host.password_resets.confirm(token, NEWER)
    assert await mailed.signs_in(NEW)


async def test_a_change_voids_a_link_that_was_not_mailed_yet(mailed: MailedUser) -> None:
    await mailed.mails()
    await mailed.host.password_resets.ask(ADA)
    mailed.clock.move(timedelta(seconds=1))
    await mailed.host.password_changes.change(mailed.account.user_id, PASSWORD, NEW)
    assert await mailed.mails() == []


async def test_a_link_works_for_half_an_hour(mailed: MailedUser) -> None:
    token = await mailed.reset_token()
    mailed.clock.move(timedelta(minutes=30))
    with pytest.raises(InvalidTokenError):
        await mailed.host.password_resets.confirm(token, NEW)


@pytest.mark.parametrize("changes", [{"email": "other@example.com"}, {"status": "disabled"}])
async def test_a_link_to_an_earlier_address_or_a_disabled_account_opens_nothing(
    mailed: MailedUser, changes: dict[str, Any]
) -> None:
    token = await mailed.reset_token()
    await mailed.change_account(**changes, newest_reset=(await mailed.stored()).newest_reset)
    with pytest.raises(InvalidTokenError):
        await mailed.host.password_resets.confirm(token, NEW)


@pytest.mark.parametrize("password", ["too short", PASSWORD, "password123456"])
async def test_a_password_outside_the_policy_uses_no_link(mailed: MailedUser, password: str) -> None:
    token = await mailed.reset_token()
    with pytest.raises(ValidationError) as refused:
        await mailed.host.password_resets.confirm(token, password)
    assert [error.pointer for error in refused.value.errors] == ["/password"]
    assert await mailed.signs_in(PASSWORD)
    await mailed.host.password_resets.confirm(token, NEW)


async def test_keys_that_were_made_before_the_address_was_proven_are_gone(mailed: MailedUser) -> None:
    maker = await mailed.host.authentication.authenticate((await mailed.sign_in()).access_token, for_events=False)
    draft = ApiKeyDraft(name="Key", scopes=(Permission.AGENTS_READ,))
    _, key = await mailed.host.api_keys.create(new_id("key"), mailed.organization_id, draft, maker)
    token = await mailed.reset_token()
    assert await mailed.permissions(key)
    await mailed.host.password_resets.confirm(token, NEW)
    assert await mailed.is_refused(key)
    _, later = await mailed.host.api_keys.create(new_id("key"), mailed.organization_id, draft, maker)
    await mailed.host.password_resets.confirm(await mailed.reset_token(), NEWER)
    assert not await mailed.is_refused(later)


async def test_who_confirms_has_shown_that_the_address_is_theirs(mailed: MailedUser) -> None:
    verification = await mailed.token()
    await mailed.host.password_resets.confirm(await mailed.reset_token(), NEW)
    assert not (await mailed.stored()).is_unverified
    with pytest.raises(InvalidTokenError):
        await mailed.host.email_verification.verify(verification, NEWER)


async def test_asking_costs_the_same_for_a_known_and_an_unknown_address_and_mails_nothing_itself(
    mailed: MailedUser,
) -> None:
    costs = []
    for email in (ADA, "nobody@example.com"):
        before = mailed.costs()
        await mailed.host.password_resets.ask(email)
        costs.append(mailed.costs() - before)
    assert costs[0] == costs[1] == {"write": 1}
    assert mailed.post.tries == 0


LOOK_ALIKES = [
    "ada@examp1e.com",
    "\u0430da@example.com",
    "ada@example.com.evil.com",
    "ada+x@example.com",
    "\uff41da@example.com",
]
"""The second begins with a Cyrillic letter, the last with a wide one."""


@pytest.mark.parametrize("email", [*LOOK_ALIKES, "nobody@example.com", "no address at all", "@", " "])
async def test_nobody_else_gets_a_mail(mailed: MailedUser, email: str) -> None:
    await mailed.mails()
    await mailed.host.password_resets.ask(email)
    assert await mailed.mails() == []


async def test_the_mail_goes_to_the_address_as_it_is_stored(mailed: MailedUser) -> None:
    await mailed.mails()
    await mailed.host.password_resets.ask("ADA@Example.COM")
    (mail,) = await mailed.mails()
    assert mail.to == ADA


async def test_a_disabled_user_gets_no_mail(mailed: MailedUser) -> None:
    await mailed.mails()
    await mailed.change_account(status="disabled")
    await mailed.host.password_resets.ask(ADA)
    assert await mailed.mails() == []


class TestBySupport:
    async def test_sessions_and_password_end_and_a_link_is_mailed(self, mailed: MailedUser) -> None:
        await mailed.mails()
        session = (await mailed.sign_in()).access_token
        await mailed.host.password_resets.reset(mailed.account.user_id, "lost phone")
        assert await mailed.is_refused(session)
        assert not await mailed.signs_in(PASSWORD)
        (mail,) = await mailed.mails()
        assert (mail.to, "support" in mail.text) == (ADA, True)
        with pytest.raises(ValidationError):
            await mailed.host.password_resets.confirm(token_of(mail), PASSWORD)
        await mailed.host.password_resets.confirm(token_of(mail), NEW)
        assert await mailed.signs_in(NEW)

    async def test_it_voids_an_earlier_link_and_a_later_one_voids_it(self, mailed: MailedUser) -> None:
        asked = await mailed.reset_token()
        await mailed.host.password_resets.reset(mailed.account.user_id, "lost phone")
        by_support = await mailed.token()
        with pytest.raises(InvalidTokenError):
            await mailed.host.password_resets.confirm(asked, NEW)
        later = await mailed.reset_token()
        with pytest.raises(InvalidTokenError):
            await mailed.host.password_resets.confirm(by_support, NEW)
        await mailed.host.password_resets.confirm(later, NEW)

    async def test_a_lost_mail_is_sent_again_with_the_same_link(self, mailed: MailedUser) -> None:
        await mailed.mails()
        await mailed.host.password_resets.reset(mailed.account.user_id, "lost phone")
        mailed.post.failing(UnavailableError("an answer was lost"))
        assert await mailed.mails() == []
        mailed.post.fail = lambda: None
        mailed.clock.move(timedelta(minutes=5))
        await mailed.host.password_resets.confirm(await mailed.token(), NEW)

    async def test_a_user_who_is_not_there(self, mailed: MailedUser) -> None:
        with pytest.raises(NotFoundError):
            await mailed.host.password_resets.reset("usr_nobody", "lost phone")

    async def test_the_operators_staff_are_not_reset(self, mailed: MailedUser) -> None:
        await mailed.change_account(operator_role="billing")
        with pytest.raises(ForbiddenError):
            await mailed.host.password_resets.reset(mailed.account.user_id, "lost phone")
        assert (await mailed.stored()).password_hash is not None
