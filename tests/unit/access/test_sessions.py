"""Who a token stands for is read with every call: its session, account, membership and organization."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.secret_file.secrets import LocalSecrets
from shared.bootstrap import Application, Ports
from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import (
    ACCOUNT,
    Account,
    Membership,
    address_partition,
    user_partition,
)
from shared.domain.access.identity import OPERATOR_ONLY, ROLE_PERMISSIONS, Permission
from shared.domain.access.sessions import MAXIMUM_SESSIONS, Session, session_partition_of_before
from shared.domain.kernel.errors import ForbiddenError, UnauthenticatedError
from shared.domain.kernel.ids import new_id
from shared.services.access.accounts import SignUp
from shared.services.access.sessions import SignedIn
from shared.services.access.tokens import Claims
from shared.settings import Settings
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.invoiced_organization import NOW

ADA, PASSWORD = "ada@example.com", "correct horse battery staple"


class People:
    """Ada with her organization, on a store that two hosts share."""

    def __init__(self, secrets: Path) -> None:
        self.store, self.clock = MemoryStore(), SettableClock(NOW)
        self.ports = Ports(self.store, MemoryQueue(), self.clock, LocalSecrets(secrets))
        self.host, self.other_host = Application(self.ports, Settings()), Application(self.ports, Settings())
        self.account: Account

    async def sign_up(self) -> None:
        wanted = SignUp(
            email=ADA,
            password=PASSWORD,
            full_name="Ada",
            organization_name="Engines",
            currency="USD",
            timezone="UTC",
        )
        self.account, _ = await self.host.accounts.sign_up(wanted)

    @property
    def organization_id(self) -> str:
        return self.account.organization_ids[0]

    async def sign_in(self) -> SignedIn:
        return await self.host.accounts.sign_in(ADA, PASSWORD, None)

    async def change_account(self, **changes: Any) -> None:
        await self.store.upsert(
            DIRECTORY.name, user_partition(self.account.user_id), self.account.changed(**changes).document()
        )

    async def change_membership(self, **changes: Any) -> None:
        membership = Membership(id=self.account.user_id, role="owner", joined_at=NOW).changed(**changes)
        await self.store.upsert(TENANTS.name, self.organization_id, membership.document())

    async def permissions(self, token: str, *, for_events: bool = False) -> frozenset[Permission]:
        return (await self.host.authentication.authenticate(token, for_events=for_events)).permissions

    async def is_refused(self, token: str, *, for_events: bool = False) -> bool:
        try:
            await self.permissions(token, for_events=for_events)
        except UnauthenticatedError:
            return True
        return False


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[People], Any]], None]:
    """Plays a story of Ada, who has signed up, in virtual time."""
    hash_quickly(monkeypatch)

    async def played(story: Callable[[People], Any]) -> None:
        people = People(tmp_path / "secrets.json")
        await people.sign_up()
        await story(people)

    return lambda story: virtual_time.run(played(story))


Run = Callable[[Callable[[People], Any]], None]


def test_the_role_is_the_memberships_and_not_the_tokens(run: Run) -> None:
    async def story(people: People) -> None:
        signed_in = await people.sign_in()
        assert await people.permissions(signed_in.access_token) == ROLE_PERMISSIONS["owner"] - OPERATOR_ONLY
        claims = Claims(people.account.user_id, people.organization_id, ("owner", "system"), signed_in.session_id)
        forged = await people.host.tokens.issue(claims)
        await people.change_membership(role="viewer")
        principal = await people.host.authentication.authenticate(forged, for_events=False)
        assert principal.permissions == ROLE_PERMISSIONS["viewer"] - OPERATOR_ONLY
        assert (principal.role, principal.user_id) == ("viewer", people.account.user_id)
        assert (principal.session_id, principal.projects) == (signed_in.session_id, None)

    run(story)


@pytest.mark.parametrize(
    "changes", [{"status": "disabled"}, {"sessions_ended_at": NOW}, {"sessions_ended_at": NOW + timedelta(minutes=1)}]
)
def test_what_ends_sessions_of_an_account_ends_them_at_the_next_call(run: Run, changes: dict[str, Any]) -> None:
    async def story(people: People) -> None:
        token = (await people.sign_in()).access_token
        await people.permissions(token)
        await people.change_account(**changes)
        assert await people.is_refused(token)

    run(story)


def test_what_ends_sessions_of_a_membership_ends_them_in_that_organization(run: Run) -> None:
    async def story(people: People) -> None:
        token = (await people.sign_in()).access_token
        await people.change_membership(sessions_ended_at=NOW)
        assert await people.is_refused(token)
        again = (await people.sign_in()).access_token
        assert await people.permissions(again)
        await people.store.delete(TENANTS.name, people.organization_id, people.account.user_id)
        assert await people.is_refused(again)

    run(story)


def test_who_was_signed_out_can_sign_in_at_the_same_moment(run: Run) -> None:
    async def story(people: People) -> None:
        await people.change_account(sessions_ended_at=NOW + timedelta(seconds=1))  # by a host whose clock is ahead
        assert await people.permissions((await people.sign_in()).access_token)

    run(story)


def test_a_disabled_account_cannot_sign_in(run: Run) -> None:
    async def story(people: People) -> None:
        await people.change_account(status="disabled")
        with pytest.raises(ForbiddenError):
            await people.sign_in()

    run(story)


def test_only_events_may_use_what_was_read_ten_seconds_ago(run: Run) -> None:
    async def story(people: People) -> None:
        token = (await people.sign_in()).access_token
        assert Permission.EVENTS_WRITE in await people.permissions(token, for_events=True)
        await people.change_membership(role="viewer")
        assert Permission.EVENTS_WRITE not in await people.permissions(token)
        people.clock.move(timedelta(seconds=9))
        assert Permission.EVENTS_WRITE in await people.permissions(token, for_events=True)
        people.clock.move(timedelta(seconds=1))
        assert Permission.EVENTS_WRITE not in await people.permissions(token, for_events=True)

    run(story)


def test_a_session_ends_with_its_family_even_for_a_token_that_lives_longer(run: Run) -> None:
    async def story(people: People) -> None:
        signed_in = await people.sign_in()
        people.clock.move(timedelta(days=30, seconds=-1))
        late = await people.host.tokens.issue(
            Claims(people.account.user_id, people.organization_id, ("owner",), signed_in.session_id)
        )
        assert await people.permissions(late)
        people.clock.move(timedelta(seconds=1))
        assert await people.is_refused(late)

    run(story)


def test_the_twenty_first_sign_in_ends_the_session_unused_longest(run: Run) -> None:
    async def story(people: People) -> None:
        tokens = []
        for _ in range(MAXIMUM_SESSIONS + 2):
            tokens.append((await people.sign_in()).access_token)
            people.clock.move(timedelta(seconds=1))
        refused = [await people.is_refused(token) for token in tokens]
        assert refused == [True, True, *[False] * MAXIMUM_SESSIONS]

    run(story)


def test_a_token_of_another_organization_or_side_than_its_sessions_is_refused(run: Run) -> None:
    async def story(people: People) -> None:
        session_id = (await people.sign_in()).session_id
        for organization_id in (new_id("org"), None):
            claims = Claims(people.account.user_id, organization_id, ("system",), session_id)
            assert await people.is_refused(await people.host.tokens.issue(claims))

    run(story)


def as_before(account: Account) -> dict[str, Any]:
    """The account as earlier versions stored it, in the partition of its address."""
    newer = {"earlier_password_hashes", "last_login_at", "sessions_ended_at"}
    return {name: value for name, value in account.document().items() if name not in newer}


def test_an_account_and_a_session_of_an_earlier_version_keep_working(run: Run) -> None:
    async def story(people: People) -> None:
        account = people.account
        await people.store.delete(DIRECTORY.name, user_partition(account.user_id), ACCOUNT)
        await people.store.upsert(DIRECTORY.name, address_partition(ADA), as_before(account))
        session_id = new_id("ses")
        session = {
            "id": session_id,
            "kind": Session.kind,
            "user_id": account.user_id,
            "organization_id": people.organization_id,
            "refresh_fingerprint": "f" * 64,
            "expires_at": "2026-04-01T00:00:00.000000Z",
        }
        await people.store.create(DIRECTORY.name, session_partition_of_before(session_id), session)
        token = await people.host.tokens.issue(Claims(account.user_id, people.organization_id, ("owner",), session_id))
        assert await people.permissions(token) == ROLE_PERMISSIONS["owner"] - OPERATOR_ONLY
        signed_in = await people.sign_in()
        assert await people.permissions(signed_in.access_token) == await people.permissions(token)
        assert signed_in.organization_id == people.organization_id
        item = await people.store.get(DIRECTORY.name, user_partition(account.user_id), ACCOUNT)
        assert item is not None
        carried_over = Account.read(item.document)
        assert carried_over.changed(last_login_at=None) == account
        await people.change_account(sessions_ended_at=NOW - timedelta(days=1))
        assert await people.is_refused(token)

    run(story)
