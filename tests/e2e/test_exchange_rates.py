"""Exchange rates over HTTP: dated, the operator's, and used by the time of each event."""

from typing import Any

from tests.doubles.xyra_client import Organization, Xyra
from tests.e2e.conftest import TimeMachine

Json = dict[str, Any]


def cost(event_id: str, time: str, amount: str = "10", currency: str = "EUR") -> Json:
    data = {"amount": amount, "currency": currency}
    return {"id": event_id, "type": "cost.api", "agent": "coder", "time": time, "data": data}


async def put(xyra: Xyra, pair: str, rate: str, effective_from: str | None = None, *, expect: int = 200) -> Json:
    body = {"rate": rate, "effective_from": effective_from}
    return (await xyra.operator.send("PUT", f"exchange-rates/{pair}", body)).expect(expect)


async def costs_of(organization: Organization, *event_ids: str) -> list[str | None]:
    return [
        (await organization.key.get("events", source="api", id=event_id))["data"][0]["provider_cost"]
        for event_id in event_ids
    ]


async def test_a_cost_converts_by_the_rate_in_force_when_it_happened(time_machine: TimeMachine):
    xyra = time_machine.xyra
    await time_machine.at("2027-01-05T00:00:00Z")
    await put(xyra, "EUR/JPY", "160.5", "2027-01-02T00:00:00Z")
    history = (await put(xyra, "EUR/JPY", "161", "2027-01-05T00:15:00Z"))["history"]
    assert [(entry["effective_from"], entry["rate"]) for entry in history] == [
        ("2027-01-02T00:00:00Z", "160.5"),
        ("2027-01-05T00:15:00Z", "161"),
    ]
    await time_machine.at("2027-01-05T01:00:00Z")
    organization = await xyra.organization(currency="JPY")
    await organization.agent()
    await organization.key.report(
        cost("before", "2027-01-05T00:14:59Z"),
        cost("after", "2027-01-05T00:15:00Z", "0.000000000001"),
        cost("ours", "2027-01-05T00:15:00Z", "0.5", "JPY"),
    )
    await xyra.idle()
    assert await costs_of(organization, "before", "after", "ours") == ["1605", "0.000000000161", "0.5"]


async def test_a_cost_without_a_rate_is_parked_until_there_is_one(time_machine: TimeMachine):
    xyra = time_machine.xyra
    await time_machine.at("2027-02-05T00:00:00Z")
    organization = await xyra.organization(currency="KWD")
    await organization.agent()
    llm_call = {"model": "gpt-5", "input_tokens": 1_000_000}
    await organization.key.report(
        cost("early", "2027-01-20T00:00:00Z", currency="USD"),
        cost("late", "2027-02-04T00:00:00Z", currency="USD"),
        {"id": "call", "type": "llm_call", "agent": "coder", "time": "2027-02-04T00:00:00Z", "data": llm_call},
        {"id": "unknown", "type": "llm_call", "agent": "coder", "time": "2027-02-04T00:00:00Z"},
    )
    await xyra.idle()
    assert await costs_of(organization, "unknown") == [None]
    parked = (await organization.key.get("events/parked"))["data"]
    assert {each["reason"] for each in parked} == {"there is no exchange rate from USD to KWD"}
    assert {each["subject"]["id"] for each in parked} == {"early", "late", "call"}

    await put(xyra, "USD/KWD", "0.308", "2027-02-01T00:00:00Z")
    await replay(xyra, organization)
    assert await costs_of(organization, "late", "call") == ["3.08", "0.385"]
    assert len((await organization.key.get("events/parked"))["data"]) == 1
    await put(xyra, "USD/KWD", "0.3", "2027-01-01T00:00:00Z")
    await replay(xyra, organization)
    assert await costs_of(organization, "early", "late") == ["3", "3.08"]
    assert (await organization.key.get("events/parked"))["data"] == []


async def replay(xyra: Xyra, organization: Organization) -> None:
    await xyra.operator.post("events/parked/replay", {"all": True}, expect=202, organization_id=organization.id)
    await xyra.idle()


async def test_a_rate_that_may_have_been_used_never_changes(xyra: Xyra):
    known = await put(xyra, "ISK/DKK", "0.05", "2026-11-01T00:00:00Z")
    for start in ("2026-11-01T00:00:00Z", "2026-11-10T00:00:00Z", "2026-11-18T10:09:59Z"):
        refused = await xyra.operator.send("PUT", "exchange-rates/ISK/DKK", {"rate": "1", "effective_from": start})
        assert refused.problem(422, "validation") == ["/effective_from"]
    assert (await xyra.operator.get("exchange-rates/ISK/DKK")) == known
    await put(xyra, "ISK/DKK", "0.06")
    stale = await xyra.operator.send("PUT", "exchange-rates/ISK/DKK", {"rate": "1"}, headers={"If-Match": '"other"'})
    stale.problem(412, "precondition_failed")
    assert [entry["rate"] for entry in (await xyra.operator.get("exchange-rates/ISK/DKK"))["history"]] == [
        "0.05",
        "0.06",
    ]


async def test_members_read_rates_and_cannot_write_them(xyra: Xyra):
    organization = await xyra.organization()
    known = await put(xyra, "SEK/NOK", "1.0312")
    assert (known["rate"], known["from_currency"], known["to_currency"]) == ("1.0312", "SEK", "NOK")
    assert known in (await organization.key.get("exchange-rates", limit="200"))["data"]
    assert await organization.key.get("exchange-rates/SEK/NOK") == known
    (await organization.key.send("PUT", "exchange-rates/SEK/NOK", {"rate": "1"})).problem(403, "forbidden")


async def test_what_is_no_rate_or_no_currency_is_refused(xyra: Xyra):
    for rate in ("0", "-1", "NaN", "1.0000000000001", "one"):
        refused = await xyra.operator.send("PUT", "exchange-rates/CHF/SGD", {"rate": rate})
        assert refused.problem(422, "validation") == ["/rate"]
    for pair in ("CHF/XAU", "chf/SGD", "CHF/CHF", "CHF/ABC"):
        (await xyra.operator.send("PUT", f"exchange-rates/{pair}", {"rate": "1"})).problem(404, "not_found")
    (await xyra.operator.send("GET", "exchange-rates/CHF/SGD")).problem(404, "not_found")
