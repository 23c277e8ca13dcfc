"""Aliases over HTTP: a deployment's name stands for a model, and calls under it that had no price get one, once."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

OCTOBER, NOVEMBER, DECEMBER = "2026-10", "2026-11", "2026-12"
START = "2026-10-01T00:00:00Z"
PASSED_ON = {"key": "llm", "type": "cost", "categories": ["llm"], "markup_percent": "20"}
FEE = {"key": "platform", "type": "flat_fee", "amount": "10.00"}
CALLS = 100
MILLION = 1_000_000


def new_name() -> str:
    """Aliases may be for all, so each test has a name of its own."""
    return f"helpdesk-{uuid4().hex}"


def call(event_id: str, name: str, time: str = "2026-10-10T12:00:00Z", **data: Any) -> Json:
    """A call that costs 1.25 as gpt-5: a million tokens of input."""
    tokens = {"provider": "azure", "model": name, "input_tokens": MILLION, **data}
    return {"id": event_id, "type": "llm_call", "agent": "coder", "time": time, "data": tokens}


async def passing_on(xyra: Xyra, **fields: Any) -> Organization:
    """An organization that is billed a fee and what its calls cost, with 20 % on top."""
    organization = await xyra.organization(**fields)
    model = await organization.model(FEE, PASSED_ON, effective_from=START)
    await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    return organization


async def cost_of(organization: Organization, event_id: str) -> tuple[Any, ...]:
    (found,) = (await organization.key.get("events", source="api", id=event_id))["data"]
    return found["provider_cost"], found["priced_by"]


async def unpriced(organization: Organization) -> dict[str, tuple[int, str]]:
    listed = (await organization.key.get("llm-prices/unpriced", period=OCTOBER))["data"]
    return {each["model"]: (each["calls"], each["tokens"]) for each in listed}


async def aliased(organization: Organization, name: str, **fields: Any) -> Json:
    body = {"provider": "Azure", "name": name.upper(), "model": "gpt-5", "from": START, **fields}
    made: Json = await organization.operator.post("llm-prices/aliases", body)
    return made


async def price(organization: Organization, alias: Json, **body: Any) -> Json:
    route = f"llm-prices/aliases/{alias['id']}/price"
    answer: Json = await organization.operator.post(route, body, expect=200, organization_id=organization.id)
    assert answer["next_cursor"] is None
    return answer


@pytest.mark.walk
async def test_calls_before_their_alias_are_listed_priced_and_billed_once(time_machine: TimeMachine) -> None:
    xyra, name = time_machine.xyra, new_name()
    await time_machine.at("2026-11-18T10:00:00Z")
    organization = await passing_on(xyra)
    await organization.key.report(
        *(call(f"late-{number}", name) for number in range(CALLS)),
        call("other", "nobody-knows-it"),
        call("listed", "gpt-5"),
    )
    await xyra.idle()
    (october,) = await xyra.generate(organization, OCTOBER)
    assert october["total"] == "11.50"
    assert (await unpriced(organization))[f"azure/{name}"] == (CALLS, str(CALLS * MILLION))

    alias = await aliased(organization, name)
    assert (alias["provider"], alias["name"], alias["model"], alias["from"]) == ("azure", name, "gpt-5", START)
    assert await organization.key.get(f"llm-prices/aliases/{alias['id']}") == alias
    assert await cost_of(organization, "late-0") == (None, None)
    expected = {"calls": CALLS, "cost": "125", "currency": "USD", "unpriced": 0, "next_cursor": None}
    assert await price(organization, alias, dry_run=True) == expected
    assert await cost_of(organization, "late-0") == (None, None)
    assert await price(organization, alias, dry_run=False) == expected
    assert await price(organization, alias) == expected | {"calls": 0, "cost": "0"}
    assert await cost_of(organization, "late-0") == ("1.25", "azure/gpt-5")
    assert await unpriced(organization) == {"azure/nobody-knows-it": (1, str(MILLION))}

    await organization.key.report(call("later", name, "2026-11-10T12:00:00Z"))
    await xyra.idle()
    await price(organization, alias)  # a process that did not know of the alias yet has left the call without a price
    assert await cost_of(organization, "later") == ("1.25", "azure/gpt-5")
    await time_machine.at("2026-12-02T00:00:00Z")
    (invoice,) = await xyra.generate(organization, NOVEMBER)
    lines = [(line["type"], line["adjusts"] is not None, line["amount"]) for line in invoice["lines"]]
    assert sorted(lines) == sorted(
        [("adjustment", True, "150.00"), ("flat_fee", False, "10.00"), ("cost", False, "1.50")]
    ), invoice["lines"]
    (unchanged,) = await xyra.generate(organization, OCTOBER)
    assert (unchanged["id"], unchanged["total"]) == (october["id"], "11.50")
    await time_machine.at("2027-01-02T00:00:00Z")
    (invoice,) = await xyra.generate(organization, DECEMBER)
    assert invoice["total"] == "10.00"


async def test_an_organizations_own_alias_holds_before_the_one_for_all_and_is_not_shown_to_others(xyra: Xyra) -> None:
    name = new_name()
    organization, other = await xyra.organization(), await xyra.organization()
    for each in (organization, other):
        await each.agent()
    for_all = await aliased(organization, name)
    own = await aliased(organization, name, model="gpt-5-mini", organization_id=organization.id)
    assert (for_all["organization_id"], own["organization_id"]) == (None, organization.id)
    for each in (organization, other):
        await each.key.report(call("1", name), call("2", f"azure/{name}", provider=None))
    await xyra.idle()
    assert await cost_of(organization, "1") == await cost_of(organization, "2") == ("0.25", "azure/gpt-5-mini")
    assert await cost_of(other, "1") == ("1.25", "azure/gpt-5")
    calculated = await organization.key.post(
        "llm-prices/calculate", {"provider": "azure", "model": name, "input_tokens": MILLION}, expect=200
    )
    assert (calculated["cost"], calculated["priced_by"]) == ("0.25", "azure/gpt-5-mini")

    async def seen_by(each: Organization) -> set[str]:
        listed = (await each.key.get("llm-prices/aliases", limit=200))["data"]
        return {alias["id"] for alias in listed if alias["name"] == name}

    assert await seen_by(organization) == {for_all["id"], own["id"]}
    assert await seen_by(other) == {for_all["id"]}
    (await other.key.send("GET", f"llm-prices/aliases/{own['id']}")).problem(404, "not_found")
    refused = await organization.operator.send(
        "POST", f"llm-prices/aliases/{own['id']}/price", {}, organization_id=other.id
    )
    refused.problem(404, "not_found")


async def test_an_alias_ends_with_the_next_one_and_when_it_is_deleted(xyra: Xyra) -> None:
    name = new_name()
    organization = await xyra.organization()
    await organization.agent()
    first = await aliased(organization, name)
    second = await aliased(organization, name, model="openai/gpt-5-mini", **{"from": "2026-11-01T00:00:00Z"})
    await organization.key.report(
        call("before", name, "2026-09-30T23:59:59Z"),
        call("first", name, "2026-10-31T23:59:59Z"),
        call("second", name, "2026-11-01T00:00:00Z"),
    )
    await xyra.idle()
    costs = {event_id: (await cost_of(organization, event_id))[0] for event_id in ("before", "first", "second")}
    assert costs == {"before": None, "first": "1.25", "second": "0.25"}
    again = await organization.operator.send(
        "POST", "llm-prices/aliases", {"provider": "azure", "name": name, "model": "gpt-5", "from": START}
    )
    again.problem(409, "conflict")
    for alias in (first, second):
        (await organization.operator.send("DELETE", f"llm-prices/aliases/{alias['id']}")).expect(204)
    (await organization.operator.send("GET", f"llm-prices/aliases/{first['id']}")).problem(404, "not_found")
    await organization.key.report(call("after", name))
    await xyra.idle()
    assert await cost_of(organization, "after") == (None, None)
    assert await cost_of(organization, "first") == ("1.25", "azure/gpt-5")


async def test_an_alias_for_all_prices_the_calls_of_all_organizations_one_currency_after_the_other(xyra: Xyra) -> None:
    name = new_name()
    dollars, more, euros = await passing_on(xyra), await passing_on(xyra), await xyra.organization(currency="EUR")
    await euros.agent()
    (await xyra.operator.send("PUT", "exchange-rates/USD/EUR", {"rate": "0.8", "effective_from": START})).expect(200)
    for each in (dollars, more, euros):
        await each.key.report(call("1", name), call("2", name, service_tier="batch"))
    await xyra.idle()
    alias = await aliased(dollars, name)
    costs: dict[str, Decimal] = {}
    cursor, calls, left = None, 0, 0
    for _ in range(100):
        body = {"cursor": cursor} if cursor else {}
        answer = await xyra.operator.post(f"llm-prices/aliases/{alias['id']}/price", body, expect=200)
        if answer["calls"]:
            costs[answer["currency"]] = costs.get(answer["currency"], Decimal(0)) + Decimal(answer["cost"])
        calls, left, cursor = calls + answer["calls"], left + answer["unpriced"], answer["next_cursor"]
        if cursor is None:
            break
    assert cursor is None
    # By the organizations' own credentials the batch costs the standard price.
    assert (calls, left, costs) == (6, 0, {"USD": Decimal(5), "EUR": Decimal(2)})
    refused = await xyra.operator.send("POST", f"llm-prices/aliases/{alias['id']}/price", {"cursor": "nonsense"})
    refused.problem(400, "malformed")


async def test_what_is_wrong_with_an_alias_is_said_and_members_cannot_make_one(xyra: Xyra) -> None:
    organization = await xyra.organization()
    body = {"provider": "azure", "name": new_name(), "model": "gpt-5", "from": START}
    for wrong, where in (
        ({"model": "nobody-knows-it"}, "/model"),
        ({"from": "2019-01-01T00:00:00Z"}, "/from"),
        ({"name": ""}, "/name"),
    ):
        refused = await xyra.operator.send("POST", "llm-prices/aliases", body | wrong)
        assert refused.problem(422, "validation") == [where]
    without = {name: value for name, value in body.items() if name != "from"}
    assert (await xyra.operator.send("POST", "llm-prices/aliases", without)).problem(422, "validation") == ["/from"]
    (await organization.key.send("POST", "llm-prices/aliases", body)).problem(403, "forbidden")
