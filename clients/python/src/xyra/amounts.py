"""Amounts of credits and money: exact, never floats."""

from __future__ import annotations

from decimal import ROUND_UP, Context, Decimal

Amount = Decimal | int | str

EXACT = Context(prec=60)
"""More digits than any sum or product of amounts here has."""
SMALLEST_AMOUNT = Decimal("1E-12")
_MOST = Decimal("1E12")
_MILLIONTH = Decimal("0.000001")


def amount_of(value: Amount) -> Decimal:
    """Raises `TypeError` for a float, which is not exact."""
    if isinstance(value, float | bool):
        raise TypeError("amounts are exact: give a Decimal, an int or text, no float")
    return Decimal(value)


def spendable(value: Amount) -> Decimal:
    """An amount that can be spent. Raises `ValueError` for one below zero, or with more than 12 decimals."""
    amount = amount_of(value)
    if not (amount.is_finite() and 0 <= amount <= _MOST):
        raise ValueError(f"an amount to spend is a number from 0 to {_MOST:f}: {value}")
    if int(amount.as_tuple().exponent) < SMALLEST_AMOUNT.adjusted():
        raise ValueError(f"an amount to spend has at most 12 decimals: {value}")
    return amount


def credits_for(amount: Decimal, value: Decimal) -> Decimal:
    """The credits that an amount comes to, one of which counts `value`; rounded up to 6 decimals, never too few."""
    return EXACT.divide(amount, value).quantize(_MILLIONTH, ROUND_UP, EXACT)
