"""Accounts that there are already are linked with an identity provider by a link that is mailed to them."""

from typing import Final

from shared.containers import DIRECTORY
from shared.domain.access.accounts import Account, address_fingerprint, user_partition
from shared.domain.access.identity_providers import (
    OFFERS_APART,
    IdentityProvider,
    LinkOffer,
    ProviderIdentity,
    identity_partition,
)
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import ConflictError, InvalidTokenError, NotFoundError
from shared.domain.kernel.ids import new_id
from shared.ports.clock import Clock
from shared.services.access.arrivals import Arrivals
from shared.services.access.identity_providers import IdentityProviders
from shared.services.access.letters import ACCESS_MAIL, Letter
from shared.services.access.made_credentials import MadeCredentials
from shared.services.access.mailed_links import LinkRequest, MailedLinks
from shared.services.access.sessions import Sessions
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import (
    AlreadyExistsError,
    Operation,
    Outbox,
    Records,
    StaleEtagError,
    Store,
    Stored,
    noting,
    putting,
)
from shared.services.tenancy.organizations import Organizations

TEMPLATE: Final = "account_link"
_OFFER, _IDENTITY = "link_offer", "identity"


class LinkOffers:
    """An offer and the entry for its mail are stored in one batch of the user's partition."""

    def __init__(self, store: Store, clock: Clock, outbox: Outbox) -> None:
        self._clock = clock
        self._offers = Records(store, DIRECTORY, LinkOffer)
        self._mails = outbox.sender(ACCESS_MAIL)

    async def make(self, account: Account, provider: IdentityProvider, subject: str) -> None:
        """Have a link mailed to the account, unless one was a moment ago. Only the newest link works."""
        partition, now = user_partition(account.user_id), self._clock.now()
        present = await self._offers.find(partition, _OFFER)
        if present is not None and now < present.entity.asked_at + OFFERS_APART:
            return
        offer = LinkOffer(
            request_id=new_id("req"),
            provider_id=provider.id,
            organization_id=provider.organization_id,
            identity=identity_partition(provider.id, subject),
            asked_at=now,
        )
        entry = self._mails.entry(TEMPLATE, template=TEMPLATE, request_id=offer.request_id, user_id=account.user_id)
        try:
            await self._offers.write(partition, present, offer, putting(entry))
        except (AlreadyExistsError, StaleEtagError):
            return  # another one was made at this moment


class ProviderLinks:
    """The offer decides: it is deleted once the identity is the account's, and without it the link opens nothing."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        links: MailedLinks,
        providers: IdentityProviders,
        organizations: Organizations,
        arrivals: Arrivals,
        sessions: Sessions,
        credentials: MadeCredentials,
    ) -> None:
        self._clock = clock
        self._links = links
        self._providers = providers
        self._organizations = organizations
        self._arrivals = arrivals
        self._sessions = sessions
        self._credentials = credentials
        self._accounts = StoredAccounts(store)
        self._offers = Records(store, DIRECTORY, LinkOffer)
        self._identities = Records(store, DIRECTORY, ProviderIdentity)

    async def compose(self, *, request_id: str, user_id: str) -> Letter | None:
        """The mail with the link; None where a newer one was asked for, it was used, or it can be used no longer."""
        stored = await self._offers.find(user_partition(user_id), _OFFER)
        if stored is None or stored.entity.request_id != request_id:
            return None
        offer = stored.entity
        try:
            account = (await self._accounts.get(user_id)).entity
            provider = (await self._providers.get(offer.organization_id, offer.provider_id)).entity
            organization = await self._organizations.get(offer.organization_id)
        except NotFoundError:
            return None
        if not _may_be_linked(account, provider):
            return None
        address = address_fingerprint(account.email)
        link = await self._links.issue(LinkRequest(TEMPLATE, request_id, user_id, address, offer.asked_at))
        names = {"name": account.full_name, "provider": provider.name, "organization": organization.name}
        return None if link is None else Letter(account.email, offer.asked_at, link, names)

    async def accept(self, token: str) -> None:
        """Link the account by the mailed link, once. Its user is a member from then on.

        What opened an account before whose address nobody had proven opens it no longer. Raises `InvalidTokenError`,
        `ConflictError` where somebody else has the identity, `UnavailableError`.
        """
        link = await self._links.find(TEMPLATE, token)
        partition = user_partition(link.holder_id)
        stored = await self._offers.find(partition, _OFFER)
        if stored is None or stored.entity.request_id != link.request_id:
            raise InvalidTokenError
        account, provider = await self._both(link.holder_id, stored.entity)
        if address_fingerprint(account.email) != link.address_fingerprint or not _may_be_linked(account, provider):
            raise InvalidTokenError
        await self._prove(account)
        identity = ProviderIdentity(user_id=account.user_id)
        linked = await self._identities.create(stored.entity.identity, identity, linking(account, provider))
        if linked.entity.user_id != account.user_id:
            raise ConflictError("This identity was linked with another account meanwhile")
        await self._arrivals.join(provider, account.user_id)
        await self._use_up(partition, stored)

    async def _both(self, user_id: str, offer: LinkOffer) -> tuple[Account, IdentityProvider]:
        """Raises `InvalidTokenError` where one of them is gone."""
        try:
            account = (await self._accounts.get(user_id)).entity
            return account, (await self._providers.get(offer.organization_id, offer.provider_id)).entity
        except NotFoundError as error:
            raise InvalidTokenError from error

    async def _prove(self, account: Account) -> None:
        """Whoever has the link has the mailbox."""
        if account.is_unverified:
            await self._credentials.remove_unproven(account)
            now = self._clock.now()
            await self._sessions.end_all(account.user_id, lambda current: current.proven(now), with_devices=True)

    async def _use_up(self, partition: str, offer: Stored[LinkOffer]) -> None:
        """Raises `InvalidTokenError` where another call has used it at the same time."""
        try:
            await self._offers.erase(partition, offer)
        except StaleEtagError as error:
            raise InvalidTokenError from error


def linking(account: Account, provider: IdentityProvider) -> Operation:
    """Tells the audit trail that the account is signed in to by the provider from now on."""
    trails, target = (provider.organization_id,), Target("user", account.user_id)
    return noting(
        "users.link_identity", target, trails, actor_id=account.user_id, details={"identity_provider_id": provider.id}
    )


def _may_be_linked(account: Account, provider: IdentityProvider) -> bool:
    """Whether the provider still speaks for somebody whom it may bring in."""
    return (
        provider.speaks_for(account.email)
        and account.operator_role is None
        and account.status != "disabled"
        and provider.organization_id not in account.former_organization_ids
    )
