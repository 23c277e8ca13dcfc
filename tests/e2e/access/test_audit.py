"""The audit trail over HTTP tells the story of an organization, nobody changes it, and the check names who did."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

import function_app
from shared.http import ENDPOINTS
from tests.doubles.clients import command_line
from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import PASSWORD, Client, Xyra
from tests.doubles.clients.xyra_process import XyraProcess

Json = dict[str, Any]

FEE = {"key": "platform", "type": "flat_fee", "amount": "499.00"}
MONTH = "2026-10"

assert function_app.app, "importing it declares the endpoints"
START = "2026-10-01T00:00:00Z"


async def story(client: Client, **query: str) -> list[Json]:
    """The trail, oldest entry first, read in pages of five."""
    entries: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = await client.get("audit", limit="5", **cursor, **query)
        entries += page["data"]
        if page["next_cursor"] is None:
            return entries[::-1]
        cursor = {"cursor": page["next_cursor"]}


def trails_in(process: XyraProcess) -> list[tuple[object, ...]]:
    """All rows of all trails."""
    with closing(sqlite3.connect(f"file:{process.data_dir / 'xyra.db'}?mode=ro", uri=True)) as database:
        wanted = "SELECT pk, id, body FROM tenants WHERE kind IN ('audit_entry', 'audit_head') ORDER BY pk, id"
        return database.execute(wanted).fetchall()


def actions(entries: list[Json]) -> list[str]:
    return [entry["action"] for entry in entries]


@pytest.mark.walk
async def test_the_trail_tells_the_life_of_an_organization(xyra: Xyra) -> None:
    email = f"{uuid4().hex}@example.com"
    made = await xyra.sign_up(email)
    user_id, organization_id = made["user"]["id"], made["organization"]["id"]
    owner = await xyra.sign_in(email)
    body = {"name": "CI", "scopes": ["agents:read", "agents:write", "api_keys:write"]}
    key = await owner.post("api-keys", body)
    child = await xyra.bearing(key["token"]).post("api-keys", {"name": "Child", "scopes": ["agents:write"]})
    model_body = {"name": "Plan", "currency": "USD", "organization_id": organization_id, "charges": [FEE]}
    model = await xyra.operator.post("billing-models", {**model_body, "effective_from": START})
    pricing = {"billing_model_id": model["id"], "billing_model_from": START}
    agent = await xyra.bearing(child["token"]).post("agents", {"external_id": "coder", "name": "Coder", **pricing})
    changed = await owner.send("PATCH", f"organizations/{organization_id}", {"billing_email": "bills@acme.example"})
    changed.expect(200)
    job = {"organization_id": organization_id, "period": MONTH, "finalize": True}
    await xyra.operator.post("invoices/generate/monthly", job, expect=202)
    await xyra.idle()
    (await owner.send("DELETE", f"api-keys/{key['id']}")).expect(204)
    told = await story(owner)
    assert actions(told) == [
        *("users.create", "members.create", "organizations.create", "sessions.create"),
        *("api_keys.create", "api_keys.create", "billing_models.create", "billing_models.publish"),
        *("agents.create", "organizations.update", "invoices.finalize", "api_keys.delete"),
    ]
    assert [entry["number"] for entry in told] == list(range(1, len(told) + 1))
    signed_up, _, _, signed_in, key_made, child_made, _, published, agent_made, updated, finalized, _ = told
    for entry in (signed_up, signed_in, key_made, updated):
        assert (entry["actor"]["type"], entry["actor"]["id"]) == ("user", user_id)
    assert signed_up["after"]["email"] == email
    assert signed_up["after"]["password_hash"] == "(secret)"
    assert key_made["actor"]["session_id"] == signed_in["target"]["id"]
    assert child_made["actor"] == {"type": "api_key", "id": key["id"], "root_id": key["id"], "session_id": None}
    assert agent_made["actor"] == {"type": "api_key", "id": child["id"], "root_id": key["id"], "session_id": None}
    assert agent_made["target"] == {"type": "agent", "id": agent["id"]}
    assert published["after"]["charges"][0]["amount"] == "499.00"
    assert updated["after"] == {"billing_email": "bills@acme.example"}
    assert updated["correlation_id"] == changed.headers["X-Correlation-Id"]
    assert (finalized["actor"]["type"], finalized["after"]["status"]) == ("system", "pending")
    assert key["token"] not in json.dumps(told)


async def test_it_is_filtered_and_read_in_pages(xyra: Xyra) -> None:
    organization = await xyra.organization()
    department = await organization.department("Support")
    path = f"departments/{department['id']}"
    for name in ("Sales", "Service"):
        (await organization.key.send("PATCH", path, {"name": name})).expect(200)
    about = await story(organization.key, target=department["id"])
    assert actions(about) == ["departments.create", "departments.update", "departments.update"]
    assert about[-1]["before"] == {"name": "Sales"}
    assert await story(organization.key, action="departments.update", target=department["id"]) == about[1:]
    key_id = about[0]["actor"]["id"]
    assert await story(organization.key, actor=key_id) == about
    assert await story(organization.key, **{"from": about[1]["at"], "to": about[2]["at"]}) == about[1:2]
    for wrong in ({"action": "everything"}, {"from": "yesterday"}, {"limit": "201"}):
        (await organization.key.send("GET", "audit", **wrong)).problem(422, "validation")
    first = await organization.key.get("audit", limit="1")
    other = await organization.key.send("GET", "audit", cursor=first["next_cursor"], action="departments.update")
    other.problem(400, "malformed")


async def test_the_operator_has_a_trail_of_its_own_and_reads_every_other(xyra: Xyra) -> None:
    organization = await xyra.organization()
    prices = {"input": "1", "output": "2"}
    price = await xyra.operator.post("llm-prices", {"model": f"model-{uuid4().hex}", "prices": prices})
    (made,) = await story(xyra.operator, target=price["id"])
    assert (made["action"], made["actor"]["type"]) == ("llm_prices.create", "api_key")
    named = await xyra.operator.get("audit", organization_id=organization.slug, action="organizations.create")
    assert [entry["target"]["id"] for entry in named["data"]] == [organization.id]


async def test_who_may_not_read_it_gets_nothing_of_it(xyra: Xyra) -> None:
    organization = await xyra.organization()
    weak = await xyra.key_of(organization.id, ["agents:read"])
    (await weak.send("GET", "audit")).problem(403, "forbidden")
    (await xyra.anonymous.send("GET", "audit")).problem(401, "unauthenticated")
    stranger = await xyra.organization()
    (await stranger.key.send("GET", "audit", organization_id=organization.id)).problem(404, "not_found")
    assert {entry["target"]["id"] for entry in await story(stranger.key)}.isdisjoint({organization.id})


async def test_no_route_changes_it_for_anybody(xyra: Xyra, shared_host: Served) -> None:
    """By declaration there is one route, which reads. No method on any path below it does anything else."""
    assert [(each.method, each.path) for each in ENDPOINTS if "audit" in each.path] == [("GET", "audit")]
    organization = await xyra.organization()
    entries = await story(organization.key)
    before = trails_in(shared_host.process)
    for client in (organization.key, xyra.operator, xyra.anonymous):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for path in ("audit", f"audit/{entries[0]['id']}", f"audit/{organization.id}"):
                body = {"action": "nothing.happened"} if method != "DELETE" else None
                answer = await client.send(method, path, body, headers={"If-Match": "*"})
                assert answer.status in (404, 405), (method, path)
    assert trails_in(shared_host.process) == before


async def test_an_entry_that_is_altered_in_the_store_is_named_by_the_check(
    new_process: Callable[..., XyraProcess],
) -> None:
    process = new_process()
    served = await Served.by(process)
    async with served.clients() as xyra:
        organization = await xyra.organization()
        for name in ("Support", "Sales", "Service"):
            await organization.department(name)
        await xyra.idle()
        entries = await story(organization.key)
        settings = {"XYRA_DATA_DIR": str(process.data_dir)}
        whole = await asyncio.to_thread(command_line.run, "audit", "verify", **settings)
        assert (whole.returncode, whole.stderr) == (0, "")
        assert f"{organization.id}: {len(entries)} entries, last {entries[-1]['hash']}\n" in whole.stdout
        assert whole.stdout.startswith("operator: ")
        (altered,) = [entry for entry in entries if entry["after"].get("name") == "Sales"]
        with closing(sqlite3.connect(process.data_dir / "xyra.db")) as database, database:
            (body,) = database.execute("SELECT body FROM tenants WHERE id = ?", (altered["id"],)).fetchone()
            database.execute(
                "UPDATE tenants SET body = ? WHERE id = ?", (body.replace("Sales", "Selas"), altered["id"])
            )
        found = await asyncio.to_thread(command_line.run, "audit", "verify", organization.slug, **settings)
        assert found.returncode == 1
        assert f"{organization.id}: {altered['id']}: was altered" in found.stdout
        others = [entry["id"] for entry in entries if entry["id"] != altered["id"]]
        assert not any(f"{entry_id}: was altered" in found.stdout for entry_id in others)
        alone = await asyncio.to_thread(command_line.run, "audit", "verify", "operator", **settings)
        assert alone.returncode == 0
    assert PASSWORD not in whole.stdout + found.stdout
