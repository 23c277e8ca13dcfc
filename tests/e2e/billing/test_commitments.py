"""Yearly commitments: what some charges of a plan come to in a year at least. Every figure is worked out by hand."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.worlds.commanded_subscriptions import command
from tests.doubles.worlds.plans import fee, price, subscribe

Json = dict[str, Any]
CALLS = {
    "key": "calls",
    "type": "activity",
    "scope": "organization",
    "meter": {"event_type": "call", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1.00"},
}


def committed(amount: str, *charges: str) -> Json:
    return {"key": "committed", "amount": amount, "interval": "year", "charges": list(charges)}


async def plan_with(xyra: Xyra, *charges: Json, commitment: Json) -> Json:
    body = {"name": "Prices", "currency": "USD", "charges": list(charges), "commitments": [commitment]}
    model = await xyra.operator.post("billing-models", body)
    assert model["commitments"] == [commitment]
    key = f"committed-{model['id'][-20:]}"
    return await xyra.operator.post("plans", {"key": key, "name": "Year", "prices": {"USD": model["version_id"]}})


async def used(organization: Organization, event_id: str, quantity: int, time: str) -> None:
    event = {"id": event_id, "type": "call", "agent": "coder", "time": time, "data": {"quantity": quantity}}
    await organization.key.report(event)


async def billed(organization: Organization, charge: str) -> dict[str, Decimal]:
    """What all invoices and credit notes bill of a charge, by month."""
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for invoice in await organization.invoices():
        for document in (invoice, *invoice["credit_notes"]):
            for line in document["lines"]:
                if line["charge"] == charge:
                    amounts[line["period"]["start"][:7]] += Decimal(line["amount"])
    return dict(amounts)


async def test_what_is_missing_of_a_year_is_due_at_its_end_and_a_late_event_takes_it_off(
    time_machine: TimeMachine,
) -> None:
    """1,200.00 a year; 300.00 and 500.00 were used, so 400.00 are missing."""
    xyra = time_machine.xyra
    await time_machine.at("2027-01-01T00:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    await organization.agent()
    await subscribe(organization, await plan_with(xyra, CALLS, commitment=committed("1200.00", "calls")))
    for month, quantity in ((2, 300), (7, 500)):
        await time_machine.at(f"2027-{month:02}-10T00:00:00Z")
        await used(organization, f"event-{month}", quantity, f"2027-{month:02}-09T00:00:00Z")
        await xyra.idle()
    for month in range(8, 13):
        await time_machine.at(f"2027-{month:02}-02T02:00:00Z")
    assert await billed(organization, "committed") == {}
    await time_machine.at("2028-01-01T02:00:00Z")
    assert await billed(organization, "committed") == {"2027-12": 400}
    # December is settled, and the next year goes on.
    await time_machine.at("2028-01-05T00:00:00Z")
    await time_machine.at("2028-02-01T02:00:00Z")
    await used(organization, "late", 50, "2027-11-20T00:00:00Z")
    await xyra.idle()
    await time_machine.at("2028-03-01T02:00:00Z")
    assert await billed(organization, "calls") == {"2027-02": 300, "2027-07": 500, "2027-11": 50}
    assert await billed(organization, "committed") == {"2027-12": 350}


async def test_a_commitment_goes_by_the_days_of_the_plan_and_counts_fees(time_machine: TimeMachine) -> None:
    """73 of 365 days of 3,650.00 are 730.00, which the fees of these days are more than."""
    xyra = time_machine.xyra
    await time_machine.at("2027-01-01T00:00:00Z")
    organization = await xyra.organization(grace_hours=0)
    monthly = fee("310.00")
    commitment = committed("3650.00", "subscription", "calls")
    made = await subscribe(organization, await plan_with(xyra, monthly, CALLS, commitment=commitment))
    await time_machine.at("2027-02-02T01:00:00Z")
    await time_machine.at("2027-03-14T12:00:00Z")
    await command(organization, made, "cancel", at="now")
    for month in range(4, 13):
        await time_machine.at(f"2027-{month:02}-02T02:00:00Z")
    await time_machine.at("2028-01-01T02:00:00Z")
    # 310.00 + 310.00 + 140.00 for 14 of March's 31 days are more than 730.00.
    assert await billed(organization, "committed") == {}
    again = await xyra.organization(grace_hours=0)
    await time_machine.at("2028-01-01T03:00:00Z")
    made = await subscribe(
        again, await plan_with(xyra, fee("31.00"), CALLS, commitment=committed("3660.00", "subscription"))
    )
    await time_machine.at("2028-01-31T12:00:00Z")
    await command(again, made, "cancel", at="now")
    for month in range(2, 13):
        await time_machine.at(f"2028-{month:02}-02T02:00:00Z")
    await time_machine.at("2029-01-01T02:00:00Z")
    # 31 of 366 days are 310.00, less 31.00 of January.
    assert await billed(again, "committed") == {"2028-12": 279}


async def test_what_cannot_be_committed_to_is_refused(xyra: Xyra) -> None:
    assert (await price(xyra, CALLS))["commitments"] == []

    async def refused(commitment: Json) -> list[str]:
        body = {"name": "Prices", "currency": "USD", "charges": [CALLS], "commitments": [commitment]}
        return (await xyra.operator.send("POST", "billing-models", body)).problem(422, "validation")

    assert await refused(committed("1.00", "nothing")) == ["/commitments/0/charges/0"]
    assert await refused(committed("1.00", "calls") | {"key": "calls"}) == ["/commitments/0/key"]
    assert await refused(committed("1.00", "calls") | {"interval": "month"}) == ["/commitments/0/interval"]
    assert await refused(committed("1.00")) == ["/commitments/0/charges"]
    assert await refused(committed("-1.00", "calls")) == ["/commitments/0/amount"]


async def test_commitments_hold_in_plans_only(xyra: Xyra) -> None:
    """Where agents are on a model, nothing would rate them."""
    body = {"name": "Prices", "currency": "USD", "charges": [CALLS]}
    committing = body | {"commitments": [committed("1.00", "calls")]}
    organization = await xyra.organization()
    own = {"organization_id": organization.id}
    refused = await organization.operator.send("POST", "billing-models", committing | own)
    assert refused.problem(422, "validation") == ["/commitments"]

    for made in (body, body | own):
        path = f"billing-models/{(await xyra.operator.post('billing-models', made))['id']}"
        refused = await xyra.operator.send("PUT", path, committing, headers={"If-Match": "*"})
        assert refused.problem(422, "validation") == ["/commitments"]

    of_plans = await xyra.operator.post("billing-models", committing)
    agent = {"name": "Committed", "external_id": "committed", "billing_model_id": of_plans["id"]}
    refused = await organization.key.send("POST", "agents", agent)
    assert refused.problem(422, "validation") == ["/billing_model_id"]
    path = f"billing-models/{of_plans['id']}"
    (await xyra.operator.send("PUT", path, committing, headers={"If-Match": "*"})).expect(200)
