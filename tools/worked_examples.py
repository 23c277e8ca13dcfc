"""Writes docs/charges.md: a worked example of every charge, pricing and modifier, its figures made by the code."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.domain.kernel.money import plain
from shared.domain.periods.periods import Span
from shared.domain.pricing.lines import Line, Step
from shared.domain.rating.calculation import Calculation, ModelSketch, UsageEntry, calculate

PAGE = Path(__file__).parents[1] / "docs" / "charges.md"

_OCTOBER = Span(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC))
_CURRENCY = "USD"
_ONE_LINE = 100

Json = dict[str, Any]

_INTRODUCTION = """\
# Charges, by example

A billing model is a list of charges. Each charge becomes a line, or with the scope `agent` a line for each agent. This
page has an example of every charge, pricing and modifier. The figures are made by the code: `make docs` writes this
page, and a test holds it to the code.

Every example can be tried: put the charge into `model.charges` and the usage into `usage` of
`POST /api/v1/billing-models/calculate`. The period given there counts as a whole one. In billing, fees, minima, maxima,
included units and discount amounts are prorated by the days for which they were in force.

A line is calculated in this order: base fee and usage, discount, maximum, minimum. Its steps add up to its exact
amount, which is rounded once, half up, to the currency.
"""


@dataclass(frozen=True, slots=True)
class Example:
    """`usage` is all entries; each names the charge itself."""

    title: str
    text: str
    charge: Json
    usage: Sequence[Json] = ()

    def calculated(self) -> Calculation:
        sketch = ModelSketch.model_validate({"currency": _CURRENCY, "charges": [self.charge]})
        entries = [UsageEntry.model_validate(entry) for entry in self.usage]
        return calculate(sketch.version(), _CURRENCY, entries, _OCTOBER)


def _used(charge: Json, *entries: Json) -> list[Json]:
    return [{"charge": charge["key"], **entry} for entry in entries]


def _activity(pricing: Json, **modifiers: Any) -> Json:  # noqa: ANN401  JSON
    meter = {"event_type": "command", "aggregation": "sum", "value": "data.quantity"}
    return {"key": "commands", "type": "activity", "meter": meter, "pricing": pricing, **modifiers}


def _orders(pricing: Json) -> Json:
    meter = {"event_type": "order", "aggregation": "sum", "value": "data.value"}
    return {"key": "orders", "type": "activity", "meter": meter, "pricing": pricing}


def _example(title: str, text: str, charge: Json, *entries: Json) -> Example:
    return Example(title, text, charge, _used(charge, *entries))


_PER_UNIT = {"type": "per_unit", "unit_amount": "0.01"}
_TIERS = [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.005"}]
_FLOWS: Json = {
    "key": "flows",
    "type": "workflow",
    "base_fee": {"amount": "100.00"},
    "workflows": {
        "lead_research": {
            "pricing": {"type": "per_unit", "unit_amount": "2.00"},
            "included_units": "10",
            "minimum": "20.00",
        },
        "email": {
            "pricing": {
                "type": "volume",
                "tiers": [{"up_to": "100", "unit_amount": "0.50"}, {"up_to": None, "unit_amount": "0.30"}],
            }
        },
    },
}
_SALES: Json = {
    "key": "sales",
    "type": "outcome",
    "meter": {"event_type": "outcome.sale"},
    "base_fee": {"amount": "50.00"},
    "pricing": {"type": "percentage", "rate": "5", "fixed_per_event": "2.00"},
    "minimum_value": "10",
}
_AGENTS: Json = {"key": "agents", "type": "agent", "pricing": {"type": "per_unit", "unit_amount": "29.99"}}

CHARGES = (
    _example(
        "Flat fee",
        "A fee for every month, quarter or year, with or without usage.",
        {"key": "platform", "type": "flat_fee", "amount": "499.00", "interval": "month"},
    ),
    _example(
        "Setup fee",
        "A fee once, in the period in which the model is first used, never prorated. A setup fee that a later version"
        " of the model adds is due in full if that version starts in the period of the first use, and never if it"
        " starts later.",
        {"key": "setup", "type": "setup_fee", "amount": "1500.00"},
    ),
    _example(
        "Seat",
        "A fee for each of the organization's `members` or `seats`, or for a fixed number, prorated by day."
        " `PATCH /organizations/{id}` sets `seats`, from `seats_from` on (`changing-prices.md`). Seats and agents"
        " are not events, so they are priced per unit, graduated, by volume or in packages, never by percentages or"
        " dynamic prices.",
        {
            "key": "seats",
            "type": "seat",
            "quantity": "members",
            "pricing": {"type": "per_unit", "unit_amount": "12.00"},
            "interval": "month",
        },
        {"quantity": "5"},
    ),
    _example(
        "Agent",
        "A fee for the agents on the model, counted at the end of each local day: a day costs the price of its number"
        " over the days of the period, so an agent that replaces another takes its place. A discount is given on the"
        " days that reach its number of agents.",
        _AGENTS | {"discount": {"from_quantity": "10", "percent": "15"}},
        {"quantity": "12"},
    ),
    _example(
        "Activity",
        "What agents do, as a meter counts it: here millions of input tokens that were not cached.",
        {
            "key": "input",
            "type": "activity",
            "meter": {
                "event_type": "llm_call",
                "aggregation": "sum",
                "value": "data.uncached_input_tokens",
                "unit": {"divide_by": "1000000"},
            },
            "pricing": {"type": "per_unit", "unit_amount": "2.00"},
        },
        {"agent": "coder", "quantity": "3.25"},
    ),
    _example(
        "Outcome",
        "What agents achieve, priced by number or by value. Values below `minimum_value` do not count: here the first.",
        _SALES,
        {"values": ["4.00", "80.00", "200.00"]},
    ),
    _example(
        "Workflow",
        "Workflows that agents complete, each type at its own price and with its own minimum."
        " `POST /api/v1/agents/{agent_id}/workflows/validate` says what an agent's would cost before they run. A type"
        " may be priced by a percentage of `data.value` of its events (0 where it is missing), or by dynamic prices;"
        " the number of workflows alone is then not enough to calculate with.",
        _FLOWS,
        {"workflows": {"lead_research": "12", "email": "40"}},
    ),
    _example(
        "Cost",
        "Costs of the agents at other providers, passed on with a markup.",
        {"key": "llm", "type": "cost", "categories": ["llm"], "markup_percent": "20"},
        {"agent": "coder", "value": "41.20", "quantity": "318"},
    ),
)

PRICINGS = (
    _example("Per unit", "One price for every unit.", _activity(_PER_UNIT), {"quantity": "1200"}),
    _example(
        "Graduated",
        "Each unit at the price of the tier that it falls into. `up_to` is inclusive. A tier's `flat_amount` is due"
        " as soon as the tier is reached; that of the first tier even without usage.",
        _activity({"type": "graduated", "tiers": [_TIERS[0], _TIERS[1] | {"flat_amount": "3.00"}]}),
        {"quantity": "1200"},
    ),
    _example(
        "Volume",
        "All units at the price of the tier that the whole quantity reaches.",
        _activity({"type": "volume", "tiers": _TIERS}),
        {"quantity": "1200"},
    ),
    _example(
        "Package",
        "Packages of units beyond the free units; a started package is charged in full.",
        _activity({"type": "package", "package_size": "100", "package_amount": "1.50", "free_units": "50"}),
        {"quantity": "1200"},
    ),
    _example(
        "Percentage",
        "A percentage of each value plus a fixed amount per event, within a minimum and a maximum per event. The first"
        " `free_events` cost nothing.",
        _orders(
            {
                "type": "percentage",
                "rate": "2.9",
                "fixed_per_event": "0.30",
                "free_events": 1,
                "minimum_per_event": "1.00",
                "maximum_per_event": "12.00",
            }
        ),
        {"values": ["50", "10", "80", "10000"]},
    ),
    _example(
        "Graduated percentage",
        "Each part of the sum of values at the rate of the tier that it falls into.",
        _orders(
            {"type": "graduated_percentage", "tiers": [{"up_to": "1000", "rate": "20"}, {"up_to": None, "rate": "10"}]}
        ),
        {"value": "2500", "quantity": "40"},
    ),
    _example(
        "Volume percentage",
        "The whole sum of values at the rate of the tier that it reaches.",
        _orders(
            {"type": "volume_percentage", "tiers": [{"up_to": "1000", "rate": "20"}, {"up_to": None, "rate": "10"}]}
        ),
        {"value": "2500", "quantity": "40"},
    ),
    _example(
        "Dynamic",
        "Each event carries its own price, at the path `value`. What the meter adds up as units (`data.quantity` of "
        "workflows) cannot be the price as well.",
        _activity({"type": "dynamic", "value": "data.price"}),
        {"values": ["0.10", "0.25", "0.052"]},
    ),
)

MODIFIERS = (
    _example(
        "Base fee",
        "A fee besides the price of usage: for each agent, or once for the line (`charge`).",
        _activity(_PER_UNIT, base_fee={"amount": "15.00", "per": "agent"}),
        {"quantity": "1200", "agents": "3"},
    ),
    _example(
        "Included units",
        "Units that are free; prices and tiers start after them.",
        _activity({"type": "graduated", "tiers": _TIERS}, included_units="500"),
        {"quantity": "1700"},
    ),
    _example(
        "Minimum",
        "What the line costs at least, also without usage, unless `minimum_when_unused` is false.",
        _activity(_PER_UNIT, minimum="5.00"),
        {"quantity": "120"},
    ),
    _example(
        "Maximum",
        "What the line costs at most. On outcomes it never reduces the base fee.",
        _activity(_PER_UNIT, maximum="10.00"),
        {"quantity": "1200"},
    ),
    _example(
        "Discount in percent",
        "Taken off the whole line, once the quantity reaches `from_quantity`.",
        _activity(_PER_UNIT, discount={"from_quantity": "1000", "percent": "10"}),
        {"quantity": "1200"},
    ),
    _example(
        "Discount by an amount",
        "Never more than the line costs.",
        _activity(_PER_UNIT, discount={"amount": "2.50"}),
        {"quantity": "1200"},
    ),
    _example(
        "Commitment",
        "Units beyond the agreed quantity cost a multiple; included units count towards it. Flat amounts of tiers are"
        " never multiplied, nor is a package that was started before the agreed quantity was reached.",
        _activity(_PER_UNIT, commitment={"quantity": "1000", "overage_multiplier": "1.5"}),
        {"quantity": "1200"},
    ),
    _example(
        "Commitment of all workflows",
        "On a workflow charge it counts workflows of all types. Once it is exceeded, the price of all usage is"
        " multiplied, flat amounts included, but not the base fee.",
        _FLOWS | {"commitment": {"quantity": "50", "overage_multiplier": "1.5"}},
        {"workflows": {"lead_research": "30", "email": "40"}},
    ),
    _example(
        "Risk premium",
        "On outcomes: a percentage on top of their price, but not on the bonus.",
        _SALES | {"risk_premium_percent": "40"},
        {"values": ["80.00", "200.00"]},
    ),
    _example(
        "Success bonus",
        "On outcomes: a percentage of all values that count, once their sum reaches `from_value`.",
        _SALES | {"success_bonus": {"from_value": "250", "percent": "1"}},
        {"values": ["80.00", "200.00"]},
    ),
    _example(
        "Pooled",
        "With the scope `organization` the usage of all agents is priced together: tiers, included units, minima and"
        " maxima count once. With the scope `agent`, the default of activities and costs, each agent has its own.",
        _activity({"type": "graduated", "tiers": _TIERS}, scope="organization"),
        {"agent": "coder", "quantity": "700"},
        {"agent": "tester", "quantity": "500"},
    ),
)


def page() -> str:
    sections = (("Charges", CHARGES), ("Pricings", PRICINGS), ("Modifiers", MODIFIERS))
    return "\n".join([_INTRODUCTION, *(text for title, found in sections for text in _section(title, found))])


def _section(title: str, examples: Sequence[Example]) -> Iterator[str]:
    yield f"## {title}\n"
    for example in examples:
        calculation = example.calculated()
        yield f"### {example.title}\n"
        yield f"{example.text}\n"
        yield f"```json\n{_fields(example.charge)}\n```\n"
        if example.usage:
            yield f"Usage: {', '.join(f'`{json.dumps(entry)}`' for entry in example.usage)}\n"
        for line in calculation.lines:
            yield from _table(line)


def _table(line: Line) -> Iterator[str]:
    yield "| step | arithmetic | amount |\n|---|---|--:|"
    for step in line.steps:
        yield f"| {_name(step)} | {_arithmetic(step)} | {plain(step.amount)} |"
    exact = "" if line.exact_amount == line.amount else f"{plain(line.exact_amount)} rounded"
    yield f"| **{line.description}** | {exact} | **{line.amount} {_CURRENCY}** |\n"


def _name(step: Step) -> str:
    name = step.kind.replace("_", " ")
    if step.lower is not None:
        upper = "on" if step.upper is None else f"to {plain(step.upper)}"
        name += f" from {plain(step.lower)} {upper}"
    return name if step.workflow is None else f"{name} ({step.workflow})"


def _arithmetic(step: Step) -> str:
    terms = []
    if step.quantity is not None and step.unit_amount is not None:
        terms.append(f"{plain(step.quantity)} x {plain(step.unit_amount)}")
    elif step.rate is not None:
        terms.append(f"{plain(step.rate)} %" + ("" if step.quantity is None else f" of {plain(step.quantity)}"))
    if step.flat_amount:
        terms.append(plain(step.flat_amount))
    return " + ".join(terms)


def _fields(value: Mapping[str, Any], indent: int = 0) -> str:
    """As JSON, one field a line where it is long."""
    pad = " " * (indent + 2)
    fields = []
    for name, field in value.items():
        text = json.dumps(field)
        if isinstance(field, dict) and len(text) > _ONE_LINE:
            text = _fields(field, indent + 2)
        fields.append(f"{pad}{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n" + " " * indent + "}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
