"""Amounts as Stripe counts them: its own minor units, and the least and most that it charges.

Its decimal places are not always those of ISO 4217. Source: docs.stripe.com/currencies.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.money import exponent_of, plain, round_to


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WHOLE = _codes("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF")
"""Counted in whole units, MGA too, which has fifths of a unit in ISO 4217."""

_WHOLE_IN_HUNDREDTHS = _codes("ISK UGX")
"""Only whole units can be charged, and they are counted in hundredths."""

_THOUSANDTHS = _codes("BHD JOD KWD OMR TND")
"""Counted in thousandths, of which the last digit must be 0."""

_HUNDREDTHS = _codes(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC
    CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD KES KGS KHR KYD
    KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
    PKR PLN QAR RON RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS
    WST XCD XCG YER ZAR ZMW
    """
)

_MINIMUM = {
    "AED": "2.00",
    "AUD": "0.50",
    "BGN": "1.00",
    "BRL": "0.50",
    "CAD": "0.50",
    "CHF": "0.50",
    "CZK": "15.00",
    "DKK": "2.50",
    "EUR": "0.50",
    "GBP": "0.30",
    "HKD": "4.00",
    "HUF": "175.00",
    "INR": "0.50",
    "JPY": "50",
    "MXN": "10.00",
    "MYR": "2.00",
    "NOK": "3.00",
    "NZD": "0.50",
    "PLN": "2.00",
    "RON": "2.00",
    "SEK": "3.00",
    "SGD": "0.50",
    "THB": "10.00",
    "USD": "0.50",
}
_MOST_DIGITS = {"COP": 10, "HUF": 10, "IDR": 12, "INR": 9, "JPY": 10, "LBP": 12, "TRY": 10, "TWD": 10}
_USUAL_DIGITS = 8


@dataclass(frozen=True, slots=True)
class _Counting:
    places: int
    """Decimal places of one minor unit."""
    step: int
    """So many minor units are the least difference between two amounts."""


def to_minor_units(amount: Decimal, currency: str) -> int:
    """The amount in Stripe's minor units.

    Raises `ValueError` for a currency that Stripe does not charge in, and for an amount that it cannot express: too
    fine, too large, or negative. Nothing is rounded.
    """
    counting = _counting(currency)
    units = Fraction(amount) * 10**counting.places
    if units < 0:
        raise ValueError("is negative")
    if units % counting.step:
        smallest = plain(Decimal(counting.step).scaleb(-counting.places))
        raise ValueError(f"cannot be charged: Stripe charges {currency} in steps of {smallest}")
    digits = _MOST_DIGITS.get(currency, _USUAL_DIGITS)
    if units >= 10**digits:
        raise ValueError(f"cannot be charged at once: Stripe takes at most {digits} digits in {currency}")
    return int(units)


def from_minor_units(units: int, currency: str) -> Decimal:
    """The amount of so many of Stripe's minor units, with the places of our currency, or more where it needs them.

    `currency` in either case. Raises `ValueError` for a currency that Stripe does not charge in.
    """
    code = currency.upper()
    exact = Fraction(units, 10 ** _counting(code).places)
    shown = round_to(exact, exponent_of(code))
    return shown if Fraction(shown) == exact else Decimal(units).scaleb(-_counting(code).places)


def minimum_charge(currency: str) -> Decimal | None:
    """The least that Stripe charges, where it says so; else it depends on the account's own currency."""
    text = _MINIMUM.get(currency)
    return None if text is None else Decimal(text)


def _counting(currency: str) -> _Counting:
    if currency in _HUNDREDTHS:
        return _Counting(2, 1)
    if currency in _WHOLE:
        return _Counting(0, 1)
    if currency in _WHOLE_IN_HUNDREDTHS:
        return _Counting(2, 100)
    if currency in _THOUSANDTHS:
        return _Counting(3, 10)
    raise ValueError(f"is {currency}, in which Stripe does not charge")
