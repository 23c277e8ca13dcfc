"""What decisions make of outcomes, and what they add to totals."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.domain.kernel.errors import ConflictError
from shared.domain.kernel.errors import ValidationError as RefusedError
from shared.domain.kernel.times import to_text
from shared.domain.metering.bands import Bands
from shared.domain.metering.gauges import UnmeterableError
from shared.domain.metering.meters import Meter
from shared.domain.metering.readings import CountAndSum, Highest
from shared.domain.metering.stored_readings import document_of, read_reading
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.charges.metered_usage import MeteredSegment, usage_steps
from shared.domain.pricing.charges.outcome import OutcomeCharge
from shared.domain.pricing.lines import exact_sum
from shared.domain.pricing.rules import Pricing
from shared.domain.pricing.rules.percentage import Percentage
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError
from shared.domain.usage.events import AcceptedEvent, TotalKey, event_key
from shared.domain.usage.outcomes import (
    SYSTEM_TOTAL_OF,
    Decided,
    Decision,
    Outcome,
    Verification,
    contributions_of_decisions,
    event_key_of,
    new_outcome,
    outcome_id,
    reject,
    reverse,
    system_totals_of,
    verify,
)
from shared.domain.usage.totals import Contribution, Totals, contribution

NOW = datetime(2026, 10, 20, tzinfo=UTC)
TOTAL = TotalKey(datetime(2026, 10, 1, tzinfo=UTC), "agt_1", "bmv_1")
DECISION = Decision(NOW, "operator", "usr_1")
METER = {"event_type": "outcome.won"}
SPAN = Span(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC))


def charge(**fields: Any) -> OutcomeCharge:
    body = {"key": "won", "type": "outcome", "meter": METER, "pricing": {"type": "percentage", "rate": "10"}}
    return OutcomeCharge.model_validate(body | fields)


def accepted(value: str | None = "100", name: str = "a", time: datetime = NOW, **data: Any) -> AcceptedEvent:
    if value is not None:
        data["value"] = Decimal(value)
    return AcceptedEvent(
        key=event_key("org_1", "api", name),
        id=name,
        source="api",
        type="outcome.won",
        agent="agt_1",
        time=to_text(time),
        data=data,
        content="",
        reporter="key_1",
    )


def costed(event: AcceptedEvent, rate: Decimal | None = None) -> CostedEvent:
    return CostedEvent(event.type, event.data, event.time, event.key, exchange_rate=rate)


def rated(event: AcceptedEvent, *charges: AnyCharge, rate: Decimal | None = None) -> tuple[Outcome, Contribution]:
    added = contribution(costed(event, rate), charges, "USD")
    outcome = new_outcome(event, TOTAL, charges, added, "USD", NOW, rate)
    return outcome, replace(added, system_totals=system_totals_of(outcome, "USD"))


def totals_of(*contributions: Contribution) -> Totals:
    totals = Totals()
    for each in contributions:
        totals.add(each)
    return totals


def verified(outcome: Outcome, event: AcceptedEvent, *charges: AnyCharge, value: str | None = None) -> Decided | None:
    verification = Verification(None if value is None else Decimal(value))
    return verify(outcome, costed(event, outcome.exchange_rate), charges, "USD", verification, DECISION)


def test_an_outcome_and_its_event_have_the_same_place() -> None:
    key = accepted().key
    assert outcome_id(key).startswith("out_")
    assert event_key_of(outcome_id(key)) == key


@pytest.mark.parametrize(
    ("charges", "data", "status"),
    [
        ((), {}, "pending"),
        (({"meter": {"event_type": "outcome.lost"}},), {}, "pending"),
        (({},), {}, "pending"),
        (({"verification": "none"},), {}, "verified"),
        (({"verification": "none"}, {"key": "other"}), {}, "pending"),
        (({"auto_verify": {"maximum_value": "100"}},), {}, "verified"),
        (({"auto_verify": {"maximum_value": "99.99"}},), {}, "pending"),
        (({"auto_verify": {"minimum_value": "0.01"}},), {"value": None}, "pending"),
        (({"verification": "none"},), {"interaction_time": "2026-09-20T00:00:00Z"}, "verified"),
        (({"verification": "none"},), {"interaction_time": "2026-09-19T23:59:59Z"}, "rejected"),
        (({},), {"interaction_time": "2026-09-19T23:59:59Z"}, "rejected"),
        (({}, {"key": "o", "attribution_window_days": 40}), {"interaction_time": "2026-09-19T00:00:00Z"}, "pending"),
        (({},), {"interaction_time": "2026-11-01T00:00:00Z"}, "pending"),
    ],
)
def test_the_charges_say_what_it_is_when_it_arrives(
    charges: Sequence[Mapping[str, Any]], data: dict[str, Any], status: str
) -> None:
    outcome, added = rated(accepted(**data), *(charge(**fields) for fields in charges))
    assert outcome.status == status
    assert outcome.verified_value == (outcome.value if status == "verified" else None)
    counts = status == "verified" or (len(charges) > 1 and charges[0].get("verification") == "none")
    assert bool(added.measures) == counts


def test_what_a_charge_waits_for_is_not_among_what_no_charge_wants() -> None:
    waits, unwanted = rated(accepted(), charge())[1], rated(accepted())[1]
    assert totals_of(waits).unmatched() == {}
    assert totals_of(unwanted).unmatched() == {"outcome.won": 1}


def test_what_could_not_count_is_refused_before_anybody_verifies_it() -> None:
    for data in ({"value": "-1"}, {"interaction_time": "yesterday"}):
        with pytest.raises(UnmeterableError):
            rated(accepted(**data), charge())
    with pytest.raises(NoExchangeRateError, match="from EUR to USD"):
        rated(accepted(currency="EUR"), charge())


def test_rules_belong_to_outcomes_that_need_verification() -> None:
    for wrong in (
        {"verification": "none", "auto_verify": {"minimum_value": "1"}},
        {"auto_verify": {}},
        {"auto_verify": {"minimum_value": "2", "maximum_value": "1"}},
        {"verified_by": "anybody"},
    ):
        with pytest.raises(ValidationError):
            charge(**wrong)


def test_the_organization_verifies_where_all_that_wait_say_so() -> None:
    own = {"verified_by": "organization"}
    assert rated(accepted(), charge(**own))[0].verifier == "organization"
    assert rated(accepted(), charge(**own), charge(key="other"))[0].verifier == "operator"
    none = charge(key="other", verification="none")
    assert rated(accepted(), charge(**own), none)[0].verifier == "organization"
    assert rated(accepted())[0].verifier == "operator"


def test_a_decision_is_repeated_without_effect_and_not_undone_by_another() -> None:
    event = accepted()
    pending, _ = rated(event, charge())
    done = verified(pending, event, charge())
    assert done is not None
    assert verified(done.outcome, event, charge()) is None
    assert verified(done.outcome, event, charge(), value="100") is None
    with pytest.raises(ConflictError):
        verified(done.outcome, event, charge(), value="99")
    with pytest.raises(ConflictError):
        reject(done.outcome, "USD", "no", DECISION)
    with pytest.raises(ConflictError):
        reverse(pending, "USD", "no", DECISION)
    gone = reverse(done.outcome, "USD", "no", DECISION)
    assert gone is not None
    assert reverse(gone.outcome, "USD", "again", DECISION) is None
    with pytest.raises(ConflictError):
        verified(gone.outcome, event, charge())


WAYS = ("pending", "verified", "less", "rejected", "reversed", "less and reversed")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("rate", [None, Decimal("0.5")])
def test_what_decisions_added_can_be_told_from_the_outcome_alone(
    way: str, rate: Decimal | None, *, mixed: bool
) -> None:
    """Which is what repairing a total needs."""
    free = {"type": "percentage", "rate": "10", "free_events": 1, "minimum_per_event": "2"}
    charges = [charge(pricing=free), *([charge(key="other", verification="none")] if mixed else [])]
    event = accepted() if rate is None else accepted(currency="EUR")
    outcome, arrival = rated(event, *charges, rate=rate)
    steps = [arrival]

    def follow(decided: Decided | None) -> Outcome:
        assert decided is not None
        steps.append(decided.contribution)
        return decided.outcome

    if way == "rejected":
        outcome = follow(reject(outcome, "USD", "no", DECISION))
    elif way != "pending":
        outcome = follow(verified(outcome, event, *charges, value="40" if "less" in way else None))
    if "reversed" in way:
        outcome = follow(reverse(outcome, "USD", "no", DECISION))
    kept = Outcome.read(outcome.document())
    assert totals_of(arrival, *contributions_of_decisions(kept, "USD")) == totals_of(*steps)
    totals = totals_of(*steps)
    tally = totals.reading("won") or CountAndSum()
    assert isinstance(tally, CountAndSum)
    unit = rate or 1
    assert tally.sum == unit * {"verified": 100, "less": 40}.get(way, 0)
    if mixed:
        assert totals.reading("other") == (
            CountAndSum(0, Decimal(0), 1)
            if way == "rejected" or "reversed" in way
            else CountAndSum(1, (40 if way == "less" else 100) * Decimal(unit))
        )
    system_totals = {
        status: reading
        for status, name in SYSTEM_TOTAL_OF.items()
        if (reading := totals.reading(name)) not in (None, CountAndSum(0, Decimal(0)))
    }
    assert system_totals == {kept.status: CountAndSum(1, unit * Decimal(40 if "less" in way else 100))}


def test_values_in_another_currency_without_a_rate_are_in_no_sum() -> None:
    outcome, _ = rated(accepted(currency="EUR"))
    assert system_totals_of(outcome, "USD") == (("$outcome_pending", CountAndSum(1, Decimal(0))),)
    assert (outcome.value_in("EUR"), outcome.value_in("USD")) == (100, None)


def test_bounds_and_least_values_are_in_the_organizations_currency() -> None:
    """40 by 1.25 are 50."""
    event, rate = accepted("40", currency="EUR"), Decimal("1.25")
    for bounds, status in (({"minimum_value": "50"}, "verified"), ({"maximum_value": "49.99"}, "pending")):
        assert rated(event, charge(auto_verify=bounds), rate=rate)[0].status == status
    for least, counts in (("50", True), ("50.01", False)):
        added = rated(event, charge(verification="none", minimum_value=least), rate=rate)[1]
        assert bool(added.measures) == counts


def test_what_waits_by_its_converted_value_counts_once_it_is_verified() -> None:
    event, bounded = accepted("40", currency="EUR"), charge(auto_verify={"maximum_value": "49.99"})
    pending, _ = rated(event, bounded, rate=Decimal("1.25"))
    done = verified(pending, event, bounded)
    assert done is not None
    assert done.contribution.measures == (("won", CountAndSum(1, Decimal(50))),)


def test_a_verification_is_in_the_currency_of_the_report() -> None:
    event, rate = accepted("40", currency="EUR"), Decimal("1.25")
    pending, _ = rated(event, charge(), rate=rate)
    with pytest.raises(RefusedError):
        verified(pending, event, charge(), value="40.01")
    done = verified(pending, event, charge(), value="39")
    assert done is not None
    assert (done.outcome.verified_value, done.outcome.value_in("USD")) == (39, Decimal("48.75"))
    assert dict(done.contribution.measures)["won"] == CountAndSum(1, Decimal("48.75"))


def test_filters_match_what_was_reported_whatever_it_is_verified_as() -> None:
    event, filtered = accepted(), charge(meter=METER | {"filter": {"data.value": ["100"]}})
    pending, _ = rated(event, filtered)
    done = verified(pending, event, filtered, value="40")
    assert done is not None
    assert done.contribution.measures == (("won", CountAndSum(1, Decimal(40))),)


def test_what_else_is_money_is_converted_beside_what_it_is_verified_as() -> None:
    """30 by 1.25 are less than 39; 40 would not be."""
    event, rate = accepted("40", currency="EUR", price="8"), Decimal("1.25")
    for least, counts in (("39", False), ("37.5", True)):
        agreed = charge(pricing={"type": "dynamic", "value": "data.price"}, minimum_value=least)
        pending, _ = rated(event, agreed, rate=rate)
        done = verified(pending, event, agreed, value="30")
        assert done is not None
        expected = {"won": CountAndSum(1, Decimal("37.5")), "won#prices": CountAndSum(1, Decimal(10))}
        assert dict(done.contribution.measures) == (expected if counts else {})


# Verified at a lower value


ACTIVITY = TypeAdapter(AnyCharge)
BOUNDED = {"type": "percentage", "rate": "10", "minimum_per_event": "2", "maximum_per_event": "7"}
AUTOMATIC = {"auto_verify": {"minimum_value": "50"}}


def reading_after(*charges: AnyCharge, value: str, then_reversed: bool = False) -> Totals:
    """The totals of an outcome that was reported at 100 and verified at `value`."""
    event = accepted()
    outcome, arrival = rated(event, *charges)
    done = verified(outcome, event, *charges, value=value)
    assert done is not None
    steps = [arrival, done.contribution]
    if then_reversed:
        gone = reverse(done.outcome, "USD", "no", DECISION)
        assert gone is not None
        steps.append(gone.contribution)
    return totals_of(*steps)


@pytest.mark.parametrize("fields", [{"verification": "none"}, AUTOMATIC])
def test_a_charge_that_counted_it_on_arrival_reads_the_verified_value(fields: dict[str, Any]) -> None:
    totals = reading_after(charge(), charge(key="early", **fields), value="30")
    assert totals.reading("early") == totals.reading("won") == CountAndSum(1, Decimal(30))


def test_what_is_verified_below_a_minimum_value_does_not_count_any_more() -> None:
    early = charge(key="early", minimum_value="40", **AUTOMATIC)
    assert reading_after(charge(), early, value="39.99").reading("early") == CountAndSum(0, Decimal(0), 1)
    assert reading_after(charge(), early, value="40").reading("early") == CountAndSum(1, Decimal(40))
    taken_back = reading_after(charge(), early, value="30", then_reversed=True)
    assert taken_back.reading("early") == CountAndSum(0, Decimal(0), 1)


def test_a_reversal_takes_back_the_verified_value() -> None:
    totals = reading_after(charge(), charge(key="early", verification="none"), value="30", then_reversed=True)
    assert totals.reading("early") == totals.reading("won") == CountAndSum(0, Decimal(0), 1)


def test_an_activity_reads_the_verified_value_where_it_can_be_taken_back() -> None:
    """And counts it on after a reversal, since the report did happen."""

    def activity(aggregation: str) -> AnyCharge:
        meter = METER | {"aggregation": aggregation, "value": "data.value"}
        pricing = {"type": "per_unit", "unit_amount": "1"}
        return ACTIVITY.validate_python({"key": aggregation, "type": "activity", "meter": meter, "pricing": pricing})

    charges = [charge(), activity("sum"), activity("max")]
    for then_reversed in (False, True):
        totals = reading_after(*charges, value="30", then_reversed=then_reversed)
        assert totals.reading("sum") == CountAndSum(1, Decimal(30))
        assert totals.reading("max") == Highest(Decimal(100))


@given(
    st.lists(st.tuples(st.integers(10, 100), st.integers(0, 100), st.booleans()), max_size=10),
    st.integers(0, 5),
    st.integers(0, 60),
    st.integers(),
)
def test_lower_values_change_what_is_paid_and_never_a_place_in_the_order(
    values: list[tuple[int, int, bool]], free: int, minimum: int, seed: int
) -> None:
    """All counted on arrival, verified lower or not at all in any order, some reversed: against the plain list."""
    pricing = TypeAdapter(Pricing).validate_python(BOUNDED | {"free_events": free})
    early = charge(key="early", pricing=pricing.model_dump(), verification="none", minimum_value=str(minimum))
    charges = [charge(), early]
    random = Random(seed)
    events = [
        accepted(str(value), name=f"{number}", time=datetime(2026, 10, 1 + number // 2, tzinfo=UTC))
        for number, (value, _, _) in enumerate(values)
    ]
    arrivals = [rated(event, *charges) for event in events]
    totals = Totals()
    for _, arrival in random.sample(arrivals, len(arrivals)):
        totals.add(arrival)
        totals = Totals.read(totals.document())
    for number in random.sample(range(len(values)), len(values)):
        reported, lower, then_reversed = values[number]
        done = verified(arrivals[number][0], events[number], *charges, value=str(min(reported, lower)))
        assert done is not None
        totals.add(done.contribution)
        totals = Totals.read(totals.document())
        gone = reverse(Outcome.read(done.outcome.document()), "USD", "no", DECISION) if then_reversed else None
        if gone is not None:
            totals.add(gone.contribution)
            totals = Totals.read(totals.document())
    counted = [number for number, (reported, _, _) in enumerate(values) if reported >= minimum]
    in_order = sorted(counted, key=lambda number: (events[number].time, events[number].key))
    left = {number: min(reported, lower) for number, (reported, lower, gone) in enumerate(values) if not gone}
    paid = [left[number] for number in in_order[free:] if left.get(number, -1) >= minimum]
    due = sum(min(Fraction(7), max(Fraction(2), Fraction(value, 10))) for value in paid)
    nothing = {"early": CountAndSum(), "early#events": Bands(listed=free)}
    readings = {name: totals.reading(name) or none for name, none in nothing.items()}
    (parts,) = usage_steps([MeteredSegment(1, "a", "early", Meter.model_validate(METER), pricing, readings)], SPAN)
    assert exact_sum(parts) == due


# Places in the order

VALUES = st.lists(st.tuples(st.integers(0, 100), st.booleans()), max_size=14)


@given(VALUES, st.integers(0, 6), st.integers(1, 4), st.integers())
def test_prices_that_depend_on_order_are_those_of_the_list(
    values: list[tuple[int, bool]], free: int, shards: int, seed: int
) -> None:
    """Verified in any order over shards, against a plain computation.

    Some of it is reversed at any time.
    """
    pricing = TypeAdapter(Pricing).validate_python(BOUNDED | {"free_events": free})
    assert isinstance(pricing, Percentage)
    price = charge(pricing=pricing.model_dump())
    random = Random(seed)
    events = [
        accepted(str(value), name=f"{number}", time=datetime(2026, 10, 1 + number // 2, tzinfo=UTC))
        for number, (value, _) in enumerate(values)
    ]
    kept = [Totals() for _ in range(shards)]
    places = [random.randrange(shards) for _ in events]
    doings = [(number, "verify") for number in range(len(events))]
    doings += [(number, "reverse") for number, (_, back) in enumerate(values) if back]
    random.shuffle(doings)
    outcomes = {number: rated(event, price)[0] for number, event in enumerate(events)}
    waiting = []
    for number, doing in doings:  # who is not verified yet is reversed as soon as he is
        if doing == "reverse" and outcomes[number].status == "pending":
            waiting.append(number)
            continue
        todo = ["reverse"] if doing == "reverse" else ["verify", *(["reverse"] if number in waiting else [])]
        for each in todo:
            decided = (
                verified(outcomes[number], events[number], price)
                if each == "verify"
                else reverse(outcomes[number], "USD", "no", DECISION)
            )
            assert decided is not None
            outcomes[number] = decided.outcome
            shard = places[number]
            kept[shard].add(decided.contribution)
            kept[shard] = Totals.read(kept[shard].document())
    merged = Totals()
    random.shuffle(kept)
    for totals in kept:
        merged.merge(totals)
    in_order = sorted(range(len(events)), key=lambda number: (events[number].time, events[number].key))
    paid = [number for number in in_order[free:] if not values[number][1]]
    due = sum(min(Fraction(7), max(Fraction(2), Fraction(values[number][0], 10))) for number in paid)
    nothing = {"won": CountAndSum(), "won#events": Bands(listed=free)}
    readings = {name: merged.reading(name) or none for name, none in nothing.items()}
    segment = MeteredSegment(1, "a", "won", Meter.model_validate(METER), pricing, readings)
    (parts,) = usage_steps([segment], SPAN)
    assert exact_sum(parts) == due


def test_a_reversed_one_takes_its_place_among_the_free_ones_of_the_next_version() -> None:
    meter = Meter.model_validate(METER)
    plain, free = (
        TypeAdapter(Pricing).validate_python({"type": "percentage", "rate": "0", "fixed_per_event": "1"} | more)
        for more in ({}, {"free_events": 2})
    )
    price = charge(pricing=free.model_dump())
    later = [accepted("1", name=f"{number}", time=datetime(2026, 10, 5 + number, tzinfo=UTC)) for number in range(3)]
    readings = dict[str, Any]()
    for event in later:
        for name, gauge in price.gauges.items():
            reading = gauge.measure(costed(event))
            readings[name] = readings[name].merge(reading) if name in readings else reading
    before = CountAndSum(1, Decimal(1)).merge(CountAndSum(1, Decimal(1)).inverse())
    assert read_reading(document_of(before)) == before
    segments = [
        MeteredSegment(1, "a", "won", meter, plain, {"won": before}),
        MeteredSegment(2, "a", "won", meter, free, readings),
    ]
    first, second = usage_steps(segments, SPAN)
    assert (exact_sum(first), exact_sum(second)) == (0, 2)
