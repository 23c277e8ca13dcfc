"""Events in another currency as charges see them, and as they are kept."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from pydantic import TypeAdapter

from shared import json
from shared.adapters.item_usage import ItemUsage, _weight
from shared.domain.charges import AnyCharge
from shared.domain.conversion import converted
from shared.domain.costs import CostedEvent
from shared.domain.events import AcceptedEvent, TotalKey
from shared.domain.exchange_rates import NoExchangeRateError
from shared.domain.readings import Tally
from shared.domain.totals import Contribution, contribution
from shared.ports.usage import MeteredEvent
from tests import generated_models as generated
from tests.doubles.memory_store import MemoryStore
from tests.doubles.settable_clock import SettableClock

Json = dict[str, Any]

NOW = datetime(2026, 10, 20, tzinfo=UTC)
RATE = Decimal("1.25")
FIVE_PERCENT = {"type": "percentage", "rate": "5"}
PER_UNIT = {"type": "per_unit", "unit_amount": "1"}
DYNAMIC = {"type": "dynamic", "value": "data.offer.price"}


def event(event_type: str = "outcome.won", rate: Decimal | None = RATE, **data: Any) -> CostedEvent:
    return CostedEvent(event_type, {"currency": "EUR"} | data, "2026-10-20T00:00:00.000000Z", "evt_1", None, None, rate)


def charge(charge_type: str = "outcome", pricing: Json = FIVE_PERCENT, *, key: str = "won", **fields: Any) -> AnyCharge:
    meter = {"event_type": "outcome.won"}
    read: AnyCharge = TypeAdapter(AnyCharge).validate_python(
        {"key": key, "type": charge_type, "meter": meter, "pricing": pricing} | fields
    )
    return read


def summing(path: str, event_type: str = "outcome.won", **fields: Any) -> Json:
    return {"meter": {"event_type": event_type, "aggregation": "sum", "value": path, **fields}}


def seen(of: CostedEvent, *charges: AnyCharge) -> dict[str, Any]:
    return dict(converted(of, charges, "USD").data)


def test_its_own_amount_is_converted_whatever_the_charges() -> None:
    assert seen(event(value=Decimal("10.4"))) == {"value": Decimal("13.00"), "currency": "USD"}
    assert seen(event("cost.api", amount="8")) == {"amount": Decimal(10), "currency": "USD"}


def test_what_is_beyond_12_places_is_rounded_half_up() -> None:
    assert seen(event(rate=Decimal("0.5"), value="0.000000000001"))["value"] == Decimal("0.000000000001")
    assert seen(event(rate=Decimal("0.4"), value="0.000000000001"))["value"] == 0


@pytest.mark.parametrize(
    ("charges", "amounts"),
    [
        ([charge(**summing("data.saved.year"))], {"year"}),
        ([charge(pricing=PER_UNIT, minimum_value="3", **summing("data.saved.year"))], {"year"}),
        ([charge(pricing=PER_UNIT, auto_verify={"minimum_value": "3"}, **summing("data.saved.year"))], {"year"}),
        ([charge(pricing=PER_UNIT, **summing("data.saved.year"))], set()),
        ([charge(pricing=DYNAMIC)], {"price"}),
        ([charge(pricing=DYNAMIC, **summing("data.saved.year"))], {"price"}),
        ([charge("activity", **summing("data.saved.year"))], {"year"}),
        ([charge("activity", DYNAMIC)], {"price"}),
        ([charge("activity", PER_UNIT, **summing("data.saved.year"))], set()),
        ([charge(**summing("data.saved.year", "outcome.lost"))], set()),
        ([charge(**summing("data.saved.year", filter={"data.kind": ["other"]}))], set()),
        ([charge(**summing("data.saved.year")), charge(pricing=DYNAMIC, key="other")], {"year", "price"}),
    ],
)
def test_so_is_all_that_a_charge_reads_as_money(charges: list[AnyCharge], amounts: set[str]) -> None:
    data = seen(event(value=4, saved={"year": "8", "tickets": 8}, offer={"price": 8}), *charges)
    assert data["value"] == 5
    found = {"year": data["saved"]["year"], "price": data["offer"]["price"]}
    assert {name for name, amount in found.items() if amount == 10} == amounts
    assert data["saved"]["tickets"] == 8


def test_charges_are_matched_in_the_organizations_currency() -> None:
    reported = event(value=4, saved=8)
    for currency, expected in (("USD", Decimal(10)), ("EUR", 8)):
        by_currency = charge(**summing("data.saved", filter={"data.currency": [currency]}))
        assert seen(reported, by_currency)["saved"] == expected


def test_to_convert_again_changes_nothing() -> None:
    charges = [charge(**summing("data.saved"))]
    once = converted(event(value=4, saved=8), charges, "USD")
    assert converted(once, charges, "USD") is once


@pytest.mark.parametrize("of", [event("step", value=4), event(value=4, currency="USD"), event(rate=None, value=4)])
def test_what_is_in_no_other_currency_or_has_no_rate_is_left_as_it_is(of: CostedEvent) -> None:
    assert converted(of, [charge()], "USD") is of


def test_what_is_no_amount_is_left_to_the_charge() -> None:
    assert seen(event(value=None, saved="much"), charge(**summing("data.saved"))) == {
        "value": None,
        "saved": "much",
        "currency": "USD",
    }


def test_charges_add_up_what_was_converted() -> None:
    charges = [
        charge(verification="none"),
        charge("activity", PER_UNIT, key="amounts", **summing("data.value")),
        charge("activity", PER_UNIT, key="costs", **summing("data.amount", "cost.api")),
    ]
    assert contribution(event(value=4), charges, "USD").measures == (
        ("won", Tally(1, Decimal(5))),
        ("amounts", Tally(1, Decimal(5))),
    )
    assert contribution(event("cost.api", amount=4), charges, "USD").measures == (("costs", Tally(1, Decimal(5))),)


@given(generated.models(generated.usage_charges()), generated.events(10, ("outcome.sale", "cost.llm"), least=1))
def test_at_a_rate_of_1_it_counts_as_if_it_were_in_the_organizations_currency(
    charges: list[Json], reported: list[generated.Reported]
) -> None:
    priced_by = generated.version(charges).charges
    for own in reported:
        other = replace(own, data=own.data | {"currency": "EUR"}, exchange_rate=Decimal(1))
        assert contribution(other, priced_by, "USD") == contribution(own, priced_by, "USD")


@pytest.mark.parametrize("data", [{"value": 0}, {}, {"value": "0.00"}])
@pytest.mark.parametrize("pricing", [FIVE_PERCENT, {"type": "dynamic", "value": "data.price"}])
def test_nothing_needs_no_rate(data: Json, pricing: Json) -> None:
    reported = event(rate=None, price=0, **data)
    counted = contribution(reported, [charge(pricing=pricing, verification="none")], "USD")
    assert dict(counted.measures)["won"] == Tally(1, Decimal(0))
    with pytest.raises(NoExchangeRateError):
        contribution(event(rate=None, value=1, price=1), [charge(pricing=pricing, verification="none")], "USD")


def test_a_price_of_nothing_needs_no_rate() -> None:
    by_value = charge(pricing={"type": "dynamic", "value": "data.value"}, verification="none")
    assert contribution(event(rate=None, value=0), [by_value], "USD").measures


def test_a_batch_has_room_for_the_longest_exchange_rate() -> None:
    reported = AcceptedEvent(
        key="evt_1", id="1" * 300, source="api", type="outcome.won", agent="agt_1", time="", content="c" * 32
    )
    made = MeteredEvent(reported, TotalKey(NOW, "agt_1", "-"), Contribution("outcome.won", "", ()), None)
    usage = ItemUsage(MemoryStore(), SettableClock(NOW), 0)
    longest = Decimal("9" * 15 + "." + "9" * 12)
    rated = replace(made, exchange_rate=longest)
    more = len(json.encode(usage._document(rated))) - len(json.encode(usage._document(made)))
    assert 0 < more <= _weight(rated) - _weight(made)
