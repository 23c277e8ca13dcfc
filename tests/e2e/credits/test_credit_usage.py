"""What credits were spent on, and statements in pages."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Client, Organization, Xyra

Json = dict[str, Any]


async def post(client: Client, path: str, body: Json, **query: str) -> Json:
    answer = await client.send("POST", f"credits/{path}", body, headers={"Idempotency-Key": uuid4().hex}, **query)
    assert answer.status in (200, 201), answer.body
    made: Json = answer.json()
    return made


async def given(organization: Organization, amount: str, **fields: Any) -> None:
    await post(
        organization.operator,
        "grants",
        {"organization_id": organization.id, "amount": amount, "source": "bonus", **fields},
    )


async def all_pages(client: Client, path: str, **query: str) -> list[Json]:
    found: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = await client.get(f"credits/{path}", **query, **cursor)
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def test_usage_is_listed_filtered_and_summed(xyra: Xyra) -> None:
    organization = await xyra.organization()
    department = await organization.department()
    agent = await organization.agent(department_id=department["id"])
    await given(organization, "100")
    uses = [{"amount": "2", "agent": "coder"}, {"agent_type": "VideoAgent", "action": "generate_video"}]
    used = await post(organization.key, "use", {"uses": uses})
    await post(organization.key, "use", {"amount": "1", "run": "run 1"})
    hold = await post(organization.key, "reserve", {"amount": "9", "agent": "coder"})
    await post(organization.key, f"holds/{hold['hold_id']}/capture", {"amount": "4"})
    refund = {"amount": "11", "reason": "A wrong answer"}
    await post(
        organization.operator, f"transactions/{used['transaction_id']}/refund", refund, organization_id=organization.id
    )

    listed = (await organization.key.get("credits/usage"))["data"]
    assert [(each["type"], each["amount"]) for each in listed] == [
        ("refund", "-10"), ("refund", "-1"), ("capture", "4"), ("use", "1"), ("use", "2"), ("use", "10"),
    ]  # fmt: skip
    assert await all_pages(organization.key, "usage", limit="2") == listed
    of_agent = await all_pages(organization.key, "usage", limit="1", agent="coder")
    assert [each["amount"] for each in of_agent] == ["-1", "4", "2"]
    assert {each["agent_id"] for each in of_agent} == {agent["id"]}
    assert [each["amount"] for each in await all_pages(organization.key, "usage", run="run 1")] == ["1"]
    assert await all_pages(organization.key, "usage", kind="images") == []

    by_agent = await organization.key.get("credits/usage/summary", by="agent")
    assert [(group["name"], group["amount"], group["uses"]) for group in by_agent["data"]] == [
        (agent["id"], "5", 2), (None, "1", 2),
    ]  # fmt: skip
    assert by_agent["total"] == {"amount": "6", "spent": "17", "refunded": "11", "uses": 4}
    assert by_agent["rest"]["uses"] == 0
    by_action = await organization.key.get("credits/usage/summary", by="action", agent="coder")
    assert [(group["name"], group["amount"]) for group in by_action["data"]] == [(None, "5")]
    by_department = await organization.key.get("credits/usage/summary", by="department")
    assert by_department["data"][0]["name"] == department["id"]
    balance = await organization.key.get("credits/balance")
    assert balance["consumed"] == by_agent["total"]["amount"]

    unknown = await organization.key.send("GET", "credits/usage", agent="nobody")
    assert unknown.problem(422, "validation") == ["?agent"]
    span = {"from": "2026-12-02T00:00:00Z", "to": "2026-12-01T00:00:00Z"}
    assert (await organization.key.send("GET", "credits/usage/summary", **span)).problem(422, "validation") == ["?to"]
    (await organization.key.send("GET", "credits/usage", cursor="other")).problem(400, "malformed")


async def test_a_day_is_local(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-12-01T22:30:00Z")
    organization = await time_machine.xyra.organization(timezone="Europe/Berlin")
    await given(organization, "10")
    await post(organization.key, "use", {"amount": "1"})
    await time_machine.at("2026-12-01T23:30:00Z")
    await post(organization.key, "use", {"amount": "2"})
    summary = await organization.key.get("credits/usage/summary")
    assert [(group["name"], group["amount"]) for group in summary["data"]] == [("2026-12-01", "1"), ("2026-12-02", "2")]
    later = await organization.key.get("credits/usage/summary", **{"from": "2026-12-01T23:00:00Z"})
    assert later["total"]["amount"] == "2"


async def test_a_statement_comes_in_pages_that_follow_each_other(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "100")
    await given(organization, "50", kind="images")
    for kind in ("default", "images", "default", "default", "images"):
        await post(organization.key, "use", {"amount": "3", "kind": kind})
    span = {"from": "2026-11-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    whole = await organization.key.get("credits/statement", **span)
    assert (whole["opening"], whole["closing"], len(whole["lines"]), whole["next_cursor"]) == ("0", "91", 4, None)
    lines: list[Json] = []
    closing, cursor = "0", dict[str, str]()
    while True:
        page = await organization.key.get("credits/statement", **span, limit="2", **cursor)
        assert page["opening"] == closing
        lines += page["lines"]
        closing = page["closing"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert (lines, closing) == (whole["lines"], "91")
    middle = {"from": whole["lines"][2]["time"], "to": span["to"]}
    late = await organization.key.get("credits/statement", **middle)
    assert (late["opening"], late["lines"], late["closing"]) == ("97", whole["lines"][2:], "91")
    assert sum(Decimal(line["change"]) for line in late["lines"]) == Decimal(-6)
    other = await organization.key.send("GET", "credits/statement", **span, kind="images", **cursor)
    other.problem(400, "malformed")
