import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from shared.domain.kernel.money import (
    Amount,
    Currency,
    ExactDecimal,
    NonNegativeAmount,
    RoundedAmount,
    add,
    exponent_of,
    plain,
    round_half_up,
    total,
    truncate,
)

entered = st.decimals(
    min_value=Decimal(-999999999999999),
    max_value=Decimal(999999999999999),
    places=12,
    allow_nan=False,
    allow_infinity=False,
)


class Priced(BaseModel):
    amount: Amount


class Price(BaseModel):
    amount: NonNegativeAmount


class Computed(BaseModel):
    exact: ExactDecimal
    rounded: RoundedAmount


class Account(BaseModel):
    currency: Currency


@pytest.mark.parametrize(
    ("given_value", "written"),
    [
        ("499.00", "499.00"),
        (7, "7"),
        (Decimal("0.10"), "0.10"),
        (Decimal("1E+3"), "1000"),
        ("1e3", "1000"),
        ("1E-12", "0.000000000001"),
        ("1.500000000000000", "1.5"),
        ("-0", "0"),
        ("0E+500", "0"),
        ("999999999999999.999999999999", "999999999999999.999999999999"),
        ("-12.5", "-12.5"),
    ],
)
def test_an_amount_is_read_exactly_and_written_without_an_exponent(given_value, written):
    assert Priced.model_validate({"amount": given_value}).model_dump(mode="json") == {"amount": written}


@pytest.mark.parametrize(
    "refused",
    [
        1.5,
        True,
        None,
        "NaN",
        "Infinity",
        "-Infinity",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        "",
        " 1",
        "1 ",
        "1_000",
        "1,5",
        "0x10",
        "٣",
        "1.",
        ".5",
        "+1",
        "1e",
        "1000000000000000",
        10**15,
        "0.0000000000001",
        "1E+15",
        "1E+9999",
        "1E-9999",
        "9" * 200,
        Decimal("1E+999999"),
        Decimal("1E-999999"),
        [],
        {},
    ],
)
def test_what_is_no_exact_decimal_within_the_bounds_is_refused(refused):
    with pytest.raises(ValidationError):
        Priced.model_validate({"amount": refused})


@pytest.mark.parametrize("refused", ["-1", "-0.000000000001", -1])
def test_a_price_is_not_negative(refused):
    with pytest.raises(ValidationError):
        Price.model_validate({"amount": refused})


@given(entered)
def test_an_amount_survives_the_trip_through_json(amount):
    stored = Priced(amount=amount).model_dump_json()
    assert Priced.model_validate(json.loads(stored)).amount == amount


@pytest.mark.parametrize(
    ("value", "text"),
    [("26.00", "26"), ("2.6E+1", "26"), ("0.10", "0.1"), ("-0.00", "0"), ("1E-7", "0.0000001"), ("100", "100")],
)
def test_plain_text_has_neither_exponent_nor_trailing_zeros(value, text):
    assert plain(Decimal(value)) == text


def test_exact_amounts_are_written_short_and_rounded_ones_with_all_places():
    written = Computed(exact=Decimal("26.00"), rounded=Decimal("26.00")).model_dump(mode="json")
    assert written == {"exact": "26", "rounded": "26.00"}


@pytest.mark.parametrize(("currency", "exponent"), [("JPY", 0), ("USD", 2), ("EUR", 2), ("KWD", 3), ("CLF", 4)])
def test_currencies_have_the_exponent_of_iso_4217(currency, exponent):
    assert exponent_of(currency) == exponent
    assert Account(currency=currency).currency == currency


@pytest.mark.parametrize("code", ["XAU", "XTS", "usd", "US", "DOLLAR", "", "ZZZ"])
def test_what_nothing_can_be_billed_in_is_no_currency(code):
    with pytest.raises(ValidationError):
        Account(currency=code)


@pytest.mark.parametrize(
    ("value", "currency", "rounded"),
    [
        ("26", "USD", "26.00"),
        ("26", "JPY", "26"),
        ("26", "KWD", "26.000"),
        ("0.005", "USD", "0.01"),
        ("-0.005", "USD", "-0.01"),
        ("0.0049", "USD", "0.00"),
        ("-0.0049", "USD", "0.00"),
        ("2.5", "JPY", "3"),
        ("-2.5", "JPY", "-3"),
        ("0", "USD", "0.00"),
    ],
)
def test_rounding_is_half_away_from_zero_to_the_currency(value, currency, rounded):
    assert str(round_half_up(Decimal(value), currency)) == rounded
    assert str(round_half_up(Fraction(value), currency)) == rounded


def test_a_fraction_is_rounded_from_its_exact_value():
    just_below_half = Fraction(5, 1000) - Fraction(1, 10**40)
    assert str(round_half_up(just_below_half, "USD")) == "0.00"
    assert str(round_half_up(Fraction(2, 3), "USD")) == "0.67"


@given(st.fractions(max_denominator=10**6))
def test_rounding_is_never_off_by_more_than_half_a_minor_unit(value):
    assert abs(Fraction(round_half_up(value, "USD")) - value) <= Fraction(1, 200)
    assert Fraction(round_half_up(-value, "USD")) == -Fraction(round_half_up(value, "USD"))


def test_a_fraction_is_cut_to_twelve_places():
    assert truncate(Fraction(2, 3)) == Decimal("0.666666666666")
    assert truncate(Fraction(-2, 3)) == Decimal("-0.666666666666")
    assert str(truncate(Fraction(26))) == "26"


@given(st.lists(entered, max_size=50))
def test_sums_are_exact(amounts):
    assert Fraction(total(amounts)) == sum(map(Fraction, amounts), Fraction(0))


def test_sums_beyond_the_bounds_of_what_can_be_entered_stay_exact():
    large, small = Decimal("9" * 40), Decimal("0.000000000001")
    assert add(large, small) == Decimal("9" * 40 + ".000000000001")
