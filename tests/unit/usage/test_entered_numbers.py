"""Numbers as they are entered: rounded half even to 12 places where a name or a meter gives them a meaning."""

from decimal import Decimal
from typing import Any

import pytest

from shared.domain.usage.entered_numbers import entered_paths, errors_at_paths, with_entered_numbers

Json = dict[str, Any]
NO_PATHS = frozenset[str]()


@pytest.mark.parametrize(
    ("sent", "entered"),
    [
        (Decimal("0.30000000000000004"), Decimal("0.3")),
        ("0.30000000000000004", "0.3"),
        ("1.0000000000005", "1"),
        ("1.0000000000015", "1.000000000002"),
        ("1.0000000000025", "1.000000000002"),
        ("1e-13", "0"),
        (Decimal("-4e-13"), Decimal(0)),
        ("3.10", "3.10"),
        (Decimal("0.123456789012"), Decimal("0.123456789012")),
        ("0.1234567890123x", "0.1234567890123x"),
        ("1000000000000000.00000000000001", "1000000000000000.00000000000001"),
        (7, 7),
        (True, True),
        ([Decimal("0.30000000000000004")], [Decimal("0.30000000000000004")]),
    ],
)
@pytest.mark.parametrize("name", ["quantity", "amount", "cost", "value"])
def test_numbers_with_a_meaning_are_rounded(name: str, sent: object, entered: object) -> None:
    data = with_entered_numbers("command", {name: sent, "free": sent}, NO_PATHS)
    assert data == {name: entered, "free": sent}
    assert type(data[name]) is type(entered)


def test_what_a_meter_reads_is_rounded_in_its_place() -> None:
    noise = Decimal("0.30000000000000004")
    sent = {"a": {"b.c": noise, "d": noise}, "e": noise}
    assert with_entered_numbers("command", sent, frozenset({'data.a["b.c"]', "data.missing.x", "data.e.x"})) == {
        "a": {"b.c": Decimal("0.3"), "d": noise},
        "e": noise,
    }
    assert sent["a"]["b.c"] == noise


def test_only_numbers_that_are_too_large_are_refused_there() -> None:
    paths = frozenset({'data["a.b"]', "data.c", "data.d", "data.e", "data.f", "data.g"})
    data = {"a.b": 10**15, "c": "many", "d": True, "e": Decimal("1.5"), "f": "1" * 16, "g": "1" * 400}
    assert sorted(error.pointer for error in errors_at_paths(data, paths)) == ["/data/a.b", "/data/f", "/data/g"]


@pytest.mark.parametrize(
    ("event_type", "kept"),
    [
        ("command", {"value", "interaction_time", "evidence", "note"}),
        ("cost.api", {"value", "interaction_time", "evidence", "note"}),
        ("outcome.won", {"note"}),
    ],
)
def test_null_is_absent_under_names_with_a_meaning(event_type: str, kept: set[str]) -> None:
    names = ("quantity", "amount", "cost", "currency", "value", "interaction_time", "evidence", "note")
    assert set(with_entered_numbers(event_type, dict.fromkeys(names), NO_PATHS)) == kept


def test_units_of_an_llm_call_are_rounded_where_it_is_read() -> None:
    paths = frozenset({"data.units.web_searches", "data.quantity", "data.score"})
    assert entered_paths("llm_call", paths) == {"data.score"}
    assert entered_paths("command", paths) == {"data.units.web_searches", "data.score"}
