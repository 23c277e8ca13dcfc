"""Clients of a running host. They hold every answer to the API's own description."""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from io import BytesIO
from typing import Any
from uuid import uuid4

import aiohttp
from jsonschema import Draft202012Validator

from tests.doubles.clients.log_scan import KNOWN, SHORTEST
from tests.doubles.clients.xyra_process import READ_LAG_SECONDS

Json = Any

PASSWORD = "correct horse battery staple"
_PROBLEM = "application/problem+json"
_PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with the method and the path of its request."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]

    def json(self) -> Json:
        return json.loads(self.body, parse_float=Decimal)

    def expect(self, status: int) -> Json:
        assert self.status == status, f"{self.method} {self.path} answered {self.status}: {self.body.decode()[:2000]}"
        return self.json() if self.body and self.media_type.endswith("json") else None

    def problem(self, status: int, code: str) -> list[str]:
        """Assert that it is a problem document of this kind, and return the pointers of what is wrong."""
        document = self.expect(status)
        assert self.media_type == _PROBLEM
        assert document["type"] == f"urn:xyra:problem:{code}"
        assert document["status"] == status
        assert document["title"]
        assert document["detail"]
        assert document["correlation_id"] == self.headers["X-Correlation-Id"]
        assert all(place["detail"] for place in document["errors"])
        return [place["pointer"] for place in document["errors"]]


def assert_not_given_back(secrets: set[str], answer: Answer) -> None:
    """No answer shows what was secret in its request."""
    shown = answer.body.decode(errors="replace") + json.dumps(dict(answer.headers))
    back = [secret for secret in secrets if len(secret) >= SHORTEST and secret in shown]
    assert not back, f"{answer.method} {answer.path} answered {answer.status} with a secret of the request"


class Description:
    """The OpenAPI document, by which answers are checked."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self._paths = [(self._pattern(path), path) for path in document["paths"]]
        self._validators: dict[str, Draft202012Validator] = {}

    def check(self, answer: Answer) -> None:
        """Assert that status, media type and shape of the answer are declared."""
        template = self._template(answer.path)
        if template is None:
            return
        operations = self.document["paths"][template]
        method = "get" if answer.method == "HEAD" else answer.method.lower()
        if method not in operations:
            self._check_other_method(answer, operations)
            return
        responses = operations[method]["responses"]
        assert str(answer.status) in responses, f"{answer.method} {answer.path}: {answer.status} is not declared"
        content = responses[str(answer.status)].get("content", {})
        if not content or answer.method == "HEAD":
            assert answer.body == b"", f"{answer.method} {answer.path} has a body"
            return
        assert answer.media_type in content, f"{answer.method} {answer.path} answered with {answer.media_type}"
        if answer.media_type.endswith("json"):
            # As JSON has them, because the description knows no decimals.
            self._validator(json.dumps(content[answer.media_type]["schema"])).validate(json.loads(answer.body))

    @staticmethod
    def _check_other_method(answer: Answer, operations: Json) -> None:
        """The answer to a method that the path does not have."""
        assert answer.status == (204 if answer.method == "OPTIONS" else 405)
        assert {each.upper() for each in operations} <= set(answer.headers["Allow"].split(", "))

    def _pattern(self, path: str) -> re.Pattern[str]:
        """A pattern of the paths that a declared path stands for; an id of another kind matches none."""
        parameters = next(iter(self.document["paths"][path].values()))["parameters"]
        values = {each["name"]: each["schema"].get("pattern", "[^/]+") for each in parameters if each["in"] == "path"}
        return re.compile(re.sub(r"\{(\w+)\}", lambda found: values[found[1]].strip("^$"), path))

    def _template(self, path: str) -> str | None:
        return next((template for pattern, template in self._paths if pattern.fullmatch(path)), None)

    def _validator(self, schema: str) -> Draft202012Validator:
        if schema not in self._validators:
            whole = json.loads(schema) | {"components": self.document["components"]}
            self._validators[schema] = Draft202012Validator(whole)
        return self._validators[schema]


@dataclass(frozen=True)
class Client:
    """Calls the API with one credential, or with none."""

    session: aiohttp.ClientSession
    description: Description
    headers: Mapping[str, str]

    async def send(  # noqa: PLR0913  the parts of a request
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        raw: bytes | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Answer:
        """`path` is below `/api/v1`, or absolute. `body` goes as JSON, `raw` as it is."""
        full = path if path.startswith("/") else f"/api/v1/{path}"
        typed = {"Content-Type": "application/json"} if body is not None or raw is not None else {}
        sent = json.dumps(body).encode() if body is not None else raw
        secrets = KNOWN.learn_headers({**self.headers, **(headers or {})}) | KNOWN.learn(query)
        secrets |= KNOWN.learn(dict(form)) if form is not None else KNOWN.learn_body(sent or b"")
        async with self.session.request(
            method,
            full,
            data=BytesIO(sent) if sent is not None else form,
            params=query,
            headers={**typed, **self.headers, **(headers or {})},
            allow_redirects=False,
        ) as response:
            answer = Answer(method, full, response.status, response.headers, await response.read())
        KNOWN.learn_headers(answer.headers)
        KNOWN.learn_body(answer.body)
        assert_not_given_back(secrets, answer)
        self.description.check(answer)
        return answer

    async def get(self, path: str, *, expect: int = 200, **query: Any) -> Json:
        return (await self.send("GET", path, **query)).expect(expect)

    async def post(
        self, path: str, body: Json = None, *, expect: int = 201, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Json:
        return (await self.send("POST", path, body, headers=headers, **query)).expect(expect)

    async def report(self, *events: Json) -> None:
        """Send events, at most as many as one request takes at a time."""
        for start in range(0, len(events), 1000):
            batch = list(events[start : start + 1000])
            answer = await self.post("events", batch, expect=202)
            assert answer["accepted"] == len(batch)

    def with_headers(self, **headers: str) -> "Client":
        return Client(self.session, self.description, headers)


@dataclass(frozen=True)
class Organization:
    """An organization with an API key that has every scope it can have."""

    id: str
    slug: str
    key: Client
    operator: Client

    async def model(self, *charges: Json, effective_from: str | None = None, **fields: str) -> Json:
        body = {"name": "Model", "currency": "USD", "organization_id": self.id, "charges": list(charges), **fields}
        return await self.operator.post(
            "billing-models", body | ({"effective_from": effective_from} if effective_from else {})
        )

    async def agent(self, external_id: str = "coder", **fields: Json) -> Json:
        return _as_read(await self.key.post("agents", {"external_id": external_id, "name": "Coder", **fields}))

    async def project(self, name: str = "Website", **fields: Json) -> Json:
        return _as_read(await self.key.post("projects", {"name": name, **fields}))

    async def department(self, name: str = "Support", **fields: Json) -> Json:
        return await self.key.post("departments", {"name": name, **fields})

    async def usage(self, period: str, charge: str) -> Decimal:
        """The usage of the charge, over all agents."""
        found = await self.key.get("usage", period=period, charge=charge, limit="1000")
        assert found["next_cursor"] is None
        return sum((Decimal(row["quantity"]) for row in found["data"]), Decimal(0))

    async def invoices(self) -> list[Json]:
        """All invoices with their lines and credit notes, oldest period first."""
        headers = (await self.key.get("invoices", limit="200"))["data"]
        return [await self.key.get(f"invoices/{header['id']}") for header in reversed(headers)]

    async def preview(self, period: str) -> Json:
        return await self.key.get("invoices/preview", period=period)


ORGANIZATION_SCOPES = [
    "organizations:read",
    "organizations:write",
    "api_keys:read",
    "api_keys:write",
    "agents:read",
    "agents:write",
    "projects:read",
    "projects:write",
    "events:write",
    "events:read",
    "outcomes:read",
    "outcomes:verify",
    "usage:read",
    "billing_models:read",
    "billing_models:write",
    "prices:read",
    "invoices:read",
    "subscriptions:read",
    "subscriptions:write",
    "members:read",
    "members:write",
    "owners:write",
    "identity_providers:write",
    "organizations:export",
    "service_accounts:write",
    "audit:read",
    "credits:read",
    "credits:use",
    "credits:use_amount",
    "budgets:write",
    "billing:read",
    "billing:write",
]
OPERATOR_SCOPES = [
    *ORGANIZATION_SCOPES,
    "organizations:create",
    "prices:write",
    "plans:write",
    "invoices:write",
    "parked_events:write",
    "credits:write",
    "tax:write",
]


class Xyra:
    """A running host as its users see it, for the length of a test."""

    def __init__(self, session: aiohttp.ClientSession, description: Description, operator_key: str) -> None:
        self._session = session
        self.description = description
        self._operator_key = operator_key

    @cached_property
    def anonymous(self) -> Client:
        return Client(self._session, self.description, {})

    @cached_property
    def operator(self) -> Client:
        """The operator, by an API key that outlives any move of the clock."""
        return self.bearing(self._operator_key)

    def bearing(self, credential: str) -> Client:
        return Client(self._session, self.description, {"Authorization": f"Bearer {credential}"})

    async def sign_in(self, email: str, password: str = PASSWORD) -> Client:
        form = {"username": email, "password": password}
        answer = (await self.anonymous.send("POST", "auth/login/access-token", form=form)).expect(200)
        return self.bearing(answer["access_token"])

    async def sign_up(self, email: str | None = None, **fields: str) -> Json:
        """The answer to a new user's sign-up with a new organization."""
        body = {
            "email": email or f"{uuid4().hex}@example.com",
            "password": PASSWORD,
            "full_name": "Ada Lovelace",
            "organization_name": "Analytical Engines",
            "currency": "USD",
            "timezone": "UTC",
            "accept_terms": True,
        }
        return await self.anonymous.post("auth/signup", body | fields)

    async def organization(self, **fields: Json) -> Organization:
        """A new organization, made by the operator."""
        slug = f"t{uuid4().hex[:20]}"
        body = {"name": "Acme", "slug": slug, "currency": "USD", "timezone": "UTC"}
        made = await self.operator.post("organizations", body | fields)
        return Organization(made["id"], made["slug"], await self.key_of(made["id"]), self.operator)

    def again(self, organization: Organization) -> Organization:
        """The same organization, by the clients of this test."""
        key = Client(self._session, self.description, organization.key.headers)
        return Organization(organization.id, organization.slug, key, self.operator)

    async def key_of(self, organization_id: str, scopes: list[str] | None = None) -> Client:
        """A new key, however many equal ones there are."""
        of_key = {"name": "Tests", "scopes": scopes or ORGANIZATION_SCOPES}
        body = {**of_key, "organization_id": organization_id, "force": True}
        return self.bearing((await self.operator.post("api-keys", body))["token"])

    async def idle(self) -> Json:
        """Wait until the host has nothing queued, running or overdue, and all of it can be read."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            status = await self.anonymous.get("/admin/host/status")
            if status["queued"] == status["running"] == status["overdue"] == 0:
                await asyncio.sleep(READ_LAG_SECONDS)
                return status
            assert time.monotonic() < deadline, status
            await asyncio.sleep(0.02)

    async def generate(self, organization: Organization, period: str, *, finalize: bool = True) -> list[Json]:
        """Invoice a month now, and return the invoices of the job."""
        body = {"organization_id": organization.id, "period": period, "finalize": finalize}
        job = await self.operator.post("invoices/generate/monthly", body, expect=202)
        await self.idle()
        job = await self.operator.get(f"invoices/jobs/{job['id']}")
        assert job["done"], job
        return [await self.operator.get(f"invoices/{invoice}") for invoice in job["invoices"]]


def _as_read(made: Json) -> Json:
    """A thing that was made, as it reads from then on: without the warnings of its making."""
    return {name: value for name, value in made.items() if name != "warnings"}
