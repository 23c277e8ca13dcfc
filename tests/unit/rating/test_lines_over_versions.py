"""Lines whose prices change within the month, or that several agents share."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from shared.domain.pricing.lines import Line
from shared.domain.rating.facts import Segment
from tests.doubles.worlds import generated_usage as generated
from tests.doubles.worlds.generated_usage import OCTOBER
from tests.doubles.worlds.two_versions import (
    EARLY,
    FIVE_PERCENT,
    HALF,
    LATE,
    PER_UNIT,
    Json,
    about,
    added,
    due,
    event,
    line,
    outcome,
    tiers,
)


def level(unit_amount: str, aggregation: str = "last", **more: Any) -> Json:
    meter = {"event_type": "step", "aggregation": aggregation, "value": "data.value"}
    pricing = {"type": "per_unit", "unit_amount": unit_amount}
    return {"type": "activity", "scope": "organization", "meter": meter, "pricing": pricing, **more}


def test_outcomes_are_priced_by_value_under_one_version_and_by_number_under_the_next():
    sales = [event("outcome.sale", EARLY, value="1000"), event("outcome.sale", LATE, value="1000")]
    assert due([outcome(FIVE_PERCENT), outcome(PER_UNIT)], sales) == 50 + 2
    assert due([outcome(PER_UNIT), outcome(FIVE_PERCENT)], sales) == 2 + 50


def test_tiers_go_on_from_what_came_before_by_what_they_are_about():
    """The second version's second tier starts beyond one outcome, or beyond a value of 1,000."""
    sales = [event("outcome.sale", EARLY, value="1000"), event("outcome.sale", LATE, value="1000")]
    by_number = {
        "type": "graduated",
        "tiers": [{"up_to": "1", "unit_amount": "7"}, {"up_to": None, "unit_amount": "3"}],
    }
    by_value = {"type": "graduated_percentage", "tiers": [{"up_to": "1000", "rate": "7"}, {"up_to": None, "rate": "3"}]}
    assert due([outcome(FIVE_PERCENT), outcome(by_number)], sales) == 50 + 3
    assert due([outcome(PER_UNIT), outcome(by_value)], sales) == 2 + 30


def test_included_units_are_left_out_of_what_prices_units_only():
    found = [added(PER_UNIT, included_units="31"), added(FIVE_PERCENT)]
    assert due(found, [event("step", EARLY, value="24"), event("step", LATE, value="100")]) == (24 - 14) * 2 + 5
    assert due(found, [event("step", EARLY, value="4"), event("step", LATE, value="100")]) == 5


def test_what_a_later_fall_takes_back_are_the_units_added_last():
    fallen = [event("step", EARLY, value="20"), event("step", LATE, value="1")]
    assert due([level("1"), level("5")], fallen) == 1
    assert due([level("1"), level("5")], [fallen[0], event("step", LATE, value="25")]) == 20 + 25


def test_a_fall_in_the_middle_takes_back_what_came_before_it():
    found = [
        Segment("a", generated.version([{"key": "k", **level(price)}], number, start), start, end)
        for number, (price, start, end) in enumerate(
            [
                ("1", OCTOBER.start, EARLY),
                ("10", EARLY, generated.halfway()),
                ("100", generated.halfway(), OCTOBER.end),
            ],
            1,
        )
    ]
    reported = [
        event("step", OCTOBER.start, value="9"),
        event("step", EARLY, value="4"),
        event("step", LATE, value="6"),
    ]
    (only,) = generated.lines_of(found, generated.totals_of(found, reported))
    assert only.exact_amount == 4 * 1 + 0 * 10 + 2 * 100
    assert only.quantity == 6


@pytest.mark.parametrize("pieces", [1, 2])
def test_overage_is_of_what_is_left_after_a_fall(pieces):
    charge = level("1", commitment={"quantity": "10", "overage_multiplier": "2"})
    fallen = [event("step", EARLY, value="20"), event("step", LATE, value="5")]
    assert due([charge] * pieces, fallen) == 5
    assert due([charge] * pieces, [fallen[0], event("step", LATE, value="12")]) == 10 + 2 * 2


def test_no_step_takes_back_what_a_fallen_level_had_cost():
    tiers = [{"up_to": "10", "unit_amount": "1", "flat_amount": "5"}, {"up_to": None, "unit_amount": "2"}]
    pricing = {"type": "volume", "tiers": tiers}
    fallen = [event("step", EARLY, value="20"), event("step", LATE, value="5")]
    rated = line([level("0", pricing=pricing), level("0", pricing=pricing)], fallen)
    assert rated.exact_amount == 5 * 1 + 5
    assert all(step.amount >= 0 for step in rated.steps)


def test_an_average_level_that_falls_under_the_next_version_is_taken_back():
    changes = [event("step", OCTOBER.start, value="10"), event("step", generated.halfway(), value="-10")]
    rated = line([level("1", "weighted_sum"), level("5", "weighted_sum")], changes)
    hours = Fraction(14 * 24, 31 * 24 + 1)  # the clocks are set back on the 25th
    assert Fraction(rated.exact_amount) == about(10 * hours)


def test_a_setup_fee_is_that_of_the_version_in_force_when_the_model_is_first_used():
    assert due([{"type": "setup_fee", "amount": "100"}, {"type": "setup_fee", "amount": "300"}]) == 100


def test_a_setup_fee_that_comes_later_in_the_first_month_is_due_in_full():
    second = generated.version([{"key": "late", "type": "setup_fee", "amount": "300"}], 2, generated.halfway())
    first = generated.version([{"key": "fee", "type": "flat_fee", "amount": "31"}], 1, OCTOBER.start)
    found = [
        Segment("a", first, OCTOBER.start, generated.halfway()),
        Segment("a", second, generated.halfway(), OCTOBER.end),
    ]
    assert generated.exact(generated.lines_of(found, {}))["bm_1/late/-"] == 300


def agents_line(assignments: Sequence[tuple[str, datetime, datetime]], charge: Json) -> Line:
    priced = generated.version([{"key": "agents", "type": "agent", **charge}])
    other = generated.version([{"key": "fee", "type": "flat_fee", "amount": "1"}], model="bm_2")
    found = [Segment(agent, priced, start, end) for agent, start, end in assignments]
    found += [Segment(agent, other, end, OCTOBER.end) for agent, _, end in assignments if end < OCTOBER.end]
    lines = {each.charge: each for each in generated.lines_of(found, {})}
    return lines["agents"]


SECOND_IS_CHEAP = {
    "pricing": {
        "type": "graduated",
        "tiers": [{"up_to": "1", "unit_amount": "100"}, {"up_to": None, "unit_amount": "10"}],
    },
    "discount": {"from_quantity": "2", "percent": "50"},
}
AN_HOUR = OCTOBER.start + timedelta(hours=1)


def test_an_agent_without_a_day_has_no_place_among_those_that_pay():
    assignments = [("a", OCTOBER.start, AN_HOUR), ("b", OCTOBER.start, OCTOBER.end)]
    rated = agents_line(assignments, SECOND_IS_CHEAP)
    assert (rated.quantity, rated.exact_amount) == (1, 100)


def test_agents_without_a_day_cost_nothing():
    rated = agents_line([("a", OCTOBER.start, AN_HOUR)], SECOND_IS_CHEAP)
    assert (rated.quantity, rated.exact_amount, rated.steps) == (0, 0, ())


def test_a_discount_amount_on_agents_is_for_the_days_of_the_line():
    """Not for those of each agent: the amount is one for all of them."""
    charge = {"pricing": {"type": "per_unit", "unit_amount": "62"}, "discount": {"amount": "31"}}
    assignments = [("a", OCTOBER.start, OCTOBER.end), ("b", generated.halfway(), OCTOBER.end)]
    assert agents_line(assignments, charge).exact_amount == 62 + 62 * (1 - HALF) - 31


def test_included_units_of_a_pooled_charge_are_there_once_however_many_agents():
    charge = added(PER_UNIT, included_units="10")
    steps = [event("step", EARLY, agent, value="10") for agent in "abc"]
    assert due([charge], steps, "abc") == (30 - 10) * 2


COMMITMENT = {"quantity": "5", "overage_multiplier": "2"}


@pytest.mark.parametrize(("kind", "price", "above"), [("graduated", 20 + 100, 15), ("volume", 30 + 100, 20)])
def test_overage_multiplies_units_and_never_flat_amounts(kind, price, above):
    steps = [event("step", EARLY, value="15")]
    assert due([added(tiers(kind), commitment=COMMITMENT)], steps) == price + above


def test_a_package_that_was_begun_before_the_commitment_is_not_multiplied():
    pricing = {"type": "package", "package_size": "10", "package_amount": "10"}
    charge = added(pricing, commitment=COMMITMENT)
    assert due([charge], [event("step", EARLY, value="10")]) == 10
    assert due([charge], [event("step", EARLY, value="11")]) == 20 + 10


def test_a_commitment_counts_included_units_too():
    charge = added(PER_UNIT, included_units="3", commitment=COMMITMENT)
    assert due([charge], [event("step", EARLY, value="9")]) == (9 - 3) * 2 + (9 - 5) * 2


def test_a_free_amount_is_granted_once_over_the_versions():
    charge = added({"type": "percentage", "rate": "10", "free_amount": "100"})
    steps = [event("step", EARLY, value="150"), event("step", LATE, value="150")]
    assert due([charge, charge], steps) == 20


def test_the_flat_amount_of_the_tier_of_a_value_is_due_once():
    charge = added({"type": "volume_percentage", "tiers": [{"up_to": None, "rate": "10", "flat_amount": "7"}]})
    steps = [event("step", EARLY, value="100"), event("step", LATE, value="100")]
    assert due([charge, charge], steps) == 20 + 7


def test_a_line_without_usage_is_lifted_only_by_the_minima_that_hold_when_unused():
    charge = added(PER_UNIT, minimum="31")
    assert due([charge]) == 31
    assert due([{**charge, "minimum_when_unused": False}]) == 0
    assert due([charge, {**charge, "minimum_when_unused": False}]) == about(31 * HALF)
    assert due([{**charge, "minimum_when_unused": False}], [event("step", EARLY, value="1")]) == 31
