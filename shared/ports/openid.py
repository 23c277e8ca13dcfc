"""Identity providers that speak OpenID Connect: where people are sent, and who comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ProviderClient:
    """As what we are known to an identity provider."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class BrowserSecrets:
    """What ties the answer of a provider to the browser that was sent there."""

    state: str
    nonce: str
    verifier: str
    """Of PKCE."""


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """What the browser brings back."""

    code: str
    issuer: str | None
    """RFC 9207; None where it was not sent."""


@dataclass(frozen=True, slots=True)
class ProvenIdentity:
    """Who has signed in there."""

    subject: str
    email: str
    is_email_verified: bool
    name: str


class IdentityRefusedError(Exception):
    """What came back proves nobody. The text says why."""


class OpenId(Protocol):
    async def check(self, issuer: str) -> None:
        """That the issuer describes itself as we need it.

        Raises `IdentityRefusedError`, `OutboundRefusedError`, `UnavailableError`.
        """
        ...

    async def authorization_url(self, client: ProviderClient, secrets: BrowserSecrets) -> str:
        """Where the browser is sent. Raises as `check`."""
        ...

    async def identity(
        self, client: ProviderClient, secrets: BrowserSecrets, answer: ProviderAnswer, now: datetime
    ) -> ProvenIdentity:
        """Who has signed in, by the code that came back. Raises as `check`."""
        ...

    async def signed_claims(self, issuer: str, token: str) -> Mapping[str, Any]:
        """What a token says that the issuer has signed (RS256). Nothing else of it is checked. Raises as `check`."""
        ...
