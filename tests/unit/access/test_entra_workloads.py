"""Workloads of Entra ID: tokens that it has issued to them, for tokens of a service account."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from shared.bootstrap import Application
from shared.domain.access.identity import ROLE_PERMISSIONS, Permission, Principal
from shared.domain.access.service_accounts import ServiceAccount
from shared.domain.access.workload_clients import EntraWorkload, WorkloadClient
from shared.ports.outbound import OutboundAnswer, OutboundRefusedError
from shared.services.access.oauth_errors import InvalidClientError
from shared.services.access.service_accounts import IssuedToken
from shared.settings import Settings
from tests.doubles.worlds.invoiced_organization import NOW
from tests.doubles.worlds.signed_up_user import SignedUpUser

TENANT = "11111111-2222-3333-4444-555555555555"
WORKLOAD = EntraWorkload(tenant_id=TENANT, client_id="application", object_id="object", audience="api://xyra")
ISSUER, OLD_ISSUER = WORKLOAD.issuers
SECONDS = int(NOW.timestamp())
CLAIMS = {
    "iss": ISSUER,
    "aud": "api://xyra",
    "tid": TENANT,
    "oid": "object",
    "azp": "application",
    "iat": SECONDS,
    "nbf": SECONDS,
    "exp": SECONDS + 600,
}


class EntraId:
    """What is found at the addresses of Entra ID, and nowhere else."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self.key = key

    async def get(self, url: str) -> OutboundAnswer:
        answers: Mapping[str, object] = {
            f"{ISSUER}/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": "https://keys"},
            f"{OLD_ISSUER}.well-known/openid-configuration": {"issuer": OLD_ISSUER, "jwks_uri": "https://keys"},
            "https://keys": {"keys": [{**RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": "1"}]},
        }
        if url not in answers:
            raise OutboundRefusedError(f"nothing is to be asked at {url}")
        return OutboundAnswer(200, json.dumps(answers[url]).encode())

    async def post_form(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> OutboundAnswer:
        raise OutboundRefusedError(f"{url} takes no {form} with {headers}")

    def token(self, key: RSAPrivateKey | None = None, **claims: Any) -> str:
        """Claims that are None are left out."""
        said = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
        return jwt.encode(said, key or self.key, algorithm="RS256", headers={"kid": "1"})


class Registered:
    """A workload of Ada's organization."""

    def __init__(self, ada: SignedUpUser, entra_id: EntraId) -> None:
        self.ada, self.entra_id = ada, entra_id
        self.host = Application(replace(ada.ports, outbound=entra_id), Settings())

    async def register(self) -> None:
        account = ServiceAccount(
            id="reporting",
            scopes=(Permission.EVENTS_WRITE,),
            default_minutes=60,
            maximum_minutes=60,
            tenant_bound=True,
            created_at=NOW,
        )
        await self.host.service_accounts.put(account, None)
        user_id, organization_id = self.ada.account.user_id, self.ada.organization_id
        owner = Principal(user_id, organization_id, ROLE_PERMISSIONS["owner"], user_id=user_id, role="owner")
        client = WorkloadClient(
            id="sac_entra",
            service_account="reporting",
            organization_id=organization_id,
            entra=WORKLOAD,
            created_at=NOW,
            created_by=user_id,
        )
        await self.host.workload_clients.add(client, owner)

    async def ask(self, token: str, client_id: str | None = "sac_entra") -> IssuedToken:
        return await self.host.workload_clients.token(client_id, token, None)


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    """One for all: making it takes a while."""
    return generate_private_key(65537, 2048)


@pytest.fixture
async def registered(ada: SignedUpUser, key: RSAPrivateKey) -> Registered:
    workload = Registered(ada, EntraId(key))
    await workload.register()
    return workload


@pytest.mark.parametrize("claims", [{}, {"iss": OLD_ISSUER, "azp": None, "appid": "application"}], ids=["v2", "v1"])
async def test_a_token_may_be_repeated_and_ours_never_outlives_it(
    registered: Registered, claims: dict[str, str | None]
) -> None:
    token = registered.entra_id.token(**claims)
    first = await registered.ask(token)
    assert first.listed.expires_at == NOW + timedelta(minutes=10)
    principal = await registered.host.authentication.authenticate(first.token or "", for_events=False)
    assert (principal.organization_id, principal.permissions) == (
        registered.ada.organization_id,
        {Permission.EVENTS_WRITE},
    )
    registered.ada.clock.set(NOW + timedelta(minutes=9))
    assert (await registered.ask(token)).listed.expires_at == NOW + timedelta(minutes=10)
    registered.ada.clock.set(NOW + timedelta(minutes=10))
    with pytest.raises(InvalidClientError, match="expired"):
        await registered.ask(token)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://login.example.com/v2.0"},
        {"iss": ISSUER.replace("1111", "2222")},
        {"aud": "api://another"},
        {"aud": ["api://xyra", "api://another"]},
        {"tid": "another"},
        {"oid": "another"},
        {"azp": "another"},
        {"azp": None},
        {"appid": "another"},
        {"exp": SECONDS},
        {"exp": None},
        {"nbf": SECONDS + 120},
    ],
    ids=str,
)
async def test_a_token_that_says_something_else_is_refused(registered: Registered, claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidClientError):
        await registered.ask(registered.entra_id.token(**claims))


async def test_a_token_that_entra_id_has_not_signed_is_refused(registered: Registered) -> None:
    public = RSAAlgorithm.to_jwk(registered.entra_id.key.public_key(), as_dict=True)["n"]
    for forged in (
        registered.entra_id.token(generate_private_key(65537, 2048)),
        jwt.encode(CLAIMS, None, algorithm="none"),
        jwt.encode(CLAIMS, public, algorithm="HS256", headers={"kid": "1"}),
    ):
        with pytest.raises(InvalidClientError):
            await registered.ask(forged)
    with pytest.raises(InvalidClientError):
        await registered.ask(registered.entra_id.token(), client_id=None)
