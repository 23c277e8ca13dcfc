"""Signing in by an organization's identity provider: where the browser is sent, and who comes back."""

import hmac
import secrets as random_values
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from shared.containers import DIRECTORY
from shared.domain.access.accounts import Account, comparable_address
from shared.domain.access.identity import Principal
from shared.domain.access.identity_providers import (
    LONGEST_SESSION,
    START_LIFETIME,
    IdentityProvider,
    LinkTicket,
    ProviderIdentity,
    StartedSignIn,
    identity_partition,
    started_partition,
    ticket_partition,
)
from shared.domain.access.origins import UNKNOWN_ORIGIN, Origin
from shared.domain.kernel.errors import (
    ConflictError,
    EmailUnverifiedError,
    ForbiddenError,
    LinkRequiredError,
    NotFoundError,
    UnauthenticatedError,
)
from shared.ports.clock import Clock
from shared.ports.openid import (
    BrowserSecrets,
    IdentityRefusedError,
    OpenId,
    ProvenIdentity,
    ProviderAnswer,
    ProviderClient,
)
from shared.ports.outbound import OutboundRefusedError
from shared.services.access.arrivals import Arrivals
from shared.services.access.identity_providers import IdentityProviders
from shared.services.access.proofs import Proven
from shared.services.access.provider_links import LinkOffers, linking
from shared.services.access.scopes import SessionScopes
from shared.services.access.sessions import Sessions, SignedIn, check_enabled
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Owners, Records, StaleEtagError, Store

SSO_PATH = "/api/v1/auth/sso"
_STARTED, _TICKET, _IDENTITY = "started", "ticket", "identity"
_RANDOM_BYTES = 32

T = TypeVar("T")

_MEMBERSHIP_ENDED = "The membership was ended; ask an admin for an invitation"
_OVER = "The sign-in was used already, has expired, or was begun in another browser: begin again"


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser is sent, and the cookie that it comes back with."""

    url: str
    cookie: str
    lifetime: timedelta = START_LIFETIME


@dataclass(frozen=True, slots=True)
class Return:
    """What a browser comes back with."""

    cookie: str
    state: str
    code: str
    issuer: str | None
    """RFC 9207."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Who has come back from a provider is signed in."""

    signed_in: SignedIn
    for_page: bool
    """Whether they go on on the pages."""


class SingleSignOn:
    """The item of a started sign-in is found by the cookie, and deleted before anything else is done with it."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        owners: Owners,
        providers: IdentityProviders,
        openid: OpenId,
        scopes: SessionScopes,
        sessions: Sessions,
        arrivals: Arrivals,
        offers: LinkOffers,
        public_origin: str,
    ) -> None:
        self._clock = clock
        self._owners = owners
        self._providers = providers
        self._openid = openid
        self._scopes = scopes
        self._sessions = sessions
        self._arrivals = arrivals
        self._offers = offers
        self._origin = public_origin
        self._accounts = StoredAccounts(store)
        self._started = Records(store, DIRECTORY, StartedSignIn)
        self._tickets = Records(store, DIRECTORY, LinkTicket)
        self._identities = Records(store, DIRECTORY, ProviderIdentity)

    def start_url(self, provider: IdentityProvider) -> str:
        return f"{self._origin}{SSO_PATH}/{provider.id}/start"

    def redirect_uri(self, provider: IdentityProvider) -> str:
        """Where the provider sends browsers back to."""
        return f"{self._origin}{SSO_PATH}/{provider.id}/callback"

    async def link_url(self, provider_id: str, by: Principal) -> str:
        """Where a signed-in user begins to link the account with a provider. It works once, for 10 minutes.

        For members, and for who may become one. Raises `NotFoundError` for others, `EmailUnverifiedError`.
        """
        provider = await self._providers.found(self._owners, provider_id)
        user_id = by.user_id or ""
        account = (await self._accounts.get(user_id)).entity
        if provider.organization_id not in account.organization_ids:
            _check_may_join(account, provider)
        token = random_values.token_urlsafe(_RANDOM_BYTES)
        expires_at = self._clock.now() + START_LIFETIME
        ticket = LinkTicket(provider_id=provider_id, user_id=user_id, expires_at=expires_at)
        await self._tickets.create(ticket_partition(token), ticket)
        return f"{self.start_url(provider)}?link={token}"

    async def start(self, provider_id: str, link: str | None, *, for_page: bool = False) -> Departure:
        """With `for_page` whoever comes back goes on on the pages.

        Raises `NotFoundError`, `ForbiddenError` where the provider cannot be used, `UnauthenticatedError`.
        """
        provider = await self._providers.found(self._owners, provider_id)
        links_user = None if link is None else await self._linking_user(provider_id, link)
        cookie, state, nonce, verifier = (random_values.token_urlsafe(_RANDOM_BYTES) for _ in range(4))
        secrets = BrowserSecrets(state, nonce, verifier)
        url = await self._asked(self._openid.authorization_url(await self._client(provider), secrets))
        started = StartedSignIn(
            provider_id=provider_id,
            state=state,
            nonce=nonce,
            verifier=verifier,
            links_user=links_user,
            for_page=for_page,
            expires_at=self._clock.now() + START_LIFETIME,
        )
        await self._started.create(started_partition(cookie), started)
        return Departure(url, cookie)

    async def _linking_user(self, provider_id: str, token: str) -> str:
        partition = ticket_partition(token)
        stored = await self._tickets.find(partition, _TICKET)
        if stored is None or stored.entity.provider_id != provider_id or stored.entity.expires_at <= self._clock.now():
            raise UnauthenticatedError(_OVER)
        try:
            await self._tickets.erase(partition, stored)
        except StaleEtagError as error:
            raise UnauthenticatedError(_OVER) from error
        return stored.entity.user_id

    async def finish(self, provider_id: str, back: Return, origin: Origin = UNKNOWN_ORIGIN) -> Arrived:
        """Begin a session for whoever the provider says has signed in.

        Raises `UnauthenticatedError` for what is not ours or was used; `ForbiddenError` for who may not come in;
        `LinkRequiredError` where the address has an account that is not linked yet.
        """
        started = await self._used_up(provider_id, back)
        provider = await self._providers.found(self._owners, provider_id)
        secrets = BrowserSecrets(started.state, started.nonce, started.verifier)
        answer = ProviderAnswer(back.code, back.issuer)
        identity = await self._asked(
            self._openid.identity(await self._client(provider), secrets, answer, self._clock.now())
        )
        account = await self._account(provider, identity, started.links_user)
        check_enabled(account)
        try:
            scope = await self._scopes.in_organization(account.user_id, provider.organization_id)
        except NotFoundError as error:
            raise ForbiddenError(_MEMBERSHIP_ENDED) from error
        begun = await self._sessions.begin(account.user_id, scope, origin, prove=_by_provider, longest=LONGEST_SESSION)
        return Arrived(begun, started.for_page)

    async def _used_up(self, provider_id: str, back: Return) -> StartedSignIn:
        """Raises `UnauthenticatedError`."""
        partition = started_partition(back.cookie)
        stored = await self._started.find(partition, _STARTED)
        if stored is None:
            raise UnauthenticatedError(_OVER)
        try:
            await self._started.erase(partition, stored)
        except StaleEtagError as error:
            raise UnauthenticatedError(_OVER) from error
        started = stored.entity
        is_ours = started.provider_id == provider_id and hmac.compare_digest(
            started.state.encode(), back.state.encode()
        )
        if not is_ours or self._clock.now() >= started.expires_at:
            raise UnauthenticatedError(_OVER)
        return started

    async def _account(self, provider: IdentityProvider, identity: ProvenIdentity, links_user: str | None) -> Account:
        """The account of somebody of the provider: a known one, one that is linked now, or a new member's.

        Raises `ForbiddenError` for an address that the provider does not speak for, `LinkRequiredError`.
        """
        if not identity.is_email_verified:
            raise ForbiddenError("The identity provider does not say that the e-mail address is verified")
        if not provider.speaks_for(identity.email):
            raise ForbiddenError("The identity provider does not speak for the domain of this address")
        partition = identity_partition(provider.id, identity.subject)
        known = await self._identities.find(partition, _IDENTITY)
        if known is not None:
            return await self._known(known.entity.user_id)
        account = await self._new_here(provider, identity, links_user)
        linked = await self._identities.create(
            partition, ProviderIdentity(user_id=account.user_id), linking(account, provider)
        )
        if linked.entity.user_id != account.user_id:
            raise ConflictError("This identity was linked with another account meanwhile")
        return account

    async def _known(self, user_id: str) -> Account:
        """Raises `ForbiddenError` for somebody who was erased."""
        try:
            return self._checked((await self._accounts.get(user_id)).entity)
        except NotFoundError as error:
            raise ForbiddenError("The account was erased; ask an admin for an invitation") from error

    async def _new_here(self, provider: IdentityProvider, identity: ProvenIdentity, links_user: str | None) -> Account:
        if links_user is not None:
            account = (await self._accounts.get(links_user)).entity
            if comparable_address(account.email) != comparable_address(identity.email):
                raise ForbiddenError("The identity provider says another address than that of your account")
            if account.is_unverified:
                raise EmailUnverifiedError("Confirm your e-mail address first, by the link in the mail")
            if provider.organization_id in account.former_organization_ids:
                raise ForbiddenError(_MEMBERSHIP_ENDED)
            await self._arrivals.join(provider, self._checked(account).user_id)
            return account
        arrived = await self._arrivals.arrive(provider, identity)
        if arrived is None:
            await self._offer_link(provider, identity)
            raise LinkRequiredError(
                "There is an account with this address: follow the link in the mail that was sent to it, or sign in to"
                f" it and link it with POST /api/v1/auth/sso/{provider.id}/link"
            )
        return arrived

    async def _offer_link(self, provider: IdentityProvider, identity: ProvenIdentity) -> None:
        """Raises `ForbiddenError` for whoever may not come in."""
        found = await self._accounts.find(identity.email)
        if found is None or found.stored is None:
            return  # it is being made at this moment
        account = self._checked(found.account)
        check_enabled(account)
        if provider.organization_id in account.former_organization_ids:
            raise ForbiddenError(_MEMBERSHIP_ENDED)
        await self._offers.make(account, provider, identity.subject)

    @staticmethod
    def _checked(account: Account) -> Account:
        if account.operator_role is not None:
            raise ForbiddenError("The operator's staff do not sign in by an organization's provider")
        return account

    async def _client(self, provider: IdentityProvider) -> ProviderClient:
        return ProviderClient(
            issuer=provider.issuer,
            client_id=provider.client_id,
            client_secret=await self._providers.secret_of(provider),
            redirect_uri=self.redirect_uri(provider),
        )

    @staticmethod
    async def _asked(asking: Awaitable[T]) -> T:
        """Raises `ForbiddenError` where the provider cannot be used, or what it says proves nobody."""
        try:
            return await asking
        except (OutboundRefusedError, IdentityRefusedError) as error:
            raise ForbiddenError(f"The identity provider cannot be used: {error}") from error


def _check_may_join(account: Account, provider: IdentityProvider) -> None:
    """Raises `NotFoundError` for whoever the provider does not bring in, `EmailUnverifiedError`."""
    is_former = provider.organization_id in account.former_organization_ids
    if is_former or account.operator_role is not None or not provider.speaks_for(account.email):
        raise NotFoundError("There is no such identity provider")
    if account.is_unverified:
        raise EmailUnverifiedError("Confirm your e-mail address first, by the link in the mail")


async def _by_provider(account: Account) -> Proven:
    return Proven(account, ("provider",))
