"""Events in another currency as charges see them, and as they are kept."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from pydantic import TypeAdapter

from shared.domain.metering.gauges import UnmeterableError
from shared.domain.metering.readings import CountAndSum
from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.conversion import events_by_charge
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError
from shared.domain.usage.totals import Contribution, contribution
from tests.doubles.worlds import generated_charges
from tests.doubles.worlds import generated_usage as generated

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
    return read({"key": key, "type": charge_type, "meter": meter, "pricing": pricing} | fields)


def read(body: Json) -> AnyCharge:
    found: AnyCharge = TypeAdapter(AnyCharge).validate_python(body)
    return found


def summing(path: str, event_type: str = "outcome.won", **fields: Any) -> Json:
    return {"meter": {"event_type": event_type, "aggregation": "sum", "value": path, **fields}}


def seen(of: CostedEvent, by: AnyCharge) -> dict[str, Decimal]:
    """What the charge reads instead of what was reported."""
    ((_, event),) = events_by_charge([by], of, "USD")
    assert event.data is of.data
    return dict(event.amounts)


def workflows(pricing: Json) -> AnyCharge:
    return read({"key": "flows", "type": "workflow", "workflows": {"research": {"pricing": pricing}}})


@pytest.mark.parametrize("by", [charge(), charge("activity", PER_UNIT), charge(**summing("data.saved", "outcome.x"))])
def test_its_own_amount_is_money_to_every_charge(by: AnyCharge) -> None:
    assert seen(event(value=Decimal("10.4")), by) == {"data.value": Decimal("13.00")}
    assert seen(event("cost.api", amount="8", value="8"), by) == {"data.amount": 10}
    assert seen(event("llm_call", cost="8", amount="8"), by) == {"data.cost": 10}
    assert seen(event("step", cost="8", amount="8", value="8"), by) == {}


def test_what_is_beyond_12_places_is_rounded_half_up() -> None:
    assert seen(event(rate=Decimal("0.5"), value="0.000000000001"), charge()) == {"data.value": Decimal("1E-12")}
    assert seen(event(rate=Decimal("0.4"), value="0.000000000001"), charge()) == {"data.value": 0}


YEAR = "data.saved.year"
PRICE = "data.offer.price"


@pytest.mark.parametrize(
    ("by", "amounts"),
    [
        (charge(**summing(YEAR)), {YEAR}),
        (charge(pricing=PER_UNIT, minimum_value="3", **summing(YEAR)), {YEAR}),
        (charge(pricing=PER_UNIT, auto_verify={"minimum_value": "3"}, **summing(YEAR)), {YEAR}),
        (charge(pricing=PER_UNIT, success_bonus={"percent": "1"}, **summing(YEAR)), {YEAR}),
        (charge(pricing=PER_UNIT, **summing(YEAR)), set()),
        (charge(pricing=DYNAMIC), {PRICE}),
        (charge(pricing=DYNAMIC, **summing(YEAR)), {PRICE}),
        (charge("activity", **summing(YEAR)), {YEAR}),
        (charge("activity", DYNAMIC), {PRICE}),
        (charge("activity", PER_UNIT, **summing(YEAR)), set()),
        (charge(**summing(YEAR, "outcome.lost")), set()),
        (charge(**summing(YEAR, filter={"data.kind": ["other"]})), set()),
        (charge(**summing(YEAR), attribution_window_days=1), set()),
    ],
)
def test_so_is_what_the_charge_reads_as_money(by: AnyCharge, amounts: set[str]) -> None:
    long_ago = "2026-10-01T00:00:00Z"
    outcome = event(value=4, saved={"year": "8", "tickets": 8}, offer={"price": 8}, interaction_time=long_ago)
    assert seen(outcome, by) == {"data.value": 5} | dict.fromkeys(amounts, 10)


@pytest.mark.parametrize(
    ("by", "amounts"),
    [
        (charge("activity", DYNAMIC, meter={"event_type": "workflow.research"}), {PRICE}),
        (charge("activity", **summing("data.value", "workflow.research")), {"data.value"}),
        (charge("activity", PER_UNIT, **summing("data.value", "workflow.research")), set()),
        (workflows(FIVE_PERCENT), {"data.value"}),
        (workflows(DYNAMIC), {PRICE}),
        (workflows(PER_UNIT), set()),
    ],
)
def test_events_of_any_type_may_be_in_another_currency(by: AnyCharge, amounts: set[str]) -> None:
    flow = event("workflow.research", value=8, quantity=8, offer={"price": 8})
    assert seen(flow, by) == dict.fromkeys(amounts, 10)
    assert seen(event("workflow.email", value=8, offer={"price": 8}), by) == {}


def test_each_charge_sees_its_own_money() -> None:
    """What one charge counts as units stays as it is.

    Another has a price for its value.
    """
    charges = [
        charge("activity", **summing("data.saved")),
        charge("activity", PER_UNIT, key="b", **summing("data.saved")),
    ]
    added = contribution(event(saved=8), charges, "USD")
    assert added.measures == (("won", CountAndSum(1, Decimal(10))), ("b", CountAndSum(1, Decimal(8))))


@pytest.mark.parametrize("rate", [RATE, None])
def test_filters_match_what_was_reported(rate: Decimal | None) -> None:
    """Whether or not there is a rate."""
    for path, accepted, matches in (
        ("data.currency", "USD", False),
        ("data.currency", "EUR", True),
        ("data.value", "8", True),
        ("data.value", "10", False),
    ):
        meter = {"event_type": "outcome.won", "filter": {path: [accepted]}}
        for by in (
            charge(pricing=PER_UNIT, verification="none", meter=meter),
            charge("activity", PER_UNIT, meter=meter),
        ):
            assert bool(contribution(event(rate=rate, value="8"), [by], "USD").measures) == matches


def test_distinct_values_are_those_that_were_reported() -> None:
    meter = {"event_type": "outcome.won", "aggregation": "unique", "value": "data.value"}
    for rate in (RATE, None):
        added = contribution(event(rate=rate, value="8"), [charge("activity", PER_UNIT, meter=meter)], "USD")
        assert [name for name, _ in added.distinct()] == ["won"]
        assert (
            added.measures
            == contribution(
                event(value="8", currency="USD"), [charge("activity", PER_UNIT, meter=meter)], "USD"
            ).measures
        )


def test_a_quantity_that_is_not_given_is_one_of_the_currency_that_is_named() -> None:
    by = charge("activity", **summing("data.quantity"))
    assert contribution(event(), [by], "USD").measures == (("won", CountAndSum(1, RATE)),)


def test_what_an_amount_is_converted_to_may_be_of_any_size() -> None:
    """Bounds are for what is entered."""
    won = event(rate=Decimal(150), value=99999999999999)
    added = contribution(won, [charge("activity", PER_UNIT), charge(key="b", verification="none")], "JPY")
    assert added.measures == (
        ("won", CountAndSum(1, Decimal(1))),
        ("b", CountAndSum(1, Decimal(14999999999999850))),
    )


def test_an_amount_below_0_is_so_in_every_currency() -> None:
    by = charge("activity", **summing("data.saved"))
    with pytest.raises(UnmeterableError, match=r"data.saved is negative"):
        contribution(event(saved=-8), [by], "USD")


def test_to_convert_again_changes_nothing() -> None:
    by = charge(**summing("data.saved"))
    ((_, once),) = events_by_charge([by], event(value=4, saved=8), "USD")
    assert list(events_by_charge([by], once, "USD")) == [(by, once)]


@pytest.mark.parametrize(
    "of", [event("step", value=4), event(value=4, currency="USD"), event("step", rate=None, value=4)]
)
def test_what_has_no_amount_in_another_currency_is_left_as_it_is(of: CostedEvent) -> None:
    ((_, same),) = events_by_charge([charge()], of, "USD")
    assert same is of


def test_what_is_no_amount_is_left_to_the_charge() -> None:
    by = charge(**summing("data.saved"))
    assert seen(event(value=None, saved="much"), by) == {}
    for saved in ("much", "-1", None):
        with pytest.raises(UnmeterableError, match=r"data\.saved"):
            contribution(event(saved=saved), [charge(**summing("data.saved"), verification="none")], "USD")


def test_charges_add_up_what_was_converted() -> None:
    charges = [
        charge(verification="none"),
        charge("activity", PER_UNIT, key="amounts", **summing("data.value")),
        charge("activity", PER_UNIT, key="costs", **summing("data.amount", "cost.api")),
    ]
    assert contribution(event(value=4), charges, "USD").measures == (
        ("won", CountAndSum(1, Decimal(5))),
        ("amounts", CountAndSum(1, Decimal(5))),
    )
    assert contribution(event("cost.api", amount=4), charges, "USD").measures == (
        ("costs", CountAndSum(1, Decimal(5))),
    )


@given(generated_charges.models(generated_charges.usage_charges()), generated.events(10, least=1))
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
    assert dict(counted.measures)["won"] == CountAndSum(1, Decimal(0))
    with pytest.raises(NoExchangeRateError):
        contribution(event(rate=None, value=1, price=1), [charge(pricing=pricing, verification="none")], "USD")


@pytest.mark.parametrize(
    ("event_type", "by"),
    [
        ("step", charge("activity", DYNAMIC, meter={"event_type": "step"})),
        ("step", charge("activity", **summing("data.offer.price", "step"))),
        ("llm_call", charge("activity", **summing("data.cost", "llm_call"))),
        ("llm_call", charge("activity", PER_UNIT, **summing("data.cost", "llm_call"))),
        ("cost.api", charge("activity", PER_UNIT, **summing("data.amount", "cost.api"))),
        ("workflow.research", workflows(DYNAMIC)),
        ("workflow.research", workflows(FIVE_PERCENT)),
    ],
)
def test_money_of_any_event_needs_a_rate_unless_it_is_nothing(event_type: str, by: AnyCharge) -> None:
    def added(rate: Decimal | None, amount: str, currency: str = "EUR") -> Contribution:
        amounts = dict.fromkeys(("cost", "amount", "value"), amount)
        reported = event(event_type, rate, currency=currency, offer={"price": amount}, **amounts)
        return contribution(reported, [by], "USD")

    with pytest.raises(NoExchangeRateError, match="from EUR to USD"):
        added(None, "8")
    assert added(None, "0").measures == added(None, "0", "USD").measures
    assert added(RATE, "8").measures == added(None, "10", "USD").measures
    assert added(RATE, "8").measures != added(None, "8", "USD").measures


def test_a_price_of_nothing_needs_no_rate() -> None:
    by_value = charge(pricing={"type": "dynamic", "value": "data.value"}, verification="none")
    assert contribution(event(rate=None, value=0), [by_value], "USD").measures
