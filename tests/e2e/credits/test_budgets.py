"""Budgets over HTTP: caps of six scopes, in windows, in credits and in money, and how they stand."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Answer, Client, Organization, Xyra
from tests.doubles.worlds.charges import commands

Json = dict[str, Any]


async def use(client: Client, amount: str, **context: str) -> Answer:
    headers = {"Idempotency-Key": uuid4().hex}
    return await client.send("POST", "credits/use", {"amount": amount, **context}, headers=headers)


async def with_credits(xyra: Xyra, amount: str = "1000", **fields: Any) -> Organization:
    organization = await xyra.organization(**fields)
    grant = {"organization_id": organization.id, "amount": amount, "source": "purchase"}
    await organization.operator.post("credits/grants", grant, headers={"Idempotency-Key": "grant"})
    return organization


async def put(organization: Organization, budget_id: str, **fields: Any) -> Json:
    answer = await organization.key.send("PUT", f"budgets/{budget_id}", {"window": "day", "limit": "10", **fields})
    assert answer.status in (200, 201), answer.body
    return dict(answer.json())


@pytest.mark.walk
async def test_six_scopes_cap_one_use(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    project, department = await organization.project(), await organization.department()
    agent = await organization.agent(project_id=project["id"], department_id=department["id"])
    (listed,) = (await organization.key.get("api-keys"))["data"]
    await put(organization, "f-run", scope="run", ref="each", limit="1")
    await put(organization, "e-key", scope="api_key", ref=listed["id"], limit="2")
    await put(organization, "d-agent", scope="agent", ref="coder", limit="3")
    await put(organization, "c-department", scope="department", ref=department["id"], limit="4")
    await put(organization, "b-project", scope="project", ref=project["id"], limit="5")
    await put(organization, "a-organization", scope="organization", limit="6")
    everything = {"agent": "coder", "run": "run-1"}
    first_passed = {
        "7": "a-organization",
        "6": "b-project",
        "5": "c-department",
        "4": "d-agent",
        "3": "e-key",
        "2": "f-run",
    }
    for amount, budget_id in first_passed.items():
        refused = await use(organization.key, amount, **everything)
        refused.problem(403, "limit_exceeded")
        assert refused.json()["budget_id"] == budget_id
    (await use(organization.key, "1", **everything)).expect(200)
    for budget_id, limit in {"f-run": 1, "d-agent": 3, "a-organization": 6}.items():
        asked = {"ref": "run-1"} if budget_id == "f-run" else {}
        shown = await organization.key.get(f"budgets/{budget_id}", **asked)
        assert (shown["spent"], shown["left"], shown["over"]) == ("1", str(limit - 1), "0")
    assert (await organization.key.get("budgets/d-agent"))["ref"] == agent["id"]
    (await use(organization.key, "1", agent="coder", run="run-2")).expect(200)
    (await use(organization.key, "1", agent="coder", run="run-1")).problem(403, "limit_exceeded")


async def test_a_budget_for_each_agent_holds_whatever_is_spent_at_once(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    agents = [await organization.agent(f"agent-{number}") for number in range(3)]
    await put(organization, "agents", scope="agent", ref="each")
    answers = await asyncio.gather(
        *(use(organization.key, "3", agent=agent["external_id"]) for agent in agents for _ in range(6))
    )
    assert sorted(answer.status for answer in answers) == [200] * 9 + [403] * 9
    for agent in agents:
        shown = await organization.key.get("budgets/agents", ref=agent["external_id"])
        assert (shown["spent"], shown["left"], shown["state"], shown["ref"]) == ("9", "1", "alert", agent["id"])
    (await organization.key.send("GET", "budgets/agents")).problem(422, "validation")


async def test_what_was_spent_before_counts_and_a_cap_may_be_below_it(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    (await use(organization.key, "30")).expect(200)
    hold = await organization.key.post("credits/reserve", {"amount": "4"}, headers={"Idempotency-Key": "hold"})
    await put(organization, "all", scope="organization", limit="50")
    shown = await organization.key.get("budgets/all")
    assert (shown["spent"], shown["held"], shown["left"], shown["state"]) == ("30", "4", "16", "ok")
    await put(organization, "all", scope="organization", limit="20")
    lowered = await organization.key.get("budgets/all", at_least=shown["revision"] + 1)
    assert (lowered["left"], lowered["over"], lowered["state"]) == ("0", "14", "exhausted")
    (await use(organization.key, "1")).problem(403, "limit_exceeded")
    path = f"credits/holds/{hold['hold_id']}/capture"  # it counts already
    await organization.key.post(path, {}, expect=200, headers={"Idempotency-Key": "capture"})
    assert (await organization.key.get("budgets/all"))["spent"] == "34"
    await put(organization, "all", scope="organization", limit="20", enforcement="soft")
    (await use(organization.key, "1")).expect(200)
    never = lowered["revision"] + 1_000_000
    (await organization.key.send("GET", "budgets/all", at_least=never)).problem(503, "unavailable")


async def test_they_are_listed_replaced_under_their_etag_and_deleted(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    for number in range(5):
        await put(organization, f"budget {number}", scope="organization", window="month", name=f"Number {number}")
    first = await organization.key.get("budgets", limit=3)
    second = await organization.key.get("budgets", limit=3, cursor=first["next_cursor"])
    names = [budget["name"] for budget in (*first["data"], *second["data"])]
    assert names == [f"Number {number}" for number in (4, 3, 2, 1, 0)]
    body = {"scope": "organization", "window": "month", "limit": "11"}
    made = await organization.key.send("PUT", "budgets/budget 0", body)
    assert made.status == 200
    again = await organization.key.send("PUT", "budgets/budget 0", body, headers={"If-Match": made.headers["ETag"]})
    assert (again.status, again.headers["ETag"]) == (200, made.headers["ETag"])
    other = await organization.key.send(
        "PUT", "budgets/budget 0", {**body, "limit": "12"}, headers={"If-Match": '"other"'}
    )
    other.problem(412, "precondition_failed")
    (await organization.key.send("DELETE", "budgets/budget 0")).expect(204)
    (await organization.key.send("DELETE", "budgets/budget 0")).problem(404, "not_found")
    (await organization.key.send("GET", "budgets/budget 0")).problem(404, "not_found")
    entries = (await organization.key.get("audit", target="budget 0"))["data"]
    assert [entry["action"] for entry in entries] == ["budgets.delete", "budgets.update", "budgets.create"]
    stranger = await xyra.organization()
    (await stranger.key.send("GET", "budgets/budget 1")).problem(404, "not_found")
    assert (await stranger.key.get("budgets"))["data"] == []


async def test_limits_of_departments_are_budgets_that_are_changed_elsewhere(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    department = await organization.department()
    path = f"credits/departments/{department['id']}/limits"
    (await organization.key.send("PUT", path, {"daily": "10"})).expect(200)
    (listed,) = (await organization.key.get("budgets"))["data"]
    assert (listed["scope"], listed["ref"], listed["window"]) == ("department", department["id"], "day")
    assert (await organization.key.get(f"budgets/{listed['id']}"))["left"] == "10"
    (await organization.key.send("DELETE", f"budgets/{listed['id']}")).problem(409, "conflict")


async def test_a_run_with_a_budget_is_stopped_by_it(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    await organization.agent()
    body = {"key": "run-7", "agent": "coder", "budget": {"limit": "5"}}
    run = await organization.key.post("runs", body, headers={"Idempotency-Key": "run"})
    assert (run["budget"]["limit"], run["budget"]["unit"]) == ("5", "credits")
    (await use(organization.key, "4", agent="coder", run="run-7")).expect(200)
    refused = await use(organization.key, "2", agent="coder", run="run-7")
    refused.problem(403, "limit_exceeded")
    assert (refused.json()["budget_id"], refused.json()["left"]) == (run["budget"]["id"], "1")
    shown = await organization.key.get(f"budgets/{run['budget']['id']}")
    assert (shown["scope"], shown["ref"], shown["spent"], shown["left"]) == ("run", "run-7", "4", "1")
    assert shown["window"] == {"start": None, "end": None, "timezone": "UTC"}
    assert (await organization.key.get(f"runs/{run['id']}"))["budget"] == run["budget"]
    (await use(organization.key, "100", agent="coder", run="run-8")).expect(200)
    taken = await organization.key.send("POST", "runs", {"key": "run-7", "budget": {"limit": "1"}})
    taken.problem(409, "conflict")
    (await use(organization.key, "1", run="run-7")).expect(200)


async def test_money_counts_by_what_a_credit_was_worth(xyra: Xyra) -> None:
    organization = await with_credits(xyra)
    body = {"scope": "organization", "window": "day", "limit": "1.00", "unit": "money"}
    refused = await organization.key.send("PUT", "budgets/money", body)
    assert refused.problem(422, "validation") == ["/unit"]
    assert (await organization.key.send("POST", "runs", {"budget": {"limit": "1", "unit": "money"}})).status == 422
    valued = await with_credits(xyra, credit_value="0.03")
    (await valued.key.send("PUT", "budgets/money", body)).expect(201)
    (await use(valued.key, "33")).expect(200)
    shown = await valued.key.get("budgets/money")
    assert (shown["unit"], shown["spent"], shown["left"]) == ("money", "0.99", "0.01")
    (await use(valued.key, "0.333334")).problem(403, "limit_exceeded")
    (await use(valued.key, "0.333333")).expect(200)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scope": "agent"}, "/ref"),
        ({"scope": "agent", "ref": "nobody"}, "/ref"),
        ({"scope": "project", "ref": "prj_1"}, "/ref"),
        ({"scope": "department", "ref": "dep_1"}, "/ref"),
        ({"scope": "api_key", "ref": "key_1"}, "/ref"),
        ({"scope": "organization", "ref": "org_1"}, "/ref"),
        ({"scope": "team"}, "/scope"),
        ({"scope": "organization", "window": "week"}, "/window"),
        ({"scope": "organization", "limit": "-1"}, "/limit"),
        ({"scope": "organization", "limit": "0.0000001"}, "/limit"),
        ({"scope": "organization", "limit": "NaN"}, "/limit"),
        ({"scope": "organization", "alert_at": ["0"]}, "/alert_at/0"),
        ({"scope": "organization", "unit": "hours"}, "/unit"),
        ({"scope": "organization", "enforcement": "firm"}, "/enforcement"),
    ],
)
async def test_what_cannot_be_a_budget_is_refused(xyra: Xyra, body: Json, pointer: str) -> None:
    organization = await xyra.organization()
    answer = await organization.key.send("PUT", "budgets/wrong", {"window": "day", "limit": "10", **body})
    assert answer.problem(422, "validation") == [pointer]
    assert (await organization.key.get("budgets"))["data"] == []


async def test_hours_days_and_months_end_where_the_organization_is(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-01T05:10:00Z")  # New York: 01:10, for the first time in the night of 25 hours
    organization = await with_credits(time_machine.xyra, timezone="America/New_York")
    for window, limit in (("hour", "10"), ("day", "25"), ("month", "60"), ("once", "70")):
        await put(organization, window, scope="organization", window=window, limit=limit)
    (await use(organization.key, "10")).expect(200)
    assert (await use(organization.key, "1")).json()["budget_id"] == "hour"
    shown = await organization.key.get("budgets/hour")
    assert (shown["window"]["start"], shown["window"]["end"]) == (
        "2026-11-01T05:00:00Z",
        "2026-11-01T06:00:00Z",
    )
    await time_machine.at("2026-11-01T06:10:00Z")  # 01:10 again
    (await use(organization.key, "10")).expect(200)
    assert (await use(organization.key, "6")).json()["budget_id"] == "day"
    shown = await organization.key.get("budgets/day")
    assert shown["window"]["end"] == "2026-11-02T05:00:00Z"
    await time_machine.at("2026-11-02T04:59:00Z")
    (await use(organization.key, "5")).expect(200)
    await time_machine.at("2026-11-02T05:00:30Z")
    (await use(organization.key, "10")).expect(200)
    await time_machine.at("2026-12-01T04:59:00Z")  # the last minute of November
    (await use(organization.key, "10")).expect(200)
    await time_machine.at("2026-12-01T05:00:30Z")
    (await use(organization.key, "10")).expect(200)
    await time_machine.at("2026-12-02T12:00:00Z")
    (await use(organization.key, "10")).expect(200)
    await time_machine.at("2026-12-02T13:00:00Z")
    assert (await use(organization.key, "6")).json()["budget_id"] == "once"


async def test_usage_counts_and_then_uses_are_refused(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-10T10:00:00Z")
    organization = await with_credits(time_machine.xyra, credit_value="0.5")
    model = await organization.model(commands("1", "0.1"), effective_from="2026-11-01T00:00:00Z")
    await organization.agent(billing_model_id=model["id"], billing_model_from="2026-11-01T00:00:00Z")
    await put(organization, "coder", scope="agent", ref="coder", limit="10")
    await put(organization, "money", scope="organization", limit="100", unit="money", window="month")
    (await use(organization.key, "2", agent="coder")).expect(200)
    event = {"id": "1", "type": "command", "agent": "coder", "time": "2026-11-10T09:30:00Z", "data": {"quantity": "5"}}
    await organization.key.report(event, {**event, "id": "2", "time": "2026-11-09T09:30:00Z"})
    await organization.key.report(event)
    await time_machine.xyra.idle()
    await time_machine.at("2026-11-10T10:02:00Z")
    shown = await organization.key.get("budgets/coder")
    assert (shown["spent"], shown["metered"], shown["left"], shown["over"]) == ("2", "10", "0", "2")
    assert shown["pending"] == {"events": 0, "oldest": None, "at_least": False}
    assert shown["counted_to"] >= "2026-11-10T10:02:00"
    (await use(organization.key, "0.1", agent="coder")).problem(403, "limit_exceeded")
    (await use(organization.key, "0.1")).expect(200)
    money = await organization.key.get("budgets/money")
    assert (money["spent"], money["metered"]) == ("1.05", "10")


async def test_a_budget_in_money_counts_another_kind_by_its_own_value(xyra: Xyra) -> None:
    organization = await xyra.organization(credit_values={"images": "0.25"})
    grant = {"organization_id": organization.id, "amount": "100", "source": "bonus", "kind": "images"}
    await organization.operator.post("credits/grants", grant, headers={"Idempotency-Key": "grant"})
    money = {"scope": "organization", "window": "once", "limit": "1", "unit": "money"}
    await put(organization, "of-images", **money, kind="images")
    refused = await organization.key.send("PUT", "budgets/of-default", money)
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/unit")
    (await use(organization.key, "4", kind="images")).expect(200)
    (await use(organization.key, "1", kind="images")).problem(403, "limit_exceeded")


async def test_what_a_wallet_may_spend_in_a_month_is_the_operators(xyra: Xyra) -> None:
    organization = await xyra.organization()
    grant = {"organization_id": organization.id, "amount": "100", "source": "bonus"}
    await organization.operator.post("credits/grants", grant, headers={"Idempotency-Key": "grant"})
    path = f"organizations/{organization.id}/wallet-budget"
    (await organization.key.send("PUT", path, {"monthly": "10"})).problem(403, "forbidden")
    finer = await organization.operator.send("PUT", path, {"monthly": "0.0000001"})
    assert finer.problem(422, "validation") == ["/monthly"]
    made = (await organization.operator.send("PUT", path, {"monthly": "10", "enforcement": "hard"})).expect(200)
    assert (made["scope"], made["window"], made["limit"]) == ("organization", "month", "10")
    (await use(organization.key, "10")).expect(200)
    (await use(organization.key, "0.1")).problem(403, "limit_exceeded")
    assert (await organization.key.get("budgets/wallet-budget"))["left"] == "0"
    (await organization.key.send("DELETE", "budgets/wallet-budget")).problem(409, "conflict")
    larger = {"scope": "organization", "window": "month", "limit": "1000"}
    (await organization.key.send("PUT", "budgets/wallet-budget", larger)).problem(409, "conflict")
    for _ in range(2):
        assert (await organization.operator.send("PUT", path, {"monthly": None})).status == 204
    (await use(organization.key, "0.1")).expect(200)
