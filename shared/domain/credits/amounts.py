"""Amounts of credits: decimals of at most six places."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator

from shared.domain.kernel.money import MAXIMUM_DIGITS, NonNegativeAmount, plain, round_to

PLACES = 6
LARGEST = Decimal(10) ** MAXIMUM_DIGITS
"""No balance reaches it, so that every sum is exact and can be entered again."""


def rounded(amount: Decimal) -> Decimal:
    """Half up to six places, without trailing zeros."""
    return Decimal(plain(round_to(amount, PLACES)))


def _credits(amount: Decimal) -> Decimal:
    if amount != round_to(amount, PLACES):
        raise ValueError(f"has more than {PLACES} decimal places: credits are counted in millionths")
    return Decimal(plain(amount))


def _positive(amount: Decimal) -> Decimal:
    if not amount:
        raise ValueError("has to be more than 0")
    return amount


CreditLimit = Annotated[NonNegativeAmount, AfterValidator(_credits)]
"""An entered number of credits, 0 or more."""
CreditAmount = Annotated[NonNegativeAmount, AfterValidator(_credits), AfterValidator(_positive)]
"""An entered number of credits, more than 0."""
