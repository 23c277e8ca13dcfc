"""Service accounts over HTTP: the catalog, tokens with a reason, and tokens for signed assertions."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

from tests.doubles.clients.hosts import NOW, Served, TimeMachine
from tests.doubles.clients.mailbox import Mailbox
from tests.doubles.clients.workload import Workload, form
from tests.doubles.clients.xyra_client import Answer, Client, Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.worlds.invited_people import InvitedPeople

Json = dict[str, Any]

REASON = "Deployment of the reporting job"


async def catalog(xyra: Xyra, **fields: Any) -> str:
    """The name of a new service account."""
    name = f"job-{uuid4().hex[:12]}"
    body = {"scopes": ["events:write", "agents:read"], "default_minutes": 60, "maximum_minutes": 120}
    (await xyra.operator.send("PUT", f"service-accounts/{name}", body | fields)).expect(200)
    return name


async def issue(client: Client, name: str, **fields: Any) -> Answer:
    return await client.send("POST", f"service-accounts/{name}/tokens", {"reason": REASON, **fields})


@pytest.mark.walk
async def test_an_admin_issues_lists_and_revokes_a_token(xyra: Xyra) -> None:
    name, made = await catalog(xyra), await xyra.sign_up()
    admin = await xyra.sign_in(made["user"]["email"])
    first = (await issue(admin, name)).expect(201)
    assert (first["scopes"], first["reused"]) == (["events:write", "agents:read"], False)
    assert (first["created_by"], first["root_id"]) == (made["user"]["id"], first["id"])
    machine = xyra.bearing(first["token"])
    assert (await machine.get("agents"))["data"] == []
    (await machine.send("GET", "members")).problem(403, "forbidden")
    (await machine.send("GET", "auth/me")).problem(403, "forbidden")

    again = (await issue(admin, name, scopes=["agents:read", "events:write"])).expect(200)
    assert (again["id"], again["reused"], "token" in again) == (first["id"], True, False)
    other = (await issue(admin, name, scopes=["agents:read"])).expect(201)
    forced = (await issue(admin, name, force=True)).expect(201)
    assert len({first["id"], other["id"], forced["id"]}) == 3

    path = f"service-accounts/tokens/{first['id']}/revoke"
    revoked = (await admin.send("POST", path, {"reason": "The job was retired"})).expect(200)
    assert (revoked["status"], revoked["revoked_reason"]) == ("revoked", "The job was retired")
    (await machine.send("GET", "agents")).problem(401, "unauthenticated")
    (await admin.send("POST", path, {"reason": "again"})).expect(200)
    for status, ids in (("active", {other["id"], forced["id"]}), ("revoked", {first["id"]}), ("expired", set())):
        listed = (await admin.get("service-accounts/tokens", status=status))["data"]
        assert {token["id"] for token in listed} == ids
    stranger = await xyra.sign_in((await xyra.sign_up())["user"]["email"])
    path = f"service-accounts/tokens/{other['id']}/revoke"
    (await stranger.send("POST", path, {"reason": "not mine"})).problem(404, "not_found")


async def test_the_operator_issues_for_an_organization_and_for_itself(xyra: Xyra) -> None:
    organization = await xyra.organization()
    name = await catalog(xyra)
    token = (await issue(xyra.operator, name, organization_id=organization.id)).expect(201)
    assert token["organization_id"] == organization.id
    (await issue(xyra.operator, name)).problem(403, "forbidden")  # it is bound to organizations
    own = await catalog(xyra, tenant_bound=False, scopes=["prices:write"])
    issued = (await issue(xyra.operator, own)).expect(201)
    assert issued["organization_id"] is None
    (await issue(xyra.operator, own, organization_id=organization.id)).problem(403, "forbidden")
    (await issue(organization.key, own)).problem(403, "forbidden")
    (await xyra.bearing(issued["token"]).send("GET", "invoices")).problem(403, "forbidden")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"reason": " "}, "/reason"),
        ({"lifetime_minutes": 121}, "/lifetime_minutes"),
        ({"lifetime_minutes": 0}, "/lifetime_minutes"),
        ({"scopes": ["invoices:read"]}, "/scopes/0"),
        ({"scopes": []}, "/scopes"),
    ],
)
async def test_what_the_catalog_does_not_allow_is_refused(xyra: Xyra, fields: Json, pointer: str) -> None:
    organization = await xyra.organization()
    answer = await issue(organization.key, await catalog(xyra), **fields)
    assert answer.problem(422, "validation") == [pointer]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"scopes": ["users:write"], "tenant_bound": False}, "/scopes/0"),
        ({"scopes": ["prices:write"]}, "/scopes/0"),
        ({"default_minutes": 121}, "/default_minutes"),
        ({"maximum_minutes": 1441}, "/maximum_minutes"),
    ],
)
async def test_a_catalog_that_cannot_be_is_refused(xyra: Xyra, fields: Json, pointer: str) -> None:
    body = {"scopes": ["events:write"], "default_minutes": 60, "maximum_minutes": 120, **fields}
    answer = await xyra.operator.send("PUT", "service-accounts/bad", body)
    assert answer.problem(422, "validation") == [pointer]


async def test_the_catalog_is_the_operators(xyra: Xyra) -> None:
    organization = await xyra.organization()
    body = {"scopes": ["events:write"]}
    (await organization.key.send("PUT", "service-accounts/mine", body)).problem(403, "forbidden")
    (await issue(organization.key, "unknown")).problem(404, "not_found")
    (await xyra.operator.send("PUT", "service-accounts/Not%20a%20name", body)).problem(422, "validation")


async def test_nobody_gives_what_they_do_not_have_and_a_line_ends_with_its_beginning(xyra: Xyra) -> None:
    organization = await xyra.organization()
    name = await catalog(xyra)
    scopes = ["service_accounts:write", "agents:read"]
    made = await organization.key.post("api-keys", {"name": "Issuer", "scopes": scopes})
    issuer = xyra.bearing(made["token"])
    (await issue(issuer, name)).problem(403, "forbidden")
    token = (await issue(issuer, name, scopes=["agents:read"])).expect(201)
    assert token["root_id"] == made["root_id"]
    machine = xyra.bearing(token["token"])
    await machine.get("agents")
    (await organization.key.send("DELETE", f"api-keys/{made['id']}")).expect(204)
    (await machine.send("GET", "agents")).problem(401, "unauthenticated")
    assert (await issue(organization.key, name, scopes=["agents:read"])).expect(201)["id"] != token["id"]


async def test_a_token_ends_when_it_says(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-18T10:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization()
    name = await catalog(xyra)
    token = (await issue(organization.key, name, lifetime_minutes=5)).expect(201)
    machine = xyra.bearing(token["token"])
    await time_machine.at("2026-11-18T10:04:50Z")
    await machine.get("agents")
    await time_machine.at("2026-11-18T10:05:10Z")
    (await machine.send("GET", "agents")).problem(401, "unauthenticated")
    (listed,) = (await organization.key.get("service-accounts/tokens", status="expired"))["data"]
    assert listed["id"] == token["id"]
    (await issue(organization.key, name, lifetime_minutes=5)).expect(201)


class Registered:
    """A workload that an organization has registered."""

    def __init__(self, organization: Organization, xyra: Xyra, name: str, host: XyraProcess) -> None:
        self.organization, self.xyra, self.name, self.host = organization, xyra, name, host
        self.workload = Workload()
        self.client_id = ""

    async def register(self) -> None:
        body = {"jwks": self.workload.jwks}
        made = await self.organization.key.post(f"service-accounts/{self.name}/clients", body)
        assert made["kids"] == ["first"]
        self.client_id = made["client_id"]

    async def ask(self, assertion: str, **fields: str) -> Answer:
        answer = await self.xyra.anonymous.send("POST", "auth/token", form=form(assertion, **fields))
        assert answer.headers["Cache-Control"] == "no-store"
        return answer

    def assertion(self, **claims: Any) -> str:
        """Times of claims are given from now on."""
        now = self.host.now()
        times = {name: int((now + value).timestamp()) for name, value in claims.items() if isinstance(value, timedelta)}
        return self.workload.assertion(self.client_id, now, **(claims | times))


@pytest.fixture
async def registered(xyra: Xyra, shared_host: Served) -> Registered:
    workload = Registered(await xyra.organization(), xyra, await catalog(xyra), shared_host.process)
    await workload.register()
    return workload


async def test_a_workload_gets_a_token_for_a_signed_assertion_once(registered: Registered) -> None:
    assertion = registered.assertion()
    answer = (await registered.ask(assertion, scope="agents:read")).expect(200)
    assert (answer["token_type"], answer["scope"]) == ("Bearer", "agents:read")
    assert 3590 <= answer["expires_in"] <= 3600
    machine = registered.xyra.bearing(answer["access_token"])
    await machine.get("agents")
    (await machine.send("POST", "events", {"id": "1", "type": "x", "agent": "a"})).problem(403, "forbidden")
    replayed = (await registered.ask(assertion)).expect(401)
    assert replayed["error"] == "invalid_client"
    other = (await registered.ask(registered.assertion())).expect(200)
    assert (other["scope"], other["access_token"] != answer["access_token"]) == ("events:write agents:read", True)

    key = registered.organization.key
    (listed,) = (await key.get(f"service-accounts/{registered.name}/clients"))["data"]
    (await key.send("DELETE", f"service-accounts/clients/{listed['client_id']}")).expect(204)
    (await machine.send("GET", "agents")).problem(401, "unauthenticated")
    assert (await registered.ask(registered.assertion())).expect(401)["error"] == "invalid_client"


async def test_what_the_catalog_adds_later_is_not_a_clients(registered: Registered) -> None:
    """Who registered it could not have given more, so its workload gets no more."""
    wider = {"scopes": ["events:write", "agents:read", "organizations:export"]}
    path = f"service-accounts/{registered.name}"
    (await registered.xyra.operator.send("PUT", path, wider)).expect(200)
    assert (await registered.ask(registered.assertion())).expect(200)["scope"] == "events:write agents:read"
    refused = await registered.ask(registered.assertion(), scope="organizations:export")
    assert refused.expect(400)["error"] == "invalid_scope"
    (await registered.xyra.operator.send("PUT", path, {"scopes": ["usage:read"]})).expect(200)
    assert (await registered.ask(registered.assertion())).expect(400)["error"] == "invalid_scope"


async def test_a_client_ends_with_the_key_that_registered_it(registered: Registered) -> None:
    xyra, owner = registered.xyra, registered.organization.key
    scopes = ["service_accounts:write", "events:write", "agents:read"]
    made = await owner.post("api-keys", {"name": "Registrar", "scopes": scopes})
    client = await xyra.bearing(made["token"]).post(
        f"service-accounts/{registered.name}/clients", {"jwks": registered.workload.jwks}
    )
    registered.client_id = client["client_id"]
    machine = xyra.bearing((await registered.ask(registered.assertion())).expect(200)["access_token"])
    await machine.get("agents")
    (await owner.send("DELETE", f"api-keys/{made['id']}")).expect(204)
    (await machine.send("GET", "agents")).problem(401, "unauthenticated")
    refused = (await registered.ask(registered.assertion())).expect(401)
    assert (refused["error"], "register it anew" in refused["error_description"]) == ("invalid_client", True)


async def test_a_client_ends_with_the_member_who_registered_it(
    time_machine: TimeMachine, travelling_host: Served
) -> None:
    await time_machine.at(NOW.isoformat())
    xyra = time_machine.xyra
    organization, name = await xyra.organization(), await catalog(xyra)
    people = InvitedPeople(xyra, Mailbox(travelling_host.process, xyra), organization)
    await people.join("owner", "owner")
    owner = await people.client("owner")
    admin = await people.join("admin", "admin", owner)
    workload = Workload()
    path = f"service-accounts/{name}/clients"
    made = await (await people.client("admin")).post(path, {"jwks": workload.jwks})

    async def ask() -> Answer:
        return await xyra.anonymous.send("POST", "auth/token", form=form(workload.assertion(made["client_id"], NOW)))

    machine = xyra.bearing((await ask()).expect(200)["access_token"])
    (await owner.send("DELETE", f"members/{admin.member_id}")).expect(204)
    (await machine.send("GET", "agents")).problem(401, "unauthenticated")
    assert (await ask()).expect(401)["error"] == "invalid_client"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://another.example.com"},
        {"aud": None},
        {"sub": "somebody else"},
        {"iss": "sac_01h455vb4pex5vsknk084sn02q"},
        {"exp": timedelta(minutes=10)},
        {"exp": timedelta(seconds=-1)},
        {"iat": timedelta(minutes=4)},
        {"exp": True},
        {"exp": 1e300},
        {"iat": None},
        {"jti": None},
        {"jti": "x" * 257},
        {"jti": 7},
    ],
    ids=str,
)
async def test_an_assertion_that_says_something_else_is_refused(registered: Registered, claims: Json) -> None:
    answer = await registered.ask(registered.assertion(**claims))
    assert answer.expect(401)["error"] == "invalid_client"


async def test_an_assertion_that_another_key_or_algorithm_has_signed_is_refused(registered: Registered) -> None:
    stranger = Workload().assertion(registered.client_id, registered.host.now())
    public = registered.workload.jwks["keys"][0]["x"]
    claims = jwt.decode(registered.assertion(), options={"verify_signature": False})
    headers = {"kid": "first"}
    forged = [
        stranger,
        Workload("second").assertion(registered.client_id, registered.host.now()),
        jwt.encode(claims, None, algorithm="none", headers=headers),
        jwt.encode(claims, public.ljust(64, "x"), algorithm="HS256", headers=headers),
        registered.assertion()[:-4] + "AAAA",
        "no.jwt.at-all",
    ]
    for assertion in forged:
        assert (await registered.ask(assertion)).expect(401)["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_assertion_type": "x"}, 400, "invalid_request"),
        ({"client_assertion": ""}, 400, "invalid_request"),
        ({"scope": "invoices:read"}, 400, "invalid_scope"),
        ({"scope": "no:scope"}, 400, "invalid_scope"),
        ({"client_id": "another"}, 401, "invalid_client"),
    ],
    ids=str,
)
async def test_errors_are_those_of_oauth(
    registered: Registered, fields: dict[str, str], status: int, error: str
) -> None:
    sent = form(registered.assertion()) | fields
    answer = await registered.xyra.anonymous.send("POST", "auth/token", form=sent)
    assert answer.expect(status)["error"] == error


async def test_what_is_no_public_key_is_refused(xyra: Xyra) -> None:
    organization = await xyra.organization()
    path = f"service-accounts/{await catalog(xyra)}/clients"
    small = RSAAlgorithm.to_jwk(generate_private_key(65537, 1024).public_key(), as_dict=True)  # noqa: S505  it is refused
    small = {name: small[name] for name in ("kty", "n", "e")}
    (good,) = Workload().jwks["keys"]
    for keys, pointer in (
        ([], "/jwks/keys"),
        ([{"kty": "oct", "k": "c2VjcmV0"}], "/jwks/keys/0/k"),
        ([{**good, "d": "c2VjcmV0"}], "/jwks/keys/0/d"),
        ([{**good, "alg": "HS256"}], "/jwks/keys/0/alg"),
        ([{**good, "crv": "X25519"}], "/jwks/keys/0"),
        ([small], "/jwks/keys/0/n"),
        ([good, good], "/jwks/keys"),
    ):
        answer = await organization.key.send("POST", path, {"jwks": {"keys": keys}})
        assert answer.problem(422, "validation") == [pointer]


ENTRA = {
    "tenant_id": "11111111-2222-3333-4444-555555555555",
    "client_id": "aaaaaaaa-2222-3333-4444-555555555555",
    "object_id": "bbbbbbbb-2222-3333-4444-555555555555",
    "audience": "api://xyra",
}


async def test_a_workload_of_entra_id_is_registered_by_what_its_tokens_say(registered: Registered) -> None:
    key, path = registered.organization.key, f"service-accounts/{registered.name}/clients"
    made = await key.post(path, {"entra": ENTRA})
    assert (made["entra"], made["kids"]) == (ENTRA, [])
    listed = {each["client_id"]: each["entra"] for each in (await key.get(path))["data"]}
    assert listed == {made["client_id"]: ENTRA, registered.client_id: None}
    assert (await key.send("POST", path, {"entra": ENTRA | {"tenant_id": "common"}})).problem(422, "validation") == [
        "/entra/tenant_id"
    ]
    for body in ({}, {"entra": ENTRA, "jwks": registered.workload.jwks}):
        (await key.send("POST", path, body)).problem(422, "validation")
    signed_by_itself = await registered.ask(registered.assertion(), client_id=made["client_id"])
    assert signed_by_itself.expect(401)["error"] == "invalid_client"


async def test_the_trail_says_who_issued_why_and_what_the_machine_did(xyra: Xyra) -> None:
    name, made = await catalog(xyra, scopes=["agents:write", "agents:read"]), await xyra.sign_up()
    admin = await xyra.sign_in(made["user"]["email"])
    token = (await issue(admin, name)).expect(201)
    await xyra.bearing(token["token"]).post("agents", {"external_id": "coder", "name": "Coder"})
    entries = (await admin.get("audit", limit=100))["data"]
    (issued,) = [entry for entry in entries if entry["action"] == "service_accounts.issue"]
    assert (issued["target"]["id"], issued["after"]["reason"]) == (token["id"], REASON)
    assert issued["after"]["fingerprint"] == "(secret)"
    (created,) = [entry for entry in entries if entry["action"] == "agents.create"]
    assert (created["actor"]["type"], created["actor"]["id"]) == ("service_account", token["id"])
