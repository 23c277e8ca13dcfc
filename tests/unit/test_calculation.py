import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest

from shared.domain.calculation import Calculation, ModelSketch, UsageEntry, calculate
from shared.domain.charges.stated import MAXIMUM_AGENTS
from shared.domain.errors import ValidationError
from shared.domain.periods import Span

ORACLES = json.loads((Path(__file__).parents[1] / "data" / "agent_models.json").read_text())
OCTOBER = Span(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC))

NOT_REPRODUCED = {
    "activity-087": "every active configuration was charged for all units; a charge meters its own type",
    "activity-091": "a model without any charge is refused",
}

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
        {"agents": "-1"},
        {"values": ["1"]},
        {"volume": "1"},
    ],
)
def test_a_malformed_usage_entry_is_refused(wrong):
    with pytest.raises(pydantic.ValidationError) as refused:
        UsageEntry.model_validate({"charge": "commands", **wrong})
    assert [error["loc"] for error in refused.value.errors()] == [tuple(wrong)]


def test_many_agents_are_calculated_together():
    usage = [{"charge": "commands", "quantity": "10", "agents": str(MAXIMUM_AGENTS)}]
    (line,) = calculated([activity(minimum=None)], usage).lines
    assert line.amount == Decimal("15000.10")
    assert len(line.steps) == 2


def charge_from(config: dict[str, Any], key: str) -> dict[str, Any]:
    """An activity of the older flat notation as a charge."""

    def text(name: str) -> str:
        return str(config[name] or 0)

    tiers = []
    if config["volume_pricing_enabled"]:
        tiers = [
            {"up_to": text(f"volume_tier_{number}_threshold"), "unit_amount": text(f"volume_tier_{number}_price")}
            for number in (1, 2, 3)
            if config[f"volume_tier_{number}_threshold"] is not None
        ]
    beyond = text("volume_tier_3_price") if len(tiers) == 3 else text("price_per_unit")
    return {
        "key": key,
        "type": "activity",
        "meter": {"event_type": config["activity_type"]},
        "pricing": {"type": "graduated", "tiers": [*tiers, {"up_to": None, "unit_amount": beyond}]},
        "base_fee": {"amount": text("base_agent_fee"), "per": "agent"},
        "minimum": text("minimum_charge"),
        "scope": "organization",
    }


@pytest.mark.parametrize(
    "case",
    [case for case in ORACLES if case["model"]["model_type"] == "activity" and case["id"] not in NOT_REPRODUCED],
    ids=lambda case: case["id"],
)
def test_activity_models_give_the_known_answers(case):
    configs = [config for config in case["model"]["activity_config"] if config["is_active"]]
    charges = [charge_from(config, f"activity-{number}") for number, config in enumerate(configs)]
    usage = [
        {
            "charge": charge["key"],
            "quantity": str(case["usage"]["units"]),
            "agents": str(case["usage"].get("agents", 1)),
        }
        for charge in charges
    ]
    result = calculated(charges, usage)
    assert result.exact_total == Decimal(case["expected"])
    assert result.total == Decimal(case["expected_cents_half_up"]) / 100


@pytest.mark.parametrize("case_id", NOT_REPRODUCED)
def test_what_is_not_reproduced_is_still_among_the_known_answers(case_id):
    assert case_id in {case["id"] for case in ORACLES}
