"""Tiers: quantities up to and including a bound, with a price of their own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from shared.domain.kernel.money import ZERO, NonNegativeAmount, NonNegativeQuantity
from shared.domain.kernel.validation import Length, Place, refusal
from shared.domain.pricing.rules.rule import UnitRange

MAXIMUM_TIERS = 100


class BaseTier(BaseModel):
    """`up_to` is inclusive; the last tier is open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    up_to: NonNegativeQuantity | None = None
    flat_amount: NonNegativeAmount = ZERO


class Tier(BaseTier):
    unit_amount: NonNegativeAmount


class PercentageTier(BaseTier):
    """`rate` is in percent of the value that lies in the tier."""

    rate: NonNegativeAmount


T = TypeVar("T", bound=BaseTier)


@dataclass(frozen=True, slots=True)
class TierRange(Generic[T]):
    """What of a portion lies in a tier, and the tier's flat amount where the portion is the first to reach it."""

    tier: T
    lower: Decimal
    quantity: Fraction
    flat_amount: Decimal


def split_by_tier(tiers: Sequence[T], units: UnitRange) -> Iterator[TierRange[T]]:
    """A portion spread over its tiers. A quantity at a bound is in the lower tier, between two tiers in the upper one;
    no quantity at all is in the first tier.
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
    """The tier that the quantity lies in, with its lower bound."""
    lower = ZERO
    for tier in tiers[:-1]:
        bound = tier.up_to or ZERO
        if quantity <= bound:
            return tier, lower
        lower = bound
    return tiers[-1], lower


def _rising_and_open(tiers: tuple[T, ...]) -> tuple[T, ...]:
    wrong = list(_wrong_bounds(tiers))
    if wrong:
        raise refusal(*wrong)
    return tiers


def _wrong_bounds(tiers: Sequence[BaseTier]) -> Iterator[tuple[Place, str]]:
    below = ZERO
    for index, tier in enumerate(tiers[:-1]):
        if tier.up_to is None:
            yield (index, "up_to"), "is null, which only the last tier's may be"
        elif tier.up_to <= below:
            yield (index, "up_to"), f"has to be more than {below:f}"
        below = below if tier.up_to is None else tier.up_to
    if tiers[-1].up_to is not None:
        yield (len(tiers) - 1, "up_to"), "has to be null, because the last tier is open"


Tiers = Annotated[tuple[Tier, ...], Length(1, MAXIMUM_TIERS), AfterValidator(_rising_and_open)]
PercentageTiers = Annotated[tuple[PercentageTier, ...], Length(1, MAXIMUM_TIERS), AfterValidator(_rising_and_open)]
