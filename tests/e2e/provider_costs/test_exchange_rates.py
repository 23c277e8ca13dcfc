"""Exchange rates over HTTP: dated, the operator's, and used by the time of each event."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.adapters.sqlite import Database, SqliteStore
from shared.containers import CATALOG
from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.money import Amount
from shared.domain.provider_costs.exchange_rates import ExchangeRate, exchange_rate_id
from tests.doubles.clients.hosts import NOW, Served, TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.fakes.settable_clock import SettableClock

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


async def test_what_a_charge_adds_up_of_costs_is_converted_as_they_are(xyra: Xyra):
    organization = await xyra.organization()
    meter = {"event_type": "cost.api", "aggregation": "sum", "value": "data.amount"}
    charge = {"key": "api", "type": "activity", "meter": meter, "pricing": {"type": "percentage", "rate": "10"}}
    model = await organization.model(charge, effective_from="2026-11-01T00:00:00Z")
    await organization.agent(billing_model_id=model["id"], billing_model_from="2026-11-01T00:00:00Z")
    await put(xyra, "AUD/USD", "0.65", "2026-11-01T00:00:00Z")
    await organization.key.report(cost("a", "2026-11-10T00:00:00Z", currency="AUD"))
    await xyra.idle()
    assert await costs_of(organization, "a") == ["6.5"]
    assert await organization.usage("2026-11", "api") == Decimal("6.5")
    (event,) = (await organization.key.get("events"))["data"]
    assert (event["exchange_rate"], event["data"]["amount"]) == ("0.65", "10")


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
    listed = {name: value for name, value in known.items() if name != "history"}
    assert listed in (await organization.key.get("exchange-rates", limit="200"))["data"]
    assert await organization.key.get("exchange-rates/SEK/NOK") == known
    (await organization.key.send("PUT", "exchange-rates/SEK/NOK", {"rate": "1"})).problem(403, "forbidden")


async def keep(host: Served, source: str, target: str, rates: History[Amount]) -> None:
    """What it takes years to put there."""
    pair = ExchangeRate(id=exchange_rate_id(source, target), from_currency=source, to_currency=target, rates=rates)
    database = Database(host.process.data_dir / "xyra.db")
    await SqliteStore(database, SettableClock(NOW)).create(CATALOG.name, "exchange_rates", pair.document())
    database.close()


async def test_a_list_shows_what_holds_and_comes_next_and_a_pair_its_last_rates(xyra: Xyra, shared_host: Served):
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(1200)]
    rates = [Entry(effective_from=day, value=Decimal(number)) for number, day in enumerate(days, start=1)]
    await keep(shared_host, "PLN", "CZK", History[Amount](entries=tuple(rates)))
    times = [f"{day:%Y-%m-%dT%H:%M:%SZ}" for day in days]
    now = times.index("2026-11-18T00:00:00Z")

    (listed,) = [
        each
        for each in (await xyra.operator.get("exchange-rates", limit="200"))["data"]
        if each["from_currency"] == "PLN"
    ]
    assert set(listed) == {"from_currency", "to_currency", "rate", "upcoming"}
    assert listed["rate"] == str(now + 1)
    assert [each["effective_from"] for each in listed["upcoming"]] == times[now + 1 : now + 6]

    shown = await xyra.operator.get("exchange-rates/PLN/CZK")
    assert {name: shown[name] for name in listed} == listed
    assert [each["effective_from"] for each in shown["history"]] == times[-500:]
    earlier = await xyra.operator.get("exchange-rates/PLN/CZK", before=times[-500])
    assert [each["effective_from"] for each in earlier["history"]] == times[-1000:-500]
    assert earlier["history"][-1]["effective_to"] == times[-500]
    first = await xyra.operator.get("exchange-rates/PLN/CZK", before=times[200])
    assert [each["effective_from"] for each in first["history"]] == times[:200]
    assert first["rate"] == listed["rate"]


async def test_what_is_no_rate_or_no_currency_is_refused(xyra: Xyra):
    for rate in ("0", "-1", "NaN", "1.0000000000001", "one"):
        refused = await xyra.operator.send("PUT", "exchange-rates/CHF/SGD", {"rate": rate})
        assert refused.problem(422, "validation") == ["/rate"]
    for pair in ("CHF/XAU", "chf/SGD", "CHF/CHF", "CHF/ABC"):
        (await xyra.operator.send("PUT", f"exchange-rates/{pair}", {"rate": "1"})).problem(404, "not_found")
    (await xyra.operator.send("GET", "exchange-rates/CHF/SGD")).problem(404, "not_found")
