"""Single sign-on over HTTP, against a provider and a name server on this machine that lie where a test wants."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from tests.doubles.clients.browser_pages import PageBrowser
from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.mailbox import Mailbox
from tests.doubles.clients.xyra_client import PASSWORD, Answer, Client, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.servers.name_server import NameServer
from tests.doubles.servers.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider

Json = dict[str, Any]


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with NameServer.running() as server:
        yield server


@pytest.fixture(scope="module")
def sign_on_host(tmp_path_factory: pytest.TempPathFactory, names: NameServer) -> Iterator[Served]:
    """It may go to 127.0.0.1, where the provider is, and to no other address of this machine."""
    directory = tmp_path_factory.mktemp("single-sign-on")
    clock_file = directory / "clock"
    clock_file.write_text(NOW.isoformat(), encoding="utf-8")
    settings = {"XYRA_OUTBOUND_ALLOW": "127.0.0.1/32", "XYRA_DNS_SERVER": names.address}
    process = XyraProcess(directory / "data", clock_file=clock_file, **settings)
    try:
        yield asyncio.run(Served.by(process))
    finally:
        process.end()


@pytest.fixture
async def host(sign_on_host: Served) -> AsyncIterator[Xyra]:
    async with sign_on_host.clients() as clients:
        yield clients


@pytest.fixture
async def issuer(sign_on_host: Served) -> AsyncIterator[OpenIdProvider]:
    async with OpenIdProvider.running() as provider:
        provider.now = sign_on_host.process.now()
        yield provider


@dataclass
class Company:
    """An organization whose owner has set up the issuer for a domain of theirs."""

    xyra: Xyra
    names: NameServer
    issuer: OpenIdProvider
    owner_email: str
    organization_id: str
    domain: str
    provider: Json

    @property
    def path(self) -> str:
        return f"identity-providers/{self.provider['id']}"

    async def owner(self) -> Client:
        return await self.xyra.sign_in(self.owner_email)

    async def verify(self) -> Answer:
        return await (await self.owner()).send("POST", f"{self.path}/domains/{self.domain}/verify")

    def person(self, name: str = "grace") -> str:
        """Who signs in at the provider next; their address."""
        email = f"{name}.{uuid4().hex[:8]}@{self.domain}"
        self.issuer.person = {"sub": uuid4().hex, "email": email, "name": "Grace Hopper"}
        return email

    async def start(self, path: str | None = None, **query: str) -> tuple[str, str]:
        """Where the browser is sent, and the cookie that it has got."""
        url = path or f"auth/sso/{self.provider['id']}/start"
        answer = await self.xyra.anonymous.send("GET", url, **query)
        answer.expect(302)
        cookie, *attributes = answer.headers["Set-Cookie"].split("; ")
        assert {"HttpOnly", "SameSite=Lax", "Max-Age=600"} <= set(attributes)
        return answer.headers["Location"], cookie

    async def come_back(self, back: str, cookie: str | None, **changes: str) -> Answer:
        parts = urlsplit(back)
        query = dict(parse_qsl(parts.query)) | changes
        headers = {} if cookie is None else {"Cookie": cookie}
        answer = await self.xyra.anonymous.send("GET", parts.path, headers=headers, **query)
        assert answer.headers["Cache-Control"] == "no-store"
        return answer

    async def sign_in(self, **query: str) -> Answer:
        location, cookie = await self.start(**query)
        return await self.come_back(self.issuer.sign_in(location), cookie)


async def company(host: Xyra, names: NameServer, issuer: OpenIdProvider, domain: str, **fields: Any) -> Company:
    email = f"{uuid4().hex}@example.com"
    made = await host.sign_up(email)
    owner = await host.sign_in(email)
    body = {
        "name": "Acme",
        "issuer": issuer.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "domains": [domain],
        "default_role": "developer",
        **fields,
    }
    provider = await owner.post("identity-providers", body)
    return Company(host, names, issuer, email, made["organization"]["id"], domain, provider)


@pytest.fixture
async def acme(host: Xyra, names: NameServer, issuer: OpenIdProvider) -> Company:
    domain = f"acme-{uuid4().hex[:8]}.example.com"
    acme = await company(host, names, issuer, domain)
    (claimed,) = acme.provider["domains"]
    assert (claimed["record"], claimed["verified_at"]) == (f"_xyra.{domain}", None)
    names.records[claimed["record"]] = ["another record", claimed["token"]]
    assert (await acme.verify()).expect(200)["domains"][0]["verified_at"] is not None
    return acme


@pytest.mark.walk
async def test_somebody_new_becomes_a_member_just_in_time_and_signs_in_again(acme: Company) -> None:
    email = acme.person()
    offered = await acme.xyra.anonymous.get("auth/sso", email=f"whoever@{acme.domain}")
    assert [provider["id"] for provider in offered["providers"]] == [acme.provider["id"]]
    tokens = (await acme.sign_in()).expect(200)
    assert tokens["organization_id"] == acme.organization_id
    client = acme.xyra.bearing(tokens["access_token"])
    me = await client.get("auth/me")
    assert (me["user"]["email"], me["user"]["full_name"], me["role"]) == (email, "Grace Hopper", "developer")
    await client.get("agents")
    members = (await (await acme.owner()).get("members"))["data"]
    assert [member["role"] for member in members if member["user_id"] == me["user"]["id"]] == ["developer"]
    again = (await acme.sign_in()).expect(200)
    assert (await acme.xyra.bearing(again["access_token"]).get("auth/me"))["user"]["id"] == me["user"]["id"]
    sessions = {"method": "GET", "path": "auth/sessions"}, {"method": "POST", "path": "auth/totp"}
    for call in sessions:
        (await client.send(**call)).problem(403, "forbidden")
    switch = {"organization_id": acme.organization_id}
    (await client.send("POST", "auth/switch", switch)).problem(403, "forbidden")
    password = {"current": PASSWORD, "password": "seven green umbrellas in the rain"}
    (await client.send("POST", "auth/password/change", password)).problem(403, "forbidden")


async def test_what_comes_back_is_taken_once_and_in_the_same_browser(acme: Company) -> None:
    acme.person()
    location, cookie = await acme.start()
    back = acme.issuer.sign_in(location)
    (await acme.come_back(back, None)).problem(401, "unauthenticated")
    _, other = await acme.start()
    (await acme.come_back(back, other)).problem(401, "unauthenticated")
    (await acme.come_back(back, cookie)).expect(200)
    (await acme.come_back(back, cookie)).problem(401, "unauthenticated")
    location, cookie = await acme.start()
    (await acme.come_back(acme.issuer.sign_in(location), cookie, state="x")).problem(401, "unauthenticated")
    location, cookie = await acme.start()
    (await acme.come_back(acme.issuer.sign_in(location), cookie, state="é")).problem(401, "unauthenticated")
    location, cookie = await acme.start()
    denied = await acme.come_back(acme.issuer.sign_in(location), cookie, error="access_denied")
    denied.problem(403, "forbidden")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://another.example.com"},
        {"aud": "another client"},
        {"aud": [CLIENT_ID, "another client"]},
        {"nonce": "an old one"},
        {"exp": timedelta(minutes=-2)},
        {"iat": timedelta(hours=1)},
        {"azp": "another client"},
        {"email_verified": False},
        {"email": "grace@somewhere-else.example.com"},
        {"email": None},
        {"sub": ""},
    ],
    ids=str,
)
async def test_an_id_token_that_says_something_else_lets_nobody_in(acme: Company, claims: Json) -> None:
    acme.person()
    now = acme.issuer.now
    acme.issuer.claims = {
        name: int((now + value).timestamp()) if isinstance(value, timedelta) else value
        for name, value in claims.items()
    }
    (await acme.sign_in()).problem(403, "forbidden")


@pytest.mark.parametrize("name", ["ada@other.example.com,grace", "Grace <grace", "grace\r\nBcc: ada"])
async def test_what_is_not_one_address_lets_nobody_in(acme: Company, name: str) -> None:
    acme.person()
    acme.issuer.claims = {"email": f"{name}@{acme.domain}"}
    (await acme.sign_in()).problem(403, "forbidden")


async def test_another_signer_or_issuer_lets_nobody_in(acme: Company) -> None:
    acme.person()
    acme.issuer.iss = "https://another.example.com"
    (await acme.sign_in()).problem(403, "forbidden")
    acme.issuer.iss = None
    acme.issuer.key = generate_private_key(65537, 2048)
    (await acme.sign_in()).problem(403, "forbidden")
    acme.issuer.described = {"issuer": "https://another.example.com"}
    answer = await acme.xyra.anonymous.send("GET", f"auth/sso/{acme.provider['id']}/start")
    answer.problem(403, "forbidden")


@pytest.mark.parametrize("endpoint", ["jwks_uri", "token_endpoint"])
async def test_an_issuer_that_leads_to_a_private_address_later_is_not_followed(acme: Company, endpoint: str) -> None:
    """127.0.0.2 is not listed: the first look was fine, and what it describes now is not gone to."""
    acme.person()
    location, cookie = await acme.start()
    acme.issuer.described = {endpoint: "http://127.0.0.2:80/"}
    answer = await acme.come_back(acme.issuer.sign_in(location), cookie)
    answer.problem(403, "forbidden")
    assert "public Internet" in answer.json()["detail"]


@pytest.mark.parametrize(
    "issuer_url",
    ["http://127.0.0.2:9/", "http://169.254.169.254/", "http://[::1]:9/", "http://10.0.0.1/", "http://localhost:9/"],
)
async def test_an_issuer_that_is_not_on_the_public_internet_is_refused(acme: Company, issuer_url: str) -> None:
    body = {"name": "Bad", "issuer": issuer_url, "client_id": "x", "client_secret": "a-long-secret"}
    answer = await (await acme.owner()).send("POST", "identity-providers", body)
    if answer.status != 503:  # localhost is 127.0.0.1 on some machines, which is listed and does not answer
        assert answer.problem(422, "validation") == ["/issuer"]


async def test_a_domain_is_spoken_for_by_whoever_shows_first_that_it_is_theirs(acme: Company) -> None:
    other = await company(acme.xyra, acme.names, acme.issuer, acme.domain)
    (await other.verify()).problem(409, "conflict")  # the record says another token
    (claimed,) = other.provider["domains"]
    acme.names.records[claimed["record"]].append(claimed["token"])
    (await other.verify()).problem(409, "conflict")
    other.person()
    (await other.sign_in()).problem(403, "forbidden")
    offered = await acme.xyra.anonymous.get("auth/sso", email=f"x@{acme.domain}")
    assert [provider["id"] for provider in offered["providers"]] == [acme.provider["id"]]
    (await (await acme.owner()).send("DELETE", acme.path)).expect(204)
    (await other.verify()).expect(200)


async def test_without_a_record_a_domain_is_not_verified(acme: Company) -> None:
    new = f"new-{uuid4().hex[:8]}.example.com"
    owner = await acme.owner()
    changed = (await owner.send("PATCH", acme.path, {"domains": [acme.domain, new]})).expect(200)
    assert [each["verified_at"] is None for each in changed["domains"]] == [False, True]
    (await owner.send("POST", f"{acme.path}/domains/{new}/verify")).problem(409, "conflict")
    (await owner.send("POST", f"{acme.path}/domains/not-named.example.com/verify")).problem(404, "not_found")


class Linking:
    """Somebody who has an account already, and comes by the company's provider."""

    def __init__(self, acme: Company, served: Served) -> None:
        self.acme, self.xyra = acme, acme.xyra
        self.mailbox = Mailbox(served.process, acme.xyra)
        self.email = acme.person("ada")
        self.made: Json = {}

    async def sign_up(self, *, verified: bool) -> None:
        self.made = await self.xyra.sign_up(self.email)
        token = await self.mailbox.token(self.email)
        if verified:
            await self.xyra.anonymous.post("auth/email/verify", {"token": token, "password": PASSWORD}, expect=204)

    async def link(self) -> str:
        """The token of the mail that is sent when they come."""
        self.acme.issuer.now = self.mailbox.now
        (await self.acme.sign_in()).problem(403, "link_required")
        return await self.mailbox.token(self.email)

    async def page(self, method: str, token: str) -> Answer:
        headers = {"Sec-Fetch-Site": "same-origin"}
        form = {} if method == "POST" else None
        return await self.xyra.anonymous.send(method, "/account/link", form=form, headers=headers, token=token)

    async def comes_in(self) -> Answer:
        self.acme.issuer.now = self.mailbox.now
        return await self.acme.sign_in()


@pytest.fixture
async def linking(acme: Company, sign_on_host: Served) -> Linking:
    return Linking(acme, sign_on_host)


async def test_an_existing_account_is_linked_after_its_own_sign_in(linking: Linking) -> None:
    path = f"auth/sso/{linking.acme.provider['id']}/link"
    await linking.sign_up(verified=False)
    client = await linking.xyra.sign_in(linking.email)
    (await client.send("POST", path)).problem(403, "email_unverified")
    other = await linking.xyra.sign_in((await linking.xyra.sign_up())["user"]["email"])
    (await other.send("POST", path)).problem(404, "not_found")  # of another domain, and no member
    await client.post("auth/email/send", expect=202)
    token = await linking.mailbox.token(linking.email)
    await linking.xyra.anonymous.post("auth/email/verify", {"token": token, "password": PASSWORD}, expect=204)
    client = await linking.xyra.sign_in(linking.email)
    url = (await client.send("POST", path)).expect(200)["url"]
    linking.acme.issuer.now = linking.mailbox.now
    tokens = (await linking.acme.sign_in(link=dict(parse_qsl(urlsplit(url).query))["link"])).expect(200)
    assert tokens["organization_id"] == linking.acme.organization_id
    again = (await linking.comes_in()).expect(200)
    me = await linking.xyra.bearing(again["access_token"]).get("auth/me")
    assert (me["user"]["id"], me["role"]) == (linking.made["user"]["id"], "developer")


async def test_an_existing_account_is_linked_by_a_mailed_link_once(linking: Linking) -> None:
    await linking.sign_up(verified=True)
    before = await linking.xyra.sign_in(linking.email)
    token = await linking.link()
    (await linking.comes_in()).problem(403, "link_required")
    assert await linking.mailbox.arrivals(linking.email) == []  # one mail in five minutes
    assert b"Confirm it" in (await linking.page("GET", token)).body
    (await linking.comes_in()).problem(403, "link_required")  # looking at the page changes nothing
    foreign = await linking.xyra.anonymous.send("POST", "/account/link", form={}, token=token)
    foreign.expect(403)
    assert b"Your account is linked" in (await linking.page("POST", token)).body
    assert b"This link does not work" in (await linking.page("POST", token)).body
    tokens = (await linking.comes_in()).expect(200)
    me = await linking.xyra.bearing(tokens["access_token"]).get("auth/me")
    assert (me["user"]["id"], me["organization"]["id"]) == (linking.made["user"]["id"], linking.acme.organization_id)
    await before.get("auth/me")  # a verified account keeps its own sessions
    owner = await linking.acme.owner()
    (told,) = (await owner.get("audit", action="users.link_identity"))["data"]
    assert told["target"] == {"type": "user", "id": linking.made["user"]["id"]}


async def test_only_the_newest_mailed_link_works(linking: Linking) -> None:
    await linking.sign_up(verified=True)
    first = await linking.link()
    await linking.mailbox.pass_time(timedelta(minutes=6))
    second = await linking.link()
    assert b"This link does not work" in (await linking.page("POST", first)).body
    await linking.mailbox.pass_time(timedelta(minutes=61))
    assert b"This link does not work" in (await linking.page("POST", second)).body


async def test_who_signed_up_with_a_foreign_address_has_nothing_once_it_is_linked(linking: Linking) -> None:
    """Mallory signs up with Ada's address, and waits for Ada to come by her company."""
    await linking.sign_up(verified=False)
    mallory = await linking.xyra.sign_in(linking.email)
    key = linking.xyra.bearing((await mallory.post("api-keys", {"name": "x", "scopes": ["agents:read"]}))["token"])
    await key.get("agents")
    assert b"Your account is linked" in (await linking.page("POST", await linking.link())).body
    (await mallory.send("GET", "auth/me")).problem(401, "unauthenticated")
    (await key.send("GET", "agents")).problem(401, "unauthenticated")
    form = {"username": linking.email, "password": PASSWORD}
    (await linking.xyra.anonymous.send("POST", "auth/login", form=form)).problem(401, "unauthenticated")
    (await linking.comes_in()).expect(200)


async def test_a_member_who_was_removed_does_not_come_back_by_a_link(linking: Linking) -> None:
    organization = linking.acme.organization_id
    owner = await linking.acme.owner()
    await linking.xyra.operator.post(
        "invitations", {"email": linking.email, "role": "viewer"}, organization_id=organization
    )
    body = {"token": await linking.mailbox.token(linking.email), "password": PASSWORD, "full_name": "Ada"}
    accepted = await linking.xyra.anonymous.post("invitations/accept", body, expect=200)
    token = await linking.link()
    owner = await linking.acme.owner()
    (await owner.send("DELETE", f"members/{accepted['member_id']}")).expect(204)
    assert b"This link does not work" in (await linking.page("POST", token)).body
    (await linking.comes_in()).problem(403, "forbidden")


async def test_a_deleted_organization_speaks_for_no_domain(acme: Company) -> None:
    other = await company(acme.xyra, acme.names, acme.issuer, acme.domain)
    (claimed,) = other.provider["domains"]
    acme.names.records[claimed["record"]].append(claimed["token"])
    (await other.verify()).problem(409, "conflict")
    (await acme.xyra.operator.send("DELETE", f"organizations/{acme.organization_id}")).expect(204)
    assert (await acme.xyra.anonymous.get("auth/sso", email=f"x@{acme.domain}"))["providers"] == []
    (await other.verify()).expect(200)
    offered = await acme.xyra.anonymous.get("auth/sso", email=f"x@{acme.domain}")
    assert [provider["id"] for provider in offered["providers"]] == [other.provider["id"]]


async def test_who_begins_on_the_page_ends_on_the_pages_once(acme: Company) -> None:
    email = acme.person()
    browser = PageBrowser(acme.xyra.anonymous)
    offered = await browser.send("sign-in", step="company", email=email)
    assert f"/api/v1/auth/sso/{acme.provider['id']}/start?page=true".encode() in offered.body
    location, cookie = await acme.start(page="true")
    back = acme.issuer.sign_in(location)
    answer = await acme.come_back(back, cookie)
    assert (answer.status, answer.headers["Location"], answer.body) == (303, "/account/security", b"")
    browser.take(answer)
    assert b"Your company signs you in" in (await browser.open("security")).body
    for step in ("begin_totp", "begin_passkey", "renew_codes"):
        assert (await browser.send("security", step=step, name="x")).status == 403
    (await acme.come_back(back, cookie)).problem(401, "unauthenticated")
    assert (await browser.send("security", step="sign_out")).headers["Location"] == "/account/sign-in"
    assert not await browser.is_signed_in()


async def test_who_may_come_in_by_the_company_only_is_told_so_on_the_page(acme: Company) -> None:
    (await (await acme.owner()).send("PATCH", acme.path, {"password_allowed": False})).expect(200)
    browser = PageBrowser(acme.xyra.anonymous)
    assert (await browser.sign_in(acme.owner_email, PASSWORD)).status == 303
    page = await browser.open("security")
    assert b"through its own sign-in only" in page.body
    assert (await browser.send("security", step="sign_out_everywhere")).status == 303


async def test_browsers_are_told_on_a_page_what_programs_get_as_a_problem(acme: Company) -> None:
    path = f"auth/sso/{acme.provider['id']}/callback"
    browser = await acme.xyra.anonymous.send("GET", path, headers={"Accept": "text/html,*/*;q=0.8"}, state="x")
    assert (browser.status, browser.media_type) == (401, "text/html")
    assert b"You are not signed in" in browser.body
    (await acme.xyra.anonymous.send("GET", path, state="x")).problem(401, "unauthenticated")


async def test_a_member_links_the_account_and_passwords_are_switched_off(acme: Company) -> None:
    member = acme.owner_email
    owner = await acme.owner()
    assert (await owner.send("PATCH", acme.path, {"default_role": "owner"})).problem(403, "forbidden") == []
    acme.issuer.person = {"sub": uuid4().hex, "email": member}
    (await acme.sign_in()).problem(403, "forbidden")  # of another domain
    (await owner.send("PATCH", acme.path, {"password_allowed": False})).expect(200)
    (await owner.send("GET", "agents")).problem(401, "unauthenticated")
    only_linking = await acme.owner()
    (await only_linking.send("GET", "agents")).problem(403, "mfa_enrolment_required")
    url = (await only_linking.send("POST", f"auth/sso/{acme.provider['id']}/link")).expect(200)["url"]
    link = dict(parse_qsl(urlsplit(url).query))["link"]
    (await acme.sign_in(link=link)).problem(403, "forbidden")  # another domain still
    again = await acme.xyra.anonymous.send("GET", f"auth/sso/{acme.provider['id']}/start", link=link)
    again.problem(401, "unauthenticated")
    name = acme.person()
    tokens = (await acme.sign_in()).expect(200)
    await acme.xyra.bearing(tokens["access_token"]).get("agents")
    assert name.endswith(acme.domain)
    back = await acme.xyra.operator.send("PATCH", acme.path, {"password_allowed": True})
    back.expect(200)
    await (await acme.owner()).get("agents")


async def test_a_provider_that_is_removed_ends_its_sessions(acme: Company) -> None:
    acme.person()
    client = acme.xyra.bearing((await acme.sign_in()).expect(200)["access_token"])
    await client.get("agents")
    (await (await acme.owner()).send("DELETE", acme.path)).expect(204)
    (await client.send("GET", "agents")).problem(401, "unauthenticated")
    answer = await acme.xyra.anonymous.send("GET", f"auth/sso/{acme.provider['id']}/start")
    answer.problem(404, "not_found")


async def test_a_removed_member_does_not_come_back_by_the_provider(acme: Company) -> None:
    acme.person()
    tokens = (await acme.sign_in()).expect(200)
    user_id = jwt.decode(tokens["access_token"], options={"verify_signature": False})["sub"]
    owner = await acme.owner()
    (member,) = [each for each in (await owner.get("members"))["data"] if each["user_id"] == user_id]
    (await owner.send("DELETE", f"members/{member['id']}")).expect(204)
    (await acme.sign_in()).problem(403, "forbidden")


async def test_only_owners_write_providers_and_nobody_sees_the_secret(acme: Company) -> None:
    owner = await acme.owner()
    seen = await owner.get(acme.path)
    assert CLIENT_SECRET not in str(seen)
    scopes = ["organizations:write", "members:write"]
    key = await acme.xyra.key_of(acme.organization_id, scopes)
    (await key.send("GET", "identity-providers")).problem(403, "forbidden")
    entries = (await owner.get("audit", limit=100, action="identity_providers.create"))["data"]
    assert entries[0]["after"]["sealed_secret"] == "(secret)"
