"""Whatever is wrong in a billing model is refused with the path of the field: a mistake of each kind, and in every
field of every charge and pricing what cannot stand there.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_args

import pydantic
import pytest
from pydantic import BaseModel

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.validation import FieldPath, pointer, validation_error
from shared.domain.pricing.billing_models import BillingModelDraft, check_succession
from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.rules import Pricing
from shared.domain.rating.calculation import ModelSketch
from tests.doubles.worlds.bad_billing_models import (
    CHARGES,
    METER,
    MISTAKES,
    PER_UNIT,
    SAMPLES,
    TIERS,
    Json,
    Mistake,
    activity,
    model,
)

NO_DECIMALS = ["-1", "NaN", "Infinity", "-Infinity", "1000000000000000", "0.0000000000001", "", "1,5", "0x1", 1.5]
NO_DECIMALS += [Decimal("NaN"), Decimal("Infinity"), True, [], {}]
NO_WORDS = ["no such word", "", 1, None, [], {}]
NO_INTEGERS = [-1, 3661, "5", 1.5, Decimal("1.5"), True, None, [], {}]
NO_TRUTHS = ["maybe", 2, None, [], {}]
FREE_TEXTS = {"tier"}
FREE_NAMES = {"filter", "workflows"}
"""Objects whose fields have names of the caller's own."""


def refused_at(kind: type[BillingModelDraft], written: Any) -> tuple[str, ...]:
    with pytest.raises(pydantic.ValidationError) as refused:
        kind.model_validate(written)
    return tuple(error.pointer for error in validation_error(refused.value).errors)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_named_by_the_path_of_its_field(mistake: Mistake):
    assert refused_at(BillingModelDraft, mistake.model) == mistake.places
    if mistake.calculable:
        ModelSketch.model_validate(mistake.model)
    else:
        assert refused_at(ModelSketch, mistake.model) == mistake.places


@pytest.mark.parametrize("charge", SAMPLES.values(), ids=SAMPLES)
def test_what_the_mistakes_are_made_in_is_sound(charge):
    BillingModelDraft.model_validate(model(charge))


def test_every_field_of_every_charge_and_pricing_is_among_them():
    said = {
        (type(part), name)
        for charge in SAMPLES.values()
        for part in parts_of(BillingModelDraft.model_validate(model(charge)).charges[0])
        for name in part.model_fields_set
    }
    there = {each for union in (AnyCharge, Pricing) for each in get_args(get_args(union)[0])}
    assert len(there) == 16
    there |= {part for part, _ in said}
    assert {(part, name) for part in there for name in part.model_fields} == said


def parts_of(value: object) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from parts_of(getattr(value, name))
    elif isinstance(value, dict | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from parts_of(item)


def places_of(value: object, place: FieldPath = ()) -> Iterator[tuple[FieldPath, object]]:
    """All that is written, with where it stands."""
    yield place, value
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places_of(item, (*place, name))


def replaced(written: Json, place: FieldPath, value: object) -> Json:
    changed = json.loads(json.dumps(written))
    *above, last = place
    part: Any = changed
    for name in above:
        part = part[name]
    part[last] = value
    return changed


def wrong_values(place: FieldPath, value: object) -> list[object]:
    """What cannot stand in the place of a sound value."""
    if isinstance(value, bool):
        return list(NO_TRUTHS)
    if isinstance(value, int):
        return list(NO_INTEGERS)
    if isinstance(value, dict | list):
        return ["x", 1, True]
    if isinstance(value, str) and value[0].isdigit():
        return list(NO_DECIMALS)
    if value is None or "filter" in place or place[-1] in FREE_TEXTS:
        return [[], {}]
    return [*NO_WORDS[:-3], [], {}] if place[-1] != "value" else [word for word in NO_WORDS if word is not None]


@pytest.mark.parametrize("charge", SAMPLES.values(), ids=SAMPLES)
def test_a_value_that_a_field_cannot_have_is_named(charge):
    written = model(charge)
    tried = 0
    for place, value in places_of(charge):
        for wrong in wrong_values(place, value) if place else ["x", 1, None, []]:
            at = ("charges", 0, *place)
            assert refused_at(BillingModelDraft, replaced(written, at, wrong)) == (pointer(at),), (place, wrong)
            tried += 1
    assert tried > 20


@pytest.mark.parametrize("charge", SAMPLES.values(), ids=SAMPLES)
def test_a_field_that_there_is_not_is_named(charge):
    written = model(charge)
    for place, value in places_of(charge):
        if isinstance(value, dict) and not (place and place[-1] in FREE_NAMES):
            at = ("charges", 0, *place, "surprise")
            assert refused_at(BillingModelDraft, replaced(written, at, 1)) == (pointer(at),)


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("flat_fee", {"key", "amount"}),
        ("setup_fee", {"key", "amount"}),
        ("seat", {"key", "pricing"}),
        ("agent", {"key", "pricing"}),
        ("activity", {"key", "meter", "pricing"}),
        ("outcome", {"key", "meter", "pricing"}),
        ("workflow", {"key", "workflows"}),
        ("cost", {"key"}),
    ],
)
def test_a_field_that_is_needed_is_named(kind, needed):
    assert set(refused_at(BillingModelDraft, model({"type": kind}))) == {f"/charges/0/{name}" for name in needed}
    assert refused_at(BillingModelDraft, model({"key": "x"})) == ("/charges/0/type",)


# What a key keeps over the versions of its model


FEE: Json = {"type": "flat_fee", "amount": "10"}


def changed_at(before: Json, after: Json) -> list[str]:
    drafts = [BillingModelDraft.model_validate(model({"key": "other", **FEE}, charge)) for charge in (before, after)]
    try:
        check_succession(drafts[0].charges, drafts[1].charges)
    except ValidationError as error:
        return [each.pointer for each in error.errors]
    return []


@pytest.mark.parametrize("kind", CHARGES)
def test_a_key_keeps_its_type(kind):
    other = "cost" if kind != "cost" else "flat_fee"
    assert changed_at(CHARGES[kind], {**CHARGES[other], "key": CHARGES[kind]["key"]}) == ["/charges/1/type"]


@pytest.mark.parametrize("kind", CHARGES.keys() - {"seat", "setup_fee"})
def test_a_key_keeps_its_scope(kind):
    assert changed_at(CHARGES[kind], {**CHARGES[kind], "scope": "agent"}) == ["/charges/1/scope"]


@pytest.mark.parametrize("kind", ["flat_fee", "seat", "agent"])
@pytest.mark.parametrize(("field", "other"), [("interval", "quarter"), ("timing", "arrears")])
def test_a_fee_keeps_when_it_is_due(kind, field, other):
    assert changed_at(CHARGES[kind], {**CHARGES[kind], field: other}) == [f"/charges/1/{field}"]


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("event_type", "outcome.lead"),
        ("value", "data.other"),
        ("filter", {}),
        ("unit", {"multiply_by": "61"}),
    ],
)
@pytest.mark.parametrize("kind", ["activity", "outcome"])
def test_a_key_keeps_its_meter(kind, field, other):
    meter = {**CHARGES[kind]["meter"], field: other}
    assert changed_at(CHARGES[kind], {**CHARGES[kind], "meter": meter}) == [f"/charges/1/meter/{field}"]


def test_a_key_keeps_its_aggregation():
    priced = activity("per_unit")
    for other in ("max", "last", "unique", "weighted_sum"):
        assert changed_at(priced, {**priced, "meter": {**METER, "aggregation": other}}) == [
            "/charges/1/meter/aggregation"
        ]


def test_a_cost_keeps_its_categories():
    for other in (["llm"], None):
        assert changed_at(CHARGES["cost"], {**CHARGES["cost"], "categories": other}) == ["/charges/1/categories"]


SAVED: Json = {"event_type": "outcome.sale", "aggregation": "sum", "value": "data.saved"}
COST: Json = {"event_type": "llm_call", "aggregation": "sum", "value": "data.cost"}
RATE: Json = {"type": "percentage", "rate": "5"}


@pytest.mark.parametrize(
    ("kind", "meter", "changes", "place"),
    [
        ("activity", METER, {"pricing": RATE}, "pricing/type"),
        ("activity", METER, {"pricing": {"type": "dynamic", "value": "data.price"}}, None),
        ("activity", METER, {"pricing": {"type": "volume", "tiers": TIERS}}, None),
        ("activity", COST, {"pricing": RATE}, None),
        ("outcome", SAVED, {"pricing": RATE}, "pricing/type"),
        ("outcome", SAVED, {"pricing": {"type": "dynamic", "value": "data.price"}}, None),
        ("outcome", SAVED, {"minimum_value": "5"}, "minimum_value"),
        ("outcome", SAVED, {"minimum_value": "0"}, None),
        ("outcome", SAVED, {"success_bonus": {"percent": "1"}}, "success_bonus"),
        ("outcome", SAVED, {"auto_verify": {"minimum_value": "5"}}, "auto_verify"),
        ("outcome", SAVED, {"minimum_value": "5", "pricing": RATE}, "pricing/type"),
        ("outcome", {**SAVED, "value": "data.value"}, {"minimum_value": "5", "pricing": RATE}, None),
        ("outcome", {**SAVED, "value": "data.value"}, {"pricing": {"type": "dynamic", "value": "data.value"}}, None),
        ("outcome", {"event_type": "outcome.sale"}, {"minimum_value": "5", "pricing": RATE}, None),
    ],
)
def test_a_key_keeps_whether_its_meter_reads_money(kind, meter, changes, place):
    """In another currency money is converted and units are not.

    A line adds up what all its versions read.
    """
    units = {"key": "saved", "type": kind, "meter": meter, "pricing": PER_UNIT}
    places = [] if place is None else [f"/charges/1/{place}"]
    assert changed_at(units, {**units, **changes}) == places
    assert changed_at({**units, **changes}, units) == places
    assert changed_at({**units, **changes}, {**units, **changes, "minimum": "1"}) == []


def test_prices_and_modifiers_may_change():
    for kind in ("seat", "agent", "activity", "workflow"):
        pricing = {"workflows": {"email": {"pricing": PER_UNIT}}} if kind == "workflow" else {"pricing": PER_UNIT}
        changes = pricing | {"discount": None}
        assert changed_at(CHARGES[kind], {**CHARGES[kind], **changes}) == []
    terms = {"verification": "none", "auto_verify": None, "minimum_value": None, "success_bonus": None}
    outcome = {**CHARGES["outcome"], **terms}
    assert changed_at(CHARGES["outcome"], outcome) == []
