"""Usage that plans price: of all agents without a billing model of their own. Every figure is worked out by hand."""

from decimal import Decimal
from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization
from tests.doubles.worlds.commanded_subscriptions import command
from tests.doubles.worlds.plans import fee, plan, subscribe

Json = dict[str, Any]


def calls(price: str, **fields: Any) -> Json:
    """A charge for each unit of calls, with the organization's units in one line."""
    return {
        "key": "calls",
        "type": "activity",
        "scope": "organization",
        "meter": {"event_type": "call", "aggregation": "sum", "value": "data.quantity"},
        "pricing": {"type": "per_unit", "unit_amount": price},
    } | fields


def used(event_id: str, quantity: int, time: str, agent: str = "coder") -> Json:
    return {"id": event_id, "type": "call", "agent": agent, "time": time, "data": {"quantity": quantity}}


async def amounts(organization: Organization, month: str, charge: str = "calls") -> dict[str, str]:
    """Of the period's preview, by plan."""
    return {
        line["model_name"]: line["amount"]
        for line in (await organization.preview(month))["lines"]
        if line["charge"] == charge and line["period"]["start"].startswith(month)
    }


async def test_a_plan_prices_agents_without_a_model_from_ten_minutes_on(time_machine: TimeMachine) -> None:
    xyra = time_machine.xyra
    await time_machine.at("2031-06-01T00:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    team = await plan(xyra, fee("30.00"), calls("0.10"), name="Team")
    await organization.agent()
    await organization.agent("writer")
    own = await organization.model(calls("5.00"))
    await organization.agent("own", billing_model_id=own["id"])
    made = await subscribe(organization, team)
    assert made["history"][0]["usage_from"].startswith("2031-06-01T00:10:00")
    await time_machine.at("2031-06-02T00:00:00Z")
    await organization.key.report(
        used("before", 1000, "2031-06-01T00:09:59Z"),
        used("after", 10, "2031-06-01T00:11:00Z"),
        used("other", 20, "2031-06-01T12:00:00Z", "writer"),
        used("own", 1, "2031-06-01T12:00:00Z", "own"),
    )
    await xyra.idle()
    # 30 units of two agents at 0.10; one at the price of the agent's own model.
    assert await amounts(organization, "2031-06") == {"Team": "3.00", own["name"]: "5.00"}
    assert await organization.usage("2031-06", "calls") == 31
    await time_machine.at("2031-07-01T01:00:00Z")
    (closing,) = [invoice for invoice in await organization.invoices() if invoice["kind"] == "period"]
    assert closing["total"] == "38.00"  # with July's fee
    # A late event is an adjustment of June.
    await organization.key.report(used("late", 40, "2031-06-20T00:00:00Z"))
    await xyra.idle()
    await time_machine.at("2031-08-01T01:00:00Z")
    adjusted = [
        line["amount"]
        for invoice in await organization.invoices()
        for line in invoice["lines"]
        if line["charge"] == "calls" and line["adjusts"] is not None
    ]
    assert adjusted == ["4.00"]


async def test_what_was_used_of_the_old_plan_comes_off_the_new_one(time_machine: TimeMachine) -> None:
    """An upgrade after 15 of 30 days. 250 of 300 units were used, 150 are included by days: 100 come off 1,500."""
    xyra = time_machine.xyra
    await time_machine.at("2031-04-01T00:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    small = await plan(xyra, fee("30.00"), calls("0.10", included_units="300"), name="Small")
    large = await plan(xyra, fee("90.00"), calls("0.05", included_units="3000"), name="Large")
    await organization.agent()
    made = await subscribe(organization, small)
    await time_machine.at("2031-04-10T00:00:00Z")
    await organization.key.report(used("first", 250, "2031-04-09T00:00:00Z"))
    await xyra.idle()
    await time_machine.at("2031-04-16T00:00:00Z")
    await command(organization, made, "change", plan=large["key"])
    await time_machine.at("2031-04-20T00:00:00Z")
    assert await amounts(organization, "2031-04") == {}
    await organization.key.report(used("second", 1500, "2031-04-18T00:00:00Z"))
    await xyra.idle()
    assert await amounts(organization, "2031-04") == {"Large": "5.00"}
    # Beyond a whole period's units the old plan charges: 10 at 0.10, and it borrows 150.
    await organization.key.report(used("third", 60, "2031-04-08T00:00:00Z"))
    await xyra.idle()
    assert await amounts(organization, "2031-04") == {"Small": "1.00", "Large": "7.50"}


async def test_an_add_on_prices_the_same_usage_beside_the_base_plan(time_machine: TimeMachine) -> None:
    """Usage by the minute from 10 to 20 days counts for both; minima go by the days of the plan."""
    xyra = time_machine.xyra
    await time_machine.at("2031-09-01T00:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    team = await plan(xyra, calls("0.10"), name="Team")
    addon = await plan(xyra, calls("0.01", minimum="30.00"), name="Extra", kind="addon")
    await organization.agent()
    await subscribe(organization, team)
    await time_machine.at("2031-09-16T00:00:00Z")
    made = await subscribe(organization, addon)
    await time_machine.at("2031-09-20T00:00:00Z")
    await organization.key.report(used("alone", 10, "2031-09-10T00:00:00Z"), used("both", 100, "2031-09-18T00:00:00Z"))
    await xyra.idle()
    assert await amounts(organization, "2031-09") == {"Team": "11.00", "Extra": "15.00"}
    rows = (await organization.key.get("usage", period="2031-09", charge="calls"))["data"]
    assert sorted(row["quantity"] for row in rows) == ["100", "110"]
    await time_machine.at("2031-09-21T00:00:00Z")
    await command(organization, made, "cancel", at="now")
    await time_machine.at("2031-09-25T00:00:00Z")
    await organization.key.report(used("later", 1000, "2031-09-24T00:00:00Z"))
    await xyra.idle()
    # 6 of 30 days of the minimum.
    assert await amounts(organization, "2031-09") == {"Team": "111.00", "Extra": "6.00"}


async def test_a_trial_is_free_and_a_pause_is_unpriced(time_machine: TimeMachine) -> None:
    xyra = time_machine.xyra
    await time_machine.at("2031-10-01T00:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    charged = calls("1.00", included_units="31", pricing={"type": "per_unit", "unit_amount": "1.00"})
    team = await plan(xyra, fee("31.00"), charged, name="Team", trial={"days": 10})
    await organization.agent()
    made = await subscribe(organization, team)
    await time_machine.at("2031-10-12T00:00:00Z")
    await organization.key.report(used("tried", 500, "2031-10-05T00:00:00Z"), used("paid", 30, "2031-10-11T12:00:00Z"))
    await xyra.idle()
    # Of 31 units 21 are included, by the days after the trial.
    assert await amounts(organization, "2031-10") == {"Team": "9.00"}
    assert await organization.usage("2031-10", "calls") == 530
    await command(organization, made, "pause")
    await time_machine.at("2031-10-14T00:00:00Z")
    await organization.key.report(used("paused", 700, "2031-10-13T00:00:00Z"))
    await xyra.idle()
    # 2 days of 31 are left, and so 2 units.
    assert await amounts(organization, "2031-10") == {"Team": "28.00"}


async def test_a_plan_charges_for_agents_on_plans(time_machine: TimeMachine) -> None:
    xyra = time_machine.xyra
    await time_machine.at("2031-11-01T00:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    per_agent = {"key": "agents", "type": "agent", "pricing": {"type": "per_unit", "unit_amount": "30.00"}}
    team = await plan(xyra, per_agent, name="Team")
    own = await organization.model(calls("5.00"))
    await organization.agent("own", billing_model_id=own["id"])
    await organization.agent("first")
    await subscribe(organization, team)
    await time_machine.at("2031-11-16T00:00:00Z")
    await organization.agent("second")
    # One agent for 15 days, two for 15: 15.00 + 30.00.
    assert await amounts(organization, "2031-11", "agents") == {"Team": "45.00"}


async def test_a_change_undone_the_same_day_bills_quantities_only(time_machine: TimeMachine) -> None:
    xyra = time_machine.xyra
    await time_machine.at("2031-12-01T00:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    flat = {"type": "graduated", "tiers": [{"up_to": None, "unit_amount": "0.10", "flat_amount": "7.00"}]}
    small = await plan(xyra, fee("31.00"), calls("1.00"), name="Small")
    large = await plan(xyra, fee("62.00"), calls("1.00", pricing=flat, base_fee={"amount": "50.00"}), name="Large")
    await organization.agent()
    made = await subscribe(organization, small)
    await time_machine.at("2031-12-05T09:00:00Z")
    await command(organization, made, "change", plan=large["key"])
    await time_machine.at("2031-12-05T12:00:00Z")
    await organization.key.report(used("large", 20, "2031-12-05T10:00:00Z"))
    await xyra.idle()
    await command(organization, made, "change", plan=small["key"])
    assert await amounts(organization, "2031-12") == {"Large": "2.00"}


async def by_agent(organization: Organization, month: str) -> dict[str, str]:
    """What each agent's line of calls comes to in the period's preview, by the agent's name."""
    lines = (await organization.preview(month))["lines"]
    return {line["agent_name"]: line["amount"] for line in lines if line["charge"] == "calls"}


async def test_a_line_for_each_agent_goes_by_the_days_on_which_the_plan_prices_it(time_machine: TimeMachine) -> None:
    """30 of 30 days of 30 included units and of a minimum of 15.00, and for who comes later or leaves fewer."""
    xyra = time_machine.xyra
    await time_machine.at("2032-05-31T12:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    team = await plan(xyra, calls("1.00", scope="agent", included_units="30", minimum="15.00"), name="Team")
    await organization.agent("coder", name="coder")
    writer = await organization.agent("writer", name="writer")
    await subscribe(organization, team)
    await time_machine.at("2032-06-16T00:00:00Z")
    await organization.agent("later", name="later")
    await organization.key.report(
        used("few", 40, "2032-06-02T00:00:00Z"), used("many", 100, "2032-06-02T00:00:00Z", "writer")
    )
    await xyra.idle()
    assert await by_agent(organization, "2032-06") == {"coder": "15.00", "writer": "70.00", "later": "7.50"}
    await time_machine.at("2032-06-20T12:00:00Z")
    own = await organization.model(calls("5.00", key="own"))
    body = {"billing_model_id": own["id"], "billing_model_from": "2032-06-20T23:59:00Z"}
    await organization.key.send("PATCH", f"agents/{writer['id']}", body)
    # 20 of 30 days, and units that no plan after it includes
    assert await by_agent(organization, "2032-06") == {"coder": "15.00", "writer": "80.00", "later": "7.50"}
    await time_machine.at("2032-07-01T01:00:00Z")
    issued = [each["total"] for each in await organization.invoices() if each["period"]["start"].startswith("2032-06")]
    assert issued == ["102.50"]


async def test_a_base_fee_for_each_agent_counts_agents_and_not_the_subscription(time_machine: TimeMachine) -> None:
    xyra = time_machine.xyra
    await time_machine.at("2032-05-31T12:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    team = await plan(xyra, calls("1.00", base_fee={"amount": "30.00", "per": "agent"}), name="Team")
    await subscribe(organization, team)
    await organization.agent("coder", name="coder")
    await organization.agent("writer", name="writer")
    await time_machine.at("2032-06-16T00:00:00Z")
    await organization.agent("later", name="later")
    await organization.key.report(used("few", 5, "2032-06-02T00:00:00Z"))
    await xyra.idle()
    # 30.00 of two agents, 15 of 30 days of the third one, and 5 units
    assert await amounts(organization, "2032-06") == {"Team": "80.00"}


def memory(price: str, **fields: Any) -> Json:
    meter = {"event_type": "memory", "aggregation": "weighted_sum", "value": "data.change"}
    priced = {"key": "memory", "type": "activity", "meter": meter}
    return priced | {"pricing": {"type": "per_unit", "unit_amount": price}} | fields


def raised(event_id: str, change: int, time: str, agent: str = "coder") -> Json:
    return {"id": event_id, "type": "memory", "agent": agent, "time": time, "data": {"change": change}}


async def test_a_level_is_priced_as_long_as_the_plan_prices_its_agent(time_machine: TimeMachine) -> None:
    """Usage moves 10 minutes after the plan, of 43,200 in the month. On another plan, and on coming back, it is 0."""
    xyra = time_machine.xyra
    await time_machine.at("2032-08-31T12:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    small = await plan(xyra, memory("1.00"), name="Small")
    large = await plan(xyra, memory("2.00", scope="organization"), name="Large")
    await organization.agent("coder", name="coder")
    await organization.agent("writer", name="writer")
    made = await subscribe(organization, small)
    await time_machine.at("2032-09-12T00:00:00Z")
    await organization.key.report(raised("a", 30, "2032-09-11T00:00:00Z"))
    await xyra.idle()
    lines = (await organization.preview("2032-09"))["lines"]
    due = sorted((line["agent_name"], line["amount"]) for line in lines)
    assert due == [("coder", "20.00")]
    await time_machine.at("2032-09-16T00:00:00Z")
    await command(organization, made, "change", plan=large["key"])
    await time_machine.at("2032-09-22T00:00:00Z")
    events = [raised("b", 40, "2032-09-21T00:00:00Z"), raised("c", 20, "2032-09-21T00:00:00Z", "writer")]
    await organization.key.report(*events)
    await xyra.idle()
    await time_machine.at("2032-09-26T00:00:00Z")
    await command(organization, made, "change", plan=small["key"])
    await time_machine.at("2032-09-29T00:00:00Z")
    await organization.key.report(raised("d", 30, "2032-09-28T00:00:00Z"))
    await xyra.idle()
    lines = (await organization.preview("2032-09"))["lines"]
    due = sorted((line["model_name"], line["agent_name"] or "", line["amount"]) for line in lines)
    rows = (await organization.key.get("usage", period="2032-09", charge="memory"))["data"]
    # As they are priced: 30 for 7,210 minutes and for three days; 40 and 20 for 7,210 minutes.
    assert sorted(Decimal(row["quantity"]).quantize(Decimal("0.001")) for row in rows) == [
        Decimal("3.338"),
        Decimal("6.676"),
        Decimal("8.007"),
    ]
    # Small: 30 for 7,210 minutes and for three days. Large: 60 for 7,210 minutes, at 2.00.
    assert due == [("Large", "", "20.03"), ("Small", "coder", "8.01")]
