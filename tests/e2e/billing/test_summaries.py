"""What agents cost and earn, as the API shows it."""

from decimal import Decimal
from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra

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


async def test_projects_and_departments_add_up_to_the_organization(xyra: Xyra) -> None:
    """Seven agents share the fee of 100.00: a to d have 14.29 each, e to g 14.28."""
    organization = await xyra.organization(shard_count=4)
    model = await organization.model(*CHARGES, effective_from=START)
    pricing = {"billing_model_id": model["id"], "billing_model_from": START}
    website, app = [await organization.project(name) for name in ("Website", "App")]
    support = await organization.department()
    allocated = {name: {"project_id": website["id"]} for name in "abe"}
    allocated |= {name: {"project_id": app["id"]} for name in "cf"}
    allocated["a"] |= {"department_id": support["id"]}
    allocated["g"] = {"department_id": support["id"]}
    agents = {name: await organization.agent(name, **pricing, **allocated.get(name, {})) for name in "abcdefg"}
    await organization.key.report(
        *(reported(number, "command", "a", quantity=1) for number in range(2)),
        reported(1, "command", "b", quantity=1),
        *(reported(number, "search", "a") for number in range(3, 8)),
        reported(1, "search", "c"),
        reported(8, "cost.compute", "a", amount="1.50"),
        reported(9, "cost.api", "a", amount="0.25"),
        reported(2, "cost.api", "c", amount="1000"),
        reported(1, "cost.api", "g", amount="0.10"),
        reported(2, "llm_call", "b", model="no such model", input_tokens=90, output_tokens=10, cost="0.5"),
    )
    await xyra.idle()

    first = await organization.key.get(f"projects/{website['id']}/summary", period=OCTOBER)
    assert (first["project_id"], first["currency"]) == (website["id"], "USD")
    assert first["period"] == {"start": START, "end": THIS_MONTH}
    assert (first["agents"], first["active_agents"]) == (3, 2)
    assert {
        each["charge"]: (each["amount"], each["organization_amount"], each["pooled"]) for each in first["charges"]
    } == {
        "platform": ("42.86", "100.00", True),
        "pool": ("3.03", "3.03", True),
        "searches": ("10.00", "12.00", False),
        "costs": ("2.10", "1202.22", False),
    }
    assert {each["billing_model_id"] for each in first["charges"]} == {model["id"]}
    assert (first["provider_cost"], first["billed_amount"], first["margin"]) == ("1.75", "57.99", "0.969822")
    assert {each["category"]: each["amount"] for each in first["costs"]} == {"api": "0.25", "compute": "1.5"}
    assert (first["stated_cost"], first["unpriced"]) == ("0.5", {"calls": 1, "tokens": "100"})
    assert {each["event_type"]: each["count"] for each in first["events"]} == {
        "command": 3,
        "cost.api": 1,
        "cost.compute": 1,
        "llm_call": 1,
        "search": 5,
    }

    second = await organization.key.get(f"projects/{app['id']}/summary", period=OCTOBER)
    assert (second["agents"], second["active_agents"]) == (2, 1)
    assert (second["provider_cost"], second["billed_amount"]) == ("1000", "1230.57")
    elsewhere = [(await summary(organization, agents[name]))["billed_amount"] for name in "dg"]
    assert elsewhere == ["14.29", "14.40"]
    whole = (await organization.preview(OCTOBER))["total"]
    assert whole == "1317.25"
    assert sum(map(Decimal, (first["billed_amount"], second["billed_amount"], *elsewhere))) == Decimal(whole)

    of_support = await organization.key.get(f"departments/{support['id']}/summary", period=OCTOBER)
    assert (of_support["department_id"], of_support["agents"]) == (support["id"], 2)
    assert (of_support["provider_cost"], of_support["billed_amount"]) == ("1.85", "42.81")
    others = [(await summary(organization, agents[name]))["billed_amount"] for name in "bcdef"]
    assert sum(map(Decimal, (of_support["billed_amount"], *others))) == Decimal(whole)


async def test_what_an_agent_did_goes_with_it_where_it_is_moved(xyra: Xyra) -> None:
    """As in the reports of usage."""
    organization, agents = await organization_with(xyra, "a", "b")
    website, app = [await organization.project(name) for name in ("Website", "App")]
    path = f"agents/{agents['a']['id']}"
    (await organization.key.send("PATCH", path, {"project_id": website["id"]})).expect(200)
    await organization.key.report(reported(1, "search", "a"))
    await xyra.idle()

    async def billed(project: Json) -> tuple[str, int, int]:
        shown = await organization.key.get(f"projects/{project['id']}/summary", period=OCTOBER)
        usage = await organization.key.get("usage", project=project["id"], period=OCTOBER)
        assert {row["agent_id"] for row in usage["data"]} <= {agents["a"]["id"]}
        assert bool(usage["data"]) == bool(shown["active_agents"])
        return shown["billed_amount"], shown["agents"], shown["active_agents"]

    assert (await billed(website), await billed(app)) == (("52.00", 1, 1), ("0.00", 0, 0))
    (await organization.key.send("PATCH", path, {"project_id": app["id"]})).expect(200)
    assert (await billed(website), await billed(app)) == (("0.00", 0, 0), ("52.00", 1, 1))
    (await organization.key.send("DELETE", path)).expect(204)
    assert await billed(app) == ("52.00", 0, 1)


async def test_what_is_deleted_is_shown_as_long_as_agents_name_it(xyra: Xyra) -> None:
    organization, _ = await organization_with(xyra)
    used, unused = [await organization.department(name) for name in ("Used", "Unused")]
    await organization.agent("a", department_id=used["id"])
    await organization.key.report(reported(1, "cost.api", "a", amount="3"))
    await xyra.idle()
    assert (await organization.key.get(f"departments/{unused['id']}/summary"))["charges"] == []
    for each in (used, unused):
        (await organization.key.send("DELETE", f"departments/{each['id']}")).expect(204)
    for client in (organization.key, xyra.operator):
        shown = await client.get(f"departments/{used['id']}/summary", period=OCTOBER)
        assert (shown["provider_cost"], shown["billed_amount"], shown["margin"]) == ("3", "0.00", "0")
        for path in (f"departments/{unused['id']}", f"projects/{used['id']}", "projects/prj_0"):
            (await client.send("GET", f"{path}/summary")).problem(404, "not_found")


async def test_a_project_that_is_gone_is_shown_as_long_as_agents_name_it(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-18T10:00:00Z")
    organization, _ = await organization_with(time_machine.xyra)
    used, unused = [await organization.project(name) for name in ("Used", "Unused")]
    await organization.agent("a", project_id=used["id"])
    await organization.key.report(reported(1, "cost.api", "a", amount="3"))
    for each in (used, unused):
        (await organization.key.send("DELETE", f"projects/{each['id']}")).expect(204)
    await time_machine.at("2026-12-20T10:00:00Z")
    shown = await organization.key.get(f"projects/{used['id']}/summary", period=OCTOBER)
    assert (shown["provider_cost"], shown["agents"], shown["charges"]) == ("3", 1, [])
    (await organization.key.send("GET", f"projects/{unused['id']}/summary")).problem(404, "not_found")


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
    assert (shown["current"]["billing_model_id"], shown["current"]["start"]) == (model_id, START)
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


async def test_an_agent_is_found_by_its_external_id_and_shown_by_its_own(xyra: Xyra) -> None:
    organization, agents = await organization_with(xyra, "a")
    for page in ("stats", "billing-config", "billing-summary"):
        assert (await organization.key.get(f"agents/a/{page}"))["agent_id"] == agents["a"]["id"]


async def test_an_agent_without_a_model_is_priced_by_nothing(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent("free")
    current = (await organization.key.get(f"agents/{agent['id']}/billing-config"))["current"]
    assert (current["billing_model_id"], current["version"], current["charges"]) == (None, None, [])
    assert current["start"] == agent["created_at"]


async def test_what_is_decided_for_later_is_not_in_force_now(xyra: Xyra) -> None:
    """Models are decided on from March on.

    One agent's model starts later than it is on it, and one agent goes on to such a model.
    """
    organization = await xyra.organization()
    march, april = "2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z"
    present = await organization.model(*CHARGES, effective_from=START)
    future = await organization.model(*CHARGES[:1], effective_from=april)
    from_march = await organization.agent("a", billing_model_id=present["id"], billing_model_from=march)
    too_early = await organization.agent("b", billing_model_id=future["id"], billing_model_from=START)
    later = await organization.agent("c", billing_model_id=present["id"], billing_model_from=START)
    goes_on = {"billing_model_id": future["id"], "billing_model_from": march}
    (await organization.key.send("PATCH", f"agents/{later['id']}", goes_on)).expect(200)

    async def shown(agent: Json) -> list[tuple[str, str | None]]:
        """From when which model holds, the one in force first."""
        config = await organization.key.get(f"agents/{agent['id']}/billing-config")
        return [(each["start"], each["billing_model_id"]) for each in (config["current"], *config["upcoming"])]

    assert await shown(from_march) == [(from_march["created_at"], None), (march, present["id"])]
    assert await shown(too_early) == [(START, None), (april, future["id"])]
    assert await shown(later) == [(START, present["id"]), (march, None), (april, future["id"])]


async def test_what_is_in_force_says_since_when(time_machine: TimeMachine) -> None:
    """Since its version's start or the agent's change to the model.

    The later of both counts.
    """
    await time_machine.at("2026-12-10T00:00:00Z")
    organization = await time_machine.xyra.organization()
    model = await organization.model(*CHARGES, effective_from=START)
    agent = await organization.agent(billing_model_id=model["id"], billing_model_from="2026-12-05T00:00:00Z")
    path, priced = f"agents/{agent['id']}", f"billing-models/{model['id']}"

    async def current() -> tuple[str, int | None]:
        shown = (await organization.key.get(f"{path}/billing-config"))["current"]
        return shown["start"], shown["version"]

    assert await current() == ("2026-12-05T00:00:00Z", 1)
    etag = (await organization.operator.send("GET", priced)).headers["ETag"]
    second = {"name": "Model", "currency": "USD", "effective_from": "2026-12-12T00:00:00Z", "charges": CHARGES}
    (await organization.operator.send("PUT", priced, second, headers={"If-Match": etag})).expect(200)
    ends = {"billing_model_id": None, "billing_model_from": "2026-12-20T00:00:00Z"}
    (await organization.key.send("PATCH", path, ends)).expect(200)
    await time_machine.at("2026-12-15T00:00:00Z")
    assert await current() == ("2026-12-12T00:00:00Z", 2)
    await time_machine.at("2026-12-31T00:00:00Z")
    assert await current() == ("2026-12-20T00:00:00Z", None)


async def test_an_agent_that_has_been_deleted_is_priced_by_nothing(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-18T10:00:00Z")
    organization, agents = await organization_with(time_machine.xyra, "a")
    path = f"agents/{agents['a']['id']}"
    (await organization.key.send("DELETE", path)).expect(204)
    shown = await organization.key.get(f"{path}/billing-config")
    assert shown["current"]["version"] == 1
    assert [(each["start"][:16], each["version"]) for each in shown["upcoming"]] == [("2026-11-18T10:10", None)]
    await time_machine.at("2026-11-18T11:00:00Z")
    shown = await organization.key.get(f"{path}/billing-config")
    assert (shown["current"]["version"], shown["upcoming"]) == (None, [])
