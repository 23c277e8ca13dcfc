"""Tiers: quantities up to and including a bound, with a price of their own."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from shared.domain.money import ZERO, NonNegativeAmount, NonNegativeQuantity
from shared.domain.validation import Length, Place, refusal

MAXIMUM_TIERS = 100


class Tier(BaseModel):
    """`up_to` is inclusive; the last tier is open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    up_to: NonNegativeQuantity | None = None
    unit_amount: NonNegativeAmount
    flat_amount: NonNegativeAmount = ZERO


def _rising_and_open(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    wrong = list(_wrong_bounds(tiers))
    if wrong:
        raise refusal(*wrong)
    return tiers


def _wrong_bounds(tiers: Sequence[Tier]) -> Iterator[tuple[Place, str]]:
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
