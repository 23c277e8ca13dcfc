"""Agents by the day and levels over versions, in previews and invoices, every figure worked out by hand."""

from decimal import Decimal
from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization

Json = dict[str, Any]

JULY = "2027-07-01T00:00:00Z"
JULY_11 = "2027-07-11T00:00:00Z"
MEMORY = {
    "key": "memory",
    "type": "activity",
    "meter": {"event_type": "memory", "aggregation": "weighted_sum", "value": "data.change"},
}
RAISED = {"id": "raised", "type": "memory", "agent": "coder", "time": JULY, "data": {"change": "100"}}


def memory(price: str) -> Json:
    return {**MEMORY, "pricing": {"type": "per_unit", "unit_amount": price}}


async def invoiced(time_machine: TimeMachine, organization: Organization) -> list[tuple[str, str]]:
    """The charges and amounts of July's invoice, which its preview has said before."""
    await time_machine.at("2027-08-01T00:01:00Z")
    preview = await organization.preview("2027-07")
    (invoice,) = await time_machine.xyra.generate(organization, "2027-07")
    assert preview["lines"] == invoice["lines"]
    return [(line["charge"], line["amount"]) for line in invoice["lines"]]


async def test_an_agent_that_replaces_another_reaches_no_further_tier(time_machine: TimeMachine) -> None:
    await time_machine.at(JULY)
    organization = await time_machine.xyra.organization()
    tiers = [{"up_to": "1", "unit_amount": "310"}, {"up_to": None, "unit_amount": "31"}]
    model = await organization.model(
        {"key": "agents", "type": "agent", "pricing": {"type": "graduated", "tiers": tiers}}
    )
    first = await organization.agent("first", billing_model_id=model["id"], billing_model_from=JULY)
    await organization.agent("second", billing_model_id=model["id"], billing_model_from="2027-07-21T00:00:00Z")
    left = {"billing_model_id": None, "billing_model_from": "2027-07-21T00:00:00Z"}
    (await organization.key.send("PATCH", f"agents/{first['id']}", left)).expect(200)
    assert await invoiced(time_machine, organization) == [("agents", "310.00")]


async def test_a_level_ends_with_its_agents_time_on_the_model(time_machine: TimeMachine) -> None:
    await time_machine.at(JULY)
    organization = await time_machine.xyra.organization()
    model = await organization.model(memory("1"), effective_from=JULY)
    agent = await organization.agent(billing_model_id=model["id"], billing_model_from=JULY)
    await organization.key.report(RAISED)
    left = {"billing_model_id": None, "billing_model_from": JULY_11}
    (await organization.key.send("PATCH", f"agents/{agent['id']}", left)).expect(200)
    assert await invoiced(time_machine, organization) == [("memory", "32.26")]


async def test_a_level_costs_the_price_of_each_version_for_its_time(time_machine: TimeMachine) -> None:
    await time_machine.at(JULY)
    organization = await time_machine.xyra.organization()
    model = await organization.model(memory("1"), effective_from=JULY)
    await organization.agent(billing_model_id=model["id"], billing_model_from=JULY)
    await organization.key.report(RAISED)
    path = f"billing-models/{model['id']}"
    etag = (await organization.operator.send("GET", path)).headers["ETag"]
    version = {"name": "Model", "currency": "USD", "effective_from": JULY_11, "charges": [memory("2")]}
    (await organization.operator.send("PUT", path, version, headers={"If-Match": etag})).expect(200)
    assert await invoiced(time_machine, organization) == [("memory", "167.74")]


async def shown(organization: Organization) -> list[tuple[str, str]]:
    """The charges and quantities of July's usage, as it is reported."""
    usage = await organization.key.get("usage", period="2027-07")
    return [(row["charge"], row["quantity"]) for row in usage["data"]]


async def test_a_level_ends_while_its_agent_is_away_and_starts_from_nothing_when_it_comes_back(
    time_machine: TimeMachine,
) -> None:
    await time_machine.at(JULY)
    organization = await time_machine.xyra.organization()
    model = await organization.model(memory("1"), effective_from=JULY)
    agent = await organization.agent(billing_model_id=model["id"], billing_model_from=JULY)
    path = f"agents/{agent['id']}"
    await organization.key.report({**RAISED, "data": {"change": "31"}})
    left = {"billing_model_id": None, "billing_model_from": JULY_11}
    (await organization.key.send("PATCH", path, left)).expect(200)
    await time_machine.xyra.idle()
    assert await shown(organization) == [("memory", "10")]
    await time_machine.at("2027-07-12T00:00:00Z")
    returned = {"billing_model_id": model["id"], "billing_model_from": "2027-07-21T00:00:00Z"}
    (await organization.key.send("PATCH", path, returned)).expect(200)
    assert (await organization.preview("2027-07"))["total"] == "10.00"
    await time_machine.at("2027-07-21T12:00:00Z")
    again = {**RAISED, "id": "again", "time": "2027-07-21T00:00:00Z", "data": {"change": "62"}}
    await organization.key.report(again)
    await time_machine.xyra.idle()
    assert await shown(organization) == [("memory", "32")]  # 31 for 10 of 31 days, and 62 for 11 of them
    assert await invoiced(time_machine, organization) == [("memory", "32.00")]


async def test_usage_shows_a_level_until_its_agent_was_deleted(time_machine: TimeMachine) -> None:
    await time_machine.at(JULY)
    organization = await time_machine.xyra.organization()
    model = await organization.model(memory("1"), effective_from=JULY)
    agent = await organization.agent(billing_model_id=model["id"], billing_model_from=JULY)
    await organization.key.report({**RAISED, "data": {"change": "31"}})
    await time_machine.xyra.idle()
    assert await shown(organization) == [("memory", "31")]
    await time_machine.at("2027-07-10T23:50:00Z")
    (await organization.key.send("DELETE", f"agents/{agent['id']}")).expect(204)
    ((charge, quantity),) = await shown(organization)
    assert (charge, round(Decimal(quantity), 3)) == ("memory", 10)  # the clock has gone on by a moment
    assert await invoiced(time_machine, organization) == [("memory", "10.00")]
