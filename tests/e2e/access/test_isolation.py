"""Made from the declarations of the endpoints: no route shows or changes a thing for a credential that must not.

A new route is covered as it is declared. It fails here until `Victim.path_values` knows its path parameters and, where
it takes a body, until it has an `example`.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from pydantic import BaseModel

import function_app
from shared.adapters.secret_file.secrets import LocalSecrets
from shared.adapters.sqlite import Database, SqliteStore
from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, Membership, user_partition
from shared.domain.access.identity import (
    AFTER_DELETION,
    OPERATOR_PERMISSIONS,
    ROLE_PERMISSIONS,
    OperatorRole,
    Permission,
    Role,
)
from shared.domain.access.project_access import PROJECT_PERMISSIONS, ProjectGrant
from shared.domain.access.signing_keys import SigningKey
from shared.domain.kernel.histories import MINIMUM_LEAD
from shared.domain.kernel.ids import new_id
from shared.domain.tenancy.organizations import Organization as StoredOrganization
from shared.domain.usage.events import event_key
from shared.http import ENDPOINTS, Access, Endpoint, FormBody, Projects
from shared.services.access.tokens import Tokens
from shared.settings import Settings
from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.workload import Workload
from tests.doubles.clients.xyra_client import ORGANIZATION_SCOPES, Answer, Client, Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.servers.openid_provider import OpenIdProvider
from tests.doubles.worlds.two_organizations import differences

Json = dict[str, Any]

PUBLIC = {
    "GET /health",
    "GET /health/ready",
    "GET /api/v1/openapi.json",
    "GET /api/v1/docs",
    "GET /api/v1/docs/scalar.js",
    "POST /api/v1/auth/signup",
    "POST /api/v1/invitations/accept",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/login/access-token",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/mfa",
    "POST /api/v1/auth/token",
    "GET /api/v1/auth/sso",
    "GET /api/v1/exports/{export_id}/archive",
    "GET /api/v1/auth/sso/{provider_id}/start",
    "GET /api/v1/auth/sso/{provider_id}/callback",
    "POST /api/v1/auth/passkeys/login",
    "POST /api/v1/auth/passkeys/login/options",
    "GET /.well-known/jwks.json",
    "POST /api/v1/auth/email/verify",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/password/confirm",
    "GET /account/verify",
    "POST /account/verify",
    "GET /account/reset",
    "POST /account/reset",
    "GET /account/accept",
    "POST /account/accept",
    "GET /account/link",
    "POST /account/link",
    "GET /account/forgot",
    "POST /account/forgot",
    "GET /account/sign-in",
    "POST /account/sign-in",
    "GET /account/security",
    "POST /account/security",
    "GET /api/v1/billing/plans",
    "GET /pay/{token}",
    "GET /pay/{token}/pdf",
    "POST /api/v1/billing/stripe/webhook",
}
"""Literally, so that nothing becomes public by accident."""

OPERATORS = {
    "GET /api/v1/llm-prices/{price_id}",
    "GET /api/v1/exchange-rates/{from_currency}/{to_currency}",
    "GET /api/v1/service-accounts/{name}/clients",
    "POST /api/v1/service-accounts/{name}/clients",
    "POST /api/v1/service-accounts/{name}/tokens",
}
"""Literally, too: what is the operator's, and everybody's to read or use, unless another organization is named
besides.
"""

OF_EVERYBODY = {"GET /api/v1/entitlements/{feature}"}
"""Whose path names no thing of an organization's: each has its own under the same name."""

READ_BY_ALL = {
    *OPERATORS,
    "GET /api/v1/invoices/jobs/{job_id}",
    "GET /api/v1/plans/{plan_id}",
    "GET /api/v1/plans/{plan_id}/versions",
    "PUT /api/v1/tax-rates/{rate_id}",
    "GET /api/v1/coupons/{coupon_id}",
    "POST /api/v1/coupons/{coupon_id}/archive",
}
"""What is the operator's, and no organization's: naming one changes nothing."""

MADE_IN_OWN_PROJECTS = {
    "POST /api/v1/api-keys",
    "POST /ingest/litellm",
    "POST /openmeter/api/v1/events",
}
"""What who is limited to projects makes in all of these, without naming one; and what parks events of an agent that
there is not, as it does for everybody: `test_project_limits.py` names agents of other projects.
"""

NAMED_BY_CALLER = {"PUT /api/v1/budgets/{budget_id}"}
"""What makes a thing of the caller's own under the name in its path, whoever else has a thing of that name."""

FOUND_OTHERWISE = {
    "GET /api/v1/invoices/{invoice_id}/pdf": 409,
    "GET /api/v1/invoices/{invoice_id}/receipt": 409,
    "GET /api/v1/invoices/{invoice_id}/e-invoice": 409,
    "GET /api/v1/credit-notes/{credit_note_id}/e-invoice": 422,
    "GET /api/v1/operator/profile": 404,
    "GET /api/v1/billing/customer": 404,
}
"""What says otherwise than by 200 that it looked: the victim's invoice is a draft, its notes have no format, and there
is no profile and no customer yet.
"""

DELETED = "urn:xyra:problem:organization_deleted"
HTTP_TRIGGER = "httpTrigger"
REFUSED = (401, 403, 404)
MONTH = "2026-10"
START = "2026-10-01T00:00:00Z"
SECRET = "victim's own"
EXTERNAL_ID = "victims-coder"
"""Names that nobody else may see."""
DOMAIN = "victim.example.com"
BUDGET = "victims-budget"

assert function_app.app, "importing it declares the endpoints"


def route_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} /{endpoint.route}"


PRIVATE = [endpoint for endpoint in ENDPOINTS if not endpoint.public]
private = pytest.mark.parametrize("endpoint", PRIVATE, ids=route_of)


@dataclass(frozen=True)
class Victim:
    """An organization with one of each thing, and credentials of every kind.

    Some credentials are its own, others of strangers.
    """

    organization: Organization
    path_values: Mapping[str, str]
    query_values: Mapping[str, str]
    """Of the parameters that a request has to have."""
    """A thing of the victim's for every path parameter of the API, by the parameter's name."""
    names: tuple[str, ...]
    """What of it must not be in an answer."""
    strangers: Mapping[str, str]
    """Credentials of another organization."""
    another: str
    """The id of another organization."""
    deleted: Sequence[str]
    """Credentials of an organization that was deleted a moment ago."""
    closed: Sequence[str]
    """Credentials of one that was deleted long ago."""
    removed: Sequence[str]
    """Of an admin who was removed, and of one whose account is disabled: their sessions, and keys that they made."""
    expired: Sequence[str]
    """Tokens of an owner of the victim's and of an operator that are no longer in force."""
    members: Mapping[Role, str]
    """Tokens of the victim's own people."""
    limited: Mapping[str, str]
    """Of the victim's own, too, with all that a project allows, in another project than the victim's things."""
    operators: Mapping[OperatorRole, str]
    keys: Mapping[Permission, str]
    """Keys of the victim's own, with this scope alone."""


async def paid_by_hand(organization: Organization) -> str:
    """A payment of an invoice by hand."""
    lines = [{"description": SECRET, "quantity": "1", "unit_amount": "4321.99"}]
    invoice = await organization.operator.post("invoices", {"organization_id": organization.id, "lines": lines})
    (await organization.operator.send("POST", f"invoices/{invoice['id']}/finalize")).expect(200)
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"manual": {"reference": SECRET}}
    paid = await organization.operator.post(f"invoices/{invoice['id']}/pay", body, expect=200, headers=headers)
    return str(paid["payment"]["id"])


async def credited(organization: Organization) -> str:
    """A credit note on an invoice by hand."""
    lines = [{"description": SECRET, "quantity": "1", "unit_amount": "4321.99"}]
    invoice = await organization.operator.post("invoices", {"organization_id": organization.id, "lines": lines})
    (await organization.operator.send("POST", f"invoices/{invoice['id']}/finalize")).expect(200)
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"amount": "4321.99", "reason": SECRET}
    note = await organization.operator.post(f"invoices/{invoice['id']}/credit-notes", body, headers=headers)
    return str(note["id"])


async def redeemed_by(organization: Organization) -> Json:
    """A coupon, and its redemption."""
    body = {"code": uuid4().hex, "name": "Welcome", "percent": "1", "duration": "once"}
    coupon = await organization.operator.post("coupons", body)
    redeemed = await organization.key.post(f"organizations/{organization.id}/coupons", {"code": coupon["code"]})
    return {"coupon_id": coupon["id"], "redemption_id": redeemed["id"]}


async def held_credits(organization: Organization) -> tuple[Json, Json]:
    """A hold and a lease of its credits, and a verification of them; a budget as well."""
    given = {"organization_id": organization.id, "amount": "54321.5", "source": "bonus"}
    await organization.operator.post("credits/grants", given, headers={"Idempotency-Key": "grant"})
    hold = await organization.key.post("credits/reserve", {"amount": "54320"}, headers={"Idempotency-Key": "hold"})
    lease = await organization.key.post("credits/leases", {"amount": "1.25"}, headers={"Idempotency-Key": "lease"})
    hold["lease_id"] = lease["lease_id"]
    budget = {"name": SECRET, "scope": "organization", "window": "month", "limit": "98765"}
    (await organization.key.send("PUT", f"budgets/{BUDGET}", budget)).expect(201)
    return hold, await organization.key.post("credits/verify", {"from_beginning": True}, expect=202)


async def machine_of(organization: Organization) -> Mapping[str, str]:
    """A token and a client of a service account."""
    name = f"job-{uuid4().hex[:8]}"
    body = {"scopes": ["agents:read"]}
    (await organization.operator.send("PUT", f"service-accounts/{name}", body)).expect(200)
    token = await organization.key.post(f"service-accounts/{name}/tokens", {"reason": SECRET})
    client = await organization.key.post(f"service-accounts/{name}/clients", {"jwks": Workload().jwks})
    return {"name": name, "token_id": token["id"], "client_id": client["client_id"]}


async def provider_of(organization: Organization) -> Mapping[str, str]:
    """An identity provider, with a domain that nobody has verified."""
    body = {"name": SECRET, "client_id": SECRET, "client_secret": "the-secret-of-the-victim", "domains": [DOMAIN]}
    async with OpenIdProvider.running() as issuer:
        made = {**body, "issuer": issuer.issuer, "organization_id": organization.id}
        provider = await organization.operator.post("identity-providers", made)
    return {"provider_id": provider["id"], "domain": DOMAIN}


async def credentials_of_strangers(xyra: Xyra, made: Json, hold_id: str) -> dict[str, str]:
    """Of an owner of another organization, and of a key. Its period is stored when it is first asked for: here."""
    owner, key = await xyra.sign_in(made["user"]["email"]), await xyra.key_of(made["organization"]["id"])
    headers = {"Idempotency-Key": uuid4().hex}
    (await key.send("POST", f"credits/holds/{hold_id}/release", headers=headers)).expect(404)
    return {"owner": credential(owner), "key": credential(key)}


async def subscribed(organization: Organization) -> tuple[Json, Json]:
    """A plan of the catalog, and the organization's subscription to one."""
    fields = {"plan": "enterprise", "organization_id": organization.id}
    subscription = await organization.operator.post("subscriptions", fields)
    return (await organization.operator.get("plans"))["data"][0], subscription


async def set_up(xyra: Xyra, data_dir: Path) -> Victim:
    organization = await xyra.organization(
        name=SECRET,
        external_id=f"external-{uuid4().hex}",
        credit_value="0.5",
        settings={"self_managed_pricing": True, "paid_usage": True},
    )
    flat = {"key": "platform", "type": "flat_fee", "amount": "4321.99"}
    model = await organization.model(flat, effective_from=START, name=SECRET)
    pricing = {"billing_model_id": model["id"], "billing_model_from": START}
    project, department = await organization.project(SECRET), await organization.department(SECRET)
    belongs = {"project_id": project["id"], "department_id": department["id"]}
    agent = await organization.agent(EXTERNAL_ID, **(pricing | belongs | {"name": SECRET}))
    thread = await organization.key.post("threads", {"title": SECRET, "project_id": project["id"]})
    run = await organization.key.post("runs", {"key": SECRET, "thread_id": thread["id"], "agent": EXTERNAL_ID})
    await organization.key.report({"id": SECRET, "type": "command", "agent": EXTERNAL_ID})
    await xyra.idle()
    await organization.key.report({"id": SECRET, "type": "conflicting", "agent": EXTERNAL_ID})
    await xyra.idle()
    (parked,) = (await organization.key.get("events/parked"))["data"]
    outcome = await organization.key.post(
        f"agents/{agent['id']}/outcomes", {"outcome_type": "won", "id": "outcome"}, expect=202
    )
    await xyra.idle()
    (invoice,) = await xyra.generate(organization, MONTH, finalize=False)
    job = await xyra.operator.post(
        "invoices/generate/monthly", {"organization_id": organization.id, "period": MONTH}, expect=202
    )
    await xyra.idle()
    plan, subscription = await subscribed(organization)
    prices = {"input": "1", "output": "1"}
    price = await xyra.operator.post("llm-prices", {"model": f"model-{uuid4().hex}", "prices": prices})
    named = {"provider": "azure", "name": SECRET, "model": "gpt-5", "from": START}
    alias = await organization.operator.post("llm-prices/aliases", {**named, "organization_id": organization.id})
    pair = {"from_currency": "HUF", "to_currency": "ISK"}
    (await xyra.operator.send("PUT", "exchange-rates/HUF/ISK", {"rate": "0.4"})).expect(200)
    key = (await organization.key.get("api-keys"))["data"][0]
    hold, verification = await held_credits(organization)
    other = await xyra.sign_up()
    strangers = await credentials_of_strangers(xyra, other, hold["hold_id"])
    people = People(xyra, data_dir)
    try:
        members = {role: await people.member(organization.id, role) for role in ROLE_PERMISSIONS}
        elsewhere = await organization.project("elsewhere")
        grants = (ProjectGrant(id=elsewhere["id"], role="admin"),)
        limited = {"member": await people.member(organization.id, "admin", projects=grants)}
        operators = {role: await people.operator(role) for role in OPERATOR_PERMISSIONS}
        removed = await people.removed(organization.id)
        expired = [await people.expired(token) for token in (members["owner"], operators["system"])]
        deleted, closed = [await credentials_of_new(xyra) for _ in range(2)]
        await people.end(deleted.organization_id, NOW + MINIMUM_LEAD)
        await people.end(closed.organization_id, NOW - timedelta(days=30))
    finally:
        people.close()
    member = (await xyra.operator.get("members", organization_id=organization.id))["data"][-1]
    invited = {"email": f"{uuid4().hex}@example.com", "role": "viewer"}
    invitation = await xyra.operator.post("invitations", invited, organization_id=organization.id)
    of_key = {"organization_id": organization.id, "scopes": sorted(PROJECT_PERMISSIONS), "projects": [elsewhere["id"]]}
    limited["key"] = (await xyra.operator.post("api-keys", {"name": "Elsewhere", **of_key}))["token"]
    return Victim(
        organization,
        path_values={
            "organization_id": organization.id,
            "agent_id": agent["id"],
            "external_id": EXTERNAL_ID,
            "project_id": project["id"],
            "department_id": department["id"],
            "thread_id": thread["id"],
            "run_id": run["id"],
            "run_key": SECRET,
            "model_id": model["id"],
            "plan_id": plan["id"],
            "package_id": "small",
            "payment_method_id": "pm_1",
            "feature": "agents",
            "subscription_id": subscription["id"],
            "invoice_id": invoice["id"],
            "job_id": job["id"],
            "key_id": key["id"],
            "member_id": member["id"],
            "user_id": member["user_id"],
            "invitation_id": invitation["id"],
            "outcome_id": outcome["outcome_id"],
            "event_id": event_key(organization.id, "api", SECRET),
            "parked_id": parked["id"],
            "price_id": price["id"],
            "session_id": session_of(members["owner"]),
            "passkey_id": new_id("pk"),
            "payment_id": await paid_by_hand(organization),
            "credit_note_id": await credited(organization),
            "token": SECRET,
            "rate_id": (await xyra.operator.post("tax-rates", {"name": "VAT", "country": "DE", "percent": "19"}))["id"],
            "start": START[:10],
            **await redeemed_by(organization),
            **await machine_of(organization),
            **await provider_of(organization),
            "export_id": (await organization.key.post(f"organizations/{organization.id}/export", expect=202))["id"],
            "alias_id": alias["id"],
            "hold_id": hold["hold_id"],
            "budget_id": BUDGET,
            "lease_id": hold["lease_id"],
            "transaction_id": hold["transaction_id"],
            "verification_id": verification["id"],
            "agent_type": "ResearchAgent",
            "action": "research_topic",
            **pair,
        },
        query_values={"key": SECRET, "provider": "openrouter", "from": START, "to": NOW.isoformat()},
        names=(
            SECRET,
            EXTERNAL_ID,
            "4321.99",
            "54320",
            "98765",
            hold["transaction_id"],
            hold["lease_id"],
            organization.slug,
            outcome["outcome_id"],
            *(
                thing["id"]
                for thing in (
                    member,
                    invitation,
                    model,
                    agent,
                    project,
                    department,
                    thread,
                    run,
                    key,
                    invoice,
                    job,
                    subscription,
                    parked,
                    alias,
                )
            ),
        ),
        strangers=strangers,
        another=other["organization"]["id"],
        deleted=deleted.credentials,
        closed=closed.credentials,
        removed=removed,
        expired=expired,
        members=members,
        limited=limited,
        operators=operators,
        keys={
            Permission(scope): credential(await xyra.key_of(organization.id, [scope])) for scope in ORGANIZATION_SCOPES
        },
    )


@dataclass(frozen=True)
class NewOrganization:
    organization_id: str
    credentials: Sequence[str]
    """Of its owner, and a key with every scope."""


async def credentials_of_new(xyra: Xyra) -> NewOrganization:
    made = await xyra.sign_up()
    organization_id = made["organization"]["id"]
    clients = await xyra.sign_in(made["user"]["email"]), await xyra.key_of(organization_id)
    return NewOrganization(organization_id, [credential(client) for client in clients])


def session_of(token: str) -> str:
    """The id of an access token's session."""
    return str(jwt.decode(token, options={"verify_signature": False})["sid"])


def credential(client: Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


class People:
    """Makes people that the API cannot make yet.

    It writes into the data directory of the running host.
    """

    def __init__(self, xyra: Xyra, data_dir: Path) -> None:
        self._xyra = xyra
        self._clock = SettableClock(NOW)
        self._database = Database(data_dir / "xyra.db")
        self._store = SqliteStore(self._database, self._clock)
        self._tokens = Tokens(LocalSecrets(data_dir / "secrets.json"), self._clock, Settings())

    def close(self) -> None:
        self._database.close()

    async def member(self, organization_id: str, role: Role, **fields: Any) -> str:
        """An access token of a new member."""
        made = await self._xyra.sign_up()
        user_id, email = made["user"]["id"], made["user"]["email"]
        account = await self._account(user_id)
        await self._keep(account.changed(organization_ids=(organization_id,)))
        membership = Membership(id=user_id, role=role, joined_at=NOW, **fields)
        await self._store.upsert(TENANTS.name, organization_id, membership.document())
        return credential(await self._xyra.sign_in(email))

    async def removed(self, organization_id: str) -> list[str]:
        """Credentials of an admin who was removed, and of one who was disabled."""
        admins = [self._xyra.bearing(await self.member(organization_id, "admin")) for _ in range(2)]
        body = {"name": "Theirs", "scopes": ["agents:read", "agents:write"]}
        keys = [(await admin.post("api-keys", body))["token"] for admin in admins]
        removed, disabled = [(await admin.get("auth/me"))["user"]["id"] for admin in admins]
        query = {"organization_id": organization_id}
        members = {member["user_id"]: member for member in (await self._xyra.operator.get("members", **query))["data"]}
        (await self._xyra.operator.send("DELETE", f"members/{members[removed]['id']}", **query)).expect(204)
        await admins[1].post(f"users/{disabled}/deactivate", expect=200)
        return [*map(credential, admins), *keys]

    async def operator(self, role: OperatorRole) -> str:
        made = await self._xyra.sign_up()
        account = await self._account(made["user"]["id"])
        await self._keep(account.changed(organization_ids=(), operator_role=role))
        return credential(await self._xyra.sign_in(account.email))

    async def end(self, organization_id: str, ended_at: datetime) -> None:
        """Delete an organization so that it ends then."""
        item = await self._store.get(TENANTS.name, organization_id, organization_id)
        assert item is not None
        ended = StoredOrganization.read(item.document).changed(status="deleted", ended_at=ended_at)
        await self._store.upsert(TENANTS.name, organization_id, ended.document())

    async def expired(self, token: str) -> str:
        """A token with the same claims of the same session, half an hour over."""
        claims = await self._tokens.read(token)
        self._clock.set(NOW - timedelta(minutes=31))
        try:
            return await self._tokens.issue(claims)
        finally:
            self._clock.set(NOW)

    async def _account(self, user_id: str) -> Account:
        item = await self._store.get(DIRECTORY.name, user_partition(user_id), ACCOUNT)
        assert item is not None
        return Account.read(item.document)

    async def _keep(self, account: Account) -> None:
        await self._store.upsert(DIRECTORY.name, user_partition(account.user_id), account.document())


@pytest.fixture(scope="session")
def shared_host(small_host: Served) -> Served:
    return small_host


@pytest.fixture(scope="session")
def victims() -> list[tuple[Victim, datetime]]:
    """One at most, and when it was set up: as no test may change anything of it, all can have the same."""
    return []


@pytest.fixture
async def victim(xyra: Xyra, shared_host: Served, victims: list[tuple[Victim, datetime]]) -> AsyncIterator[Victim]:
    """What a test does must change nothing in the store.

    Every test begins at the same moment: else something would expire or be swept while one of them looks.
    """
    process = shared_host.process
    if not victims:
        victims.append((await set_up(xyra, process.data_dir), just_after_a_sweep(process)))
    made, moment = victims[0]
    process.set_clock(moment)
    await xyra.idle()
    before = process.tables()
    yield made
    await xyra.idle()
    assert differences(before, process.tables()) == {}


def just_after_a_sweep(process: XyraProcess) -> datetime:
    """The next moment by which all that was noted by now is done, and about a minute before the sweep comes again."""
    return (process.now() + timedelta(minutes=2)).replace(second=31)


@dataclass(frozen=True)
class Request:
    path: str
    body: Json | None
    query: Mapping[str, Any]


def requests(endpoint: Endpoint, victim: Victim) -> Iterator[Request]:
    """Valid ones for things of the victim: by path, by query and by body, as the route allows."""
    names = re.findall(r"{(\w+)}", endpoint.path)
    unknown = set(names) - set(victim.path_values)
    assert not unknown, f"{route_of(endpoint)}: give `path_values` a thing of the victim's for {unknown}"
    assert endpoint.body is None or endpoint.example is not None, f"{route_of(endpoint)} needs an example"
    needed = [field.alias or name for name, field in endpoint.query.model_fields.items() if field.is_required()]
    query = {name: victim.query_values[name] for name in needed}
    by_path = Request("/" + endpoint.route.format(**victim.path_values), endpoint.example, query)
    if names and route_of(endpoint) not in OPERATORS | NAMED_BY_CALLER | OF_EVERYBODY:
        yield by_path
    yield replace(by_path, query={**query, "organization_id": victim.organization.id})
    yield replace(by_path, query={**query, "organization_id": victim.organization.slug})
    for field in ("organization_id", "organization"):
        if takes(endpoint, field):
            yield replace(by_path, body=endpoint.example | {field: victim.organization.id})


def takes(endpoint: Endpoint, field: str) -> bool:
    models = endpoint.body.content.values() if endpoint.body is not None else ()
    return any(field in fields_of(model) for model in models)


def fields_of(model: Any) -> set[str]:
    members = getattr(model, "__args__", (model,))
    return {
        name for each in members if isinstance(each, type) and issubclass(each, BaseModel) for name in each.model_fields
    }


CALLS: Counter[str] = Counter()
"""That were made, by credential."""


@pytest.fixture(scope="session", autouse=True)
def _counted() -> Iterator[None]:
    yield
    print(f"isolation: {CALLS.total():,} calls to {len(PRIVATE)} routes by {len(CALLS)} credentials")  # noqa: T201  figures


async def send(client: Client, endpoint: Endpoint, request: Request) -> Answer:
    form = isinstance(endpoint.body, FormBody)
    CALLS[client.headers.get("Authorization", "")] += 1
    return await client.send(
        endpoint.method,
        request.path,
        None if form else request.body,
        form=request.body if form else None,
        headers={"If-Match": "*", **({"Idempotency-Key": uuid4().hex} if endpoint.needs_key else {})},
        **request.query,
    )


def operator_for(xyra: Xyra, victim: Victim, endpoint: Endpoint) -> Client:
    """The operator by a key, or as a user where no key is taken."""
    return xyra.bearing(victim.operators["system"]) if endpoint.access is Access.SIGNED_IN else xyra.operator


def assert_refused(answer: Answer, victim: Victim, *statuses: int) -> None:
    assert answer.status in statuses, f"{answer.method} {answer.path}: {answer.status} {answer.body.decode()[:500]}"
    shown = answer.body.decode() + json.dumps(dict(answer.headers))
    assert [name for name in victim.names if name in shown] == []


def test_these_routes_and_no_others_are_public() -> None:
    assert {route_of(endpoint) for endpoint in ENDPOINTS if endpoint.public} == PUBLIC


def test_every_route_of_the_app_is_declared() -> None:
    """What is not declared would be missed here. One route is for what nothing else takes; it shows nothing."""
    # Not by `get_functions`, which an app allows once.
    triggers = [builder._function.get_trigger() for builder in function_app.app._function_builders]
    routes = [each.get_dict_repr() for each in triggers if each is not None and each.get_binding_name() == HTTP_TRIGGER]
    assert sorted((each["route"], *map(str, each.get("methods") or ())) for each in routes) == sorted(
        [("{*path}",), *((endpoint.template, *endpoint.methods) for endpoint in ENDPOINTS)]
    )


@private
async def test_without_a_credential_nothing_is_shown(xyra: Xyra, victim: Victim, endpoint: Endpoint) -> None:
    for request in requests(endpoint, victim):
        assert_refused(await send(xyra.anonymous, endpoint, request), victim, 401)


def forgeries(token: str, another: str) -> dict[str, str]:
    """Tokens like this one that we have not signed: of another key, of none, or with other claims."""
    header, payload = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    kid = {"kid": header["kid"]}
    raised = payload | {"org": another, "roles": ["owner", "system"]}
    first, _, signature = token.split(".")
    body = base64.urlsafe_b64encode(json.dumps(raised).encode()).rstrip(b"=").decode()
    return {
        "unsigned": jwt.encode(raised, None, algorithm="none", headers=kid),
        "of a stranger's key": jwt.encode(payload, SigningKey.generate().private, algorithm="EdDSA", headers=kid),
        "by the public name as a secret": jwt.encode(payload, header["kid"], algorithm="HS256", headers=kid),
        "with other claims": f"{first}.{body}.{signature}",
        "without a signature": token.rpartition(".")[0] + ".",
    }


@private
async def test_a_forged_token_shows_nothing(xyra: Xyra, victim: Victim, endpoint: Endpoint) -> None:
    for forged in forgeries(victim.members["owner"], victim.another).values():
        for request in requests(endpoint, victim):
            assert_refused(await send(xyra.bearing(forged), endpoint, request), victim, 401)


@private
async def test_an_expired_token_shows_nothing(xyra: Xyra, victim: Victim, endpoint: Endpoint) -> None:
    for token in victim.expired:
        for request in requests(endpoint, victim):
            assert_refused(await send(xyra.bearing(token), endpoint, request), victim, 401)


@private
async def test_who_is_a_member_no_longer_sees_nothing(xyra: Xyra, victim: Victim, endpoint: Endpoint) -> None:
    for token in victim.removed:
        for request in requests(endpoint, victim):
            assert_refused(await send(xyra.bearing(token), endpoint, request), victim, 401)


@private
async def test_another_organizations_credential_shows_nothing(xyra: Xyra, victim: Victim, endpoint: Endpoint) -> None:
    for token in victim.strangers.values():
        for request in requests(endpoint, victim):
            assert_refused(await send(xyra.bearing(token), endpoint, request), victim, *REFUSED)


@private
async def test_a_deleted_organizations_credential_can_only_read(xyra: Xyra, victim: Victim, endpoint: Endpoint) -> None:
    for token in victim.deleted:
        for request in requests(endpoint, victim):
            answer = await send(xyra.bearing(token), endpoint, request)
            if endpoint.access in AFTER_DELETION or (endpoint.access is Access.SIGNED_IN and endpoint.method == "GET"):
                assert_refused(answer, victim, 403, 404)
                assert answer.json()["type"] != DELETED
            else:
                assert_refused(answer, victim, 403)
                said = answer.json()["type"] if endpoint.error_format is None else answer.json()["message"]
                assert DELETED.rpartition(":")[2] in said


@private
async def test_long_after_its_deletion_an_organizations_credential_is_none(
    xyra: Xyra, victim: Victim, endpoint: Endpoint
) -> None:
    for token in victim.closed:
        for request in requests(endpoint, victim):
            assert_refused(await send(xyra.bearing(token), endpoint, request), victim, 401)


@private
async def test_an_operator_who_names_two_organizations_changes_none(
    xyra: Xyra, victim: Victim, endpoint: Endpoint
) -> None:
    """One by the thing, in the path or in the body; another in the query."""
    for request in requests(endpoint, victim):
        names_victim = request.path != "/" + endpoint.route or request.body != endpoint.example
        is_for_all = endpoint.method != "GET" and endpoint.access in (
            Permission.PRICES_WRITE,
            Permission.PLANS_WRITE,
            Permission.ORGANIZATIONS_CREATE,
        )
        if route_of(endpoint) in READ_BY_ALL | NAMED_BY_CALLER | OF_EVERYBODY or not (names_victim or is_for_all):
            continue
        query = {**request.query, "organization_id": victim.another}
        client = operator_for(xyra, victim, endpoint)
        assert_refused(await send(client, endpoint, replace(request, query=query)), victim, 404, 422)


@private
async def test_who_is_limited_to_another_project_sees_nothing(xyra: Xyra, victim: Victim, endpoint: Endpoint) -> None:
    """Lists are short of it, everything else is refused; what is about the whole organization is 403."""
    if route_of(endpoint) in MADE_IN_OWN_PROJECTS:
        return
    if endpoint.access is Access.SIGNED_IN:
        return  # about the user alone
    for token in victim.limited.values():
        for request in requests(endpoint, victim):
            answer = await send(xyra.bearing(token), endpoint, request)
            if endpoint.access not in PROJECT_PERMISSIONS or endpoint.projects is Projects.REFUSED:
                assert_refused(answer, victim, 403)
            elif endpoint.projects is Projects.BY_PATH:
                assert_refused(answer, victim, 404)
            else:
                assert_refused(answer, victim, 200, 404, 422)


@private
async def test_a_role_without_the_permission_is_refused(xyra: Xyra, victim: Victim, endpoint: Endpoint) -> None:
    if endpoint.access is Access.SIGNED_IN:  # every role has it, and no key
        lower = list(victim.keys.values())
    else:
        assert isinstance(endpoint.access, Permission)
        lower = lower_roles(victim, endpoint.access)
    for token in lower:
        for request in requests(endpoint, victim):
            assert_refused(await send(xyra.bearing(token), endpoint, request), victim, 403)


def lower_roles(victim: Victim, permission: Permission) -> list[str]:
    """Credentials of the victim and of the operator without the permission."""
    lower = [token for role, token in victim.members.items() if permission not in ROLE_PERMISSIONS[role]]
    lower += [token for role, token in victim.operators.items() if permission not in OPERATOR_PERMISSIONS[role]]
    return lower + [key for scope, key in victim.keys.items() if scope is not permission]


async def test_the_same_requests_of_the_operator_reach_the_things(xyra: Xyra, victim: Victim) -> None:
    """The other tests would show nothing with requests that nobody can make."""
    for endpoint in PRIVATE:
        if endpoint.method == "GET":
            *_, request = requests(endpoint, victim)  # it names the organization besides
            found = FOUND_OTHERWISE.get(route_of(endpoint), 200)
            assert (await send(operator_for(xyra, victim, endpoint), endpoint, request)).status == found, request
