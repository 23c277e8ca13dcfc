import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.domain.metering.bands import Bands, OrderedEvent
from shared.domain.metering.gauges import UnmeterableError
from shared.domain.metering.readings import CountAndSum, Distinct, Highest, Latest, Weighted
from shared.domain.pricing.charges import AnyCharge
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError
from shared.domain.usage.totals import (
    MAXIMUM_TYPES,
    OTHER_TYPES,
    Contribution,
    Totals,
    contribution,
    unpriced_contribution,
)

TIME = "2026-10-03T12:00:00.000000Z"
PER_UNIT = {"type": "per_unit", "unit_amount": "1"}
CHARGES = TypeAdapter(tuple[AnyCharge, ...]).validate_python(
    [
        {"key": "platform", "type": "flat_fee", "amount": "10"},
        {"key": "commands", "type": "activity", "meter": {"event_type": "command"}, "pricing": PER_UNIT},
        {
            "key": "minutes",
            "type": "activity",
            "meter": {"event_type": "command", "aggregation": "sum", "value": "data.minutes"},
            "pricing": PER_UNIT,
        },
        {
            "key": "users",
            "type": "activity",
            "meter": {"event_type": "session", "aggregation": "unique", "value": "data.user"},
            "pricing": PER_UNIT,
        },
        {
            "key": "margin",
            "type": "cost",
            "categories": ["llm"],
        },
        {
            "key": "later",
            "type": "outcome",
            "meter": {"event_type": "outcome.sale"},
            "pricing": PER_UNIT,
        },
        {
            "key": "sales",
            "type": "outcome",
            "meter": {"event_type": "outcome.sale"},
            "verification": "none",
            "pricing": {"type": "percentage", "rate": "5", "free_events": 1},
        },
    ]
)


@dataclass(frozen=True)
class Event:
    type: str = "command"
    time: str = TIME
    data: dict[str, Any] = field(default_factory=dict)
    key: str = "evt_1"
    cost: Decimal | None = None
    cost_category: str | None = None
    exchange_rate: Decimal | None = None
    amounts: dict[str, Decimal] = field(default_factory=dict)
    returned_at: str | None = None


def tally(count: int, value: str) -> CountAndSum:
    return CountAndSum(count, Decimal(value))


def added(event: Event) -> Contribution:
    return contribution(event, CHARGES, "USD")


def test_an_event_adds_to_every_meter_that_it_matches():
    totals = Totals()
    totals.add(added(Event(data={"minutes": "1.5"})))
    totals.add(added(Event(data={"minutes": "0.25"})))
    assert totals.reading("commands").count == 2
    assert totals.reading("minutes") == tally(2, "1.75")
    assert totals.reading("platform") is None
    assert totals.unmatched() == {}


def test_an_event_that_no_charge_wants_is_counted_by_its_type():
    totals = Totals()
    totals.add(added(Event("query")))
    totals.add(added(Event("query")))
    assert totals.unmatched() == {"query": 2}
    assert totals.meters() == []


def test_an_event_that_a_charge_cannot_meter_adds_nothing():
    with pytest.raises(UnmeterableError):
        added(Event(data={"minutes": "many"}))


def test_without_a_model_events_are_metered_by_type():
    totals = Totals()
    for quantity in (1, "2.5", None):
        totals.add(unpriced_contribution(Event("query", data={"quantity": quantity})))
    assert totals.reading("query") == tally(3, "4.5")


def test_types_beyond_the_bound_are_counted_together():
    unmatched, unpriced = Totals(), Totals()
    for number in range(MAXIMUM_TYPES + 50):
        unmatched.add(added(Event(f"type-{number}")))
        unpriced.add(unpriced_contribution(Event(f"type-{number}")))
    assert unmatched.unmatched()[OTHER_TYPES] == 50
    assert len(unmatched.unmatched()) == MAXIMUM_TYPES + 1
    assert unpriced.reading(OTHER_TYPES) == tally(50, "50")
    assert len(unpriced.meters()) == MAXIMUM_TYPES + 1


def test_the_latest_event_is_remembered_whatever_the_order():
    totals = Totals()
    for time in ("2026-10-03T12:00:00.000000Z", "2026-10-05T00:00:00.000000Z", "2026-10-04T00:00:00.000000Z"):
        totals.add(Contribution("command", time, ()))
    assert totals.last_event_at == "2026-10-05T00:00:00.000000Z"


def test_sums_stay_exact_beyond_the_bounds_of_one_event():
    totals = Totals()
    for value in ("999999999999999", "999999999999999", "0.000000000001"):
        totals.add(added(Event(data={"minutes": value})))
    assert totals.reading("minutes").sum == Decimal("1999999999999998.000000000001")


def test_a_document_has_decimal_texts_and_is_read_back_the_same():
    totals = Totals()
    totals.add(added(Event(data={"minutes": Decimal("1E+2")})))
    totals.add(added(Event("query")))
    document = totals.document()
    assert document["meters"]["minutes"] == {"kind": "tally", "count": 1, "sum": "100"}
    assert Totals.read(json.loads(json.dumps(document))) == totals


def test_a_copy_goes_its_own_way():
    totals = Totals()
    copied = totals.copy()
    copied.add(added(Event("query")))
    assert totals == Totals()
    assert copied != totals


def test_what_an_outcome_that_waits_for_its_verification_is_worth_counts_for_nothing_yet():
    totals = Totals()
    totals.add(added(Event("outcome.sale", data={"value": "80"})))
    assert totals.meters() == ["sales", "sales#events"]


def test_what_is_in_another_currency_cannot_be_added_up():
    added(Event("outcome.sale", data={"value": "1", "currency": "USD"}))
    with pytest.raises(NoExchangeRateError, match="from EUR to USD"):
        added(Event("outcome.sale", data={"value": "1", "currency": "EUR"}))
    assert added(Event(data={"minutes": 1, "currency": "EUR"})).measures != ()


def test_distinct_values_are_not_in_the_document():
    totals = Totals()
    for user in ("ada", "ben", "ada"):
        totals.add(added(Event("session", data={"user": user})))
    assert totals.meters() == ["users"]
    assert len(totals.reading("users").values) == 2
    assert totals.document()["meters"] == {}
    assert Totals.read(totals.document()).reading("users") is None


def test_distinct_values_are_taken_once():
    totals = Totals()
    totals.add(added(Event("session", data={"user": "ada"})))
    taken = totals.take_distinct()
    assert {name: len(values) for name, values in taken.items()} == {"users": 1}
    assert totals.take_distinct() == {}
    totals.add_distinct("users", taken["users"])
    assert totals.reading("users").values == taken["users"]


numbers = st.decimals(0, 10**14, places=6)
keys = st.text("abcdef", min_size=1, max_size=3)
times = st.sampled_from([TIME, "2026-10-04T00:00:00.000000Z"])


def placed(key: str, time: str, value: Decimal) -> Bands:
    return Bands(listed=2, first=(OrderedEvent(time, key, value, "between"),))


def same_place_same_value(events: list[Contribution]) -> bool:
    """An identity has one event, so in its place there is one value."""
    places = [
        (name, getattr(reading, "first", (reading,))[0].time, getattr(reading, "first", (reading,))[0].key)
        for event in events
        for name, reading in event.measures
        if isinstance(reading, Latest | Bands)
    ]
    return len(places) == len(set(places))


readings = {
    "tally": st.builds(CountAndSum, st.just(1), numbers),
    "highest": st.builds(Highest, numbers),
    "latest": st.builds(Latest, times, keys, numbers),
    "distinct": st.builds(Distinct, st.frozensets(keys, min_size=1, max_size=1)),
    "weighted": st.builds(Weighted, numbers, numbers),
    "bands": st.builds(placed, keys, times, numbers),
}
contributions = st.lists(
    st.builds(
        Contribution,
        event_type=st.sampled_from(["a", "b", "c"]),
        time=times,
        measures=st.lists(
            st.one_of(*(st.tuples(st.just(name), reading) for name, reading in readings.items())),
            max_size=3,
            unique_by=lambda one: one[0],
        ).map(tuple),
    ),
    max_size=30,
).filter(same_place_same_value)


def stored(totals: Totals) -> Totals:
    """Written and read back, with the values that are items of their own."""
    values = totals.copy().take_distinct()
    again = Totals.read(json.loads(json.dumps(totals.document())))
    for name, found in values.items():
        again.add_distinct(name, found)
    return again


@given(contributions, st.integers(1, 4))
def test_totals_do_not_depend_on_the_shards_they_were_collected_in(events, shard_count):
    whole = Totals()
    shards = [Totals() for _ in range(shard_count)]
    for number, event in enumerate(events):
        whole.add(event)
        shards[number % shard_count].add(event)
    merged = Totals()
    for shard in reversed(shards):
        merged.merge(stored(shard))
    assert merged == whole
