"""OpenID Connect, by Authlib and joserfc, which are imported at the first use: most processes need neither."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.ports.openid import BrowserSecrets, ProvenIdentity, ProviderAnswer, ProviderClient
from shared.ports.outbound import Outbound

if TYPE_CHECKING:
    from shared.adapters.openid.provider import DescribedProviders


class OpenIdProviders:
    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._described: DescribedProviders | None = None

    async def check(self, issuer: str) -> None:
        await self._providers().check(issuer)

    async def authorization_url(self, client: ProviderClient, secrets: BrowserSecrets) -> str:
        return await self._providers().authorization_url(client, secrets)

    async def identity(
        self, client: ProviderClient, secrets: BrowserSecrets, answer: ProviderAnswer, now: datetime
    ) -> ProvenIdentity:
        return await self._providers().identity(client, secrets, answer, now)

    async def signed_claims(self, issuer: str, token: str) -> Mapping[str, Any]:
        return await self._providers().signed_claims(issuer, token)

    def _providers(self) -> "DescribedProviders":
        if self._described is None:
            from shared.adapters.openid.provider import DescribedProviders  # noqa: PLC0415  see above

            self._described = DescribedProviders(self._outbound)
        return self._described
