import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.kernel.times import to_text
from shared.domain.metering.gauges import UnmeterableError
from shared.domain.metering.meters import Meter
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.metering.stored_readings import document_of, read_reading
from shared.domain.metering.values import quantity_of
from shared.domain.periods.periods import Span

TIME = "2026-10-03T12:00:00.000000Z"
OCTOBER = Span(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC))
AGGREGATIONS = ("count", "sum", "max", "last", "unique", "weighted_sum")


@dataclass(frozen=True)
class Event:
    type: str = "command"
    data: dict[str, Any] = field(default_factory=dict)
    time: str = TIME
    key: str = "evt_1"
    amounts: dict[str, Decimal] = field(default_factory=dict)
    returned_at: str | None = None


def meter_of(aggregation: str, path: str = "data.quantity", event_type: str = "command", **more: Any) -> Meter:
    value = None if aggregation == "count" else path
    return Meter.model_validate({"event_type": event_type, "aggregation": aggregation, "value": value, **more})


def summing(path: str = "data.quantity", event_type: str = "command", **more: Any) -> Meter:
    return meter_of("sum", path, event_type, **more)


def metered(meter: Meter, *events: Event) -> Fraction:
    """What these events come to in October, one after the other."""
    reading = meter.nothing
    for event in events:
        own = meter.measure(event)
        reading = reading if own is None else reading.merge(own)
    return meter.quantity(reading, OCTOBER)


def test_a_count_adds_one_for_each_event_of_its_type():
    meter = Meter(event_type="command")
    assert metered(meter, Event("command", {"quantity": 5})) == 1
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
    event = Event(data={"usage": {"tokens": value}})
    assert metered(summing("data.usage.tokens"), event) == Fraction(measured)


@pytest.mark.parametrize("value", [None, "many", True, -1, "-0.5", "NaN", Decimal("NaN"), 10**15, [], {"x": 1}, 1.5])
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
    assert metered(summing(), Event()) == 1
    assert quantity_of(Event()) == 1
    assert quantity_of(Event(data={"quantity": "2.5"})) == Decimal("2.5")


def test_a_token_count_that_is_not_given_is_zero_in_an_llm_call_only():
    assert metered(summing("data.cached_input_tokens", "llm_call"), Event("llm_call")) == 0
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
    assert meter.matches(Event(data={"status": found})) is matches


def test_every_path_of_a_filter_has_to_match():
    meter = Meter.model_validate(
        {"event_type": "command", "filter": {"data.status": ["ok"], "data.plan.tier": ["pro"]}}
    )
    assert meter.matches(Event(data={"status": "ok", "plan": {"tier": "pro"}}))
    assert not meter.matches(Event(data={"status": "ok", "plan": {"tier": "free"}}))
    assert not meter.matches(Event(data={"status": "ok"}))


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
    assert metered(summing(unit={"divide_by": "3"}), Event(data={"quantity": 10})) == Fraction(10, 3)
    assert metered(summing(unit={"multiply_by": "60"}), Event(data={"quantity": "2.5"})) == 150


@pytest.mark.parametrize(("rounding", "quantity"), [("up", 3), ("down", 2), ("half_up", 3)])
def test_a_rounding_conversion_rounds_the_sum(rounding, quantity):
    meter = summing(unit={"divide_by": "1000", "rounding": rounding})
    events = [Event(data={"quantity": number}) for number in (1249, 1251)]
    assert metered(meter, *events) == quantity


def test_a_count_meters_events_and_a_sum_their_values():
    events = [Event(data={"quantity": number}) for number in (0, 0, 5, 7)]
    assert metered(Meter(event_type="command"), *events) == 4
    assert metered(summing(), *events) == 12


def test_a_maximum_is_the_highest_value_and_without_events_there_is_none():
    meter = meter_of("max", "data.level")
    assert metered(meter) == 0
    assert metered(meter, *[Event(data={"level": level}) for level in (3, "7.5", 0, 7)]) == Fraction("7.5")


def test_the_last_value_is_that_of_the_latest_event_and_at_one_time_of_the_last_identity():
    meter = meter_of("last", "data.level")
    assert metered(meter) == 0
    first, second = "2026-10-03T12:00:00.000000Z", "2026-10-04T12:00:00.000000Z"
    latest = Event(data={"level": 2}, time=second, key="evt_b")
    events = [
        Event(data={"level": 9}, time=first, key="evt_z"),
        latest,
        Event(data={"level": 5}, time=second, key="evt_a"),
    ]
    assert {metered(meter, *order) for order in permutations(events)} == {Fraction(2)}
    assert metered(meter, latest, latest) == 2


def test_unique_counts_the_different_texts_of_what_stands_there():
    meter = meter_of("unique", "data.user")
    assert metered(meter) == 0
    users = ["ada", "ada", "Ada", 1, "1", Decimal("1.0"), True, "true", "", False]
    # ada; Ada; 1 three times; true twice; the empty text; false
    assert metered(meter, *[Event(data={"user": user}) for user in users]) == 6


@pytest.mark.parametrize("user", [None, [], {"id": 1}, "x" * 257, Decimal("1E+999999")])
def test_what_cannot_be_told_apart_is_refused(user):
    with pytest.raises(UnmeterableError, match=r"data\.user"):
        meter_of("unique", "data.user").measure(Event(data={"user": user}))


def test_a_weighted_sum_counts_a_value_by_the_share_of_the_period_that_was_left():
    meter = meter_of("weighted_sum", "data.gigabytes")
    begin, middle = "2026-10-01T00:00:00.000000Z", "2026-10-16T12:00:00.000000Z"
    assert metered(meter) == 0
    assert metered(meter, Event(data={"gigabytes": 10}, time=begin)) == 10
    assert metered(meter, Event(data={"gigabytes": 10}, time=middle)) == 5
    changes = [Event(data={"gigabytes": 10}, time=begin), Event(data={"gigabytes": "-4"}, time=middle)]
    assert metered(meter, *changes) == 8


def test_a_level_that_fell_below_zero_is_none():
    fallen = Event(data={"quantity": -5}, time="2026-10-01T00:00:00.000000Z")
    assert metered(meter_of("weighted_sum"), fallen) == 0


@pytest.mark.parametrize("aggregation", ["sum", "max", "last"])
def test_only_changes_of_a_level_may_be_negative(aggregation):
    with pytest.raises(UnmeterableError, match="negative"):
        meter_of(aggregation).measure(Event(data={"quantity": -1}))


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_a_reading_is_read_back_as_it_was_kept(aggregation):
    meter = meter_of(aggregation)
    for data in ({}, {"quantity": "2.50"}, {"quantity": Decimal("1E+2")}):
        reading = meter.measure(Event(data=data)) if data or aggregation != "unique" else meter.nothing
        assert reading is not None
        kept = read_reading(json.loads(json.dumps(document_of(reading))))
        assert type(kept) is type(reading)
        assert meter.quantity(kept, OCTOBER) == (0 if aggregation == "unique" else meter.quantity(reading, OCTOBER))


def test_what_happened_after_a_return_is_kept_apart():
    meter = meter_of("weighted_sum")
    begin, middle = "2026-10-01T00:00:00.000000Z", "2026-10-16T12:00:00.000000Z"
    changes = [Event(data={"quantity": 10}, time=begin), Event(data={"quantity": 4}, time=middle, returned_at=middle)]
    before, after = map(meter.measure, changes)
    assert before is not None
    assert after is not None
    both = before.merge(after)
    kept = read_reading(json.loads(json.dumps(document_of(both))))
    assert kept == both == after.merge(before)
    assert kept != before.merge(meter.measure(Event(data={"quantity": 4}, time=middle)))
    assert meter.quantity(kept, OCTOBER) == 10 + 2
    lower = meter.measure(Event(data={"quantity": 1}, time=middle, returned_at=middle))
    assert both.merge(after.replacement(lower)) == before.merge(lower)


def test_a_fraction_is_never_kept():
    with pytest.raises(TypeError):
        document_of(CountAndSum(sum=Fraction(1, 3)))


@given(
    st.sampled_from(AGGREGATIONS),
    st.fractions(min_value=0, max_denominator=1000),
    st.sampled_from([None, {"divide_by": "3"}, {"multiply_by": "7"}]),
)
def test_a_reading_can_be_made_that_comes_to_a_quantity(aggregation, quantity, unit):
    meter = meter_of(aggregation, unit=unit)
    assert meter.quantity(meter.reading_of(quantity, OCTOBER), OCTOBER) == quantity


numbers = st.decimals(0, 1000, places=3)
instants = st.datetimes(datetime(2026, 10, 1), datetime(2026, 10, 31)).map(lambda at: to_text(at.replace(tzinfo=UTC)))  # noqa: DTZ001  the zone follows
events_of_all_kinds = st.builds(
    Event,
    data=st.fixed_dictionaries({"quantity": numbers}),
    time=instants,
    key=st.sampled_from(["evt_1", "evt_2", "evt_3"]),
)


@given(st.sampled_from(AGGREGATIONS), st.lists(events_of_all_kinds, unique_by=lambda event: (event.time, event.key)))
def test_readings_merged_one_after_the_other_are_what_they_come_to_at_once(aggregation, events):
    meter = meter_of(aggregation, unit={"divide_by": "7", "rounding": "half_up"})
    readings = [meter.measure(event) for event in events]
    merged: Reading = meter.nothing
    expected = []
    for reading in readings:
        assert reading is not None
        merged = reading.merge(merged)  # the other way round than above
        expected.append(meter.quantity(merged, OCTOBER))
    assert meter.quantities(readings, OCTOBER) == expected


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
