"""Agents and seats, counted at each local day's end (docs/billing.md, "Heads by the day")."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.domain.kernel.histories import Entry, History
from shared.domain.pricing.lines import Line
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate
from tests.doubles.worlds.rated_october import OCTOBER, october, rated, steps, version, whole

FIRST_IS_DEAR = {
    "type": "graduated",
    "tiers": [{"up_to": "1", "unit_amount": "310"}, {"up_to": None, "unit_amount": "31"}],
}


def agents(**more: Any) -> dict[str, Any]:
    return {"key": "agents", "type": "agent", "pricing": FIRST_IS_DEAR, **more}


def line(*segments: Segment) -> Line:
    return rated(*segments)["bm_1/agents/-"]


def test_an_agent_that_replaces_another_takes_its_place() -> None:
    model = version(1, agents())
    due = line(Segment("a", model, OCTOBER.start, october(21)), Segment("b", model, october(21), OCTOBER.end))
    assert (due.amount, due.quantity) == (310, 1)
    assert steps(due) == [("tier", "310")]


def test_each_day_is_priced_by_the_agents_at_its_end() -> None:
    model = version(1, agents())
    due = line(whole("a", model), Segment("b", model, october(21), OCTOBER.end))
    assert due.amount == 310 + Decimal(31) * 11 / 31


def test_an_agent_that_left_within_a_day_is_not_counted_on_it() -> None:
    model = version(1, agents())
    assert line(whole("a", model), Segment("b", model, october(1), october(11, 23))).amount == 310 + 10


def test_a_discount_is_tested_on_each_days_number() -> None:
    model = version(1, agents(discount={"from_quantity": "2", "percent": "50"}))
    due = line(whole("a", model), Segment("b", model, october(1), october(11)))
    assert due.exact_amount.quantize(Decimal("0.000001")) == 265  # 21 days at 310, 10 at (310 + 31) / 2
    assert [step.kind for step in due.steps][-1] == "discount"


def test_a_new_version_prices_the_days_that_end_with_it() -> None:
    first = version(1, agents(pricing={"type": "per_unit", "unit_amount": "31"}))
    second = version(2, agents(pricing={"type": "per_unit", "unit_amount": "62"}))
    due = line(Segment("a", first, OCTOBER.start, october(11, 12)), Segment("a", second, october(11, 12), OCTOBER.end))
    assert due.amount == 10 * 1 + 21 * 2


def test_a_line_of_its_own_counts_its_agent_only() -> None:
    model = version(1, agents(scope="agent"))
    due = rated(whole("a", model), Segment("b", model, october(21), OCTOBER.end))
    assert {key: due[key].amount for key in due} == {"bm_1/agents/a": 310, "bm_1/agents/b": 110}


def test_days_with_as_many_seats_are_one_step() -> None:
    seats = {"key": "seats", "type": "seat", "quantity": "seats", "pricing": FIRST_IS_DEAR}
    history = History[int](
        entries=tuple(
            Entry(effective_from=start, value=number)
            for start, number in [(datetime(2026, 1, 1, tzinfo=UTC), 1), (october(11), 2), (october(21), 1)]
        )
    )
    (due,) = rate(Facts(OCTOBER, "USD", [whole("a", version(1, seats))], {}, headcounts={"seats": history}))
    assert due.amount == 310 + 10
    assert [step.quantity for step in due.steps if step.kind == "tier"] == [2, 1]
