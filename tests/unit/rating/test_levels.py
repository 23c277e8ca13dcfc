"""Levels: weighted sums over versions and agents (docs/billing.md, "Levels")."""

from decimal import Decimal
from typing import Any

from shared.domain.kernel.times import to_text
from shared.domain.pricing.lines import Line
from shared.domain.rating.facts import Segment
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
