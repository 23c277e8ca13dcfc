"""Sharing a line out to its agents."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.kernel.money import exponent_of, total
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import BillingModelDraft, Version
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.rating.allocation import allocate, allocation_weights, amounts_by_agent, charge_shares
from shared.domain.rating.facts import Facts, MeterReadings, Segment
from shared.domain.rating.rated_lines import RatedLine
from shared.domain.rating.rating import rate_by_segment
from shared.domain.usage.totals import Totals, contribution

OCTOBER = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")
MIDDLE = datetime(2026, 10, 11, tzinfo=UTC)
"""After 10 of 31 days."""
PER_UNIT = {"type": "per_unit", "unit_amount": "0.01"}
COMMANDS = {
    "key": "commands",
    "type": "activity",
    "scope": "organization",
    "meter": {"event_type": "command"},
    "base_fee": {"amount": "10", "per": "charge"},
    "pricing": PER_UNIT,
}
FLAT = {"key": "platform", "type": "flat_fee", "amount": "100"}

currencies = st.sampled_from(["USD", "JPY", "KWD"])
weights = st.dictionaries(st.text("abc", min_size=1, max_size=4), st.fractions(0, 1000), min_size=1, max_size=8)


@given(st.integers(-(10**9), 10**9), currencies, weights)
def test_parts_add_up_and_are_off_by_less_than_a_minor_unit(
    units: int, currency: str, weighed: Mapping[str, Fraction]
) -> None:
    minor = Fraction(1, 10 ** exponent_of(currency))
    amount = Decimal(units).scaleb(-exponent_of(currency))
    parts = allocate(amount, currency, weighed)
    assert parts.keys() == weighed.keys()
    assert total(parts.values()) == amount
    whole = sum(weighed.values())
    for name, part in parts.items():
        exact = Fraction(amount) * (weighed[name] / whole if whole else Fraction(1, len(weighed)))
        assert abs(Fraction(part) - exact) < minor
        assert (Fraction(part) / minor).denominator == 1
    if whole:
        assert all(not part for name, part in parts.items() if not weighed[name])


@given(st.integers(0, 10**9), currencies, weights)
def test_who_weighs_more_gets_no_less(units: int, currency: str, weighed: Mapping[str, Fraction]) -> None:
    amount = Decimal(units).scaleb(-exponent_of(currency))
    parts = allocate(amount, currency, weighed)
    ordered = sorted(weighed, key=lambda name: weighed[name])
    for lighter, heavier in pairwise(ordered):
        if weighed[lighter] < weighed[heavier]:
            assert parts[lighter] <= parts[heavier]


def test_the_last_units_go_to_those_that_lost_most() -> None:
    parts = allocate(Decimal("10.00"), "USD", {"a": Fraction(1), "b": Fraction(1), "c": Fraction(1)})
    assert parts == {"a": Decimal("3.34"), "b": Decimal("3.33"), "c": Decimal("3.33")}
    parts = allocate(Decimal(-1), "JPY", {"a": Fraction(1), "b": Fraction(2)})
    assert parts == {"a": Decimal(0), "b": Decimal(-1)}


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        allocate(Decimal(1), "USD", {"a": Fraction(-1), "b": Fraction(2)})


def version_of(*charges: dict[str, Any], number: int = 1) -> Version:
    draft = BillingModelDraft.model_validate({"name": "M", "currency": "USD", "charges": charges})
    return Version(
        id=f"bmv_{number}", model_id="bm_1", number=number, effective_from=OCTOBER.start, charges=draft.charges
    )


class Counted:
    """As `Totals`, with what is given."""

    def __init__(self, **readings: Reading) -> None:
        self._readings = readings

    def meters(self) -> list[str]:
        return list(self._readings)

    def reading(self, name: str) -> Reading | None:
        return self._readings.get(name)


def lines(
    segments: list[Segment], totals: Mapping[tuple[str, str], MeterReadings], currency: str = "USD"
) -> list[RatedLine]:
    return rate_by_segment(Facts(OCTOBER, currency, segments, totals))


def test_quantities_weigh_over_all_versions() -> None:
    first, second = version_of(COMMANDS), version_of(COMMANDS, number=2)
    segments = [
        Segment("a", first, OCTOBER.start, MIDDLE),
        Segment("a", second, MIDDLE, OCTOBER.end),
        Segment("b", first, OCTOBER.start, MIDDLE),
    ]
    counted = {("a", first.id): 1, ("a", second.id): 2, ("b", first.id): 1}
    totals = {key: Counted(commands=CountAndSum(count, Decimal(count))) for key, count in counted.items()}
    (line,) = lines(segments, totals)
    assert allocation_weights(line.segments) == {"a": Fraction(3), "b": Fraction(1)}
    assert allocate(line.line.amount, "USD", allocation_weights(line.segments)) == {
        "a": Decimal("7.53"),
        "b": Decimal("2.51"),
    }


def test_without_a_quantity_days_weigh_each_agents_own() -> None:
    version = version_of(FLAT, COMMANDS)
    segments = [Segment("a", version, OCTOBER.start, OCTOBER.end), Segment("b", version, MIDDLE, OCTOBER.end)]
    unused, flat = lines(segments, {})
    assert (unused.line.charge, flat.line.charge) == ("commands", "platform")
    days = {"a": Fraction(1), "b": Fraction(21, 31)}
    assert allocation_weights(unused.segments) == days
    assert allocation_weights(flat.segments) == days


SEARCHES = {"key": "searches", "type": "activity", "meter": {"event_type": "search"}, "pricing": PER_UNIT}
"""Each agent's own."""
AGENTS = "abcdefg"


def in_month(counts: Mapping[str, tuple[int, int]], currency: str) -> list[RatedLine]:
    """Of agents that are priced alike, with so many commands and searches."""
    version = version_of(FLAT, COMMANDS, SEARCHES)
    totals = {
        (agent, version.id): Counted(
            commands=CountAndSum(pooled, Decimal(pooled)), searches=CountAndSum(own, Decimal(own))
        )
        for agent, (pooled, own) in counts.items()
    }
    return lines([Segment(agent, version, OCTOBER.start, OCTOBER.end) for agent in counts], totals, currency)


def billed(rated: list[RatedLine], currency: str, agents: set[str]) -> Decimal:
    return total(share.amount for share in charge_shares(rated, currency, agents))


counts = st.dictionaries(
    st.sampled_from(AGENTS), st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), min_size=1, max_size=len(AGENTS)
)
places = st.lists(st.sampled_from(["website", "app", None]), min_size=len(AGENTS), max_size=len(AGENTS))


@given(counts, places, currencies)
def test_groups_of_agents_add_up_to_the_lines(
    counted: Mapping[str, tuple[int, int]], placed: list[str | None], currency: str
) -> None:
    rated = in_month(counted, currency)
    groups: dict[str | None, set[str]] = {}
    for agent, place in zip(AGENTS, placed, strict=True):
        groups.setdefault(place, set()).add(agent)
    assert total(billed(rated, currency, group) for group in groups.values()) == total(
        each.line.amount for each in rated
    )
    for group in groups.values():
        of_agents = (amounts_by_agent(each, currency).get(agent, Decimal(0)) for each in rated for agent in group)
        assert billed(rated, currency, group) == total(of_agents)


@pytest.mark.parametrize(
    ("currency", "amounts"),
    [("USD", ["66.67", "33.33"]), ("JPY", ["67", "33"]), ("KWD", ["66.667", "33.333"])],
)
def test_thirds_of_a_fee_by_group(currency: str, amounts: list[str]) -> None:
    """The first of three alike has the unit that is left."""
    version = version_of(FLAT)
    rated = lines([Segment(agent, version, OCTOBER.start, OCTOBER.end) for agent in "abc"], {}, currency)
    shares = [share for group in ({"a", "b"}, {"c"}) for share in charge_shares(rated, currency, group)]
    assert [str(share.amount) for share in shares] == amounts
    assert {share.whole for share in shares} == {Decimal(100)}


def test_a_charge_has_one_share_over_all_of_its_lines() -> None:
    rated = in_month({"a": (0, 100), "b": (0, 250), "c": (0, 1)}, "USD")
    shares = {share.line.charge: (share.amount, share.whole) for share in charge_shares(rated, "USD", {"a", "b"})}
    assert shares["searches"] == (Decimal("3.50"), Decimal("3.51"))
    assert charge_shares(rated, "USD", {"another"}) == []


Usage = Sequence[tuple[str, str, Mapping[str, Any]]]
"""The agent, the type of event and its data."""
SALES = {
    "key": "sales",
    "type": "outcome",
    "meter": {"event_type": "outcome.sale"},
    "pricing": {"type": "percentage", "rate": "5"},
    "verification": "none",
}
PRICED = {**COMMANDS, "base_fee": None, "pricing": {"type": "dynamic", "value": "data.price"}}
FLOWS = {
    "key": "flows",
    "type": "workflow",
    "workflows": {
        "lead": {"pricing": {"type": "per_unit", "unit_amount": "100"}},
        "mail": {"pricing": {"type": "per_unit", "unit_amount": "1"}},
    },
}


def one_line(usage: Usage, *versions: Version, currency: str = "USD") -> RatedLine:
    """What each agent did under each of the versions.

    The second is in force after the first.
    """
    starts = [OCTOBER.start, MIDDLE][: len(versions)]
    segments = [
        Segment(agent, version, start, end)
        for agent in sorted({agent for agent, _, _ in usage})
        for version, start, end in zip(versions, starts, [*starts[1:], OCTOBER.end], strict=True)
    ]
    totals: dict[tuple[str, str], Totals] = {}
    for number, (agent, event_type, data) in enumerate(usage):
        version = versions[data.get("version", 1) - 1]
        event = CostedEvent(event_type, data, "2026-10-11T12:00:00.000000Z", f"evt_{number}")
        totals.setdefault((agent, version.id), Totals()).add(contribution(event, version.charges, currency))
    (line,) = lines(segments, totals, currency)
    return line


SOLD: Usage = [("a", "outcome.sale", {"value": 1000}), ("b", "outcome.sale", {"value": 10})]
BOUGHT: Usage = [("a", "command", {"price": 1000}), ("b", "command", {"price": 10})]
CARRIED: Usage = [("a", "workflow.lead", {}), *[("b", "workflow.mail", {})] * 9]


@pytest.mark.parametrize(
    ("charge", "usage", "currency", "expected"),
    [
        (SALES, SOLD, "USD", {"a": "50.00", "b": "0.50"}),
        (SALES, SOLD, "JPY", {"a": "50", "b": "1"}),  # 51 by 100 to 1: 50.495 and 0.505
        (SALES, SOLD, "KWD", {"a": "50.000", "b": "0.500"}),
        (SALES | {"base_fee": {"amount": "50.50"}}, SOLD, "USD", {"a": "100.00", "b": "1.00"}),
        (PRICED, BOUGHT, "USD", {"a": "1000.00", "b": "10.00"}),
        (PRICED, BOUGHT, "JPY", {"a": "1000", "b": "10"}),
        (PRICED, BOUGHT, "KWD", {"a": "1000.000", "b": "10.000"}),
        (FLOWS, CARRIED, "USD", {"a": "100.00", "b": "9.00"}),
        (FLOWS, CARRIED, "JPY", {"a": "100", "b": "9"}),
        (FLOWS, CARRIED, "KWD", {"a": "100.000", "b": "9.000"}),
    ],
)
def test_agents_have_their_parts_of_what_is_priced(
    charge: dict[str, Any], usage: Usage, currency: str, expected: Mapping[str, str]
) -> None:
    line = one_line(usage, version_of(charge), currency=currency)
    assert amounts_by_agent(line, currency) == {agent: Decimal(amount) for agent, amount in expected.items()}


def test_only_values_that_count_weigh_after_the_unit_conversion() -> None:
    meter = {
        "event_type": "outcome.sale", "aggregation": "sum", "value": "data.hours", "unit": {"multiply_by": "60"},
    }  # fmt: skip
    priced = version_of(SALES | {"meter": meter, "minimum_value": "60"})
    hours: Usage = [("a", "outcome.sale", {"hours": 2}), ("a", "outcome.sale", {"hours": "0.9"})]
    assert allocation_weights(one_line([*hours, ("b", "outcome.sale", {"hours": 1})], priced).segments) == {
        "a": 120,
        "b": 60,
    }


def test_a_type_of_workflow_is_shared_out_by_what_it_is_priced_by() -> None:
    """Leads by value come to 101, mails by dynamic prices to 30.

    Calls, without a price of their own, come to their minimum.
    """
    types = {
        "lead": {"pricing": {"type": "percentage", "rate": "10"}},
        "mail": {"pricing": {"type": "dynamic", "value": "data.price"}, "maximum": "15"},
        "call": {"pricing": {"type": "per_unit", "unit_amount": "0"}, "minimum": "8"},
    }
    usage: Usage = [
        ("a", "workflow.lead", {"value": 1000}),
        ("b", "workflow.lead", {"value": 10}),
        ("a", "workflow.mail", {"price": 10}),
        ("b", "workflow.mail", {"price": 20}),
        ("b", "workflow.call", {"quantity": 3}),
        ("c", "workflow.call", {}),
    ]
    line = one_line(usage, version_of(FLOWS | {"workflows": types}))
    assert {agent: str(part) for agent, part in amounts_by_agent(line, "USD").items()} == {
        "a": "105.00",
        "b": "17.00",
        "c": "2.00",
    }


def test_versions_that_price_different_things_each_go_by_their_own() -> None:
    """Ten outcomes of little worth at 2 each.

    Then one of 1000 and one of 200 at 5 %.
    """
    by_count = version_of(SALES | {"pricing": {"type": "per_unit", "unit_amount": "2"}})
    by_value = version_of(SALES, number=2)
    usage: Usage = [
        *[("a", "outcome.sale", {"value": 1})] * 4,
        *[("b", "outcome.sale", {"value": 1})] * 6,
        ("a", "outcome.sale", {"value": 1000, "version": 2}),
        ("b", "outcome.sale", {"value": 200, "version": 2}),
    ]
    line = one_line(usage, by_count, by_value)
    assert amounts_by_agent(line, "USD") == {"a": Decimal("58.00"), "b": Decimal("22.00")}


def test_what_is_worth_nothing_is_shared_out_by_number_and_what_is_free_by_quantity() -> None:
    fixed = version_of(SALES | {"pricing": {"type": "percentage", "rate": "5", "fixed_per_event": "1"}})
    assert amounts_by_agent(one_line([*[("a", "outcome.sale", {})] * 3, ("b", "outcome.sale", {})], fixed), "USD") == {
        "a": Decimal("3.00"),
        "b": Decimal("1.00"),
    }
    calls = version_of(FLOWS | {"workflows": {"call": {"pricing": {"type": "percentage", "fixed_per_event": "1"}}}})
    assert amounts_by_agent(
        one_line([*[("a", "workflow.call", {})] * 3, ("b", "workflow.call", {"quantity": 5})], calls), "USD"
    ) == {
        "a": Decimal("3.00"),
        "b": Decimal("1.00"),
    }
    included = {"mail": {"pricing": PER_UNIT, "included_units": "100"}}
    free = version_of(FLOWS | {"workflows": included, "base_fee": {"amount": "10"}})
    assert amounts_by_agent(one_line([*[("a", "workflow.mail", {})] * 4, ("b", "workflow.mail", {})], free), "USD") == {
        "a": Decimal("8.00"),
        "b": Decimal("2.00"),
    }


POOLED = [
    SALES,
    PRICED,
    FLOWS,
    SALES | {"pricing": {"type": "graduated_percentage", "tiers": [{"up_to": None, "rate": "3"}]}},
    COMMANDS,
]
happened = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["outcome.sale", "command", "workflow.lead", "workflow.mail"]),
        st.fixed_dictionaries(
            {"value": st.integers(0, 10**6), "price": st.integers(0, 10**6), "version": st.sampled_from([1, 2])}
        ),
    ),
    min_size=1,
    max_size=12,
)


@given(st.sampled_from(POOLED), happened, currencies)
def test_parts_of_what_is_priced_add_up(charge: dict[str, Any], usage: Usage, currency: str) -> None:
    """Whatever the versions, and an agent alone has all."""
    per_unit = charge | ({} if charge is FLOWS else {"pricing": PER_UNIT})
    versions = version_of(per_unit), version_of(charge, number=2)
    line = one_line(usage, *versions, currency=currency)
    parts = amounts_by_agent(line, currency)
    assert parts.keys() == {agent for agent, _, _ in usage}
    assert total(parts.values()) == line.line.amount
    assert all(part >= 0 for part in parts.values())
    alone = one_line([("a", *rest) for _, *rest in usage], *versions, currency=currency)
    assert amounts_by_agent(alone, currency) == {"a": alone.line.amount}


@given(happened, currencies)
def test_units_weigh_as_they_are_counted(usage: Usage, currency: str) -> None:
    versions = (
        version_of(COMMANDS),
        version_of(COMMANDS | {"pricing": {"type": "per_unit", "unit_amount": "7"}}, number=2),
    )
    counted = {agent: sum(kind == "command" for who, kind, _ in usage if who == agent) for agent, _, _ in usage}
    if any(counted.values()):
        assert allocation_weights(one_line(usage, *versions, currency=currency).segments) == counted
