"""Single sign-on against `oidc-provider` from npm, which is certified for OpenID Connect and knows nothing of us."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest

from tests.doubles.clients.browser_pages import PageBrowser
from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Answer, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.servers.name_server import NameServer
from tests.doubles.servers.oidc_provider import CertifiedProvider, certified_provider

Json = dict[str, Any]

CLIENT_ID, CLIENT_SECRET = "xyra", "the-secret-of-the-registration"

pytestmark = pytest.mark.npm


@pytest.fixture(scope="module")
def provider() -> Iterator[CertifiedProvider]:
    with certified_provider() as running:
        yield running


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with NameServer.running() as server:
        yield server


@pytest.fixture(scope="module")
def present_host(
    tmp_path_factory: pytest.TempPathFactory, names: NameServer, provider: CertifiedProvider
) -> Iterator[Served]:
    """By the clock of this machine, as the provider's is. It comes after the provider, without which nothing runs."""
    assert provider.issuer
    process = XyraProcess(tmp_path_factory.mktemp("certified") / "data", XYRA_DNS_SERVER=names.address)
    try:
        yield asyncio.run(Served.by(process))
    finally:
        process.end()


@pytest.fixture
async def host(present_host: Served) -> AsyncIterator[Xyra]:
    async with present_host.clients() as clients:
        yield clients


class Company:
    def __init__(self, host: Xyra, provider: CertifiedProvider, domain: str, made: Json) -> None:
        self.xyra, self.provider, self.domain, self.made = host, provider, domain, made

    async def depart(self, **query: str) -> tuple[str, str]:
        """Where the browser is sent, and the cookie that it has from now on."""
        path = f"auth/sso/{self.made['id']}/start"
        answer = await self.xyra.anonymous.send("GET", path, **query)
        answer.expect(302)
        return answer.headers["Location"], answer.headers["Set-Cookie"].partition(";")[0]

    async def come_back(self, url: str, cookie: str) -> Answer:
        parts = urlsplit(url)
        query: dict[str, str] = dict(parse_qsl(parts.query))
        return await self.xyra.anonymous.send("GET", parts.path, headers={"Cookie": cookie}, **query)

    async def sign_in(self, name: str, **query: str) -> Answer:
        url, cookie = await self.depart(**query)
        return await self.come_back(await self.provider.sign_in(url, name), cookie)


@pytest.fixture
async def acme(host: Xyra, names: NameServer, provider: CertifiedProvider) -> Company:
    email, domain = f"{uuid4().hex}@example.com", f"acme-{uuid4().hex[:8]}.example.com"
    await host.sign_up(email)
    owner = await host.sign_in(email)
    body = {
        "name": "Acme",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "domains": [domain],
        "default_role": "developer",
    }
    made = await owner.post("identity-providers", body)
    (claimed,) = made["domains"]
    names.records[claimed["record"]] = [claimed["token"]]
    (await owner.send("POST", f"identity-providers/{made['id']}/domains/{domain}/verify")).expect(200)
    provider.become(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uri=made["redirect_uri"], domain=domain)
    return Company(host, provider, domain, made)


async def test_somebody_comes_in_by_a_certified_provider_and_again(acme: Company) -> None:
    tokens = (await acme.sign_in("grace")).expect(200)
    client = acme.xyra.bearing(tokens["access_token"])
    me = await client.get("auth/me")
    assert (me["user"]["email"], me["user"]["full_name"]) == (f"grace@{acme.domain}", "Grace Hopper")
    assert me["role"] == "developer"
    again = (await acme.sign_in("grace")).expect(200)
    assert (await acme.xyra.bearing(again["access_token"]).get("auth/me"))["user"] == me["user"]
    other = (await acme.sign_in("ada")).expect(200)
    assert (await acme.xyra.bearing(other["access_token"]).get("auth/me"))["user"]["id"] != me["user"]["id"]


async def test_a_browser_that_began_on_the_page_ends_on_the_pages(acme: Company) -> None:
    browser = PageBrowser(acme.xyra.anonymous)
    offered = await browser.send("sign-in", step="company", email=f"grace@{acme.domain}")
    assert f"/api/v1/auth/sso/{acme.made['id']}/start?page=true".encode() in offered.body
    back = await acme.sign_in("grace", page="true")
    assert (back.status, back.headers["Location"]) == (303, "/account/security")
    browser.take(back)
    page = await browser.open("security")
    assert b"Your company signs you in" in page.body
    assert (await browser.send("security", step="begin_totp")).status == 403


async def test_a_code_is_good_once_and_for_the_browser_that_it_was_given_to(acme: Company) -> None:
    url, cookie = await acme.depart()
    back = await acme.provider.sign_in(url, "grace")
    _, another = await acme.depart()
    (await acme.come_back(back, another)).problem(401, "unauthenticated")
    (await acme.come_back(back, cookie)).expect(200)
    (await acme.come_back(back, cookie)).problem(401, "unauthenticated")


async def test_a_secret_that_the_provider_does_not_know_lets_nobody_in(acme: Company) -> None:
    operator, path = acme.xyra.operator, f"identity-providers/{acme.made['id']}"
    (await operator.send("PATCH", path, {"client_secret": "another-secret-than-theirs"})).expect(200)
    (await acme.sign_in("grace")).problem(403, "forbidden")
