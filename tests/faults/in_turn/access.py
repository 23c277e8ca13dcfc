"""Users who sign up, and API keys."""

import re
from contextlib import suppress
from datetime import timedelta
from typing import ClassVar

from shared.bootstrap import Application
from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, AddressClaim, Membership, address_partition, user_partition
from shared.domain.access.api_keys import WorkingKey, key_partition
from shared.domain.access.identity import Permission, Principal
from shared.domain.access.service_accounts import ServiceAccount
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnauthenticatedError, UnavailableError
from shared.domain.kernel.ids import named_id
from shared.services.access.accounts import SignUp as SignUpRequest
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.access.service_accounts import IssuedToken, TokenRequest
from shared.services.access.sessions import SignedIn
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, Scene
from tests.faults.in_turn.path import Path, Result

ADA = "ada@example.com"


def signing_up(email: str) -> SignUpRequest:
    return SignUpRequest(
        email=email,
        password="correct horse battery staple",
        full_name="Ada",
        organization_name="New",
        currency="USD",
        timezone="UTC",
    )


async def stored_account(scene: Scene) -> Account:
    """Ada's. The claim of her address carries nothing any longer."""
    item = await scene.store.get(DIRECTORY.name, address_partition(ADA), ACCOUNT)
    assert item is not None
    claim = AddressClaim.read(item.document)
    assert claim.pending is None
    item = await scene.store.get(DIRECTORY.name, user_partition(claim.user_id), ACCOUNT)
    assert item is not None
    return Account.read(item.document)


async def assert_signed_up(scene: Scene) -> Account:
    """Ada's account owns exactly one organization, and no other was created on the way."""
    host = scene.host()
    account = await stored_account(scene)
    organizations = (await host.organizations.list(1000, None))[0]
    (owned,) = [organization for organization in organizations if organization.billing_email == ADA]
    assert (owned.id, owned.name) == (account.organization_ids[0], "New")
    assert await host.organizations.find(owned.slug) == owned.id
    members = await scene.documents(TENANTS.name, owned.id, Membership.kind)
    assert [(member["id"], member["role"]) for member in members] == [(account.user_id, "owner")]
    slugs = [organization.slug for organization in organizations]
    assert len(slugs) == len(set(slugs))
    return account


class SignUp(Path):
    """Somebody signs up. Meanwhile another takes the same name for an organization."""

    async def walk(self, host: Application) -> None:
        await self._sign_up(host, ADA)

    async def do_other(self, host: Application) -> None:
        await self._sign_up(host, "bob@example.com")

    async def _sign_up(self, host: Application, email: str) -> None:
        with suppress(ConflictError):  # an earlier try got through: its owner signs in instead
            await host.accounts.sign_up(signing_up(email))

    async def result(self) -> Result:
        await self.scene.drain()
        account = await assert_signed_up(self.scene)
        organization = await self.scene.host().organizations.get(account.organization_ids[0])
        random_end = re.compile(r"-[a-z2-7]{6}$")
        return Result((account.status, random_end.sub("", organization.slug)), None)


class Refresh(Path):
    """A client refreshes its session with the tokens that it was answered last. Meanwhile its user signs in again.

    Where the client is told that its session has ended, it asks its user to sign in.
    """

    first: ClassVar[SignedIn]

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.answered: list[SignedIn] = []

    async def prepare(self) -> None:
        host = self.scene.host()
        await host.accounts.sign_up(signing_up(ADA))
        type(self).first = await self._sign_in(host)

    async def walk(self, host: Application) -> None:
        latest = [self.first, *self.answered][-1]
        with suppress(UnauthenticatedError):
            self.answered.append(await host.sessions.refresh(latest.refresh_token))

    async def do_other(self, host: Application) -> None:
        await self._sign_in(host)

    async def _sign_in(self, host: Application) -> SignedIn:
        return await host.accounts.sign_in(ADA, signing_up(ADA).password, None)

    async def result(self) -> Result:
        """At most one of the session's refresh tokens works, and it is the one that was answered last."""
        await self.scene.drain()
        working = []
        for signed_in in [self.first, *self.answered]:
            with suppress(UnauthenticatedError):
                await self.scene.copy().host().sessions.refresh(signed_in.refresh_token)
                working.append(signed_in)
        assert working in ([], [[self.first, *self.answered][-1]])
        sessions = await self.scene.host().sessions.in_force(self.first_user_id)
        family = [session for session in sessions if session.id == self.first.session_id]
        assert len(family) == len(working)
        return Result((await assert_signed_up(self.scene)).status, None)

    @property
    def first_user_id(self) -> str:
        return self.first.refresh_token.partition(".")[0]


class CreateApiKey(Path):
    """A client creates an API key. Where its token got lost, it deletes the key and creates another."""

    creator = Principal("usr_1", ORGANIZATION, frozenset(Permission))
    key_id = named_id("key", "new")
    token = ""

    async def walk(self, host: Application) -> None:
        try:
            self.token = await self._create(host, self.key_id)
        except ConflictError as error:
            with suppress(NotFoundError):
                await host.api_keys.delete(ORGANIZATION, self.key_id, None)
            raise UnavailableError("The client begins anew") from error

    async def do_other(self, host: Application) -> None:
        await self._create(host, named_id("key", "other"))

    async def _create(self, host: Application, key_id: str) -> str:
        draft = ApiKeyDraft(name=f"Key {key_id}", scopes=(Permission.EVENTS_WRITE,))
        _, token = await host.api_keys.create(key_id, ORGANIZATION, draft, self.creator)
        assert token is not None
        return token

    async def result(self) -> Result:
        """The token works, and each key that works is listed."""
        await self.scene.drain()
        host = self.scene.host()
        principal = await host.authentication.authenticate(self.token, for_events=False)
        keys = (await host.api_keys.page(ORGANIZATION, 100, None)).entities
        listed = {key.fingerprint for key in keys}
        working = {
            item.document["key"]["fingerprint"]
            for pk in self.scene.store.partitions_of(DIRECTORY.name)
            if (item := await self.scene.store.get(DIRECTORY.name, pk, "key"))
        }
        assert working <= listed
        assert (await host.limits.of(ORGANIZATION)).use.of("api_keys") == len(keys)
        assert await host.owners.of(self.key_id) == ORGANIZATION
        ours = [key for key in keys if key.id != named_id("key", "other")]
        return Result((principal.id == self.key_id, len(ours)), None)


class ChangeApiKey(CreateApiKey):
    """An owner changes how what a key reports is read. Meanwhile another owner changes its name."""

    async def prepare(self) -> None:
        await self._create(self.scene.host(), self.key_id)
        self.scene.clock.move(timedelta(minutes=5))

    async def walk(self, host: Application) -> None:
        await self._change(host, agent_wait_seconds=7)

    async def do_other(self, host: Application) -> None:
        await self._change(host, name="Renamed")

    async def _change(self, host: Application, **changes: object) -> None:
        await host.api_keys.update(ORGANIZATION, self.key_id, changes, self.creator, None)

    async def result(self) -> Result:
        """What makes the key work is what is listed of it."""
        self.scene.clock.move(timedelta(minutes=10))
        await self.scene.host().outbox.sweep()
        await self.scene.drain()
        host = self.scene.host()
        (listed, _) = await host.api_keys.get(ORGANIZATION, self.key_id)
        working = await self.scene.store.get(DIRECTORY.name, key_partition(listed.fingerprint), "key")
        assert working is not None
        assert WorkingKey.read(working.document).key == listed
        return Result(listed.reporting.agent_wait_seconds, None)


class IssueMachineToken(Path):
    """The operator issues a token of a service account. Meanwhile another host issues an equal one."""

    name = "reporting"

    async def prepare(self) -> None:
        account = ServiceAccount(
            id=self.name,
            scopes=(Permission.EVENTS_WRITE,),
            default_minutes=60,
            maximum_minutes=60,
            tenant_bound=True,
            created_at=self.scene.clock.now(),
        )
        await self.scene.host().service_accounts.put(account, None)

    async def walk(self, host: Application) -> None:
        await self._issue(host)

    async def do_other(self, host: Application) -> None:
        await self._issue(host)

    async def _issue(self, host: Application) -> IssuedToken:
        issuer = Principal("usr_operator", None, frozenset(Permission))
        return await host.service_accounts.issue(self.name, ORGANIZATION, TokenRequest(None, None, "Fault"), issuer)

    async def result(self) -> Result:
        """One token is listed, and a further request names it."""
        await self.scene.drain()
        page = await self.scene.host().service_accounts.page(ORGANIZATION, "active", 100, None)
        (listed,) = page.entities
        assert await self._issue(self.scene.host()) == IssuedToken(None, listed)
        return Result(listed.scopes, None)
