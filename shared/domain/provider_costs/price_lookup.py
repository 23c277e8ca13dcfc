"""The price of a model at a time: the operator's, else the price list's."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol

import msgspec

from shared.domain.provider_costs.llm_prices import PriceOverride, TokenPrices
from shared.domain.provider_costs.model_names import MAXIMUM_NAME, ModelName, candidate_names

CACHED_NAMES = 4096


class PriceListEntry(Protocol):
    """A model on a price list."""

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    def at(self, time: datetime) -> TokenPrices:
        """The list prices at a time."""
        ...


class EffectivePrices(msgspec.Struct, frozen=True):
    """The prices of a model at some time."""

    name: str
    """Its `provider/model`."""
    prices: TokenPrices
    overridden: bool
    """Whether they are the operator's."""


@dataclass(frozen=True, slots=True)
class PriceSources:
    """Where the prices of one model come from."""

    overrides: tuple[PriceOverride, ...]
    """The operator's, best first."""
    listed: PriceListEntry | None

    def at(self, time: datetime) -> EffectivePrices | None:
        """The prices at a time; None where there are none."""
        for override in self.overrides:
            prices = override.prices.at(time)
            if prices is not None:
                return EffectivePrices(override.name.readable, prices.token_prices, overridden=True)
        if self.listed is None:
            return None
        name = f"{self.listed.provider}/{self.listed.model}"
        return EffectivePrices(name, self.listed.at(time), overridden=False)


_NO_SOURCES = PriceSources((), None)


class LlmPrices:
    """Finds the prices of a model by the names that senders use."""

    def __init__(
        self, find_listed: Callable[[ModelName], PriceListEntry | None], overrides: Iterable[PriceOverride] = ()
    ) -> None:
        self._find_listed = find_listed
        self._overrides = {override.name: override for override in overrides}
        self._cached = lru_cache(CACHED_NAMES)(self._find)

    def of(self, provider: str | None, model: str) -> PriceSources:
        if len(model) > MAXIMUM_NAME or len(provider or "") > MAXIMUM_NAME:  # of any length, so it is not cached either
            return _NO_SOURCES
        return self._cached(provider, model)

    def _find(self, provider: str | None, model: str) -> PriceSources:
        names = candidate_names(provider, model)
        listed = next((entry for name in names if (entry := self._find_listed(name)) is not None), None)
        if listed is not None:
            names = (*names, ModelName.normalized(listed.provider, listed.model))
        overrides = {name: self._overrides[name] for name in names if name in self._overrides}
        return PriceSources(tuple(overrides.values()), listed)
