"""Shares of an amount that add up to it, by largest remainder."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor

from shared.domain.kernel.money import EXACT, exponent_of


def split(amount: Decimal, weights: Sequence[Decimal | Fraction], currency: str) -> list[Decimal]:
    """The amount, which is exact in the currency's minor unit, split in proportion to the weights.

    Weights may be negative; their sum is not 0. Raises `ValueError` otherwise.
    """
    whole = sum((Fraction(weight) for weight in weights), Fraction(0))
    if not whole:
        raise ValueError("nothing to split an amount by")
    return rounded_to_sum([Fraction(amount) * Fraction(weight) / whole for weight in weights], amount, currency)


def rounded_to_sum(exact: Sequence[Fraction], amount: Decimal, currency: str) -> list[Decimal]:
    """Exact shares rounded to the minor unit so that they add up to the amount.

    Each is rounded down; the units that are left go to the largest fractions, of equal ones to the first. The sum of
    the shares lies within less than a unit for each share of the amount; raises `ValueError` otherwise.
    """
    places = exponent_of(currency)
    units = [floor(share * 10**places) for share in exact]
    wanted = int(Fraction(amount) * 10**places)
    left = wanted - sum(units)
    if not 0 <= left <= len(units):
        raise ValueError("the shares do not add up to the amount")
    fractions = [share * 10**places - unit for share, unit in zip(exact, units, strict=True)]
    by_fraction = sorted(range(len(units)), key=lambda place: (-fractions[place], place))
    for place in by_fraction[:left]:
        units[place] += 1
    return [Decimal(unit).scaleb(-places, context=EXACT) for unit in units]
