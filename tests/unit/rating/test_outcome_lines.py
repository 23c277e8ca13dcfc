"""What lines of outcomes come to: bonuses, values, other currencies."""

from fractions import Fraction

import pytest

from shared.domain.metering.gauges import UnmeterableError
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError
from shared.domain.usage.totals import contribution
from tests.doubles.worlds import generated_usage as generated
from tests.doubles.worlds.two_versions import (
    EARLY,
    FIVE_PERCENT,
    LATE,
    PER_UNIT,
    Json,
    added,
    due,
    event,
    outcome,
    workflow,
)


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
