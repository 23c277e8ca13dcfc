"""Laws that hold for every charge, pricing and modifier, over random models and random usage."""

import json
import os
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import hypothesis
import pydantic
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.money import round_half_up, truncate
from shared.domain.kernel.validation import validation_error
from shared.domain.pricing.billing_models import BillingModelDraft, Version
from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.lines import Line
from shared.domain.pricing.rules import Pricing
from shared.domain.rating.calculation import Calculation, ModelSketch, UsageEntry, calculate
from shared.domain.rating.facts import Segment
from shared.domain.usage.totals import Totals
from tests.doubles.worlds import generated_charges, generated_pricings
from tests.doubles.worlds import generated_usage as generated
from tests.doubles.worlds.second_computation.charges import computed

EXAMPLES = int(os.environ.get("XYRA_LAW_EXAMPLES", "50"))
"""For each law. `make laws` takes 2,000."""

laws = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
FINDING = settings(laws, max_examples=5_000, phases=[Phase.generate], database=None)
Json = dict[str, Any]


def exact(lines: Sequence[Line]) -> dict[str, Fraction]:
    return {line.key: Fraction(line.exact_amount) for line in lines}


@laws
@given(generated_charges.models(), generated.events())
def test_steps_add_up_to_lines_and_lines_are_rounded_once(charges, events):
    found = generated.whole_month(generated.version(charges))
    for line in generated.lines_of(found, generated.totals_of(found, events)):
        assert sum((step.amount for step in line.steps), Decimal(0)) == line.exact_amount
        assert abs(line.amount - line.exact_amount) <= Decimal("0.005")
        assert line.amount == round_half_up(line.amount, "USD")


@laws
@given(generated_charges.models(generated_charges.usage_charges()), generated.events(), st.integers(0, 2**32))
def test_the_splitting_of_usage_into_batches_and_shards_changes_no_price(charges, events, seed):
    """Totals of shards, with the events in any order.

    Each is kept as a document between its batches.
    """
    random = Random(seed)
    found = generated.whole_month(generated.version(charges))
    together = generated.lines_of(found, generated.totals_of(found, events))
    shuffled = random.sample(events, len(events))
    shards: list[dict[tuple[str, str], Totals]] = [{} for _ in range(random.randint(1, 4))]
    while shuffled:
        batch = [shuffled.pop() for _ in range(min(len(shuffled), random.randint(1, 9)))]
        shard = random.choice(shards)
        for key, moved in generated.totals_of(found, batch).items():
            kept = shard.get(key, Totals())
            stored = Totals.read(json.loads(json.dumps(kept.document())))
            for name in kept.meters():  # distinct values are items of their own
                reading = kept.reading(name)
                if hasattr(reading, "values"):
                    stored.add_distinct(name, reading.values)
            stored.merge(moved)
            shard[key] = stored
    merged: dict[tuple[str, str], Totals] = {}
    for shard in random.sample(shards, len(shards)):
        for key, totals in shard.items():
            merged.setdefault(key, Totals()).merge(totals)
    assert generated.lines_of(found, merged) == together


@laws
@given(generated_charges.models(), generated.events(), st.integers(1, 30), st.lists(st.integers(1, 30), max_size=2))
def test_cutting_a_period_into_identical_versions_changes_no_price(charges, events, first_day, days):
    whole = generated.whole_month(generated.version(charges))
    local_days = generated.OCTOBER.days()
    cuts = [generated.OCTOBER.start, *(local_days[day].start for day in sorted({first_day, *days}))]
    versions = [generated.version(charges, number, start) for number, start in enumerate(cuts, 1)]
    ends = [*cuts[1:], generated.OCTOBER.end]
    pieces = [
        Segment(agent, version, start, end)
        for version, start, end in zip(versions, cuts, ends, strict=True)
        for agent in generated.AGENTS
    ]
    uncut = generated.lines_of(whole, generated.totals_of(whole, events))
    cut = generated.lines_of(pieces, generated.totals_of(pieces, events))
    assert exact(cut) == exact(uncut)
    assert [line.quantity for line in cut] == [line.quantity for line in uncut]


@laws
@given(st.data(), generated_charges.changed_charges())
def test_prices_that_change_within_the_month_come_to_what_the_events_do_one_by_one(data, charges):
    """Agents join, leave and return meanwhile.

    All is computed a second time from the list of events.
    """
    assignments, events = (
        data.draw(generated.assignments(len(charges))),
        data.draw(generated.events_for(charges[0])),
    )
    found = generated.segments_of(assignments, charges)
    lines = generated.lines_of(found, generated.totals_of(found, events))
    due = {line.agent_id or "-": line.exact_amount for line in lines}
    assert due == {name: truncate(amount) for name, amount in computed(charges, assignments, events).items()}


@laws
@given(generated_charges.models(generated_charges.usage_charges()), generated.events())
def test_minimum_and_maximum_hold(charges, events):
    found = generated.whole_month(generated.version(charges))
    lines = generated.lines_of(found, generated.totals_of(found, events))
    for line in lines:
        charge = next(each for each in charges if each["key"] == line.charge)
        unused = line.quantity == 0
        when_unused = charge.get("minimum_when_unused", charge["type"] != "workflow")
        fee = sum((step.amount for step in line.steps if step.kind == "base_fee"), Decimal(0))
        if "minimum" in charge and (when_unused or not unused):
            assert line.exact_amount >= Decimal(charge["minimum"])
        if "maximum" in charge and charge["type"] != "outcome":
            assert line.exact_amount <= max(Decimal(charge["maximum"]), Decimal(charge.get("minimum", "0")))
        if "maximum" in charge and charge["type"] == "outcome":
            assert line.exact_amount <= max(Decimal(charge["maximum"]), fee, Decimal(charge.get("minimum", "0")))


@laws
@given(generated_charges.models(), generated.events())
def test_a_model_written_and_read_back_prices_the_same(charges, events):
    version = generated.version(charges)
    again = Version.model_validate_json(version.model_dump_json())
    found, read_back = generated.whole_month(version), generated.whole_month(again)
    assert generated.lines_of(read_back, generated.totals_of(read_back, events)) == generated.lines_of(
        found, generated.totals_of(found, events)
    )
    assert again == version


@laws
@given(generated_charges.models(), generated.events())
def test_lines_are_written_and_read_back_the_same_without_a_float(charges, events):
    found = generated.whole_month(generated.version(charges))
    for line in generated.lines_of(found, generated.totals_of(found, events)):
        assert Line.model_validate_json(line.model_dump_json()) == line
        assert not list(floats(json.loads(line.model_dump_json())))


def floats(value: object) -> list[float]:
    if isinstance(value, dict):
        return [found for each in value.values() for found in floats(each)]
    if isinstance(value, list):
        return [found for each in value for found in floats(each)]
    return [value] if isinstance(value, float) else []


PRICING = TypeAdapter(Pricing)


def rising(pricing: Json) -> bool:
    """Where the prices say that more costs more: volume prices may fall at a bound."""
    if "volume" not in pricing["type"]:
        return True
    price = "rate" if "percentage" in pricing["type"] else "unit_amount"
    prices = [Decimal(tier[price]) for tier in pricing["tiers"]]
    flats = [Decimal(tier["flat_amount"]) for tier in pricing["tiers"]]
    return prices == sorted(prices) and flats == sorted(flats)


@laws
@given(
    generated_pricings.unit_pricings() | generated_pricings.value_pricings().filter(lambda each: not by_event(each)),
    st.fractions(0, 600),
    st.fractions(0, 600),
)
def test_a_price_never_falls_when_the_quantity_grows(pricing, quantity, more):
    assume(rising(pricing))
    priced = PRICING.validate_python(pricing)
    assert priced.price(quantity + more) >= priced.price(quantity) >= 0


def by_event(pricing: Json) -> bool:
    return any(pricing.get(name) for name in ("free_events", "minimum_per_event", "maximum_per_event"))


@laws
@given(generated_charges.models(generated_charges.usage_charges(), most=1), generated.events(most=12))
def test_usage_never_makes_a_line_negative(charges, events):
    found = generated.whole_month(generated.version(charges))
    assert all(line.exact_amount >= 0 for line in generated.lines_of(found, generated.totals_of(found, events)))


# Anything at all


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(max_size=5)
    | st.decimals()
    | st.sampled_from(["NaN", "Infinity", "-1", "1e400", "0", "month", "percentage", "data.value"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def spoiled(charge: Json, junk: object, place: int) -> Json:
    """With something else at one of its places."""
    places = list(_places(charge))
    path = places[place % len(places)]
    copied: Any = json.loads(json.dumps(charge))
    inner = copied
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = junk
    return copied


def _places(value: Any, before: tuple[Any, ...] = ()) -> Any:
    if before:
        yield before
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*before, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*before, index))


@settings(laws, max_examples=4 * EXAMPLES)
@given(generated_charges.models(most=1), JUNK, st.integers(0, 1000))
def test_whatever_stands_in_a_charge_it_is_accepted_or_refused_with_a_place(charges, junk, place):
    charge = spoiled(charges[0], junk, place)
    try:
        draft = BillingModelDraft.model_validate({"name": "A model", "currency": "USD", "charges": [charge]})
    except pydantic.ValidationError as error:
        refused = validation_error(error)
        assert refused.errors
        assert all(each.pointer.startswith("/charges") for each in refused.errors)
    else:
        assert calculated(draft.charges, [], "USD")


def calculated(charges: Sequence[AnyCharge], usage: Sequence[Json], currency: str) -> Calculation:
    sketch = ModelSketch.model_construct(currency=currency, charges=tuple(charges), name="")
    entries = [UsageEntry.model_validate(entry) for entry in usage]
    return calculate(sketch.version(), currency, entries, generated.OCTOBER.span)


@laws
@given(
    generated_charges.models(most=2),
    st.lists(
        st.fixed_dictionaries(
            {"charge": st.sampled_from(["charge-0", "charge-1"])},
            optional={
                "agent": st.sampled_from(["a", "b"]),
                "quantity": generated_pricings.amounts(),
                "value": generated_pricings.amounts(),
                "values": st.lists(generated_pricings.amounts(), max_size=3),
                "agents": st.integers(0, 3).map(str),
                "workflows": st.dictionaries(
                    st.sampled_from([*generated_charges.FLOW_TYPES, "no"]), generated_pricings.amounts()
                ),
            },
        ),
        max_size=3,
    ),
)
def test_whatever_usage_is_stated_it_is_calculated_or_refused_with_a_place(charges, usage):
    result = outcome_of(generated.version(charges), usage)
    if isinstance(result, ValidationError):
        assert result.errors
        assert all(each.pointer.startswith("/usage/") for each in result.errors)
    else:
        assert result.total == sum((line.amount for line in result.lines), Decimal(0))
        assert result.exact_total == sum((line.exact_amount for line in result.lines), Decimal(0))


def outcome_of(version: Version, usage: Sequence[Json]) -> Calculation | ValidationError:
    try:
        return calculated(version.charges, usage, "USD")
    except ValidationError as refused:
        return refused


@pytest.mark.parametrize("pricing", TypeAdapter(Pricing).json_schema()["discriminator"]["mapping"])
def test_the_laws_are_about_every_pricing(pricing):
    found = hypothesis.find(
        generated_charges.usage_charges(),
        lambda charge: pricing in {priced["pricing"]["type"] for priced in priced_parts(charge)},
        settings=FINDING,
    )
    assert found


@pytest.mark.parametrize("charge_type", TypeAdapter(AnyCharge).json_schema()["discriminator"]["mapping"])
def test_the_laws_are_about_every_charge(charge_type):
    assert hypothesis.find(generated_charges.charges(), lambda charge: charge["type"] == charge_type, settings=FINDING)


def priced_parts(charge: Json) -> list[Json]:
    parts = [charge, *charge.get("workflows", {}).values()]
    return [part for part in parts if "pricing" in part]
