"""What stated usage would cost: lines in, amounts with their arithmetic out."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.charges.estimate import MAXIMUM_AGENTS
from shared.domain.rating.calculation import ModelSketch, calculate
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate
from tests.doubles.worlds import generated_usage as generated
from tests.doubles.worlds.calculated_usage import (
    AGENTS,
    OCTOBER,
    PLATFORM,
    SEATS,
    activity,
    calculated,
    due,
    outcome,
    refused_at,
    valued,
)


def test_quantity_in_lines_out_with_the_arithmetic():
    result = calculated([activity()], [{"charge": "commands", "agent": "coder", "quantity": "1200"}])
    assert (str(result.exact_total), str(result.total), result.currency) == ("26", "26.00", "USD")
    (line,) = result.lines
    assert (line.key, line.agent_id) == ("draft/commands/coder", "coder")
    assert [(step.kind, str(step.amount)) for step in line.steps] == [("base_fee", "15"), ("tier", "10"), ("tier", "1")]
    assert json.loads(result.model_dump_json())["exact_total"] == "26"


def test_a_charge_that_is_not_named_has_no_quantity():
    assert due(calculated([PLATFORM, activity(base_fee=None)])) == {"platform/-": "499.00", "commands/-": "5.00"}


def test_only_leaves_the_other_charges_out():
    usage = [{"charge": "commands", "quantity": "1000"}]
    assert due(calculated([PLATFORM, activity()], usage, only=["commands"])) == {"commands/-": "25.00"}
    assert due(calculated([PLATFORM, activity()], usage, only=[])) == {}


def test_each_agent_that_is_named_has_a_line_and_entries_of_one_agent_add_up():
    usage = [
        {"charge": "commands", "agent": "b", "quantity": "600"},
        {"charge": "commands", "agent": "a", "quantity": "1"},
        {"charge": "commands", "agent": "b", "quantity": "600"},
    ]
    assert due(calculated([PLATFORM, activity()], usage)) == {
        "commands/a": "15.01",
        "commands/b": "26.00",
        "platform/-": "499.00",
    }


def test_pooled_usage_is_priced_together():
    usage = [{"charge": "commands", "agent": agent, "quantity": "600"} for agent in ("a", "b")]
    assert due(calculated([activity(scope="organization")], usage)) == {"commands/-": "41.00"}


@pytest.mark.parametrize("scope", ["agent", "organization"])
def test_a_number_of_agents_multiplies_the_fee_per_agent(scope):
    usage = [{"charge": "commands", "quantity": "10", "agents": "3"}]
    (line,) = calculated([activity(scope=scope)], usage).lines
    assert (line.key, line.agent_id, str(line.amount)) == ("draft/commands/-", None, "45.10")


def test_without_a_number_the_agents_are_those_that_are_named():
    usage = [{"charge": "queries", "agent": agent} for agent in ("a", "b")]
    result = calculated([activity(scope="organization", minimum=None), activity("queries", base_fee=None)], usage)
    assert due(result)["commands/-"] == "30.00"


def test_usage_without_an_agent_is_that_of_the_only_one_named():
    usage = [{"charge": "queries", "agent": "a", "quantity": "1"}, {"charge": "commands", "quantity": "1200"}]
    assert due(calculated([activity(), activity("queries")], usage)) == {"commands/a": "26.00", "queries/a": "15.01"}


def test_a_quantity_is_what_the_meter_has_come_to_after_its_conversion():
    meter = {
        "event_type": "llm_call",
        "aggregation": "sum",
        "value": "data.input_tokens",
        "unit": {"divide_by": "1000000"},
    }
    charge = activity(meter=meter, pricing={"type": "per_unit", "unit_amount": "2.00"}, base_fee=None, minimum=None)
    (line,) = calculated([charge], [{"charge": "commands", "quantity": "2.5"}]).lines
    assert (str(line.amount), str(line.quantity), line.unit) == ("5.00", "2.5", "1000000 input_tokens")


def test_the_total_is_the_sum_of_the_rounded_lines():
    charges = [
        activity(key, pricing={"type": "per_unit", "unit_amount": "0.005"}, base_fee=None, minimum=None) for key in "ab"
    ]
    result = calculated(charges, [{"charge": key, "quantity": "1"} for key in "ab"])
    written = result.model_dump(mode="json")
    assert (written["exact_total"], written["total"]) == ("0.01", "0.02")
    assert str(calculated(charges, currency="JPY").total) == "0"


def test_a_saved_version_is_calculated_under_its_models_id():
    version = (
        ModelSketch.model_validate({"currency": "USD", "charges": [PLATFORM]})
        .version()
        .changed(model_id="bm_1", number=7)
    )
    (line,) = calculate(version, "USD", [], OCTOBER).lines
    assert (line.key, line.steps[0].version) == ("bm_1/platform/-", 7)


def test_a_period_of_any_length_counts_as_one_whole_period():
    week = Span(start=OCTOBER.start, end=OCTOBER.start + timedelta(days=7, hours=5))
    (line,) = calculated([PLATFORM], period=week).lines
    assert (str(line.amount), line.period) == ("499.00", week)
    assert refused_at([PLATFORM], period=Span(start=OCTOBER.start, end=OCTOBER.start + timedelta(days=500))) == [
        "/period/end"
    ]


def test_many_agents_are_calculated_together():
    usage = [{"charge": "commands", "quantity": "10", "agents": str(MAXIMUM_AGENTS)}]
    (line,) = calculated([activity(minimum=None)], usage).lines
    assert line.amount == 15 * MAXIMUM_AGENTS + Decimal("0.10")
    assert len(line.steps) == 2


@pytest.mark.parametrize(
    ("usage", "seats", "agents"),
    [
        ([], "12.00", "29.99"),
        ([{"charge": "commands", "agent": name} for name in "abb"], "24.00", "59.98"),
        ([{"charge": "seats", "quantity": "5"}, {"charge": "agents", "quantity": "3"}], "60.00", "89.97"),
        ([{"charge": "seats", "quantity": "0"}, {"charge": "agents", "quantity": "0"}], "0.00", "0.00"),
        ([{"charge": "seats", "quantity": "5"}] * 2 + [{"charge": "agents", "agents": "2"}], "60.00", "59.98"),
    ],
)
def test_seats_and_agents_are_as_many_as_said_or_as_agents_are_named(usage, seats, agents):
    found = due(calculated([SEATS, AGENTS, activity(scope="organization")], usage))
    assert (found["seats/-"], found["agents/-"]) == (seats, agents)


def test_a_set_number_of_seats_needs_nobody_to_say_it():
    assert due(calculated([SEATS | {"quantity": "7"}])) == {"seats/-": "84.00"}
    assert due(calculated([SEATS | {"quantity": "7"}], [{"charge": "seats", "quantity": "8"}])) == {"seats/-": "96.00"}


@pytest.mark.parametrize("fee", ["flat_fee", "setup_fee"])
def test_a_fee_of_each_agent_is_due_as_often_as_there_are_agents(fee):
    charge = {"key": "fee", "type": fee, "amount": "10", "scope": "agent"}
    (line,) = calculated([charge], [{"charge": "fee", "agents": "3"}]).lines
    (step,) = line.steps
    assert (line.quantity, step.quantity, step.amount, str(line.amount)) == (3, 3, 30, "30.00")
    assert due(calculated([charge | {"scope": "organization"}], [{"charge": "fee", "agents": "3"}])) == {
        "fee/-": "10.00"
    }
    usage = [{"charge": "commands", "agent": name} for name in "ab"]
    found = due(calculated([charge, activity()], usage))
    assert (found["fee/a"], found["fee/b"]) == ("10.00", "10.00")


@pytest.mark.parametrize("interval", ["quarter", "year"])
def test_the_stated_period_stands_for_the_whole_interval(interval):
    for charge in (PLATFORM, AGENTS, SEATS):
        assert str(calculated([charge | {"interval": interval}]).total) == str(calculated([charge]).total)


@pytest.mark.parametrize(
    ("charge", "entry", "amount"),
    [
        ("percentage", {"values": ["10", "80"]}, "11.00"),
        ("percentage", {"value": "90", "quantity": "2"}, "11.00"),
        ("percentage", {"value": "90"}, "10.00"),
        ("percentage", {"value": "0", "quantity": "3"}, "3.00"),
        ("percentage", {"quantity": "0"}, "0.00"),
        ("percentage", {"values": []}, "0.00"),
        ("bounded", {"values": ["10", "80"]}, "6.00"),
        ("bounded", {"value": "80"}, "5.00"),
        ("dynamic", {"values": ["0.1", "0.25"]}, "0.35"),
        ("dynamic", {"value": "0.35", "quantity": "2"}, "0.35"),
    ],
)
def test_values_are_stated_one_by_one_or_by_their_sum_and_number(charge, entry, amount):
    (line,) = calculated([valued(charge)], [{"charge": charge, **entry}]).lines
    assert str(line.amount) == amount


def test_the_values_of_several_entries_follow_each_other():
    charge = valued("bounded", pricing={"type": "percentage", "rate": "10", "free_events": 2})
    usage = [{"charge": "bounded", "values": ["100", "200"]}, {"charge": "bounded", "values": ["300"]}]
    assert str(calculated([charge], usage).total) == "30.00"
    assert str(calculated([charge], usage[::-1]).total) == "20.00"


def test_a_free_amount_is_used_up_in_the_order_of_the_values():
    charge = valued(
        "bounded", pricing={"type": "percentage", "rate": "10", "free_amount": "30", "fixed_per_event": "1"}
    )
    usage = [{"charge": "bounded", "values": ["20", "20", "60"]}]
    assert str(calculated([charge], usage).total) == "9.00"


@pytest.mark.parametrize(
    ("aggregation", "reported", "quantity"),
    [
        ("count", ["7", "8"], "2"),
        ("sum", ["1.5", "2"], "3.5"),
        ("max", ["3", "9", "4"], "9"),
        ("last", ["3", "9", "4"], "4"),
        ("unique", ["u", "v", "u"], "2"),
        ("weighted_sum", ["3", "4"], "7"),
    ],
)
def test_a_stated_quantity_costs_what_events_cost_that_come_to_it(aggregation, reported, quantity):
    meter = {"event_type": "step", "aggregation": aggregation} | ({} if aggregation == "count" else {"value": "data.v"})
    pricing = {"type": "graduated", "tiers": [{"up_to": "2", "unit_amount": "1"}, {"up_to": None, "unit_amount": "3"}]}
    charge = {"key": "steps", "type": "activity", "meter": meter, "pricing": pricing}
    (estimated,) = calculated([charge], [{"charge": "steps", "agent": "a", "quantity": quantity}]).lines
    start = datetime(2026, 10, 1, tzinfo=UTC)
    version = generated.version([charge], start=start, model="draft")
    found = [Segment("a", version, OCTOBER.start, OCTOBER.end)]
    events = [
        generated.Reported("a", "step", to_text(start), f"evt_{number}", {"v": value})
        for number, value in enumerate(reported)
    ]
    period = Period(start=OCTOBER.start, end=OCTOBER.end, timezone="UTC")
    (rated,) = rate(Facts(period, "USD", found, generated.totals_of(found, events)))
    assert estimated == rated
    assert estimated.quantity == Decimal(quantity)


def test_of_last_values_of_several_agents_the_highest_counts_in_any_order():
    meter = {"event_type": "step", "aggregation": "last", "value": "data.v"}
    pricing = {"type": "per_unit", "unit_amount": "1"}
    charge = {"key": "steps", "type": "activity", "scope": "organization", "meter": meter, "pricing": pricing}
    usage = [{"charge": "steps", "agent": agent, "quantity": amount} for agent, amount in (("a", "4"), ("b", "3"))]
    assert str(calculated([charge], usage).total) == "4.00"
    assert str(calculated([charge], usage[::-1]).total) == "4.00"
    unnamed = [{"charge": "steps", "quantity": amount} for amount in ("0", "4", "3")]
    assert str(calculated([charge], unnamed).total) == "4.00"


ADDED_UP = {"meter": {"event_type": "outcome.sale", "aggregation": "sum", "value": "data.tickets"}}


@pytest.mark.parametrize(
    ("charge", "entry", "amount"),
    [
        (outcome(), {"quantity": "3"}, "6.00"),
        (outcome(**ADDED_UP), {"quantity": "3.5"}, "7.00"),
        (outcome(**ADDED_UP), {"value": "3.5", "quantity": "2"}, "7.00"),
        (outcome(success_bonus={"percent": "10"}), {"value": "100", "quantity": "3"}, "16.00"),
        (outcome(minimum_value="5"), {"values": ["4", "5"]}, "2.00"),
    ],
)
def test_outcomes_are_stated_by_what_is_priced(charge, entry, amount):
    assert str(calculated([charge], [{"charge": "sales", **entry}]).total) == amount


@pytest.mark.parametrize("terms", [{"success_bonus": {"percent": "10"}}, {"minimum_value": "5"}])
def test_outcomes_whose_value_matters_are_not_stated_by_their_number_alone(terms):
    assert refused_at([outcome(**terms)], [{"charge": "sales", "quantity": "1"}]) == ["/usage/0/value"]
