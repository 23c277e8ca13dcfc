"""Usage that a calculation refuses, at the place of what is wrong."""

import pydantic
import pytest

from shared.domain.kernel.errors import ValidationError
from shared.domain.pricing.charges.estimate import MAXIMUM_AGENTS
from shared.domain.rating.calculation import UsageEntry
from tests.doubles.worlds.calculated_usage import AGENTS, PLATFORM, SEATS, activity, calculated, refused_at, valued


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
    assert len(calculated([charge], usage[:20]).lines) == 20


def test_charges_times_agents_are_bounded():
    usage = [{"charge": "a", "agent": str(number)} for number in range(200)]
    charges = [activity(key) for key in ("a", *(f"b{number}" for number in range(50)))]
    assert refused_at(charges, usage) == ["/usage"]
    assert len(calculated(charges, usage, only=["a"]).lines) == 200


def test_tiers_are_bounded_without_an_agent_too():
    tiers = [{"up_to": str(bound), "unit_amount": "1"} for bound in range(1, 100)]
    pricing = {"type": "graduated", "tiers": [*tiers, {"up_to": None, "unit_amount": "1"}]}
    charges = [activity(f"c{number}") | {"pricing": pricing} for number in range(60)]
    usage = [{"charge": charge["key"], "quantity": "1200"} for charge in charges]
    with pytest.raises(ValidationError) as refusal:
        calculated(charges, usage)
    assert refusal.value.errors[0].pointer == "/usage"
    assert "at most 3000 are calculated at once" in refusal.value.detail
    assert "only" in refusal.value.detail
    some = [charge["key"] for charge in charges[:27]]
    steps = [step for line in calculated(charges, usage, only=some).lines for step in line.steps]
    assert [step.kind for step in steps].count("tier") == 2700


def test_values_of_all_entries_are_bounded_together():
    charge = valued("percentage")
    entry = {"charge": "percentage", "values": ["1"] * 1_000}
    assert refused_at([charge], [entry] * 11) == ["/usage"]
    assert str(calculated([charge], [entry] * 10).total) == "11000.00"
