"""Levels: weighted sums over versions and agents (docs/billing.md, "Levels")."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.lines import Line
from shared.domain.rating import line_segments
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate
from shared.domain.usage.totals import Totals
from tests.doubles.worlds.generated_usage import Reported, totals_of
from tests.doubles.worlds.rated_october import OCTOBER, flat_fee, october, rated, version, whole


def memory(price: str, **more: Any) -> dict[str, Any]:
    meter = {"event_type": "memory", "aggregation": "weighted_sum", "value": "data.change"}
    return {
        "key": "memory",
        "type": "activity",
        "meter": meter,
        "pricing": {"type": "per_unit", "unit_amount": price},
        **more,
    }


def raised(change: str, day: int, agent: str = "a") -> Reported:
    return Reported(agent, "memory", to_text(october(day)), f"evt_{agent}{day}", {"change": change})


def lines(events: list[Reported], *segments: Segment) -> dict[str, Line]:
    return rated(*segments, totals=totals_of(segments, events))


def line(events: list[Reported], *segments: Segment) -> Line:
    return lines(events, *segments)["bm_1/memory/a"]


def test_a_level_ends_where_its_agent_leaves_the_model() -> None:
    due = line([raised("100", 1)], Segment("a", version(1, memory("1")), OCTOBER.start, october(11)))
    assert due.amount == Decimal("32.26")  # 100 for 10 of 31 days


def test_a_level_in_a_rest_of_a_month_divides_by_the_whole_month(monkeypatch: pytest.MonkeyPatch) -> None:
    """31 from 1 to 13 February, of the month that began on 13 January: 12 of 31 days, not all of 12."""
    first, last = datetime(2027, 2, 1, tzinfo=UTC), datetime(2027, 2, 13, tzinfo=UTC)
    rest = Period(start=first, end=last, timezone="UTC", month_start=datetime(2027, 1, 13, tzinfo=UTC))
    segments = [Segment("a", version(1, memory("1")), first, last)]
    events = [Reported("a", "memory", to_text(first), "evt_1", {"change": "31"})]

    def due() -> Decimal:
        (only,) = rate(Facts(rest, "USD", segments, totals_of(segments, events)))
        return only.amount

    assert due() == 12
    made = line_segments._line_segment
    monkeypatch.setattr(
        line_segments, "_line_segment", lambda *parts: replace(made(*parts), span=Span(start=first, end=last))
    )
    assert due() == 31


def test_each_version_prices_its_own_time() -> None:
    first, second = version(1, memory("1")), version(2, memory("2"))
    through = [Segment("a", first, OCTOBER.start, october(11)), Segment("a", second, october(11), OCTOBER.end)]
    assert line([raised("100", 1)], *through).amount == Decimal("167.74")  # and for 21 days at the new price
    lowered = [raised("100", 1), raised("-100", 21)]
    assert line(lowered, *through).amount == Decimal("96.77")  # only 10 days at the new price
    assert line(lowered, *through).quantity.quantize(Decimal("0.0001")) == Decimal("64.5161")


def test_a_level_starts_from_nothing_on_another_model_and_on_coming_back() -> None:
    first, second = version(1, memory("1")), version(2, memory("1"))
    other = version(1, memory("10"), model="bm_2")
    away = [
        Segment("a", first, OCTOBER.start, october(11)),
        Segment("a", other, october(11), october(21)),
        Segment("a", second, october(21), OCTOBER.end),
    ]
    due = lines([raised("31", 1), raised("62", 21)], *away)
    assert {key: due[key].amount for key in due} == {"bm_1/memory/a": 10 + 22, "bm_2/memory/a": 0}


def test_a_level_lasts_while_a_version_does_not_price_it() -> None:
    first, second = version(1, memory("1")), version(2, flat_fee())
    third = version(3, memory("1"))
    through = [
        Segment("a", first, OCTOBER.start, october(11)),
        Segment("a", second, october(11), october(21)),
        Segment("a", third, october(21), OCTOBER.end),
    ]
    assert line([raised("31", 1)], *through).amount == 10 + 11


def test_a_level_does_not_pass_to_another_agent_on_a_pooled_line() -> None:
    model = version(1, memory("1", scope="organization"))
    segments = [Segment("a", model, OCTOBER.start, october(11)), whole("b", model)]
    due = lines([raised("31", 1, "a"), raised("31", 1, "b")], *segments)
    assert due["bm_1/memory/-"].amount == 10 + 31


def test_a_level_ends_while_its_agent_is_away_from_the_same_version() -> None:
    model, other = version(1, memory("1")), version(1, memory("10"), model="bm_2")
    away = [
        Segment("a", model, OCTOBER.start, october(11)),
        Segment("a", other, october(11), october(21)),
        Segment("a", model, october(21), OCTOBER.end),
    ]
    assert line([raised("31", 1)], *away).amount == 10
    assert line([raised("31", 1), raised("62", 21)], *away).amount == 10 + 22
    assert line([raised("62", 21)], *away).amount == 22


def test_a_level_after_a_return_goes_on_under_the_next_version() -> None:
    first, second = version(1, memory("1")), version(2, memory("2"))
    returned = [
        Segment("a", first, OCTOBER.start, october(11)),
        Segment("a", first, october(16), october(21)),
        Segment("a", second, october(21), OCTOBER.end),
    ]
    assert line([raised("31", 1)], *returned).amount == 10
    assert line([raised("31", 1), raised("31", 16)], *returned).amount == 10 + 5 + 2 * 11


def of_before(totals: Mapping[tuple[str, str], Totals]) -> dict[tuple[str, str], Totals]:
    """As totals were stored before returns were kept apart."""
    documents = {key: total.document() for key, total in totals.items()}
    for document in documents.values():
        for reading in document["meters"].values():
            for after_return in reading.pop("returns", {}).values():
                for name in ("sum", "moments"):
                    reading[name] = str(Decimal(reading[name]) + Decimal(after_return[name]))
            del reading["last"]
    return {key: Totals.read(document) for key, document in documents.items()}


def test_totals_of_before_are_right_where_they_only_know_the_time_before_a_return() -> None:
    model = version(1, memory("1"))
    away = [Segment("a", model, OCTOBER.start, october(11)), Segment("a", model, october(21), OCTOBER.end)]
    before = of_before(totals_of(away, [raised("31", 1)]))
    assert rated(*away, totals=before)["bm_1/memory/a"].amount == 10
    for key, total in totals_of(away, [raised("62", 21)]).items():  # reported since
        before[key].merge(total)
    assert rated(*away, totals=before)["bm_1/memory/a"].amount == 10 + 22


def test_totals_of_before_that_know_more_stay_as_they_were() -> None:
    model = version(1, memory("1"))
    away = [Segment("a", model, OCTOBER.start, october(11)), Segment("a", model, october(21), OCTOBER.end)]
    before = of_before(totals_of(away, [raised("31", 1), raised("62", 21)]))
    assert rated(*away, totals=before)["bm_1/memory/a"].amount == 31 + 22
