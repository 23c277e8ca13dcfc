"""What a line comes to whose prices change within the month, or that several agents come to together."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from shared.domain.kernel.times import to_text
from shared.domain.metering.gauges import UnmeterableError
from shared.domain.pricing.lines import Line
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError
from shared.domain.rating.facts import Segment
from shared.domain.usage.totals import contribution
from tests.doubles.worlds import generated_usage as generated
from tests.doubles.worlds.generated_usage import OCTOBER, Reported

Json = dict[str, Any]
HALF = Fraction(14, 31)
"""Of the days of October, those before the halfway mark."""
EARLY, LATE = OCTOBER.start + timedelta(days=2), OCTOBER.start + timedelta(days=20)


def event(kind: str, time: datetime, agent: str = "a", **data: Any) -> Reported:
    return Reported(agent, kind, to_text(time), f"evt_{agent}_{to_text(time)}", data)


def line(versions: Sequence[Json], reported: Sequence[Reported] = (), agents: Sequence[str] = ("a",)) -> Line:
    """The only line of a charge whose first version is in force until halfway, and its second one from then on."""
    starts = [OCTOBER.start, generated.halfway()][: len(versions)]
    ends = [*starts[1:], OCTOBER.end]
    found = [
        Segment(agent, generated.version([{"key": "charge", **charge}], number, start), start, end)
        for number, (charge, start, end) in enumerate(zip(versions, starts, ends, strict=True), 1)
        for agent in agents
    ]
    (only,) = generated.lines_of(found, generated.totals_of(found, reported))
    return only


def due(*arguments: Any) -> Fraction:
    return Fraction(line(*arguments).exact_amount)


def about(share: Fraction) -> Any:
    """Where shares are no decimals, amounts are cut to 12 places."""
    return pytest.approx(float(share), abs=1e-9)


def level(unit_amount: str, aggregation: str = "last", **more: Any) -> Json:
    meter = {"event_type": "step", "aggregation": aggregation, "value": "data.value"}
    pricing = {"type": "per_unit", "unit_amount": unit_amount}
    return {"type": "activity", "scope": "organization", "meter": meter, "pricing": pricing, **more}


def added(pricing: Json, **more: Any) -> Json:
    meter = {"event_type": "step", "aggregation": "sum", "value": "data.value"}
    return {"type": "activity", "scope": "organization", "meter": meter, "pricing": pricing, **more}


def outcome(pricing: Json, **more: Any) -> Json:
    meter = {"event_type": "outcome.sale"}
    return {"type": "outcome", "verification": "none", "meter": meter, "pricing": pricing, **more}


def workflow(pricing: Json, **more: Any) -> Json:
    return {"type": "workflow", "workflows": {"email": {"pricing": pricing, **more}}}


PER_UNIT = {"type": "per_unit", "unit_amount": "2"}
FIVE_PERCENT = {"type": "percentage", "rate": "5"}


# Pricings of different kinds, one after the other


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


# Meters that fall


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


# Fees


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


# Agents that come and go


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


# Overage inside one type


def tiers(kind: str) -> Json:
    found = [{"up_to": "10", "unit_amount": "1"}, {"up_to": None, "unit_amount": "2", "flat_amount": "100"}]
    return {"type": kind, "tiers": found}


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


# What is granted once


def test_a_free_amount_is_granted_once_over_the_versions():
    charge = added({"type": "percentage", "rate": "10", "free_amount": "100"})
    steps = [event("step", EARLY, value="150"), event("step", LATE, value="150")]
    assert due([charge, charge], steps) == 20


def test_the_flat_amount_of_the_tier_of_a_value_is_due_once():
    charge = added({"type": "volume_percentage", "tiers": [{"up_to": None, "rate": "10", "flat_amount": "7"}]})
    steps = [event("step", EARLY, value="100"), event("step", LATE, value="100")]
    assert due([charge, charge], steps) == 20 + 7


# Outcomes


def bonus(from_value: str) -> Json:
    return {"success_bonus": {"from_value": from_value, "percent": "10"}}


def test_a_bonus_is_by_the_value_of_all_segments_and_from_just_that_value_on():
    sales = [event("outcome.sale", EARLY, value="60"), event("outcome.sale", LATE, value="40")]
    free = {"type": "per_unit", "unit_amount": "0"}
    assert due([outcome(free, **bonus("100"))] * 2, sales) == 10
    assert due([outcome(free, **bonus("100.01"))] * 2, sales) == 0


def test_a_minimum_value_is_of_the_value_after_the_conversion_of_its_unit():
    meter = {"event_type": "outcome.sale", "aggregation": "sum", "value": "data.value", "unit": {"divide_by": "100"}}
    charge = outcome({"type": "percentage", "rate": "10"}, minimum_value="5") | {"meter": meter}
    sales = [event("outcome.sale", EARLY, value="499"), event("outcome.sale", LATE, value="500")]
    assert due([charge], sales) == Fraction("0.5")


def test_an_outcome_is_one_of_its_quantity_where_nothing_else_is_said():
    meter = {"event_type": "outcome.sale", "aggregation": "sum", "value": "data.quantity"}
    sales = [event("outcome.sale", EARLY), event("outcome.sale", LATE, quantity=3)]
    assert due([outcome(PER_UNIT) | {"meter": meter}], sales) == (1 + 3) * 2


def test_an_outcome_that_says_nothing_of_its_value_is_worth_nothing():
    sales = [event("outcome.sale", EARLY), event("outcome.sale", LATE, value=30)]
    assert due([outcome({**FIVE_PERCENT, "fixed_per_event": "1"})], sales) == 2 + Fraction("1.5")


def test_an_outcome_without_what_its_meter_adds_up_is_refused():
    meter = {"event_type": "outcome.sale", "aggregation": "sum", "value": "data.tickets"}
    with pytest.raises(UnmeterableError, match=r"data\.tickets is missing"):
        due([outcome(PER_UNIT) | {"meter": meter}], [event("outcome.sale", EARLY)])


# Other currencies


def test_a_value_in_another_currency_does_not_matter_where_outcomes_are_counted():
    """It is worth nothing for a version that prices by value later."""
    sales = [event("outcome.sale", EARLY, value="1000", currency="EUR"), event("outcome.sale", LATE, value="100")]
    by_value = {"type": "graduated_percentage", "tiers": [{"up_to": "50", "rate": "0"}, {"up_to": None, "rate": "10"}]}
    assert due([outcome(PER_UNIT), outcome(by_value)], sales) == 2 + 5


@pytest.mark.parametrize(
    ("charge", "kind", "data"),
    [
        (outcome(FIVE_PERCENT), "outcome.sale", {"value": "1"}),
        (outcome({"type": "dynamic", "value": "data.price"}), "outcome.sale", {"price": "1"}),
        (outcome(PER_UNIT, minimum_value="1"), "outcome.sale", {"value": "1"}),
        (outcome(PER_UNIT, minimum_value="1"), "outcome.sale", {"value": "0.95"}),
        (outcome(PER_UNIT, **bonus("1")), "outcome.sale", {"value": "1"}),
        (
            outcome(PER_UNIT) | {"meter": {"event_type": "outcome.sale", "aggregation": "sum", "value": "data.value"}},
            "outcome.sale",
            {"value": "1"},
        ),
        (
            added(FIVE_PERCENT) | {"meter": {"event_type": "cost.llm", "aggregation": "sum", "value": "data.amount"}},
            "cost.llm",
            {"amount": "1"},
        ),
        (added(FIVE_PERCENT), "step", {"value": "1"}),
        (workflow(FIVE_PERCENT), "workflow.email", {"value": "1"}),
        (
            added(FIVE_PERCENT) | {"meter": {"event_type": "outcome.x", "aggregation": "sum", "value": "data.value"}},
            "outcome.x",
            {"value": "1"},
        ),
        (
            added(PER_UNIT) | {"meter": {"event_type": "cost.llm", "aggregation": "sum", "value": "data.amount"}},
            "cost.llm",
            {"amount": "1"},
        ),
    ],
)
def test_amounts_in_another_currency_are_never_added_to_those_of_the_model(charge, kind, data):
    version = generated.version([{"key": "charge", **charge}])
    contribution(event(kind, EARLY, **data, currency="USD"), version.charges, "USD")
    with pytest.raises(NoExchangeRateError, match="from EUR to USD"):
        contribution(event(kind, EARLY, **data, currency="EUR"), version.charges, "USD")


@pytest.mark.parametrize(
    ("charge", "kind"),
    [
        (outcome(PER_UNIT), "outcome.sale"),
        (added(PER_UNIT) | {"meter": {"event_type": "cost.llm"}}, "cost.llm"),
        (added(PER_UNIT), "step"),
    ],
)
def test_a_currency_does_not_matter_where_no_amount_is_read(charge, kind):
    version = generated.version([{"key": "charge", **charge}])
    reported = event(kind, EARLY, value="1", amount="1", currency="EUR")
    assert contribution(reported, version.charges, "USD").measures


# Workflows


def test_the_maximum_of_a_type_comes_before_its_minimum():
    """The first version has the maximum, the second one the minimum: what the maximum took off counts for it."""
    first, second = workflow(PER_UNIT, maximum="31"), workflow(PER_UNIT, minimum="31")
    emails = [event("workflow.email", EARLY, quantity=50)]
    assert due([first, second], emails) == about(max(31 * HALF, 31 * (1 - HALF)))


def test_workflows_are_priced_by_their_values():
    emails = [
        event("workflow.email", EARLY, quantity=2, value="200"),
        event("workflow.email", LATE, "b", quantity=3),
    ]
    rated = line([workflow({**FIVE_PERCENT, "fixed_per_event": "1"})], emails, "ab")
    assert (rated.quantity, rated.exact_amount) == (5, 10 + 2)
    by_bounds = workflow({**FIVE_PERCENT, "minimum_per_event": "3", "free_events": 1}, minimum="5")
    assert due([by_bounds], emails, "ab") == 5
    assert due([by_bounds], [*emails, event("workflow.email", LATE, value="180")], "ab") == 3 + 9


def test_workflows_are_priced_by_the_prices_that_come_with_them():
    emails = [event("workflow.email", EARLY, quantity=2, price="4"), event("workflow.email", LATE, price="0.5")]
    rated = line([workflow({"type": "dynamic", "value": "data.price"})], emails)
    assert (rated.quantity, rated.exact_amount) == (3, Fraction("4.5"))


def test_a_type_of_workflow_is_priced_by_number_under_one_version_and_by_value_under_the_next():
    emails = [
        event("workflow.email", EARLY, quantity=2, value="200"),
        event("workflow.email", LATE, quantity=3, value="100"),
    ]
    assert due([workflow(PER_UNIT), workflow(FIVE_PERCENT)], emails) == 4 + 5
    assert due([workflow(FIVE_PERCENT), workflow(PER_UNIT)], emails) == 10 + 6


# Minima


def test_a_line_without_usage_is_lifted_only_by_the_minima_that_hold_when_unused():
    charge = added(PER_UNIT, minimum="31")
    assert due([charge]) == 31
    assert due([{**charge, "minimum_when_unused": False}]) == 0
    assert due([charge, {**charge, "minimum_when_unused": False}]) == about(31 * HALF)
    assert due([{**charge, "minimum_when_unused": False}], [event("step", EARLY, value="1")]) == 31
