"""What events cost the operator at providers, in the organization's currency, beside what their senders say."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.kernel.money import read_decimal
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.metering.values import number_at
from shared.domain.provider_costs.exchange_rates import ExchangeRates, NoExchangeRateError, reported_currency
from shared.domain.provider_costs.llm_prices import (
    Listing,
    ModelName,
    PriceOverride,
    TokenCounts,
    TokenPrices,
    candidates,
    reported_model,
    unpriced_name,
)

COST_TYPE = "cost."
AMOUNT_PATH = "data.amount"
REPORTED_COST_PATH = "data.cost"
LLM = "llm"
"""The category of what LLM calls cost."""

PROVIDER_COST = "$cost."
"""The standing reading of each category of costs is this and the category."""
REPORTED_COST = "$stated_cost"
UNPRICED = "$unpriced"
"""The standing reading of LLM calls without a price: how many, and their tokens; `$unpriced.{model}` of each model."""


class EventCost(msgspec.Struct, frozen=True):
    """Of one event. Without an amount it costs nothing, or what it costs is not known: `unpriced` names the model."""

    amount: Decimal | None = None
    category: str | None = None
    reported: Decimal | None = None
    """What the sender of an LLM call says that it cost."""
    priced_by: str | None = None
    """The `provider/model` whose price it is."""
    unpriced: str | None = None
    tokens: int = 0
    """Of an unpriced call, in and out."""

    def readings(self) -> tuple[tuple[str, Reading], ...]:
        """The standing readings that it moves, whatever the agent's model."""
        if self.category is None:
            return ()
        readings: list[tuple[str, Reading]] = []
        if self.amount is not None:
            readings.append((PROVIDER_COST + self.category, CountAndSum(1, self.amount)))
        if self.reported is not None:
            readings.append((REPORTED_COST, CountAndSum(1, self.reported)))
        if self.unpriced is not None:
            tokens = CountAndSum(1, Decimal(self.tokens))
            readings += [(UNPRICED, tokens), (f"{UNPRICED}.{self.unpriced}", tokens)]
        return tuple(readings)


NO_COST = EventCost()


class CostedEvent(msgspec.Struct, frozen=True):
    """An event as gauges see it."""

    type: str
    data: Mapping[str, Any]
    time: str
    key: str
    cost: Decimal | None = None
    """In the organization's currency."""
    cost_category: str | None = None
    exchange_rate: Decimal | None = None
    """What one unit of another currency that it names was worth in the organization's when it was rated."""
    amounts: Mapping[str, Decimal] = {}
    """By path, what is read instead of what was reported: in the organization's currency."""


@dataclass(frozen=True, slots=True)
class Priced:
    """What a model is priced by: the operator's prices while there are any, else the list's."""

    overrides: tuple[PriceOverride, ...]
    """Best first."""
    listing: Listing | None
    listed_as: str
    """Its `provider/model`."""

    def at(self, time: datetime) -> "PriceAt | None":
        for override in self.overrides:
            prices = override.prices.at(time)
            if prices is not None:
                return PriceAt(override.name.readable, prices.token_prices, overridden=True)
        if self.listing is None:
            return None
        return PriceAt(self.listed_as, self.listing.at(time), overridden=False)


_UNKNOWN = Priced((), None, "")


class PriceAt(msgspec.Struct, frozen=True):
    """The prices of a model at some time; `name` is its `provider/model`."""

    name: str
    prices: TokenPrices
    overridden: bool


class LlmPrices:
    """The operator's prices before those of the list, for any model by the names that senders use."""

    REMEMBERED = 4096

    def __init__(
        self, find_listed: Callable[[ModelName], Listing | None], overrides: Iterable[PriceOverride] = ()
    ) -> None:
        self._find_listed = find_listed
        self._overrides = {override.name: override for override in overrides}
        self._found: dict[tuple[str | None, str], Priced] = {}

    def of(self, provider: str | None, model: str) -> Priced:
        priced = self._found.get((provider, model))
        if priced is None:
            names = candidates(provider, model)
            if not names:  # nor remembered: such a name can be of any length
                return _UNKNOWN
            if len(self._found) >= self.REMEMBERED:
                self._found.clear()
            priced = self._found[provider, model] = self._find(names)
        return priced

    def _find(self, names: tuple[ModelName, ...]) -> Priced:
        listing = next((found for found in map(self._find_listed, names) if found is not None), None)
        if listing is not None:
            names = (*names, ModelName.normalized(listing.provider, listing.model))
        overrides = {name: self._overrides[name] for name in names if name in self._overrides}
        listed_as = "" if listing is None else f"{listing.provider}/{listing.model}"
        return Priced(tuple(overrides.values()), listing, listed_as)


@dataclass(frozen=True, slots=True)
class CostRules:
    """All that it takes to say what an event costs."""

    prices: LlmPrices
    rates: ExchangeRates

    def of(self, event_type: str, data: Mapping[str, Any], at: datetime, currency: str) -> EventCost:
        """In that currency, by the prices and rates in force then. Raises `NoExchangeRateError`; `UnmeterableError` for
        a cost without an amount.
        """
        if event_type == LLM_CALL:
            return self._of_llm_call(data, at, currency)
        if event_type.startswith(COST_TYPE):
            amount = number_at(data, AMOUNT_PATH, event_type)
            cost = self.rates.convert(amount, reported_currency(data, currency), currency, at)
            return EventCost(cost, event_type.removeprefix(COST_TYPE))
        return NO_COST

    def _of_llm_call(self, data: Mapping[str, Any], at: datetime, currency: str) -> EventCost:
        named, tokens = reported_model(data), TokenCounts.of(data)
        reported = self._reported(data, at, currency)
        price = self.prices.of(*named).at(at)
        cost = price.prices.cost(tokens) if price is not None else None
        if price is None or cost is None:
            return EventCost(None, LLM, reported, unpriced=unpriced_name(*named), tokens=tokens.total)
        return EventCost(self.rates.convert(cost, price.prices.currency, currency, at), LLM, reported, price.name)

    def _reported(self, data: Mapping[str, Any], at: datetime, currency: str) -> Decimal | None:
        """None where it cannot be compared: nothing depends on it."""
        if data.get("cost") is None:
            return None
        try:
            return self.rates.convert(read_decimal(data["cost"]), reported_currency(data, currency), currency, at)
        except NoExchangeRateError:
            return None
