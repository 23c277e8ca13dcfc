"""Paths of values: names with points in them, and one notation for one path."""

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.domain.metering.meters import Meter
from shared.domain.metering.paths import Path, names_in
from shared.domain.metering.values import at_path
from shared.domain.provider_costs.costs import CostedEvent

path = TypeAdapter[str](Path)


@pytest.mark.parametrize(
    ("written", "stored", "names"),
    [
        ("data.quantity", "data.quantity", ("quantity",)),
        ('data["quantity"]', "data.quantity", ("quantity",)),
        ('data["gen_ai.usage.input_tokens"]', 'data["gen_ai.usage.input_tokens"]', ("gen_ai.usage.input_tokens",)),
        ('data.attributes["a.b"].c', 'data.attributes["a.b"].c', ("attributes", "a.b", "c")),
        ('data["größe [m]"]["x"]', 'data["größe [m]"].x', ("größe [m]", "x")),
    ],
)
def test_each_path_has_one_notation(written: str, stored: str, names: tuple[str, ...]) -> None:
    assert path.validate_python(written) == stored
    assert path.validate_python(stored) == stored
    assert names_in(stored) == names


@pytest.mark.parametrize(
    "written",
    [
        "data",
        "quantity",
        "data.",
        "data[quantity]",
        "data['quantity']",
        'data[""]',
        'data["a"',
        'data["a"]b',
        'data."a"',
        'data["a\\"b"]',
        'data["a\nb"]',
        "data" + ".a" * 9,
        f'data["{"x" * 129}"]',
    ],
)
def test_what_is_no_path_is_refused(written: str) -> None:
    with pytest.raises(ValidationError, match="is not a path such as"):
        path.validate_python(written)


def test_a_name_with_points_is_read_as_one_name() -> None:
    data = {"a.b": 1, "a": {"b": 2, "c.d": {"e": 3}}}
    assert (at_path(data, 'data["a.b"]'), at_path(data, "data.a.b"), at_path(data, 'data.a["c.d"].e')) == (1, 2, 3)


@pytest.mark.parametrize(
    ("data", "matches"),
    [
        ({"region": "us"}, True),
        ({"region": "eu"}, False),
        ({"region": 1}, False),
        ({"region": None}, True),
        ({"region": {"eu": 1}}, True),
        ({}, True),
    ],
)
def test_a_filter_may_say_anything_else(data: dict[str, object], matches: bool) -> None:
    meter = Meter.model_validate({"event_type": "command", "filter": {"data.region": {"not": ["eu", 1]}}})
    assert meter.matches(CostedEvent("command", data, "2026-10-01T00:00:00.000000Z", "evt_1")) is matches
    assert Meter.model_validate(meter.model_dump(mode="json", by_alias=True)) == meter


def test_anything_but_null_needs_a_value() -> None:
    meter = Meter.model_validate({"event_type": "command", "filter": {"data.region": {"not": [None]}}})
    assert not meter.matches(CostedEvent("command", {}, "2026-10-01T00:00:00.000000Z", "evt_1"))
