"""Tiers: ranges of the quantity or the value, each with a price of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator

from shared.domain.kernel.money import ZERO, NonNegativeAmount, NonNegativeQuantity
from shared.domain.kernel.validation import FieldPath, Length, refusal
from shared.domain.kernel.value import Value
from shared.domain.pricing.rules.rule import UnitRange

MAXIMUM_TIERS = 100


class BaseTier(Value):
    """What all tiers have."""

    up_to: NonNegativeQuantity | None = None
    """The inclusive upper bound; null in the last tier, which has none."""
    flat_amount: NonNegativeAmount = ZERO
    """Due once, as soon as the tier is reached."""


class Tier(BaseTier):
    """A range of units with their price."""

    unit_amount: NonNegativeAmount
    """The price of one unit in this tier."""


class PercentageTier(BaseTier):
    """A range of the value with its rate."""

    rate: NonNegativeAmount
    """In percent of the value."""


T = TypeVar("T", bound=BaseTier)


@dataclass(frozen=True, slots=True)
class TierRange(Generic[T]):
    """The units of a range that lie in one tier.

    `flat_amount` is the tier's where the range is the first to reach it, else 0.
    """

    tier: T
    lower: Decimal
    quantity: Fraction
    flat_amount: Decimal


def split_by_tier(tiers: Sequence[T], units: UnitRange) -> Iterator[TierRange[T]]:
    """Split a range of units at the bounds of the tiers.

    A bound belongs to the tier below it. The first range of a line reaches the first tier even without any unit.
    """
    lower = ZERO
    for tier in tiers:
        reached_before = units.start > lower or (lower == 0 and not units.first)
        if units.end <= lower and not (lower == 0 and units.first):
            return
        upper = units.end if tier.up_to is None else min(units.end, Fraction(tier.up_to))
        quantity = max(Fraction(0), upper - max(units.start, Fraction(lower)))
        if quantity or not reached_before:
            yield TierRange(tier, lower, quantity, ZERO if reached_before else tier.flat_amount)
        if tier.up_to is not None:
            lower = tier.up_to


def tier_at(tiers: Sequence[T], quantity: Fraction) -> tuple[T, Decimal]:
    """The tier that a quantity lies in, and the tier's lower bound."""
    lower = ZERO
    for tier in tiers[:-1]:
        bound = tier.up_to or ZERO
        if quantity <= bound:
            return tier, lower
        lower = bound
    return tiers[-1], lower


def _with_rising_bounds(tiers: tuple[T, ...]) -> tuple[T, ...]:
    refusals = list(_refused_bounds(tiers))
    if refusals:
        raise refusal(*refusals)
    return tiers


def _refused_bounds(tiers: Sequence[BaseTier]) -> Iterator[tuple[FieldPath, str]]:
    below = ZERO
    for index, tier in enumerate(tiers[:-1]):
        if tier.up_to is None:
            yield (index, "up_to"), "is null, which only the last tier's may be"
        elif tier.up_to <= below:
            yield (index, "up_to"), f"has to be more than {below:f}"
        below = below if tier.up_to is None else tier.up_to
    if tiers[-1].up_to is not None:
        yield (len(tiers) - 1, "up_to"), "has to be null, because the last tier is open"


Tiers = Annotated[tuple[Tier, ...], Length(1, MAXIMUM_TIERS), AfterValidator(_with_rising_bounds)]
"""Tiers with rising bounds, of which the last is open."""

PercentageTiers = Annotated[tuple[PercentageTier, ...], Length(1, MAXIMUM_TIERS), AfterValidator(_with_rising_bounds)]
"""Percentage tiers with rising bounds, of which the last is open."""
