"""What a run comes to: its own usage and nothing around it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.metering.readings import CountAndSum
from shared.domain.metering.stored_readings import document_of
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import Version
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.rating.calculation import ModelSketch
from shared.domain.rating.standalone import standalone_price
from shared.domain.runs.run_figures import RunFigures, contributions
from shared.domain.usage.outcomes import Outcome, Status
from shared.domain.usage.totals import Totals

OCTOBER = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")
TIME = "2026-10-10T12:00:00.000000Z"
TIERS = {
    "type": "graduated",
    "tiers": [{"up_to": "10", "unit_amount": "1", "flat_amount": "5"}, {"up_to": None, "unit_amount": "0.5"}],
}
METER = {"event_type": "command", "aggregation": "sum", "value": "data.quantity"}
AROUND = {
    "base_fee": {"amount": "15", "per": "agent"},
    "minimum": "1000",
    "maximum": "2000",
    "discount": {"from_quantity": "1", "percent": "50"},
}


def version(*charges: dict[str, Any]) -> Version:
    return ModelSketch.model_validate({"currency": "USD", "charges": charges}).version()


def event(event_type: str = "command", quantity: str = "1", key: str = "evt_1", **data: Any) -> CostedEvent:
    return CostedEvent(event_type, {"quantity": Decimal(quantity), **data}, TIME, key)


def outcome(status: Status) -> Outcome:
    return Outcome(
        id="out_1",
        event_id="1",
        source="api",
        type="outcome.done",
        agent_id="a",
        time=TIME,
        period=OCTOBER.start,
        version_id="v",
        status=status,
        arrived_as="pending",
        value=Decimal(7),
        currency="USD",
        verifier="operator",
    )


def used(priced_by: Version, events: Sequence[CostedEvent], became: Outcome | None = None) -> Totals:
    totals = Totals()
    for each in events:
        for added in contributions(each, became, priced_by.charges, "USD"):
            totals.add(added)
    return totals


def price(priced_by: Version, **usage: Totals) -> Decimal:
    by_version = {(agent, priced_by.id): totals for agent, totals in usage.items()}
    return standalone_price([priced_by], by_version, OCTOBER, "USD")


def test_what_is_put_around_usage_is_left_out() -> None:
    charge = {"key": "commands", "type": "activity", "meter": METER, "pricing": TIERS}
    plain, around = version(charge), version(charge | AROUND)
    for quantity in ("3", "12.5"):
        expected = 5 + min(Decimal(quantity), 10) + max(Decimal(0), Decimal(quantity) - 10) / 2
        assert price(plain, a=used(plain, [event(quantity=quantity)])) == expected
        assert price(around, a=used(around, [event(quantity=quantity)])) == expected


def test_charges_that_the_run_does_not_move_come_to_nothing() -> None:
    priced_by = version(
        {"key": "fee", "type": "flat_fee", "amount": "499"},
        {"key": "agents", "type": "agent", "pricing": {"type": "per_unit", "unit_amount": "30"}},
        {"key": "setup", "type": "setup_fee", "amount": "1500"},
        {"key": "other", "type": "activity", "meter": {"event_type": "search"}, "pricing": TIERS} | AROUND,
    )
    assert price(priced_by, a=used(priced_by, [event(), event("llm_call", key="evt_2")])) == 0


def test_minima_and_maxima_of_workflow_types_are_left_out() -> None:
    flow = {"pricing": {"type": "per_unit", "unit_amount": "2"}}
    priced_by = version(
        {
            "key": "flows",
            "type": "workflow",
            "workflows": {"a": flow | {"minimum": "20"}, "b": flow | {"maximum": "3"}},
            **AROUND,
        }
    )
    events = [event("workflow.a", "1"), event("workflow.b", "5", key="evt_2")]
    assert price(priced_by, x=used(priced_by, events)) == 12


def test_agents_of_one_run_share_what_is_pooled() -> None:
    charge = {"key": "commands", "type": "activity", "meter": METER, "pricing": TIERS, "included_units": "4"}
    pooled, apart = version(charge | {"scope": "organization"}), version(charge)
    for priced_by, expected in ((pooled, 5 + 10 + Decimal(2) / 2), (apart, 2 * (5 + Decimal(4)))):
        usage = {agent: used(priced_by, [event(quantity="8")]) for agent in ("a", "b")}
        assert price(priced_by, **usage) == expected


def next_version(before: Version, *charges: dict[str, Any]) -> Version:
    """From a local midnight in the month on."""
    start = datetime(2026, 10, 16, tzinfo=UTC)
    return version(*charges).model_copy(update={"id": "next", "number": before.number + 1, "effective_from": start})


def price_over(first: Version, second: Version, before: Sequence[CostedEvent], after: Sequence[CostedEvent]) -> Decimal:
    usage = {("a", first.id): used(first, before), ("a", second.id): used(second, after)}
    return standalone_price([second, first], usage, OCTOBER, "USD")


@pytest.mark.parametrize(
    "terms",
    [
        {"pricing": TIERS},
        {"pricing": TIERS | {"type": "volume"}},
        {"pricing": {"type": "package", "package_size": "5", "package_amount": "7", "free_units": "2"}},
        {"pricing": {"type": "percentage", "rate": "10", "free_events": 2, "minimum_per_event": "0.4"}},
        {"pricing": {"type": "percentage", "rate": "10", "free_amount": "7"}},
        {"pricing": {"type": "per_unit", "unit_amount": "2"}, "included_units": "6"},
        {"pricing": TIERS, "included_units": "3", "commitment": {"quantity": "9", "overage_multiplier": "2"}},
    ],
)
def test_a_new_version_that_changes_nothing_does_not_price_anything_again(terms: dict[str, Any]) -> None:
    charge = {"key": "commands", "type": "activity", "meter": METER} | terms
    first, second = version(charge), next_version(version(charge), charge)
    events = [event(quantity=f"{number}.5", key=f"evt_{number}") for number in range(6)]
    whole = price(first, a=used(first, events))
    assert whole > 0
    for cut in range(len(events) + 1):
        assert price_over(first, second, events[:cut], events[cut:]) == whole


def test_each_version_prices_what_its_own_events_add() -> None:
    tiers = [{"up_to": "10", "unit_amount": "3", "flat_amount": "20"}, {"up_to": None, "unit_amount": "4"}]
    charge = {"key": "commands", "type": "activity", "meter": METER, "pricing": TIERS}
    first = version(charge)
    second = next_version(first, charge | {"pricing": TIERS | {"tiers": tiers}})
    assert price_over(first, second, [event(quantity="8")], [event(quantity="5")]) == (5 + 8) + (2 * 3 + 3 * 4)


def test_other_models_begin_anew() -> None:
    charge = {"key": "commands", "type": "activity", "meter": METER, "pricing": TIERS}
    first = version(charge)
    other = next_version(first, charge).model_copy(update={"model_id": "other"})
    assert price_over(first, other, [event(quantity="8")], [event(quantity="8")]) == 2 * (5 + 8)


def test_a_version_may_start_after_the_period_in_which_the_run_began() -> None:
    charge = {"key": "commands", "type": "activity", "meter": METER, "pricing": TIERS, "included_units": "6"}
    first = version(charge)
    later = next_version(first, charge).model_copy(update={"effective_from": datetime(2026, 11, 2, tzinfo=UTC)})
    assert price_over(first, later, [event(quantity="8")], [event(quantity="8")]) == 5 + 10


RESOLVED = {
    "key": "done",
    "type": "outcome",
    "meter": {"event_type": "outcome.done"},
    "pricing": {"type": "per_unit", "unit_amount": "3"},
}
REPORTS = {
    "key": "reports",
    "type": "activity",
    "meter": {"event_type": "outcome.done"},
    "pricing": {"type": "per_unit", "unit_amount": "0.25"},
}


@pytest.mark.parametrize(
    ("status", "verification", "expected"),
    [
        ("pending", "required", "0.25"),
        ("pending", "none", "3.25"),
        ("rejected", "none", "0.25"),
        ("reversed", "none", "0.25"),
        ("reversed", "required", "0.25"),
    ],
)
def test_outcomes_count_as_they_stand(status: Status, verification: str, expected: str) -> None:
    """What meters that they were reported counts whatever becomes of them."""
    priced_by = version(RESOLVED | {"verification": verification}, REPORTS)
    totals = used(priced_by, [event("outcome.done", value=Decimal(7))], outcome(status))
    assert price(priced_by, a=totals) == Decimal(expected)


@pytest.mark.parametrize(("status", "of_outcomes"), [("verified", 10), ("rejected", 0)])
def test_what_is_in_another_currency_is_converted_whatever_becomes_of_it(status: Status, of_outcomes: int) -> None:
    """8 by 1.25, for both charges.

    One is for outcomes, one counts what was reported.
    """
    summed = {"meter": METER | {"event_type": "outcome.done", "value": "data.value"}}
    by_value = RESOLVED | {"verification": "none", "pricing": {"type": "percentage", "rate": "100"}}
    priced_by = version(by_value | summed, REPORTS | {"pricing": {"type": "per_unit", "unit_amount": "1"}} | summed)
    data = {"value": Decimal(8), "currency": "EUR"}
    reported = CostedEvent("outcome.done", data, TIME, "evt_1", exchange_rate=Decimal("1.25"))
    became = outcome(status).changed(arrived_as="verified")
    assert price(priced_by, a=used(priced_by, [reported], became)) == of_outcomes + 10


def test_a_verified_outcome_counts_as_it_was_verified() -> None:
    priced_by = version(RESOLVED)
    became = outcome("verified").changed(on_decision={"done": document_of(CountAndSum(1, Decimal(7)))})
    assert price(priced_by, a=used(priced_by, [event("outcome.done", value=Decimal(7))], became)) == 3


def test_figures_are_counted_one_event_after_the_other() -> None:
    figures = RunFigures("USD")
    for number, (event_type, cost) in enumerate(
        [("llm_call", Decimal("0.1")), ("llm_call", None), ("command", None), ("cost.api", Decimal("0.2"))]
    ):
        figures.count(CostedEvent(event_type, {}, f"2026-10-10T12:00:0{3 - number}.000000Z", f"{number}", cost))
    figures.add_price(Decimal("0.4"))
    for status in ("pending", "verified", "verified", "rejected"):
        figures.count_outcome(outcome(status))
    figures.count_outcome(outcome("verified").changed(currency="EUR"))
    figures.count_outcome(outcome("verified").changed(currency="EUR", exchange_rate=Decimal("0.5")))
    assert figures.events == {"llm_call": 2, "command": 1, "cost.api": 1}
    assert (figures.provider_cost, figures.unpriced_calls, figures.margin) == (Decimal("0.3"), 1, Decimal("0.25"))
    assert (figures.outcomes, figures.outcome_value) == ({"verified": 4, "pending": 1, "rejected": 1}, Decimal("17.5"))
    assert figures.first_event_at == datetime(2026, 10, 10, 12, tzinfo=UTC)
    assert figures.last_event_at == datetime(2026, 10, 10, 12, 0, 3, tzinfo=UTC)
