"""Amounts in Stripe's minor units: each currency there and back, and what cannot be expressed."""

from decimal import Decimal

import iso4217
import pytest

from shared.domain.kernel.money import exponent_of
from shared.domain.payments.charge_amounts import from_minor_units, minimum_charge, to_minor_units

CODES = sorted(currency.code for currency in iso4217.Currency if currency.exponent is not None)
STRIPES_OWN = ["STD"]
"""Stripe's code of a currency that ISO 4217 calls otherwise by now."""


def can_be_charged(code: str) -> bool:
    """Whether Stripe charges in this currency at all."""
    try:
        to_minor_units(Decimal(0), code)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("code", [code for code in CODES if can_be_charged(code)])
def test_every_currency_there_and_back(code: str):
    """A hundred amounts each, of which those that Stripe can express come back as they went."""
    expressed = 0
    for number in range(1, 101):
        amount = Decimal(number).scaleb(-exponent_of(code))
        try:
            units = to_minor_units(amount, code)
        except ValueError:
            continue
        expressed += 1
        assert from_minor_units(units, code) == amount
        assert from_minor_units(units, code.lower()).as_tuple() == amount.as_tuple()
    assert expressed == {"MGA": 1, "BHD": 10, "JOD": 10, "KWD": 10, "OMR": 10, "TND": 10}.get(code, 100)


@pytest.mark.parametrize(
    ("amount", "code", "units"),
    [
        ("12.34", "USD", 1234),
        ("500", "JPY", 500),
        ("5", "ISK", 500),
        ("5", "UGX", 500),
        ("5.00", "MGA", 5),
        ("1.230", "KWD", 1230),
        ("175", "HUF", 17500),
        ("1.50", "TWD", 150),
        ("0", "EUR", 0),
        ("999999.99", "USD", 99_999_999),
        ("9999999999.00", "IDR", 999_999_999_900),
    ],
)
def test_worked_examples(amount: str, code: str, units: int):
    assert to_minor_units(Decimal(amount), code) == units


@pytest.mark.parametrize(
    ("amount", "code", "reason"),
    [
        ("1.234", "KWD", "steps of 0.01"),
        ("5.20", "MGA", "steps of 1"),
        ("0.5", "ISK", "steps of 1"),
        ("0.001", "USD", "steps of 0.01"),
        ("1000000.00", "USD", "8 digits"),
        ("-1", "USD", "negative"),
        ("1", "IQD", "does not charge"),
        ("1", "XAU", "does not charge"),
    ],
)
def test_what_cannot_be_expressed_is_refused(amount: str, code: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        to_minor_units(Decimal(amount), code)


def test_a_part_of_a_unit_that_only_stripe_has_is_kept():
    assert from_minor_units(550, "ISK") == Decimal("5.5")


def test_the_least_that_is_charged_can_be_expressed():
    minima = {code: minimum_charge(code) for code in CODES if minimum_charge(code) is not None}
    assert minima["USD"] == Decimal("0.50")
    assert minimum_charge("ISK") is None
    for code, least in minima.items():
        assert least is not None
        assert to_minor_units(least, code) > 0


def test_the_table_has_only_currencies_that_exist():
    """But for Stripe's own codes, in which nobody here can be billed."""
    assert {code for code in STRIPES_OWN if can_be_charged(code)} == set(STRIPES_OWN)
    assert not can_be_charged("XAU")
    assert sum(can_be_charged(code) for code in CODES) > 130
