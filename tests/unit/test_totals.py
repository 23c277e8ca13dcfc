import json
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.domain.charges import AnyCharge
from shared.domain.meters import Reading, UnmeterableError
from shared.domain.totals import MAXIMUM_TYPES, OTHER_TYPES, Contribution, Totals, contribution, unpriced_contribution

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
    ]
)


@dataclass(frozen=True)
class Event:
    type: str = "command"
    time: str = TIME
    data: dict[str, Any] = field(default_factory=dict)


def reading(count: int, value: str) -> Reading:
    return Reading(Fraction(count), Fraction(value))


def test_an_event_adds_to_every_meter_that_it_matches():
    totals = Totals()
    totals.add(contribution(Event(data={"minutes": "1.5"}), CHARGES))
    totals.add(contribution(Event(data={"minutes": "0.25"}), CHARGES))
    assert totals.reading("commands") == reading(2, "2")
    assert totals.reading("minutes") == reading(2, "1.75")
    assert totals.reading("platform") == reading(0, "0")
    assert totals.unmatched() == {}


def test_an_event_that_no_charge_wants_is_counted_by_its_type():
    totals = Totals()
    totals.add(contribution(Event("query"), CHARGES))
    totals.add(contribution(Event("query"), CHARGES))
    assert totals.unmatched() == {"query": 2}
    assert totals.meters() == []


def test_an_event_that_a_charge_cannot_meter_adds_nothing():
    with pytest.raises(UnmeterableError):
        contribution(Event(data={"minutes": "many"}), CHARGES)


def test_without_a_model_events_are_metered_by_type():
    totals = Totals()
    for quantity in (1, "2.5", None):
        totals.add(unpriced_contribution(Event("query", data={"quantity": quantity})))
    assert totals.reading("query") == reading(3, "4.5")


def test_types_beyond_the_bound_are_counted_together():
    unmatched, unpriced = Totals(), Totals()
    for number in range(MAXIMUM_TYPES + 50):
        unmatched.add(contribution(Event(f"type-{number}"), CHARGES))
        unpriced.add(unpriced_contribution(Event(f"type-{number}")))
    assert unmatched.unmatched()[OTHER_TYPES] == 50
    assert len(unmatched.unmatched()) == MAXIMUM_TYPES + 1
    assert unpriced.reading(OTHER_TYPES) == reading(50, "50")
    assert len(unpriced.meters()) == MAXIMUM_TYPES + 1


def test_the_latest_event_is_remembered_whatever_the_order():
    totals = Totals()
    for time in ("2026-10-03T12:00:00.000000Z", "2026-10-05T00:00:00.000000Z", "2026-10-04T00:00:00.000000Z"):
        totals.add(Contribution("command", time, ()))
    assert totals.last_event_at == "2026-10-05T00:00:00.000000Z"


def test_sums_stay_exact_beyond_the_bounds_of_one_event():
    totals = Totals()
    for value in ("999999999999999", "999999999999999", "0.000000000001"):
        totals.add(contribution(Event(data={"minutes": value}), CHARGES))
    assert totals.reading("minutes").sum == Fraction("1999999999999998.000000000001")


def test_a_document_has_decimal_texts_and_is_read_back_the_same():
    totals = Totals()
    totals.add(contribution(Event(data={"minutes": Decimal("1E+2")}), CHARGES))
    totals.add(contribution(Event("query"), CHARGES))
    document = totals.document()
    assert document["meters"]["minutes"] == {"count": 1, "sum": "100"}
    assert Totals.read(json.loads(json.dumps(document))) == totals


def test_a_copy_goes_its_own_way():
    totals = Totals()
    copied = totals.copy()
    copied.add(contribution(Event("query"), CHARGES))
    assert totals == Totals()
    assert copied != totals


contributions = st.lists(
    st.builds(
        Contribution,
        event_type=st.sampled_from(["a", "b", "c"]),
        time=st.sampled_from([TIME, "2026-10-04T00:00:00.000000Z"]),
        measures=st.lists(
            st.tuples(st.sampled_from(["x", "y"]), st.decimals(0, 10**14, places=6)),
            max_size=2,
            unique_by=lambda one: one[0],
        ).map(tuple),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(contributions, st.integers(1, 4))
def test_totals_do_not_depend_on_the_shards_they_were_collected_in(events, shard_count):
    whole = Totals()
    shards = [Totals() for _ in range(shard_count)]
    for number, event in enumerate(events):
        whole.add(event)
        shards[number % shard_count].add(event)
    merged = Totals()
    for shard in reversed(shards):
        merged.merge(Totals.read(shard.document()))
    assert merged == whole
