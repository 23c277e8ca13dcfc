"""Laws of rating over generated models, agents and usage."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.kernel.histories import History
from shared.domain.kernel.times import BEGINNING
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import version_history
from shared.domain.pricing.lines import Line
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate
from shared.domain.rating.segments import segments
from tests.doubles.worlds.rated_october import OCTOBER, Used, activity, assigned, flat_fee, rated, version

laws = settings(max_examples=80)
money = st.decimals(0, 100, places=2).map(str)


@st.composite
def charge_named(draw: st.DrawFn, key: str) -> dict[str, Any]:
    if draw(st.booleans()):
        return flat_fee(draw(money), key=key, scope=draw(st.sampled_from(["agent", "organization"])))
    bounds = sorted(draw(st.sets(st.integers(1, 50), max_size=3)))
    tiers = [
        {"up_to": None if bound is None else str(bound), "unit_amount": draw(money), "flat_amount": draw(money)}
        for bound in [*bounds, None]
    ]
    minimum, above = draw(st.integers(0, 500)), draw(st.integers(0, 2000))
    return activity(
        draw(st.one_of(money, st.just(tiers))),
        key=key,
        scope=draw(st.sampled_from(["agent", "organization"])),
        base_fee=draw(
            st.one_of(st.none(), st.fixed_dictionaries({"amount": money, "per": st.sampled_from(["agent", "charge"])}))
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
    """Charges, versions, times of agents on the model, and their usage.

    Usage is by agent and version.
    """
    agents = {}
    for agent in ("a", "b", "c")[: draw(st.integers(1, 3))]:
        switches = sorted(draw(st.sets(times, max_size=3)))
        agents[agent] = assigned(
            (BEGINNING, "bm_1"), *((at, (None, "bm_1")[number % 2]) for number, at in enumerate(switches))
        )
    cuts = sorted(draw(st.sets(times, max_size=3)))
    usage = {(agent, number): draw(st.integers(0, 40)) for agent in agents for number in range(len(cuts) + 1)}
    return [draw(charge_named("x")), draw(charge_named("y"))], agents, cuts, usage


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
        charge_named("x")
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
@given(st.integers(1, 30 * 24), st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata"]), money)
def test_the_shares_of_complementary_times_add_up_to_the_whole(hours, timezone, amount):
    period = Period(start=OCTOBER.start, end=OCTOBER.end, timezone=timezone)
    middle = OCTOBER.start + timedelta(hours=hours)
    model, other = version(1, flat_fee(amount)), version(1, flat_fee(amount), model="bm_2")
    lines = rated(Segment("a", model, OCTOBER.start, middle), Segment("a", other, middle, OCTOBER.end), period=period)
    exact = [Fraction(line.exact_amount) for line in lines.values()]
    assert abs(sum(exact, Fraction(0)) - Fraction(amount)) <= Fraction(2, 10**12)
