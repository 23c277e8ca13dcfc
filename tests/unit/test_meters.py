from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.meters import Meter, Reading, UnmeterableError, quantity_of


@dataclass(frozen=True)
class Event:
    type: str = "command"
    data: dict[str, Any] = field(default_factory=dict)


def summing(path: str = "data.quantity", event_type: str = "command", **more: Any) -> Meter:
    return Meter.model_validate({"event_type": event_type, "aggregation": "sum", "value": path, **more})


def test_a_count_adds_one_for_each_event_of_its_type():
    meter = Meter(event_type="command")
    assert meter.measure(Event("command", {"quantity": 5})) == 1
    assert meter.measure(Event("query")) is None


@pytest.mark.parametrize(
    ("value", "measured"),
    [
        (3, "3"),
        (0, "0"),
        (Decimal("2.5"), "2.5"),
        ("2.5", "2.5"),
        (Decimal("1E+2"), "100"),
        ("0.000000000001", "0.000000000001"),
    ],
)
def test_a_sum_adds_what_stands_at_its_path(value, measured):
    assert summing("data.usage.tokens").measure(Event(data={"usage": {"tokens": value}})) == Decimal(measured)


@pytest.mark.parametrize(
    "value", [None, "many", True, -1, "-0.5", "NaN", Decimal("NaN"), 10**15, "0.0000000000001", [], {"x": 1}, 1.5]
)
def test_what_is_no_number_to_meter_is_refused(value):
    with pytest.raises(UnmeterableError) as refused:
        summing("data.minutes").measure(Event(data={"minutes": value}))
    assert refused.value.code == "unmeterable"
    assert "data.minutes" in refused.value.detail


@pytest.mark.parametrize("data", [{}, {"usage": 3}, {"usage": {}}, {"usage": None}])
def test_a_missing_value_is_refused(data):
    with pytest.raises(UnmeterableError, match=r"data\.usage\.tokens is missing"):
        summing("data.usage.tokens").measure(Event(data=data))


def test_an_event_that_does_not_match_is_not_looked_at_any_further():
    assert summing("data.minutes").measure(Event("other", {"minutes": "many"})) is None


def test_a_quantity_that_is_not_given_is_one():
    assert summing().measure(Event()) == 1
    assert quantity_of(Event()) == 1
    assert quantity_of(Event(data={"quantity": "2.5"})) == Decimal("2.5")


def test_a_token_count_that_is_not_given_is_zero_in_an_llm_call_only():
    assert summing("data.cached_input_tokens", "llm_call").measure(Event("llm_call")) == 0
    with pytest.raises(UnmeterableError):
        summing("data.cached_input_tokens", "command").measure(Event("command"))
    with pytest.raises(UnmeterableError):
        summing("data.latency", "llm_call").measure(Event("llm_call"))


@pytest.mark.parametrize(
    ("accepted", "found", "matches"),
    [
        (["ok"], "ok", True),
        (["ok", "warned"], "warned", True),
        (["ok"], "OK", False),
        ([5], 5, True),
        ([5], Decimal("5.0"), True),
        (["5"], 5, True),
        ([5], "5", True),
        ([Decimal("0.0000001")], Decimal("1E-7"), True),
        ([True], True, True),
        ([1], True, False),
        ([True], 1, False),
        ([None], None, True),
        (["ok"], None, False),
        ([""], [], False),
        ([""], {}, False),
        ([""], Decimal("1E+999999"), False),
    ],
)
def test_a_filter_compares_texts_and_values_of_numbers(accepted, found, matches):
    meter = Meter.model_validate({"event_type": "command", "filter": {"data.status": accepted}})
    assert meter.matches("command", {"status": found}) is matches


def test_every_path_of_a_filter_has_to_match():
    meter = Meter.model_validate(
        {"event_type": "command", "filter": {"data.status": ["ok"], "data.plan.tier": ["pro"]}}
    )
    assert meter.matches("command", {"status": "ok", "plan": {"tier": "pro"}})
    assert not meter.matches("command", {"status": "ok", "plan": {"tier": "free"}})
    assert not meter.matches("command", {"status": "ok"})


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"event_type": "has space"}, ("event_type",)),
        ({"event_type": "a" * 201}, ("event_type",)),
        ({"aggregation": "median"}, ("aggregation",)),
        ({"aggregation": "sum"}, ("value",)),
        ({"aggregation": "sum", "value": "quantity"}, ("value",)),
        ({"aggregation": "sum", "value": "data."}, ("value",)),
        ({"aggregation": "sum", "value": "data.__class__()"}, ("value",)),
        ({"value": "data.quantity"}, ("value",)),
        ({"filter": {"data.status": []}}, ("filter", "data.status")),
        ({"filter": {"data.status": [{}]}}, ("filter", "data.status", 0)),
        ({"filter": {"data.status": ["x" * 257]}}, ("filter", "data.status", 0)),
        ({"filter": {"status": ["ok"]}}, ("filter", "status", "[key]")),
        ({"unit": {"divide_by": "0"}}, ("unit", "divide_by")),
        ({"unit": {"divide_by": "-1"}}, ("unit", "divide_by")),
        ({"unit": {"divide_by": "2", "multiply_by": "2"}}, ("unit", "divide_by")),
        ({"unit": {}}, ("unit",)),
        ({"unit": {"multiply_by": "2", "rounding": "sideways"}}, ("unit", "rounding")),
        ({"speed": 1}, ("speed",)),
    ],
)
def test_a_meter_that_means_nothing_is_refused_at_its_place(wrong, place):
    with pytest.raises(pydantic.ValidationError) as refused:
        Meter.model_validate({"event_type": "command", **wrong})
    assert [error["loc"] for error in refused.value.errors()] == [place]


def test_a_meter_is_read_back_as_it_was_written():
    meter = summing("data.a", filter={"data.b": ["x", 5, True, None]}, unit={"divide_by": "1000", "rounding": "up"})
    assert Meter.model_validate_json(meter.model_dump_json()) == meter


def test_the_unit_conversion_stays_exact():
    thirds = summing(unit={"divide_by": "3"})
    assert thirds.quantity(Reading(sum=Fraction(10))) == Fraction(10, 3)
    assert summing(unit={"multiply_by": "60"}).quantity(Reading(sum=Fraction(5, 2))) == 150


@pytest.mark.parametrize(("rounding", "quantity"), [("up", 3), ("down", 2), ("half_up", 3)])
def test_a_rounding_conversion_rounds_the_sum(rounding, quantity):
    meter = summing(unit={"divide_by": "1000", "rounding": rounding})
    assert meter.quantity(Reading(sum=Fraction(2500))) == quantity


def test_a_count_meters_events_and_a_sum_their_values():
    reading = Reading(count=Fraction(3)) + Reading(count=Fraction(1), sum=Fraction(12))
    assert Meter(event_type="command").quantity(reading) == 4
    assert summing().quantity(reading) == 12


@settings(deadline=None)
@given(
    st.fractions(min_value=0, max_denominator=1000), st.sampled_from([None, {"divide_by": "3"}, {"multiply_by": "7"}])
)
def test_a_reading_can_be_made_that_comes_to_a_quantity(quantity, unit):
    for meter in (Meter.model_validate({"event_type": "command", "unit": unit}), summing(unit=unit)):
        assert meter.quantity(meter.reading_of(quantity)) == quantity


@pytest.mark.parametrize(
    ("meter", "name"),
    [
        (Meter(event_type="command"), "command"),
        (summing(), "command"),
        (summing("data.minutes"), "minutes"),
        (summing("data.input_tokens", unit={"divide_by": "1000000"}), "1000000 input_tokens"),
        (summing("data.hours", unit={"multiply_by": "60"}), "1/60 hours"),
    ],
)
def test_the_unit_has_a_name_for_people(meter, name):
    assert meter.unit_name == name
