from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.times import BEGINNING
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import Version, version_history
from shared.domain.pricing.lines import Line
from shared.domain.rating.facts import Facts, InconsistentFactsError, Segment
from shared.domain.rating.rating import rate
from shared.domain.rating.segments import segments
from shared.domain.usage.totals import Contribution, Totals

OCTOBER = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")
TIERS = [{"up_to": "10", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.5"}]


def october(day: int, hour: int = 0) -> datetime:
    return OCTOBER.start + timedelta(days=day - 1, hours=hour)


def flat_fee(amount: str = "310", **more: Any) -> dict[str, Any]:
    return {"key": "platform", "type": "flat_fee", "amount": amount, **more}


def activity(pricing: Any = "1", **more: Any) -> dict[str, Any]:
    """`pricing` is the price of a unit, or a list of tiers."""
    priced = (
        {"type": "per_unit", "unit_amount": pricing}
        if isinstance(pricing, str)
        else {"type": "graduated", "tiers": pricing}
    )
    return {"key": "commands", "type": "activity", "meter": {"event_type": "command"}, "pricing": priced, **more}


def version(number: int, *charges: dict[str, Any], start: datetime = BEGINNING, model: str = "bm_1") -> Version:
    return Version.model_validate(
        {"id": f"{model}_v{number}", "model_id": model, "number": number, "effective_from": start, "charges": charges}
    )


@dataclass(frozen=True)
class Used:
    """Readings with a whole number of `command` events, or any sums by meter."""

    sums: Mapping[str, Fraction]

    def meters(self) -> list[str]:
        return list(self.sums)

    def reading(self, meter: str) -> Reading | None:
        value = self.sums.get(meter)
        return None if value is None else CountAndSum(count=value, sum=value)


def used(count: int | str | Fraction, meter: str = "commands") -> Used:
    return Used({meter: Fraction(count)})


def rated(
    *found: Segment,
    totals: Mapping[tuple[str, str], Any] | None = None,
    period: Period = OCTOBER,
    currency: str = "USD",
) -> dict[str, Line]:
    return {line.key: line for line in rate(Facts(period, currency, found, totals or {}))}


def whole(agent: str, of: Version) -> Segment:
    return Segment(agent, of, OCTOBER.start, OCTOBER.end)


def steps(line: Line) -> list[tuple[str, str]]:
    return [(step.kind, str(step.amount)) for step in line.steps]


def assigned(*entries: tuple[datetime, str | None]) -> History[str | None]:
    return History[str | None](
        entries=tuple(Entry[str | None](effective_from=start, value=model) for start, model in entries)
    )


# Segments


def test_segments_are_the_models_of_an_agent_cut_by_the_versions_of_the_model():
    first, second = version(1, flat_fee(), start=october(1)), version(2, flat_fee(), start=october(15))
    other = version(1, flat_fee(), model="bm_2")
    models = {"bm_1": version_history([first, second]), "bm_2": version_history([other])}
    agent = assigned((october(5), "bm_1"), (october(20), None), (october(25), "bm_2"))
    assert segments(OCTOBER, [("a", agent)], models) == [
        Segment("a", first, october(5), october(15)),
        Segment("a", second, october(15), october(20)),
        Segment("a", other, october(25), OCTOBER.end),
    ]


def test_a_model_prices_nothing_before_its_first_version():
    models = {"bm_1": version_history([version(1, flat_fee(), start=october(10))])}
    assert [one.start for one in segments(OCTOBER, [("a", assigned((BEGINNING, "bm_1")))], models)] == [october(10)]


def test_an_agent_on_an_unknown_model_is_a_broken_invariant():
    with pytest.raises(InconsistentFactsError):
        segments(OCTOBER, [("a", assigned((BEGINNING, "bm_1")))], {})


# Fees and days


def test_a_line_names_model_charge_and_agent():
    lines = rated(whole("agt_1", version(1, flat_fee(), activity(), activity(key="pooled", scope="organization"))))
    assert list(lines) == ["bm_1/commands/agt_1", "bm_1/platform/-", "bm_1/pooled/-"]
    assert [line.agent_id for line in lines.values()] == ["agt_1", None, None]
    assert lines["bm_1/platform/-"].period == OCTOBER.span


def test_lines_are_in_the_order_of_their_keys():
    charges = [flat_fee(key=key) for key in ("b", "a-b", "a", "a_b", "0")]
    lines = rate(Facts(OCTOBER, "USD", [whole("a", version(1, *charges))], {}))
    assert [line.key for line in lines] == sorted(line.key for line in lines)


def test_a_flat_fee_for_a_whole_period():
    line = rated(whole("a", version(3, flat_fee("499.00"))))["bm_1/platform/-"]
    assert (str(line.exact_amount), str(line.amount), str(line.quantity), str(line.unit_amount)) == (
        "499",
        "499.00",
        "1",
        "499.00",
    )
    assert [(step.kind, step.version, step.quantity, step.amount) for step in line.steps] == [("base_fee", 3, 1, 499)]
    assert line.timing == "arrears"


def test_a_fee_in_advance_is_marked_so():
    assert rated(whole("a", version(1, flat_fee(timing="advance"))))["bm_1/platform/-"].timing == "advance"


def test_a_fee_counts_the_days_used_the_first_one_included():
    line = rated(Segment("a", version(1, flat_fee("310")), october(22, hour=18), OCTOBER.end))["bm_1/platform/-"]
    assert str(line.amount) == "100.00"  # 22 to 31 October: 10 of 31 days
    assert steps(line) == [("base_fee", "310"), ("proration", "-210")]


def test_a_day_belongs_to_the_last_version_in_force_in_it():
    first, second = version(1, flat_fee("310")), version(2, flat_fee("620"))
    noon = october(15, hour=12)
    line = rated(Segment("a", first, OCTOBER.start, noon), Segment("a", second, noon, OCTOBER.end))["bm_1/platform/-"]
    assert str(line.exact_amount) == "480"  # 14 days at 10 and 17 at 20
    assert line.unit_amount is None


def test_a_day_belongs_to_the_last_model_in_force_in_it():
    noon = october(10, hour=12)
    lines = rated(
        Segment("a", version(1, flat_fee("310")), OCTOBER.start, noon),
        Segment("a", version(1, flat_fee("310"), model="bm_2"), noon, OCTOBER.end),
    )
    assert {key: str(line.exact_amount) for key, line in lines.items()} == {
        "bm_1/platform/-": "90",
        "bm_2/platform/-": "220",
    }


def test_a_model_left_for_none_at_noon_keeps_the_day():
    line = rated(Segment("a", version(1, flat_fee("310")), OCTOBER.start, october(10, hour=12)))["bm_1/platform/-"]
    assert str(line.exact_amount) == "100"


def test_a_version_of_less_than_a_day_that_another_follows_costs_nothing():
    first, second = version(1, flat_fee("310")), version(2, flat_fee("620"))
    line = rated(
        Segment("a", first, OCTOBER.start, october(1, hour=6)), Segment("a", second, october(1, hour=6), OCTOBER.end)
    )["bm_1/platform/-"]
    assert steps(line) == [("base_fee", "620")]


def test_days_are_those_of_the_periods_timezone():
    period = Period(
        start=datetime(2026, 9, 30, 22, tzinfo=UTC),
        end=datetime(2026, 10, 31, 23, tzinfo=UTC),
        timezone="Europe/Berlin",
    )
    last_local_evening = datetime(2026, 10, 31, 22, tzinfo=UTC)
    line = rated(Segment("a", version(1, flat_fee("310")), last_local_evening, period.end), period=period)[
        "bm_1/platform/-"
    ]
    assert str(line.exact_amount) == "10"


def test_a_pooled_fee_counts_each_day_once():
    model = version(1, flat_fee("310"))
    line = rated(
        Segment("a", model, october(1), october(10, hour=12)),
        Segment("b", model, october(10, hour=18), october(21)),
        Segment("c", model, october(1), october(6)),
    )["bm_1/platform/-"]
    assert str(line.exact_amount) == "200"  # 1 to 20 October


def test_a_fee_by_agent_counts_each_agents_days():
    model = version(1, flat_fee("310", scope="agent"))
    lines = rated(Segment("a", model, october(1), october(11)), Segment("b", model, october(6), october(11)))
    assert {key: str(line.exact_amount) for key, line in lines.items()} == {
        "bm_1/platform/a": "100",
        "bm_1/platform/b": "50",
    }


def test_a_pooled_day_goes_to_the_agent_that_was_there_first():
    """The 10th belongs to a, under the first version, and to b, under the second."""
    first, second = version(1, flat_fee("310")), version(2, flat_fee("620"))
    line = rated(
        Segment("a", first, october(1), october(10, hour=6)), Segment("b", second, october(10, hour=6), october(13))
    )
    assert str(line["bm_1/platform/-"].exact_amount) == "140"  # 10 days at 10, the 11th and 12th at 20


def test_a_charge_that_a_version_drops_is_due_for_its_own_days_only():
    first, second = version(1, flat_fee("310"), activity()), version(2, activity())
    lines = rated(Segment("a", first, october(1), october(11)), Segment("a", second, october(11), OCTOBER.end))
    assert str(lines["bm_1/platform/-"].exact_amount) == "100"


# Quantities


def test_a_base_fee_and_tiers_as_in_the_api():
    charge = activity(
        [{"up_to": "1000", "unit_amount": "0.01", "flat_amount": "0"}, {"up_to": None, "unit_amount": "0.005"}],
        base_fee={"amount": "15.00", "per": "agent"},
        minimum="5.00",
    )
    totals = Totals()
    for _ in range(1200):
        totals.add(Contribution("command", "2026-10-03T12:00:00.000000Z", (("commands", CountAndSum(1)),)))
    line = rated(whole("a", version(1, charge)), totals={("a", "bm_1_v1"): totals})["bm_1/commands/a"]
    assert (str(line.exact_amount), str(line.amount), str(line.quantity), line.unit) == (
        "26",
        "26.00",
        "1200",
        "command",
    )
    assert steps(line) == [("base_fee", "15"), ("tier", "10"), ("tier", "1")]
    assert line.unit_amount is None


def test_a_line_without_usage_is_there_with_nothing_due():
    line = rated(whole("a", version(1, activity("0.25"))))["bm_1/commands/a"]
    assert (str(line.amount), str(line.quantity), str(line.unit_amount)) == ("0.00", "0", "0.25")


def test_a_zero_quantity_pays_the_first_tiers_flat_amount():
    tiers = [{"up_to": "10", "unit_amount": "1", "flat_amount": "2"}, {"up_to": None, "unit_amount": "1"}]
    assert str(rated(whole("a", version(1, activity(tiers))))["bm_1/commands/a"].amount) == "2.00"


def test_tiers_go_on_from_version_to_version_each_at_its_own_prices():
    first = version(1, activity(TIERS))
    second = version(2, activity([{"up_to": "10", "unit_amount": "2"}, {"up_to": None, "unit_amount": "1"}]))
    line = rated(
        Segment("a", first, october(1), october(15)),
        Segment("a", second, october(15), OCTOBER.end),
        totals={("a", first.id): used(8), ("a", second.id): used(5)},
    )["bm_1/commands/a"]
    assert str(line.exact_amount) == "15"  # 8 at 1, then 2 at 2 and 3 at 1
    assert [(step.version, str(step.quantity), str(step.amount)) for step in line.steps] == [
        (1, "8", "8"),
        (2, "2", "4"),
        (2, "3", "3"),
    ]
    assert str(line.quantity) == "13"


def test_pooled_tiers_count_all_agents_together():
    model = version(1, activity(TIERS, scope="organization"))
    line = rated(whole("a", model), whole("b", model), totals={("a", model.id): used(8), ("b", model.id): used(5)})[
        "bm_1/commands/-"
    ]
    assert str(line.exact_amount) == "11.5"
    assert [(step.kind, str(step.quantity), str(step.amount)) for step in line.steps] == [
        ("tier", "10", "10"),
        ("tier", "3", "1.5"),
    ]


def test_tiers_of_different_models_never_mix():
    one, other = version(1, activity(TIERS)), version(1, activity(TIERS), model="bm_2")
    lines = rated(
        Segment("a", one, october(1), october(15)),
        Segment("a", other, october(15), OCTOBER.end),
        totals={("a", one.id): used(8), ("a", other.id): used(8)},
    )
    assert {key: str(line.exact_amount) for key, line in lines.items()} == {
        "bm_1/commands/a": "8",
        "bm_2/commands/a": "8",
    }


def test_a_version_that_returns_counts_where_it_first_started():
    model = version(
        1, activity([{"up_to": "10", "unit_amount": "1", "flat_amount": "7"}, {"up_to": None, "unit_amount": "0.5"}])
    )
    line = rated(
        Segment("a", model, october(1), october(5)),
        Segment("a", version(1, flat_fee(), model="bm_2"), october(5), october(10)),
        Segment("a", model, october(10), OCTOBER.end),
        totals={("a", model.id): used(12)},
    )["bm_1/commands/a"]
    assert str(line.exact_amount) == "18"


def test_the_units_of_a_meter_are_converted_exactly():
    meter = {"event_type": "llm_call", "aggregation": "sum", "value": "data.input_tokens", "unit": {"divide_by": "3"}}
    model = version(1, activity("3", meter=meter))
    line = rated(whole("a", model), totals={("a", model.id): used(10)})["bm_1/commands/a"]
    assert (str(line.exact_amount), str(line.quantity), line.unit) == ("10", "3.333333333333", "3 input_tokens")


def test_a_rounding_conversion_rounds_the_whole_line_and_not_each_version():
    meter = {"event_type": "command", "unit": {"divide_by": "10", "rounding": "up"}}
    first, second = version(1, activity("1", meter=meter)), version(2, activity("1", meter=meter))
    line = rated(
        Segment("a", first, october(1), october(15)),
        Segment("a", second, october(15), OCTOBER.end),
        totals={("a", first.id): used(11), ("a", second.id): used(8)},
    )["bm_1/commands/a"]
    assert str(line.exact_amount) == "2"


# Included units, minimum, maximum, base fee


def test_included_units_are_free_and_prorated():
    model = version(1, activity(TIERS, included_units="31"))
    line = rated(Segment("a", model, october(17), OCTOBER.end), totals={("a", model.id): used(20)})["bm_1/commands/a"]
    assert str(line.exact_amount) == "5"  # 15 of 31 days: 15 units are included
    assert (str(line.quantity), [str(step.quantity) for step in line.steps]) == ("20", ["5"])


def test_included_units_of_all_versions_count_together():
    first, second = version(1, activity("1", included_units="31")), version(2, activity("1", included_units="62"))
    line = rated(
        Segment("a", first, october(1), october(11)),
        Segment("a", second, october(11), OCTOBER.end),
        totals={("a", first.id): used(50), ("a", second.id): used(10)},
    )["bm_1/commands/a"]
    assert str(line.exact_amount) == "8"  # 10 x 1 and 21 x 2 units are included: 52 of 60


def test_a_minimum_lifts_the_sum_with_its_base_fee():
    model = version(1, activity("0.1", minimum="20", base_fee={"amount": "5"}))
    line = rated(whole("a", model), totals={("a", model.id): used(100)})["bm_1/commands/a"]
    assert steps(line) == [("base_fee", "5"), ("unit", "10"), ("minimum", "5")]
    assert str(line.amount) == "20.00"
    assert str(line.unit_amount) == "0.1"


def test_a_minimum_is_prorated_and_summed_over_the_line():
    first, second = version(1, activity("1", minimum="31")), version(2, activity("1"))
    found = (Segment("a", first, october(1), october(11)), Segment("a", second, october(11), OCTOBER.end))
    unused = rated(*found)["bm_1/commands/a"]
    assert str(unused.exact_amount) == "10"
    beyond = rated(*found, totals={("a", second.id): used(12)})["bm_1/commands/a"]
    assert str(beyond.exact_amount) == "12"


@pytest.mark.parametrize(
    ("when_unused", "count", "due"), [(True, 0, "10"), (False, 0, "0"), (False, 1, "10"), (True, 1, "10")]
)
def test_a_minimum_when_unused(when_unused, count, due):
    model = version(1, activity("1", minimum="10", minimum_when_unused=when_unused))
    line = rated(whole("a", model), totals={("a", model.id): used(count)})["bm_1/commands/a"]
    assert str(line.exact_amount) == due


def test_a_pooled_minimum_holds_once_for_all_agents():
    model = version(1, activity("1", minimum="10", scope="organization"))
    line = rated(whole("a", model), whole("b", model), totals={("a", model.id): used(3)})["bm_1/commands/-"]
    assert str(line.exact_amount) == "10"


def test_a_maximum_caps_the_sum_with_its_base_fee():
    model = version(1, activity("1", maximum="20", base_fee={"amount": "5"}))
    line = rated(whole("a", model), totals={("a", model.id): used(100)})["bm_1/commands/a"]
    assert steps(line) == [("base_fee", "5"), ("unit", "100"), ("maximum", "-85")]


def test_versions_without_a_maximum_add_their_own_part():
    first, second = version(1, activity("1", maximum="31")), version(2, activity("1"))
    line = rated(
        Segment("a", first, october(1), october(11)),
        Segment("a", second, october(11), OCTOBER.end),
        totals={("a", first.id): used(50), ("a", second.id): used(40)},
    )["bm_1/commands/a"]
    assert str(line.exact_amount) == "50"  # 10 of the first, all 40 of the second


def test_a_base_fee_per_agent_is_due_for_each_agents_days_and_one_per_charge_once():
    by_agent = version(1, activity("1", scope="organization", base_fee={"amount": "31", "per": "agent"}))
    by_charge = version(
        1, activity("1", scope="organization", base_fee={"amount": "31", "per": "charge"}), model="bm_2"
    )
    lines = rated(
        *[
            segment
            for model in (by_agent, by_charge)
            for segment in (
                Segment(f"{model.model_id}-a", model, OCTOBER.start, OCTOBER.end),
                Segment(f"{model.model_id}-b", model, october(22), OCTOBER.end),
            )
        ]
    )
    assert steps(lines["bm_1/commands/-"]) == [("base_fee", "62"), ("proration", "-21"), ("unit", "0")]
    assert str(lines["bm_2/commands/-"].exact_amount) == "31"


# Rounding


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "0"), ("USD", "0.01"), ("KWD", "0.005")])
def test_a_line_is_rounded_once_to_its_currency(currency, amount):
    model = version(1, activity("0.001"))
    line = rated(whole("a", model), totals={("a", model.id): used(5)}, currency=currency)["bm_1/commands/a"]
    assert (str(line.exact_amount), str(line.amount)) == ("0.005", amount)


def test_a_share_that_is_no_decimal_is_cut_and_the_last_step_takes_the_remainder():
    line = rated(Segment("a", version(1, flat_fee("100")), october(1), october(2)))["bm_1/platform/-"]
    assert steps(line) == [("base_fee", "100"), ("proration", "-96.774193548388")]
    assert (str(line.exact_amount), str(line.amount)) == ("3.225806451612", "3.23")


# Broken invariants


@pytest.mark.parametrize(
    "stray",
    [("a", "bm_1_v2"), ("b", "bm_1_v1")],
    ids=["a version that was not in force", "an agent that was not there"],
)
def test_usage_that_no_segment_covers_is_never_dropped(stray):
    with pytest.raises(InconsistentFactsError):
        rated(whole("a", version(1, activity())), totals={stray: used(1)})


def test_usage_of_a_meter_that_the_version_does_not_have_is_never_dropped():
    with pytest.raises(InconsistentFactsError):
        rated(whole("a", version(1, activity())), totals={("a", "bm_1_v1"): used(1, meter="queries")})


# Laws

laws = settings(deadline=None, max_examples=80)
amounts = st.decimals(0, 100, places=2).map(str)


@st.composite
def charges(draw: st.DrawFn, key: str) -> dict[str, Any]:
    if draw(st.booleans()):
        return flat_fee(draw(amounts), key=key, scope=draw(st.sampled_from(["agent", "organization"])))
    bounds = sorted(draw(st.sets(st.integers(1, 50), max_size=3)))
    tiers = [
        {"up_to": None if bound is None else str(bound), "unit_amount": draw(amounts), "flat_amount": draw(amounts)}
        for bound in [*bounds, None]
    ]
    minimum, above = draw(st.integers(0, 500)), draw(st.integers(0, 2000))
    return activity(
        draw(st.one_of(amounts, st.just(tiers))),
        key=key,
        scope=draw(st.sampled_from(["agent", "organization"])),
        base_fee=draw(
            st.one_of(
                st.none(), st.fixed_dictionaries({"amount": amounts, "per": st.sampled_from(["agent", "charge"])})
            )
        ),
        included_units=draw(st.sampled_from(["0", "7", "31"])),
        minimum=draw(st.sampled_from([None, str(minimum)])),
        minimum_when_unused=draw(st.booleans()),
        maximum=draw(st.sampled_from([None, str(minimum + above)])),
    )


times = st.integers(1, 31 * 24 - 1).map(lambda hours: OCTOBER.start + timedelta(hours=hours))


@st.composite
def cases(
    draw: st.DrawFn,
) -> tuple[list[dict[str, Any]], dict[str, History[str | None]], list[datetime], dict[tuple[str, int], int]]:
    """Charges of one model, when each of some agents was on it, when versions begin, and usage by agent and version."""
    agents = {}
    for agent in ("a", "b", "c")[: draw(st.integers(1, 3))]:
        switches = sorted(draw(st.sets(times, max_size=3)))
        agents[agent] = assigned(
            (BEGINNING, "bm_1"), *((at, (None, "bm_1")[number % 2]) for number, at in enumerate(switches))
        )
    cuts = sorted(draw(st.sets(times, max_size=3)))
    usage = {(agent, number): draw(st.integers(0, 40)) for agent in agents for number in range(len(cuts) + 1)}
    return [draw(charges("x")), draw(charges("y"))], agents, cuts, usage


def facts(
    prices: Sequence[Sequence[dict[str, Any]]], starts: Sequence[datetime], agents: Mapping[str, Any], usage: Any
) -> Facts:
    versions = [
        version(number, *prices[number - 1], start=start) for number, start in enumerate([BEGINNING, *starts], start=1)
    ]
    found = segments(OCTOBER, agents.items(), {"bm_1": version_history(versions)})
    in_force = {(one.agent_id, one.version.number) for one in found}
    totals = {
        (agent, f"bm_1_v{number}"): Used(
            {charge["key"]: usage(agent, number) for charge in prices[number - 1] if "meter" in charge}
        )
        for agent, number in in_force
    }
    return Facts(OCTOBER, "USD", found, totals)


def comparable(lines: Sequence[Line]) -> list[tuple[object, ...]]:
    return [(line.key, line.quantity, line.exact_amount, line.amount) for line in lines]


@laws
@given(cases())
def test_cutting_a_period_into_identical_versions_changes_no_price(case):
    prices, agents, cuts, usage = case
    cut_up = facts([prices] * (len(cuts) + 1), cuts, agents, lambda agent, number: Fraction(usage[agent, number - 1]))
    counted = {(agent, version_id) for agent, version_id in cut_up.totals}

    def together(agent: str, _: int) -> Fraction:
        return Fraction(
            sum(usage[agent, number] for number in range(len(cuts) + 1) if (agent, f"bm_1_v{number + 1}") in counted)
        )

    assert comparable(rate(cut_up)) == comparable(rate(facts([prices], [], agents, together)))


@laws
@given(cases(), st.data())
def test_steps_add_up_and_amounts_are_rounded_from_them(case, data):
    prices, agents, cuts, usage = case
    versions = [
        [charge if number == 0 else {**charge, **data.draw(repriced(charge))} for charge in prices]
        for number in range(len(cuts) + 1)
    ]
    for line in rate(facts(versions, cuts, agents, lambda agent, number: Fraction(usage[agent, number - 1]))):
        assert sum((Fraction(step.amount) for step in line.steps), Fraction(0)) == Fraction(line.exact_amount)
        assert abs(line.amount - line.exact_amount) <= Decimal("0.005000000001")
        assert Line.model_validate(line.model_dump(mode="json")) == line


def repriced(charge: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Another version's prices under the same key; the scope and the meter stay."""
    kept = ("key", "type", "scope", "meter")
    return (
        charges("x")
        .filter(lambda other: other["type"] == charge["type"])
        .map(lambda other: {name: value for name, value in other.items() if name not in kept})
    )


@laws
@given(st.data())
def test_fees_are_those_of_a_count_day_by_day(data):
    """The rule read literally: for each day, each agent's last segment; in a pooled line, the first of those."""
    prices = [
        version(number, flat_fee(str(31 * number), scope=scope), model=model)
        for number in (1, 2)
        for model, scope in (("bm_1", "organization"), ("bm_2", "agent"))
    ]
    found = []
    for agent in ("a", "b", "c"):
        bounds = sorted(data.draw(st.sets(times, min_size=2, max_size=6)))
        found += [Segment(agent, data.draw(st.sampled_from(prices)), start, end) for start, end in pairwise(bounds)]
    due: dict[str, int] = {
        "bm_1/platform/-" if one.version.model_id == "bm_1" else f"bm_2/platform/{one.agent_id}": 0 for one in found
    }
    for day in OCTOBER.days():
        there = [one for one in found if one.start < day.end and one.end > day.start]
        last = {one.agent_id: one for one in sorted(there, key=lambda one: one.start)}
        pooled = [one for one in last.values() if one.version.model_id == "bm_1"]
        if pooled:
            due["bm_1/platform/-"] += min(pooled, key=lambda one: (one.start, one.agent_id)).version.number
        for one in last.values():
            if one.version.model_id == "bm_2":
                due[f"bm_2/platform/{one.agent_id}"] += one.version.number
    assert {key: line.exact_amount for key, line in rated(*found).items()} == due


@laws
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_in_which_facts_are_given_changes_nothing(case, random):
    prices, agents, cuts, usage = case
    given_facts = facts(
        [prices] * (len(cuts) + 1), cuts, agents, lambda agent, number: Fraction(usage[agent, number - 1])
    )
    shuffled = random.sample(given_facts.segments, len(given_facts.segments))
    totals = dict(random.sample(list(given_facts.totals.items()), len(given_facts.totals)))
    assert rate(Facts(OCTOBER, "USD", shuffled, totals)) == rate(given_facts)


@laws
@given(cases(), st.integers(0, 100))
def test_more_usage_never_costs_less(case, more):
    prices, agents, cuts, usage = case

    def lines(added: int) -> list[Decimal]:
        found = facts(
            [prices] * (len(cuts) + 1), cuts, agents, lambda agent, number: Fraction(usage[agent, number - 1] + added)
        )
        return [line.exact_amount for line in rate(found)]

    assert all(less <= greater for less, greater in zip(lines(0), lines(more), strict=True))


@laws
@given(st.integers(1, 30 * 24), st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata"]), amounts)
def test_the_shares_of_complementary_times_add_up_to_the_whole(hours, timezone, amount):
    period = Period(start=OCTOBER.start, end=OCTOBER.end, timezone=timezone)
    middle = OCTOBER.start + timedelta(hours=hours)
    model, other = version(1, flat_fee(amount)), version(1, flat_fee(amount), model="bm_2")
    lines = rated(Segment("a", model, OCTOBER.start, middle), Segment("a", other, middle, OCTOBER.end), period=period)
    exact = [Fraction(line.exact_amount) for line in lines.values()]
    assert abs(sum(exact, Fraction(0)) - Fraction(amount)) <= Fraction(2, 10**12)
