"""Identity providers of organizations, the domains that they speak for, and who came from them."""

import re
from datetime import datetime, timedelta
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from shared.domain.access.identity import Role
from shared.domain.access.links import LIFETIMES
from shared.domain.kernel.audit import BOOKKEEPING, FOLLOWS, Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint, named_id
from shared.domain.kernel.times import Instant

MAXIMUM_PROVIDERS = 10
"""Of an organization."""
MAXIMUM_DOMAINS = 20
"""Of a provider."""
START_LIFETIME = timedelta(minutes=10)
"""How long somebody may take to sign in at the provider."""
OFFERS_APART = timedelta(minutes=5)
"""Of mails to one account, however often somebody of a provider comes."""
LONGEST_SESSION = timedelta(hours=24)
"""That a provider's word is good for."""
RECORD = "_xyra."
"""Before a domain, where its TXT record is looked for."""
SECRET_FIELD = "identity_providers.client_secret"  # noqa: S105  the name of a field

_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


class ClaimedDomain(BaseModel):
    """A domain of e-mail addresses that the provider speaks for, once a record in it says so."""

    model_config = ConfigDict(frozen=True)

    domain: str
    token: str
    """What the TXT record says."""
    verified_at: Instant | None = None


class IdentityProvider(Entity):
    """An OpenID Connect issuer that an organization trusts for its people."""

    kind: ClassVar[str] = "identity_provider"
    audit: ClassVar[Audit] = Audited(area="identity_providers", secret=frozenset({"sealed_secret"}))
    organization_id: str
    name: str
    issuer: str
    client_id: str
    sealed_secret: str
    """Of the client."""
    domains: tuple[ClaimedDomain, ...] = ()
    default_role: Role
    """Of members who come from it for the first time; never owner."""
    password_allowed: bool = True
    """Whether members may sign in to the organization otherwise, too."""
    created_at: Instant

    @property
    def verified_domains(self) -> tuple[str, ...]:
        return tuple(each.domain for each in self.domains if each.verified_at is not None)

    @property
    def named_domains(self) -> frozenset[str]:
        """Verified or not."""
        return frozenset(each.domain for each in self.domains)

    def speaks_for(self, email: str) -> bool:
        return domain_of(email) in self.verified_domains

    def with_domains(self, wanted: tuple[str, ...]) -> Self:
        """Those that stay keep their tokens and what was shown."""
        present = {each.domain: each for each in self.domains}
        domains = [present.get(name) or ClaimedDomain(domain=name, token=self._token(name)) for name in wanted]
        return self.changed(domains=tuple(domains))

    def with_verified(self, domain: str, now: datetime) -> Self:
        domains = [
            each.model_copy(update={"verified_at": each.verified_at or now}) if each.domain == domain else each
            for each in self.domains
        ]
        return self.changed(domains=tuple(domains))

    def _token(self, domain: str) -> str:
        """The same each time, and nothing that tells of anything else: whoever has the domain may publish it."""
        return "xyra-domain=" + named_id("dv", self.organization_id, self.id, domain)


class DomainHolder(Entity):
    """Which provider speaks for a domain: the first that has shown that it is theirs."""

    kind: ClassVar[str] = "domain_holder"
    audit: ClassVar[Audit] = FOLLOWS
    id: str = "domain"
    organization_id: str
    provider_id: str


class ProviderIdentity(Entity):
    """Whose account somebody of a provider signs in to, by the provider and the `sub` that it says."""

    kind: ClassVar[str] = "provider_identity"
    audit: ClassVar[Audit] = FOLLOWS
    id: str = "identity"
    user_id: str


class StartedSignIn(Entity):
    """That a browser was sent to a provider. It is used up by what the browser brings back."""

    kind: ClassVar[str] = "started_sign_in"
    audit: ClassVar[Audit] = BOOKKEEPING
    id: str = "started"
    provider_id: str
    state: str
    nonce: str
    verifier: str
    links_user: str | None = None
    """The user who wants to link the account; None for a sign-in."""
    for_page: bool = False
    """Whether it was begun on the page to sign in, and leads back to pages."""
    expires_at: Instant
    ttl: int = int(START_LIFETIME.total_seconds())


class LinkOffer(Entity):
    """That somebody of a provider may be linked with the account, once the link is followed that is mailed to it.

    It is in the user's partition; a newer one replaces it.
    """

    kind: ClassVar[str] = "link_offer"
    audit: ClassVar[Audit] = BOOKKEEPING
    id: str = "link_offer"
    request_id: str
    provider_id: str
    organization_id: str
    """The provider's."""
    identity: str
    """The partition of the provider's identity, in which its `sub` cannot be read."""
    asked_at: Instant
    ttl: int = int(LIFETIMES["account_link"].total_seconds())


class LinkTicket(Entity):
    """That a signed-in user wants to link the account with a provider. It is used once."""

    kind: ClassVar[str] = "link_ticket"
    audit: ClassVar[Audit] = BOOKKEEPING
    id: str = "ticket"
    provider_id: str
    user_id: str
    expires_at: Instant
    ttl: int = int(START_LIFETIME.total_seconds())


def domain_of(email: str) -> str:
    return email.rpartition("@")[2].lower()


def checked_domain(domain: str) -> str:
    """In lower case. Raises `ValueError` unless it is a name of a domain."""
    lower = domain.strip().lower()
    if not _DOMAIN.fullmatch(lower):
        raise ValueError("is no domain, such as example.com; write other letters as xn--")
    return lower


def domain_partition(domain: str) -> str:
    return f"domain:{domain}"


def identity_partition(provider_id: str, subject: str) -> str:
    return f"identity:{provider_id}:{fingerprint(subject)}"


def started_partition(cookie: str) -> str:
    return f"sso:{fingerprint(cookie)}"


def ticket_partition(token: str) -> str:
    return f"sso_link:{fingerprint(token)}"


def arriving_user(provider_id: str, subject: str) -> str:
    """The id of the account that somebody new gets: a repeated arrival knows its own work by it."""
    return named_id("usr", "provider", provider_id, subject)
