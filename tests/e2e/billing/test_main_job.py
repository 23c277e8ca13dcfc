"""From signing up to a finalized invoice, over HTTP."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.xyra_client import PASSWORD, Organization, Xyra

Json = dict[str, Any]

OCTOBER = "2026-10"
START = "2026-10-01T00:00:00Z"

COMMANDS = {
    "key": "commands",
    "type": "activity",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {
        "type": "graduated",
        "tiers": [{"up_to": "10", "unit_amount": "1.005"}, {"up_to": None, "unit_amount": "0.5"}],
    },
}
PLATFORM = {"key": "platform", "type": "flat_fee", "amount": "499.00"}


def command(event_id: str, quantity: str = "1", agent: str = "coder", time: str = "2026-10-10T12:00:00Z") -> Json:
    return {"id": event_id, "type": "command", "agent": agent, "time": time, "data": {"quantity": quantity}}


async def billed_agent(organization: Organization, *charges: Json) -> Json:
    model = await organization.model(*(charges or (PLATFORM, COMMANDS)), effective_from=START)
    agent: Json = await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    return agent


async def test_who_signs_up_can_sign_in_and_owns_a_new_organization(xyra: Xyra) -> None:
    email = f"{uuid4().hex}@example.com"
    made = await xyra.sign_up(email, organization_name="Analytical Engines", currency="JPY", timezone="Asia/Tokyo")
    owner = await xyra.sign_in(email)
    (organization,) = (await owner.get("organizations"))["data"]
    assert organization == made["organization"]
    assert (organization["currency"], organization["timezone"]) == ("JPY", "Asia/Tokyo")
    assert organization["slug"].startswith("analytical-engines")
    assert made["user"] == {"id": made["user"]["id"], "email": email, "full_name": "Ada Lovelace"}
    assert await owner.get(f"organizations/{organization['slug']}") == organization
    again = await owner.post("auth/signup", signup(email), expect=409)
    assert again["errors"] == [{"pointer": "/email", "detail": "is taken"}]


def signup(email: str) -> Json:
    return {
        "email": email,
        "password": PASSWORD,
        "full_name": "Ada",
        "organization_name": "Ada",
        "currency": "USD",
        "timezone": "UTC",
        "accept_terms": True,
    }


async def test_both_login_routes_issue_tokens(xyra: Xyra) -> None:
    email = f"{uuid4().hex}@example.com"
    made = await xyra.sign_up(email)
    for route in ("auth/login/access-token", "auth/login"):
        form = {"username": email.upper(), "password": PASSWORD, "organization_id": made["organization"]["id"]}
        answer = await xyra.anonymous.send("POST", route, form=form)
        tokens = answer.expect(200)
        assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 1800)
        assert answer.headers["Cache-Control"] == "no-store"
        await xyra.bearing(tokens["access_token"]).get("organizations")


async def test_a_wrong_password_and_an_unknown_address_look_the_same_and_lock_alike(xyra: Xyra) -> None:
    known, unknown = f"{uuid4().hex}@example.com", f"{uuid4().hex}@example.com"
    await xyra.sign_up(known)
    for _ in range(5):
        wrong = [
            await xyra.anonymous.send("POST", "auth/login", form={"username": email, "password": "wrong"})
            for email in (known, unknown)
        ]
        assert [each.problem(401, "unauthenticated") for each in wrong] == [[], []]
        first, second = (each.json() for each in wrong)
        assert first["detail"] == second["detail"]
    for email in (known, unknown):
        locked = await xyra.anonymous.send("POST", "auth/login", form={"username": email, "password": PASSWORD})
        locked.problem(423, "locked")


async def test_an_owner_makes_and_revokes_keys_that_do_what_their_scopes_allow(xyra: Xyra) -> None:
    email = f"{uuid4().hex}@example.com"
    await xyra.sign_up(email)
    owner = await xyra.sign_in(email)
    made = await owner.post("api-keys", {"name": "Agents", "scopes": ["events:write", "agents:read"]})
    assert made["token"].startswith(made["key_prefix"])
    assert len(made["token"]) == len("xyra_") + 32
    (listed,) = (await owner.get("api-keys"))["data"]
    assert listed == {name: value for name, value in made.items() if name != "token"}
    await owner.post("agents", {"external_id": "coder", "name": "Coder"})

    event = {"id": "1", "type": "command", "agent": "coder"}
    await xyra.bearing(made["token"]).post("events", event, expect=202)
    by_header = xyra.anonymous.with_headers(**{"X-API-Key": made["token"]})
    await by_header.post("events", event | {"id": "2"}, expect=202)
    assert [each["external_id"] for each in (await by_header.get("agents"))["data"]] == ["coder"]
    (await by_header.send("GET", "usage")).problem(403, "forbidden")

    (await owner.send("DELETE", f"api-keys/{made['id']}")).expect(204)
    (await by_header.send("GET", "agents")).problem(401, "unauthenticated")
    assert (await owner.get("api-keys"))["data"] == []


async def test_agents_are_made_found_changed_and_ended(xyra: Xyra) -> None:
    organization = await xyra.organization()
    project = await organization.project()
    answer = await organization.key.send(
        "POST",
        "agents",
        {
            "external_id": "bots Ä 1",
            "name": "Bot",
            "type": "chat",
            "capabilities": ["talk"],
            "config": {"temperature": 0.7, "nested": [1, None]},
            "project_id": project["id"],
        },
    )
    made = answer.expect(201)
    assert made["status"] == "active"
    assert made["config"] == {"temperature": Decimal("0.7"), "nested": [1, None]}
    assert await organization.key.get(f"agents/{made['id']}") == made
    assert await organization.key.get("agents/external/bots Ä 1") == made
    other = await organization.agent("other")
    assert [each["id"] for each in (await organization.key.get("agents"))["data"]] == [other["id"], made["id"]]
    assert [each["id"] for each in (await organization.key.get("agents", project_id=project["id"]))["data"]] == [
        made["id"]
    ]

    etag = {"If-Match": answer.headers["ETag"]}
    changed = await organization.key.send("PATCH", f"agents/{made['id']}", {"is_active": False}, headers=etag)
    assert changed.expect(200) == made | {"is_active": False, "status": "inactive"}
    stale = await organization.key.send("PATCH", f"agents/{made['id']}", {"name": "Late"}, headers=etag)
    stale.problem(412, "precondition_failed")
    (await organization.key.send("DELETE", f"agents/{made['id']}")).expect(204)
    (await organization.key.send("GET", f"agents/{made['id']}")).problem(404, "not_found")
    assert [each["id"] for each in (await organization.key.get("agents"))["data"]] == [other["id"]]
    (await organization.key.send("POST", "agents", {"external_id": "other", "name": "Twin"})).problem(409, "conflict")


@pytest.mark.parametrize("by", ["token", "key", "header"])
async def test_every_form_of_event_and_of_credential_counts(xyra: Xyra, by: str) -> None:
    organization = await xyra.organization()
    agent = await billed_agent(organization)
    sender = organization.key
    if by == "header":
        sender = sender.with_headers(**{"X-API-Key": sender.headers["Authorization"].removeprefix("Bearer ")})
    if by == "token":
        sender = xyra.operator
    named: Json = {"organization_id": organization.id} if by == "token" else {}
    cloud = {"specversion": "1.0", "source": "tests", "type": "command", "subject": "coder", "datacontenttype": "x/y"}
    at = {"time": "2026-10-10T14:00:00+02:00"}

    async def send(body: object, content_type: str, **headers: str) -> Json:
        answer = await sender.send("POST", "events", body, headers={"Content-Type": content_type, **headers}, **named)
        accepted: Json = answer.expect(202)
        return accepted

    one = await send(command("plain"), "application/json")
    assert one == {"accepted": 1, "duplicates_in_request": 0, "rejected": [], "events": [{"index": 0, "id": "plain"}]}
    await send([command("list-1"), command("list-2", agent=agent["id"])], "application/json; charset=utf-8")
    batch = await send({"events": [command("batch"), command("batch")]}, "application/json")
    assert (batch["accepted"], batch["duplicates_in_request"]) == (1, 1)
    await send(cloud | at | {"id": "ce", "run": "r1", "data": {"quantity": 2}}, "application/cloudevents+json")
    structured = cloud | at | {"id": "ce-batch", "data": {"quantity": "0.5"}}
    await send([structured], "application/cloudevents-batch+json")
    binary = {f"ce-{name}": value for name, value in (cloud | at).items() if name != "datacontenttype"}
    await send({"quantity": 1.25}, "application/json", **binary, **{"ce-id": "ce-binary"})
    answer = await sender.send(
        "POST",
        f"agents/{agent['id']}/activities",
        {"activity_type": "command", "quantity": "3", "time": "2026-10-11T00:00:00Z", "id": "by-hand"},
        **named,
    )
    assert answer.headers["Location"] == f"/api/v1/events/{answer.expect(202)['event_id']}"
    await xyra.idle()
    assert await organization.usage(OCTOBER, "commands") == Decimal(4) + Decimal("2.5") + Decimal("1.25") + 3


async def test_with_partial_the_good_events_are_taken(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await billed_agent(organization)
    events = [command("good"), command("bad", quantity="-1"), command("nobody", agent="nobody"), {"id": "no type"}]
    answer = await organization.key.post("events", events, expect=202, partial="true")
    assert answer["events"] == [{"index": 0, "id": "good"}]
    pointers = {each["index"]: [place["pointer"] for place in each["errors"]] for each in answer["rejected"]}
    assert pointers == {1: ["/data/quantity"], 2: ["/agent"], 3: ["/type", "/agent"]}
    await xyra.idle()
    assert await organization.usage(OCTOBER, "commands") == 1


async def test_usage_shows_meters_and_what_no_charge_meters(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await billed_agent(organization)
    project = await organization.project()
    free = await organization.agent("free", project_id=project["id"])
    unpriced = {"id": "x", "type": "search", "agent": "coder", "time": "2026-10-10T12:00:00Z"}
    await organization.key.report(command("1", "2.50"), command("2", "7", agent="free"), unpriced)
    await xyra.idle()
    usage = await organization.key.get("usage", period=OCTOBER)
    assert usage["period"] == {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"}
    assert usage["pending"] == 0
    rows = {(row["agent_id"], row["charge"], row["event_type"], row["quantity"]) for row in usage["data"]}
    assert rows == {
        (agent["id"], "commands", "command", "2.5"),
        (agent["id"], None, "search", "1"),
        (free["id"], None, "command", "7"),
    }
    assert {row["agent_id"] for row in (await organization.key.get("usage", period=OCTOBER, agent="free"))["data"]} == {
        free["id"]
    }
    of_project = await organization.key.get("usage", period=OCTOBER, project=project["id"])
    assert {row["agent_id"] for row in of_project["data"]} == {free["id"]}


async def test_a_month_is_previewed_drafted_and_finalized(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await billed_agent(organization)
    await organization.key.report(command("1", "10"), command("2", "3"))
    await xyra.idle()
    preview = await organization.preview(OCTOBER)
    # 10 x 1.005 + 3 x 0.5 = 11.55
    assert [(line["charge"], line["quantity"], line["amount"]) for line in preview["lines"]] == [
        ("commands", "13", "11.55"),
        ("platform", "1", "499.00"),
    ]
    (draft,) = await xyra.generate(organization, OCTOBER, finalize=False)
    assert (draft["status"], draft["number"], draft["total"], draft["amount_due"]) == ("draft", None, "510.55", "0.00")
    (same,) = await xyra.generate(organization, OCTOBER, finalize=False)
    assert same == draft
    answer = await xyra.operator.send("POST", f"invoices/{draft['id']}/finalize")
    invoice = answer.expect(200)
    assert invoice["status"] == "pending"
    assert invoice["number"] == f"INV-{organization.slug.upper()}-2026-000001"
    assert (invoice["total"], invoice["subtotal"], invoice["amount_due"]) == ("510.55", "510.55", "510.55")
    assert invoice["lines"] == preview["lines"]
    commands = invoice["lines"][0]
    assert commands["agent_id"] == agent["id"]
    assert [(step["from"], step["to"], step["quantity"], step["amount"]) for step in commands["steps"]] == [
        ("0", "10", "10", "10.05"),
        ("10", None, "3", "1.5"),
    ]
    again = await xyra.operator.send("POST", f"invoices/{draft['id']}/finalize")
    assert again.expect(200) == invoice
    assert await xyra.generate(organization, OCTOBER) == [invoice]
    assert await organization.invoices() == [invoice]
    assert await organization.key.get(f"invoices/{invoice['id']}") == invoice
    assert (await organization.key.get(f"invoices/{invoice['id']}/lines"))["data"] == invoice["lines"]
    assert (await organization.key.get("invoices", status="draft"))["data"] == []
    assert (await organization.preview(OCTOBER))["lines"] == []


async def test_a_run_over_all_organizations_numbers_each_ones_invoices(xyra: Xyra) -> None:
    organizations = [await xyra.organization() for _ in range(3)]
    for each in organizations:
        await billed_agent(each)
    job = await xyra.operator.post("invoices/generate/monthly", {"period": OCTOBER, "finalize": True}, expect=202)
    await xyra.idle()
    assert (await xyra.operator.get(f"invoices/jobs/{job['id']}"))["done"]
    for each in organizations:
        (invoice,) = await each.invoices()
        assert (invoice["number"], invoice["total"]) == (f"INV-{each.slug.upper()}-2026-000001", "499.00")
    first = organizations[0]
    await first.key.report(command("late", "2"))
    await xyra.idle()
    await xyra.generate(first, OCTOBER)
    (september,) = await xyra.generate(first, "2026-09") or [None]
    assert september is None


async def test_a_month_that_has_not_ended_is_only_previewed(xyra: Xyra) -> None:
    organization = await xyra.organization()
    answer = await xyra.operator.send(
        "POST", "invoices/generate/monthly", {"organization_id": organization.id, "period": "2026-11"}
    )
    assert answer.problem(422, "validation") == ["/period"]


async def test_the_same_idempotency_key_gives_the_first_answer_again(xyra: Xyra) -> None:
    organization = await xyra.organization()
    key = {"Idempotency-Key": "once"}
    body = {"external_id": "coder", "name": "Coder"}
    first = await organization.key.send("POST", "agents", body, headers=key)
    second = await organization.key.send("POST", "agents", body, headers=key)
    assert first.expect(201) == second.expect(201)
    assert first.headers["ETag"] == second.headers["ETag"]
    assert len((await organization.key.get("agents"))["data"]) == 1
    new_key = {"name": "Key", "scopes": ["agents:read"]}
    tokens = {
        (await organization.key.post("api-keys", new_key, headers={"Idempotency-Key": "key"}))["token"] for _ in "12"
    }
    assert len(tokens) == 1
    await xyra.bearing(tokens.pop()).get("agents")


async def test_a_correlation_id_comes_back(xyra: Xyra) -> None:
    answer = await xyra.anonymous.send("GET", "/health", headers={"X-Correlation-Id": "mine-1"})
    assert answer.headers["X-Correlation-Id"] == "mine-1"
    made = (await xyra.anonymous.send("GET", "/health")).headers["X-Correlation-Id"]
    assert len(made) >= 16


async def test_a_trailing_slash_is_accepted(xyra: Xyra) -> None:
    assert (await xyra.operator.send("GET", "organizations/")).status == 200
