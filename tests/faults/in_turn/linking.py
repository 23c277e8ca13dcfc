"""Somebody of an identity provider, who has an account already, follows the link that is mailed to it."""

from contextlib import suppress

from shared.bootstrap import Application
from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import (
    ACCOUNT,
    Account,
    AddressClaim,
    Membership,
    address_partition,
    user_partition,
)
from shared.domain.access.identity_providers import IdentityProvider, LinkOffer, ProviderIdentity, identity_partition
from shared.domain.kernel.errors import InvalidTokenError, UnavailableError
from shared.domain.kernel.ids import named_id
from shared.services.access.provider_links import LinkOffers
from shared.services.storage import Records
from tests.doubles.fakes.post_box import token_of
from tests.doubles.worlds.invoiced_organization import ORGANIZATION
from tests.faults.in_turn.links import SWEPT_EVERY
from tests.faults.in_turn.path import Path, Result
from tests.faults.in_turn.people import OWNER, join, organizations_of

USER, SUBJECT = named_id("usr", "grace at the company"), "248289761001"
EMAIL = "grace@engines.example.com"


class LinkAccount(Path):
    """Meanwhile the same link is followed a second time."""

    token = ""

    def provider(self) -> IdentityProvider:
        now = self.scene.clock.now()
        unverified = IdentityProvider(
            id=named_id("idp", "engines"),
            organization_id=ORGANIZATION,
            name="Engines",
            issuer="https://login.example.com",
            client_id="xyra",
            sealed_secret="",
            default_role="viewer",
            created_at=now,
        ).with_domains(("engines.example.com",))
        return unverified.with_verified("engines.example.com", now)

    async def prepare(self) -> None:
        await join(self.scene, OWNER)
        host, now = self.scene.host(), self.scene.clock.now()
        store = host.audited_store
        provider = self.provider()
        await Records(store, TENANTS, IdentityProvider).ensure(ORGANIZATION, provider)
        account = Account(
            id=ACCOUNT,
            user_id=USER,
            email=EMAIL,
            full_name="Grace Hopper",
            password_hash=None,
            status="active",
            created_at=now,
            verified_at=now,
        )
        await Records(store, DIRECTORY, AddressClaim).ensure(address_partition(EMAIL), AddressClaim(user_id=USER))
        await Records(store, DIRECTORY, Account).ensure(user_partition(USER), account)
        await LinkOffers(store, self.scene.clock, host.outbox).make(account, provider, SUBJECT)
        self.scene.clock.move(SWEPT_EVERY)
        await host.outbox.sweep()
        (message,) = [message for message in self.scene.post.sent if "/account/link" in (message.link or "")]
        type(self).token = token_of(message)

    async def walk(self, host: Application) -> None:
        with suppress(InvalidTokenError):  # an earlier try got through
            await host.provider_links.accept(self.token)

    async def do_other(self, host: Application) -> None:
        with suppress(InvalidTokenError, UnavailableError):
            await host.provider_links.accept(self.token)

    async def result(self) -> Result:
        """One identity, one membership, and a link that opens nothing any more."""
        await self.scene.drain()
        found = await self.scene.store.get(DIRECTORY.name, identity_partition(self.provider().id, SUBJECT), "identity")
        assert found is not None
        assert ProviderIdentity.read(found.document).user_id == USER
        assert await organizations_of(self.scene, USER) == (ORGANIZATION,)
        members = await self.scene.documents(TENANTS.name, ORGANIZATION, Membership.kind)
        assert [member["role"] for member in members if member["id"] == USER] == ["viewer"]
        assert await self.scene.documents(DIRECTORY.name, user_partition(USER), LinkOffer.kind) == []
        with suppress(InvalidTokenError):
            await self.scene.host().provider_links.accept(self.token)
            raise AssertionError("The link works twice")
        return Result(len(members), None)
