"""What agents cost and earn, as the API shows it."""

from decimal import Decimal
from typing import Any

from tests.doubles.xyra_client import Organization, Xyra
from tests.e2e.conftest import TimeMachine

Json = dict[str, Any]

OCTOBER = "2026-10"
START = "2026-10-01T00:00:00Z"
THIS_MONTH = "2026-11-01T00:00:00Z"
CHARGES = [
    {"key": "platform", "type": "flat_fee", "amount": "100.00"},
    {
        "key": "pool",
        "type": "activity",
        "scope": "organization",
        "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
        "pricing": {"type": "per_unit", "unit_amount": "1.01"},
    },
    {
        "key": "searches",
        "type": "activity",
        "meter": {"event_type": "search"},
        "pricing": {"type": "per_unit", "unit_amount": "2"},
    },
    {"key": "costs", "type": "cost", "markup_percent": "20"},
]


def reported(number: int, event_type: str, agent: str, time: str = "2026-10-10T00:00:00Z", **data: object) -> Json:
    return {"id": f"{agent}-{number}", "type": event_type, "agent": agent, "time": time, "data": data}


async def organization_with(xyra: Xyra, *agents: str, start: str = START) -> tuple[Organization, dict[str, Json]]:
    organization = await xyra.organization(shard_count=4)
    model = await organization.model(*CHARGES, effective_from=START)
    pricing = {"billing_model_id": model["id"], "billing_model_from": start}
    return organization, {name: await organization.agent(name, **pricing) for name in agents}


async def summary(organization: Organization, agent: Json, period: str = OCTOBER) -> Json:
    return await organization.key.get(f"agents/{agent['id']}/billing-summary", period=period)


async def test_lines_of_agents_add_up_to_the_invoice(xyra: Xyra) -> None:
    organization, agents = await organization_with(xyra, "a", "b", "c")
    await organization.key.report(
        *(reported(number, "command", "a", quantity=1) for number in range(2)),
        reported(2, "command", "b", quantity=1),
        *(reported(number, "search", "a") for number in range(3, 8)),
        reported(9, "cost.compute", "a", amount="1.50"),
        reported(10, "cost.api", "a", amount="0.25"),
        reported(11, "cost.api", "b", amount="1000"),
    )
    await xyra.idle()
    shown = {name: await summary(organization, agent) for name, agent in agents.items()}
    first = shown["a"]
    assert first["period"] == {"start": START, "end": THIS_MONTH}
    assert {line["charge"]: (line["amount"], line["line_amount"], line["pooled"]) for line in first["lines"]} == {
        "platform": ("33.34", "100.00", True),  # of three alike the first by id has the cent that is left
        "pool": ("2.02", "3.03", True),
        "searches": ("10.00", "10.00", False),
        "costs": ("2.10", "2.10", False),
    }
    assert {each["category"]: each["amount"] for each in first["costs"]} == {"api": "0.25", "compute": "1.5"}
    assert {each["event_type"]: each["count"] for each in first["events"]} == {
        "command": 2,
        "search": 5,
        "cost.api": 1,
        "cost.compute": 1,
    }
    assert first["provider_cost"] == "1.75"
    billed = Decimal(first["billed_amount"])
    assert billed == sum(Decimal(line["amount"]) for line in first["lines"])
    assert Decimal(first["margin"]) == round((billed - Decimal("1.75")) / billed, 6)
    assert (first["outcome_value"], first["return"]) == ("0", "0")
    preview = await organization.preview(OCTOBER)
    assert sum(Decimal(each["billed_amount"]) for each in shown.values()) == Decimal(preview["total"])
    by_charge = {line["charge"]: Decimal(line["amount"]) for line in preview["lines"] if line["agent_id"] is None}
    for charge, amount in by_charge.items():
        parts = [line["amount"] for each in shown.values() for line in each["lines"] if line["charge"] == charge]
        assert sum(map(Decimal, parts)) == amount
    third = shown["c"]
    assert {line["charge"]: line["amount"] for line in third["lines"]}["pool"] == "0.00"
    assert (third["events"], third["provider_cost"]) == ([], "0")


async def test_without_a_divisor_a_ratio_is_zero(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent("free")
    await organization.key.report(reported(1, "cost.api", "free", amount="3"), reported(2, "search", "free"))
    await xyra.idle()
    shown = await summary(organization, agent)
    assert shown["lines"] == []
    assert (shown["provider_cost"], shown["billed_amount"], shown["margin"]) == ("3", "0.00", "0")
    assert {each["event_type"]: each["count"] for each in shown["events"]} == {"cost.api": 1, "search": 1}


async def test_verified_outcomes_and_unpriced_calls_are_shown(xyra: Xyra) -> None:
    organization, agents = await organization_with(xyra, "a")
    await organization.key.report(
        reported(1, "outcome.sale", "a", value="500"),
        reported(2, "outcome.sale", "a", value="300"),
        reported(3, "llm_call", "a", model="no such model", input_tokens=90, output_tokens=10, cost="0.5"),
    )
    await xyra.idle()
    (first, _) = (await organization.key.get("outcomes"))["data"]
    verify = f"outcomes/{first['id']}/verify"
    (await xyra.operator.send("POST", verify, {}, organization_id=organization.id)).expect(200)
    shown = await summary(organization, agents["a"])
    worth = Decimal(first["value"])
    assert Decimal(shown["outcome_value"]) == worth
    assert Decimal(shown["return"]) == round((worth - 100) / worth, 6)
    assert (shown["provider_cost"], shown["stated_cost"]) == ("0", "0.5")
    assert shown["unpriced"] == {"calls": 1, "tokens": "100"}


async def test_stats_show_the_open_period_and_those_before(xyra: Xyra) -> None:
    organization, agents = await organization_with(xyra, "a")
    await organization.key.report(
        reported(1, "search", "a"),
        reported(2, "search", "a", "2026-11-10T00:00:00Z"),
        reported(3, "cost.api", "a", "2026-11-12T10:20:30Z", amount="4"),
    )
    await xyra.idle()
    shown = await organization.key.get(f"agents/{agents['a']['id']}/stats")
    assert shown["period"]["start"] == THIS_MONTH
    assert {each["event_type"]: each["count"] for each in shown["events"]} == {"search": 1, "cost.api": 1}
    assert (shown["provider_cost"], shown["billed_amount"]) == ("4", "106.80")
    assert shown["last_active_at"] == "2026-11-12T10:20:30Z"
    october, november = shown["trend"][-2:]
    assert (october["period"]["start"], october["billed_amount"], october["provider_cost"]) == (START, "102.00", "0")
    assert november == {name: shown[name] for name in november}


async def test_the_trend_has_six_periods_without_a_gap(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-18T10:00:00+00:00")
    organization, agents = await organization_with(time_machine.xyra, "a")
    await organization.key.report(reported(1, "search", "a"))
    await time_machine.at("2027-05-10T00:00:00+00:00")
    trend = (await organization.key.get(f"agents/{agents['a']['id']}/stats"))["trend"]
    months = ["2026-12", "2027-01", "2027-02", "2027-03", "2027-04", "2027-05"]
    assert [each["period"]["start"][:7] for each in trend] == months
    assert [each["billed_amount"] for each in trend] == ["100.00"] * 6


async def test_an_agent_that_was_deleted_is_still_shown(xyra: Xyra) -> None:
    organization, agents = await organization_with(xyra, "a")
    await organization.key.report(reported(1, "search", "a"))
    await xyra.idle()
    before = await summary(organization, agents["a"])
    (await organization.key.send("DELETE", f"agents/{agents['a']['id']}")).expect(204)
    assert await summary(organization, agents["a"]) == before


async def test_the_organization_adds_up_over_its_agents(xyra: Xyra) -> None:
    organization, _ = await organization_with(xyra, "a", "b", "idle")
    await organization.key.report(
        reported(1, "search", "a", "2026-11-10T00:00:00Z"),
        reported(2, "cost.api", "b", "2026-11-10T00:00:00Z", amount="10"),
        reported(3, "search", "idle"),
    )
    await xyra.idle()
    shown = await organization.key.get(f"organizations/{organization.id}/stats")
    assert (shown["agents"], shown["active_agents"]) == (3, 2)
    assert (shown["provider_cost"], shown["billed_amount"]) == ("10", "114.00")
    assert Decimal(shown["margin"]) == round(Decimal(104) / 114, 6)


async def test_what_an_agent_is_priced_by_now_and_later(xyra: Xyra) -> None:
    organization, agents = await organization_with(xyra, "a")
    path = f"agents/{agents['a']['id']}"
    shown = await organization.key.get(f"{path}/billing-config")
    model_id = agents["a"]["billing_model_id"]
    assert shown["current"]["billing_model_id"] == model_id
    assert [charge["key"] for charge in shown["current"]["charges"]] == [charge["key"] for charge in CHARGES]
    assert shown["upcoming"] == []
    model = await xyra.operator.send("GET", f"billing-models/{model_id}")
    second = {"name": "Model", "currency": "USD", "effective_from": "2026-12-01T00:00:00Z", "charges": CHARGES[:1]}
    headers = {"If-Match": model.headers["ETag"]}
    (await xyra.operator.send("PUT", f"billing-models/{model_id}", second, headers=headers)).expect(200)
    leaves = {"billing_model_id": None, "billing_model_from": "2027-01-01T00:00:00Z"}
    (await organization.key.send("PATCH", path, leaves)).expect(200)
    upcoming = (await organization.key.get(f"{path}/billing-config"))["upcoming"]
    assert [(each["start"], each["version"]) for each in upcoming] == [
        ("2026-12-01T00:00:00Z", 2),
        ("2027-01-01T00:00:00Z", None),
    ]


async def test_an_agent_without_a_model_is_priced_by_nothing(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent("free")
    current = (await organization.key.get(f"agents/{agent['id']}/billing-config"))["current"]
    assert (current["billing_model_id"], current["version"], current["charges"]) == (None, None, [])
