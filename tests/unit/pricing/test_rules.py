from decimal import Decimal
from fractions import Fraction

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.domain.pricing.lines import exact_sum
from shared.domain.pricing.rules import Pricing
from shared.domain.pricing.rules.rule import UnitRange

PRICING = TypeAdapter(Pricing)


def graduated(*tiers: tuple[object, object, object]):
    return PRICING.validate_python(
        {
            "type": "graduated",
            "tiers": [
                {
                    "up_to": None if up_to is None else str(up_to),
                    "unit_amount": str(unit_amount),
                    "flat_amount": str(flat_amount),
                }
                for up_to, unit_amount, flat_amount in tiers
            ],
        }
    )


def per_unit(unit_amount: str):
    return PRICING.validate_python({"type": "per_unit", "unit_amount": unit_amount})


@pytest.mark.parametrize(("quantity", "price"), [("0", "0"), ("1", "0.003"), ("1000.5", "3.0015")])
def test_a_price_per_unit(quantity, price):
    assert per_unit("0.003").price(Fraction(quantity)) == Fraction(price)


def test_a_quantity_between_two_tiers_belongs_to_the_upper_one():
    pricing = graduated((5, 0, 100), (10, 0, 50), (None, 1, 0))
    assert pricing.price(Fraction(5)) == 100
    assert pricing.price(Fraction("5.000000000001")) == 150
    assert pricing.price(Fraction(10)) == 150
    assert pricing.price(Fraction(11)) == 151


def test_each_tier_shows_the_part_in_it():
    steps = graduated((1000, "0.01", 0), (None, "0.005", 3)).steps(UnitRange.whole(Fraction(1200)), version=2)
    shown = [
        (one.version, one.lower, one.upper, one.quantity, one.unit_amount, one.flat_amount, one.amount) for one in steps
    ]
    assert shown == [
        (2, 0, 1000, 1000, Decimal("0.01"), 0, 10),
        (2, 1000, None, 200, Decimal("0.005"), 3, 4),
    ]


def test_a_portion_pays_a_flat_amount_only_for_tiers_that_it_reaches_first():
    pricing = graduated((10, 1, 2), (20, 1, 3), (None, 1, 4))

    def cost(start: int, end: int, *, first: bool) -> Fraction:
        return exact_sum(pricing.steps(UnitRange(Fraction(start), Fraction(end), Fraction(30), first=first), version=1))

    assert cost(0, 0, first=True) == 2
    assert cost(0, 0, first=False) == 0
    assert cost(0, 5, first=False) == 5
    assert cost(5, 15, first=False) == 13
    assert cost(10, 15, first=False) == 8
    assert cost(15, 15, first=False) == 0
    assert cost(15, 25, first=False) == 14


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"type": "lottery"}, ("type",)),
        ({}, ("type",)),
        ({"type": "per_unit"}, ("unit_amount",)),
        ({"type": "per_unit", "unit_amount": "-0.01"}, ("unit_amount",)),
        ({"type": "per_unit", "unit_amount": "NaN"}, ("unit_amount",)),
        ({"type": "per_unit", "unit_amount": "1", "tiers": []}, ("tiers",)),
        ({"type": "graduated", "tiers": []}, ("tiers",)),
        ({"type": "graduated", "tiers": [{"up_to": None, "unit_amount": "1"}] * 101}, ("tiers",)),
        ({"type": "graduated", "tiers": [{"up_to": "10", "unit_amount": "1"}]}, ("tiers", 0, "up_to")),
        ({"type": "graduated", "tiers": [{"up_to": None, "unit_amount": "-1"}]}, ("tiers", 0, "unit_amount")),
        (
            {"type": "graduated", "tiers": [{"up_to": None, "unit_amount": "1", "flat_amount": "-1"}]},
            ("tiers", 0, "flat_amount"),
        ),
        ({"type": "graduated", "tiers": [{"up_to": None, "unit_amount": "1", "price": "1"}]}, ("tiers", 0, "price")),
        (
            {"type": "graduated", "tiers": [{"up_to": "0", "unit_amount": "1"}, {"up_to": None, "unit_amount": "1"}]},
            ("tiers", 0, "up_to"),
        ),
    ],
)
def test_a_pricing_that_means_nothing_is_refused_at_its_place(wrong, place):
    with pytest.raises(pydantic.ValidationError) as refused:
        PRICING.validate_python(wrong)
    assert [error["loc"] for error in refused.value.errors()] == [place]


@pytest.mark.parametrize(
    ("bounds", "wrong"),
    [
        (["10", "10", None], [1]),
        (["10", "5", None], [1]),
        (["10", None, None], [1]),
        (["10", None, "20"], [1, 2]),
        (["10", "5", "7", None], [1]),
        (["10", "20", "30"], [2]),
    ],
)
def test_bounds_of_tiers_rise_and_the_last_is_open(bounds, wrong):
    tiers = [{"up_to": bound, "unit_amount": "1"} for bound in bounds]
    with pytest.raises(pydantic.ValidationError) as refused:
        PRICING.validate_python({"type": "graduated", "tiers": tiers})
    assert [error["loc"] for error in refused.value.errors()] == [("tiers", index, "up_to") for index in wrong]


def test_a_pricing_is_read_back_as_it_was_written():
    pricing = graduated((10, "1.50", 2), (None, "0.5", 0))
    written = PRICING.dump_python(pricing, mode="json")
    assert written["tiers"][0] == {"up_to": "10", "unit_amount": "1.50", "flat_amount": "2"}
    assert PRICING.validate_python(written) == pricing


def test_the_schema_tells_pricings_apart_by_type():
    assert set(PRICING.json_schema()["discriminator"]["mapping"]) == {
        "per_unit",
        "graduated",
        "volume",
        "package",
        "percentage",
        "graduated_percentage",
        "volume_percentage",
        "dynamic",
    }


prices = st.decimals(0, 1000, places=4)
quantities = st.fractions(min_value=0, max_value=300, max_denominator=1000)


@st.composite
def pricings(draw: st.DrawFn):
    if draw(st.booleans()):
        return per_unit(str(draw(prices)))
    bounds = sorted(draw(st.sets(st.decimals(Decimal("0.01"), 200, places=2), max_size=5)))
    return graduated(*[(bound, draw(prices), draw(prices)) for bound in [*bounds, None]])


@given(pricings(), quantities, quantities)
def test_more_never_costs_less(pricing, one, other):
    assert pricing.price(min(one, other)) <= pricing.price(max(one, other))


@given(pricings(), st.lists(quantities, min_size=1, max_size=6))
def test_portions_that_follow_each_other_cost_what_the_whole_costs(pricing, quantities):
    total = sum(quantities, Fraction(0))
    start, cost, priced = Fraction(0), Fraction(0), Fraction(0)
    for index, quantity in enumerate(quantities):
        steps = pricing.steps(UnitRange(start, start + quantity, total, first=index == 0), version=1)
        cost += exact_sum(steps)
        priced += sum((step.quantity for step in steps), Fraction(0))
        start += quantity
    assert cost == pricing.price(total)
    assert priced == total
