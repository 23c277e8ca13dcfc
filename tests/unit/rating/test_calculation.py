import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pydantic
import pytest

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.charges.estimate import MAXIMUM_AGENTS
from shared.domain.rating.calculation import Calculation, ModelSketch, UsageEntry, calculate
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate
from tests.doubles.worlds import generated_models as generated

OCTOBER = Span(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC))

PLATFORM = {"key": "platform", "type": "flat_fee", "amount": "499.00"}
TIERS = [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.005"}]


def activity(key: str = "commands", **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "type": "activity",
        "meter": {"event_type": "command"},
        "pricing": {"type": "graduated", "tiers": TIERS},
        "base_fee": {"amount": "15.00", "per": "agent"},
        "minimum": "5.00",
        **more,
    }


def calculated(
    charges: list[dict[str, Any]],
    usage: list[dict[str, Any]] | None = None,
    only: list[str] | None = None,
    currency: str = "USD",
    period: Span = OCTOBER,
) -> Calculation:
    sketch = ModelSketch.model_validate({"currency": currency, "charges": charges})
    entries = [UsageEntry.model_validate(entry) for entry in usage or []]
    return calculate(sketch.version(), sketch.currency, entries, period, only)


def due(calculation: Calculation) -> dict[str, str]:
    return {line.key.removeprefix("draft/"): str(line.amount) for line in calculation.lines}


def refused_at(*arguments: Any, **more: Any) -> list[str]:
    with pytest.raises(ValidationError) as refused:
        calculated(*arguments, **more)
    return [error.pointer for error in refused.value.errors]


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


@pytest.mark.parametrize(
    ("usage", "places"),
    [
        ([{"charge": "commands"}, {"charge": "x"}, {"charge": "y"}], ["/usage/1/charge", "/usage/2/charge"]),
        ([{"charge": "platform", "quantity": "1"}], ["/usage/0/quantity"]),
        ([{"charge": "commands", "values": ["1"]}], ["/usage/0/values"]),
        ([{"charge": "commands", "value": "1"}], ["/usage/0/value"]),
        ([{"charge": "commands", "workflows": {"email": "1"}}], ["/usage/0/workflows"]),
        ([{"charge": "commands", "agents": "0"}], ["/usage/0/agents"]),
        ([{"charge": "commands", "agents": "1.5"}], ["/usage/0/agents"]),
        ([{"charge": "commands", "agents": str(MAXIMUM_AGENTS + 1)}], ["/usage/0/agents"]),
        ([{"charge": "commands", "agents": "2"}, {"charge": "commands", "agents": "3"}], ["/usage/1/agents"]),
        ([{"charge": "commands", "agent": "a", "agents": "2"}], ["/usage/0/agents"]),
        ([{"charge": "commands", "agent": "a"}, {"charge": "commands", "quantity": "1"}], ["/usage/1/agent"]),
        ([{"charge": "pooled", "agent": "a", "agents": "1"}, {"charge": "pooled", "agent": "b"}], ["/usage/0/agents"]),
    ],
)
def test_usage_that_does_not_fit_the_model_is_refused_at_its_place(usage, places):
    assert refused_at([PLATFORM, activity(), activity("pooled", scope="organization")], usage) == places


def test_an_unknown_charge_in_only_is_refused_at_its_place():
    assert refused_at([PLATFORM], only=["platform", "x"]) == ["/only/1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": "-1"},
        {"quantity": "NaN"},
        {"quantity": 1.5},
        {"agent": ""},
        {"agent": "-"},
        {"agents": "-1"},
        {"value": "-1"},
        {"values": "1"},
        {"workflows": {"email": "-1"}},
        {"volume": "1"},
    ],
)
def test_a_malformed_usage_entry_is_refused(wrong):
    with pytest.raises(pydantic.ValidationError) as refused:
        UsageEntry.model_validate({"charge": "commands", **wrong})
    (error,) = refused.value.errors()
    assert error["loc"][:1] == tuple(wrong)


def test_many_agents_are_calculated_together():
    usage = [{"charge": "commands", "quantity": "10", "agents": str(MAXIMUM_AGENTS)}]
    (line,) = calculated([activity(minimum=None)], usage).lines
    assert line.amount == 15 * MAXIMUM_AGENTS + Decimal("0.10")
    assert len(line.steps) == 2


SEATS = {"key": "seats", "type": "seat", "pricing": {"type": "per_unit", "unit_amount": "12"}}
AGENTS = {"key": "agents", "type": "agent", "pricing": {"type": "per_unit", "unit_amount": "29.99"}}
PRICES = {
    "percentage": {"type": "percentage", "rate": "10", "fixed_per_event": "1"},
    "bounded": {"type": "percentage", "rate": "10", "maximum_per_event": "5"},
    "dynamic": {"type": "dynamic", "value": "data.price"},
}


def valued(key: str, **more: Any) -> dict[str, Any]:
    meter = {"event_type": "order", "aggregation": "sum", "value": "data.value"}
    return {"key": key, "type": "activity", "meter": meter, "pricing": PRICES[key], **more}


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
    ("usage", "places"),
    [
        ([{"charge": "bounded", "value": "90", "quantity": "2"}], ["/usage/0/values"]),
        ([{"charge": "bounded", "quantity": "2"}], ["/usage/0/values"]),
        ([{"charge": "bounded", "quantity": "1"}], ["/usage/0/value"]),
        ([{"charge": "percentage", "quantity": "3"}], ["/usage/0/value"]),
        ([{"charge": "percentage", "values": ["1"], "quantity": "1"}], ["/usage/0/quantity"]),
        ([{"charge": "percentage", "values": ["1"], "value": "1"}], ["/usage/0/value"]),
        ([{"charge": "percentage", "value": "1", "quantity": "1.5"}], ["/usage/0/quantity"]),
        ([{"charge": "seats", "quantity": "1.5"}], ["/usage/0/quantity"]),
        ([{"charge": "seats", "quantity": "1"}, {"charge": "seats", "quantity": "2"}], ["/usage/1/quantity"]),
        ([{"charge": "agents", "quantity": str(MAXIMUM_AGENTS + 1)}], ["/usage/0/quantity"]),
        ([{"charge": "agents", "quantity": "1"}, {"charge": "agents", "quantity": "2"}], ["/usage/1/quantity"]),
        ([{"charge": "agents", "quantity": "1", "agents": "1"}], ["/usage/0/agents"]),
        ([{"charge": "agents", "agent": name, "quantity": "1"} for name in "ab"], ["/usage/0/quantity"]),
        ([{"charge": "flows", "quantity": "1"}], ["/usage/0/quantity"]),
        ([{"charge": "flows", "workflows": {"a/b~c": "1"}}], ["/usage/0/workflows/a~1b~0c"]),
    ],
)
def test_usage_that_a_charge_cannot_be_priced_by_is_refused_at_its_field(usage, places):
    flows = {
        "key": "flows",
        "type": "workflow",
        "workflows": {"email": {"pricing": {"type": "per_unit", "unit_amount": "1"}}},
    }
    assert refused_at([valued("bounded"), valued("percentage"), SEATS, AGENTS, flows], usage) == places


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


def outcome(**more: Any) -> dict[str, Any]:
    return {
        "key": "sales",
        "type": "outcome",
        "meter": {"event_type": "outcome.sale"},
        "pricing": {"type": "per_unit", "unit_amount": "2"},
        **more,
    }


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


@pytest.mark.parametrize(
    "pricing",
    [
        {"type": "percentage", "rate": "5"},
        {"type": "dynamic", "value": "data.price"},
        {"type": "volume_percentage", "tiers": [{"up_to": None, "rate": "1"}]},
    ],
)
def test_workflows_that_are_not_priced_by_their_number_cannot_be_stated_by_it(pricing):
    charge = {"key": "flows", "type": "workflow", "workflows": {"a/b": {"pricing": pricing}}}
    usage = [{"charge": "flows", "workflows": {"a/b": "1"}}]
    assert refused_at([charge], usage) == ["/usage/0/workflows/a~1b"]
    assert str(calculated([charge], [{"charge": "flows", "workflows": {"a/b": "0"}}]).total) == "0.00"


def test_meters_of_one_charge_count_each_for_the_bound():
    types = {f"type-{number}": {"pricing": {"type": "per_unit", "unit_amount": "1"}} for number in range(60)}
    charge = {"key": "flows", "type": "workflow", "scope": "agent", "workflows": types}
    usage = [{"charge": "flows", "agent": str(number), "workflows": {"type-1": "1"}} for number in range(200)]
    assert refused_at([charge], usage) == ["/usage"]
    assert len(calculated([charge], usage[:50]).lines) == 50


def test_charges_times_agents_are_bounded():
    usage = [{"charge": "a", "agent": str(number)} for number in range(200)]
    charges = [activity(key) for key in ("a", *(f"b{number}" for number in range(50)))]
    assert refused_at(charges, usage) == ["/usage"]
    assert len(calculated(charges, usage, only=["a"]).lines) == 200


@pytest.mark.parametrize(
    ("charge", "description"),
    [
        (PLATFORM | {"interval": "year"}, "Platform (fee per year)"),
        ({"key": "set-up", "type": "setup_fee", "amount": "1"}, "Set up (once)"),
        (AGENTS | {"tier": "professional"}, "Agents (per agent and month, professional)"),
        (SEATS, "Seats (per seat and month)"),
        (activity("shell_commands"), "Shell commands (per command)"),
        (
            activity(
                "input",
                meter={
                    "event_type": "llm_call",
                    "aggregation": "sum",
                    "value": "data.input_tokens",
                    "unit": {"divide_by": "1000000"},
                },
            ),
            "Input (per 1,000,000 input tokens)",
        ),
        (
            activity("users", meter={"event_type": "chat", "aggregation": "unique", "value": "data.user_id"}),
            "Users (per distinct user id)",
        ),
        (valued("percentage"), "Percentage (by the value of order events)"),
        (
            {
                "key": "llm",
                "type": "cost",
                "categories": ["llm", "api"],
                "markup_percent": "12.5",
            },
            "Llm (llm, api costs plus 12.5 %)",
        ),
        ({"key": "all", "type": "cost"}, "All (all costs)"),
        (
            {
                "key": "tickets",
                "type": "outcome",
                "meter": {"event_type": "outcome.ticket_resolved"},
                "pricing": {"type": "per_unit", "unit_amount": "1"},
            },
            "Tickets (per ticket_resolved outcome)",
        ),
    ],
)
def test_a_line_says_in_words_what_it_is_for(charge, description):
    (line,) = calculated([charge]).lines
    assert line.description == description
