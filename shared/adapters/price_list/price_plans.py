"""What the counts of a call cost at the prices that are in force at one time.

How a set of units is priced is worked out once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from shared.adapters.price_list.units import (
    REQUESTS,
    Join,
    UnclearCountsError,
    including,
    missing_joins,
    needs_own_price,
    registry,
    size_of_join,
    with_including,
)
from shared.domain.kernel.money import EXACT, PLACES, to_places
from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.usage_counts import INPUT, Count, Counts

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices

_SETS_OF_UNITS = 64
"""Kept for each price. Senders choose the units, so there is no end to the sets."""
_TO_PLACES = 10**6
"""Units of 10^-18 in the last of 12 decimal places."""
_HALF = _TO_PLACES // 2


@dataclass(frozen=True, slots=True)
class PricedUnit:
    key: str
    per: int
    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...]
    """(input tokens above which the price holds, price), rising."""
    inside: tuple[int, ...]
    """The places of the units before this one that are inside it."""

    def price(self, context: Count) -> Decimal:
        price = self.base
        for above, higher in self.tiers:
            if context <= above:
                break
            price = higher
        return price


@dataclass
class PricePlan:
    """The units of a call that have prices, from the inside out."""

    units: tuple[PricedUnit, ...]
    joins: tuple[Join, ...]
    is_complete: bool
    """Whether the call says the counts of all units that include others."""
    is_confirmed: bool | None = None
    """Whether the package came to the same cost for the first call; None before it."""

    def completed(self, counts: Counts) -> Counts:
        """The counts with those that follow from them. Raises `UnclearCountsError`."""
        if self.needs_no_more_counts:
            return counts
        complete = with_including(counts)
        for join in self.joins:
            size = size_of_join(join, complete)
            if size is None:
                unit, left, right = join
                raise UnclearCountsError(
                    f"{unit.usage_key} are needed to tell how many of {left.usage_key} are {right.usage_key}"
                )
            complete[join[0].usage_key] = size
        return complete

    def shares(self, counts: Counts) -> list[Count]:
        """How many of each unit are left without those inside it. Raises `UnclearCountsError`."""
        shares: list[Count] = []
        for unit in self.units:
            share = counts.get(unit.key, 0)
            for place in unit.inside:
                share -= shares[place]
            if share < 0:
                raise UnclearCountsError(f"what is inside {unit.key} is more than they are")
            shares.append(share)
        return shares

    @cached_property
    def is_of_tokens(self) -> bool:
        """Whether integers do for all of it."""
        return all(unit.per == _MILLION for unit in self.units)

    @cached_property
    def needs_no_more_counts(self) -> bool:
        """Whether the call says all counts that the prices are of."""
        return self.is_complete and not self.joins

    def cost_of_tokens(self, counts: Counts, request: int) -> Decimal:
        """Rounded half up to 12 places. Integers are faster than decimals, and this is done for every call."""
        context = counts.get(INPUT, 0)
        rates = self._rates[0][1]
        for above, higher in self._rates[1:]:
            if context > above:
                rates = higher
        total = request
        for share, rate in zip(self.shares(counts), rates, strict=True):
            total += int(share) * rate
        return Decimal((total + _HALF) // _TO_PLACES).scaleb(-PLACES, context=EXACT)

    @cached_property
    def _rates(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """(input tokens above which they hold, rates in 10^-18 per token), rising."""
        bounds = {above for unit in self.units for above, _ in unit.tiers}
        return tuple(
            (above, tuple(small_units(unit.price(above + 1)) for unit in self.units)) for above in (-1, *sorted(bounds))
        )


_MILLION = 10**6


def small_units(price: Decimal) -> int:
    """The price of a million in units of 10^-18 for one."""
    return int(to_places(price).scaleb(PLACES, context=EXACT))


class PriceSlice:
    """The prices of a model in one span of time, for one service tier."""

    def __init__(self, prices: "ModelPrice", *, is_lenient: bool) -> None:
        """Lenient prices ask for no price of a unit that another one includes."""
        self._is_lenient = is_lenient
        self._priced: dict[str, Decimal | TieredPrices] = {
            registry().unit_for_price_key(key).usage_key: value
            for key, value in vars(prices).items()
            if value is not None
        }
        request = self._priced.pop(REQUESTS, None)
        self.request = request if isinstance(request, Decimal) else Decimal(0)
        """The price of 1,000 requests."""
        self.request_units = small_units(self.request) * 1000
        self.is_free = not self.request and not any(map(_is_positive, self._priced.values()))
        self._plans: dict[tuple[str, ...], PricePlan | Unpriced] = {}

    def plan(self, counts: Counts) -> PricePlan | Unpriced:
        """How these units are priced, or which of them has no price."""
        key = tuple(counts)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _SETS_OF_UNITS:
                self._plans.clear()
            plan = self._plans[key] = self._plan(frozenset(key))
        return plan

    def rates(self, context: Count) -> Mapping[str, Decimal]:
        """The prices for a number of input tokens, by usage key."""
        rates = {unit.key: unit.price(context) for unit in self._units(frozenset(self._priced))}
        return {**rates, REQUESTS: self.request} if self.request else rates

    def _plan(self, names: frozenset[str]) -> PricePlan | Unpriced:
        unknown = sorted(names - registry().units.keys())
        if unknown:
            return Unpriced("no_unit_price", f"the price list knows no unit {unknown[0]}")
        complete = names.union(*(including(name) for name in names)) - {REQUESTS}
        for name in sorted(complete) if self._priced else ():
            if not self._has_price(name):
                return Unpriced("no_unit_price", f"the model has no price for {name}")
        if self.is_free and not self._priced:
            return PricePlan((), (), is_complete=True)
        joins = tuple(missing_joins(complete, self._priced))
        used = (complete | {join[0].usage_key for join in joins}) & self._priced.keys()
        return PricePlan(self._units(used), joins, is_complete=complete == names - {REQUESTS})

    def _has_price(self, name: str) -> bool:
        if name in self._priced:
            return True
        if not self._is_lenient and needs_own_price(registry().units[name], self._priced):
            return False
        return not including(name).isdisjoint(self._priced)

    def _units(self, names: frozenset[str]) -> tuple[PricedUnit, ...]:
        ordered = sorted(names, key=lambda name: (-len(registry().units[name].dimensions), name))
        return tuple(
            PricedUnit(
                name,
                registry().units[name].per,
                *_price_and_tiers(self._priced[name]),
                tuple(place for place, inner in enumerate(ordered[:index]) if name in including(inner)),
            )
            for index, name in enumerate(ordered)
        )


def _price_and_tiers(price: "Decimal | TieredPrices") -> tuple[Decimal, tuple[tuple[int, Decimal], ...]]:
    if isinstance(price, Decimal):
        return price, ()
    return price.base, tuple((tier.start, tier.price) for tier in price.tiers)


def _is_positive(price: "Decimal | TieredPrices") -> bool:
    base, tiers = _price_and_tiers(price)
    return bool(base) or any(higher for _, higher in tiers)


def amounts_of(plan: PricePlan, counts: Mapping[str, Count]) -> list[tuple[PricedUnit, Count, Decimal, Decimal]]:
    """Each unit with its share, its price and what it costs, exact to 28 digits."""
    context = counts.get(INPUT, 0)
    return [
        (unit, share, unit.price(context), unit.price(context) * share / unit.per)
        for unit, share in zip(plan.units, plan.shares(counts), strict=True)
        if share
    ]
