"""The price of a model at a time: the operator's, else the price list's."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal, Protocol

import msgspec

from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.llm_prices import PriceOverride, Prices
from shared.domain.provider_costs.model_aliases import AliasLookup, ModelAlias
from shared.domain.provider_costs.model_names import MAXIMUM_NAME, ModelName, candidate_names, unpriced_name
from shared.domain.provider_costs.priced_models import PricedModel

CACHED_NAMES = 4096

CostSource = Literal["list", "override", "reported"]
"""Whose figure a cost is: the price list's, the operator's prices, or what the sender reported."""


class ListedPrices(Protocol):
    """What a price list does for the lookup."""

    @property
    def version(self) -> str:
        """Which list it is."""
        ...

    def find(self, name: ModelName) -> PricedModel | None:
        """The model of that name. Without a provider, that of the provider which is known by such names."""
        ...

    def operators(self, name: str, provider: str | None, prices: Prices, listed: PricedModel | None) -> PricedModel:
        """A model at the operator's prices, which replace those of the listed model, if any."""
        ...


class EffectivePrices(msgspec.Struct, frozen=True):
    """The prices of a model at some time."""

    model: PricedModel
    source: CostSource
    list_version: str | None = None
    """Of the list's prices."""


@dataclass(frozen=True, slots=True)
class PriceSources:
    """Where the prices of one model come from."""

    overrides: tuple[tuple[PriceOverride, tuple[PricedModel | None, ...]], ...]
    """The operator's, best first; each with its entries as priced models."""
    listed: EffectivePrices | None

    def at(self, time: datetime) -> EffectivePrices | None:
        """The prices at a time; None where there are none."""
        for override, models in self.overrides:
            index = override.prices.index_at(time)
            model = models[index] if index is not None else None
            if model is not None:
                return EffectivePrices(model, "override")
        return self.listed


_NO_SOURCES = PriceSources((), None)


class LlmPrices:
    """Finds the prices of a model by the names that senders use."""

    def __init__(
        self,
        price_list: ListedPrices,
        overrides: Iterable[PriceOverride] = (),
        aliases: Iterable[ModelAlias] = (),
    ) -> None:
        self._list = price_list
        self.aliases = AliasLookup(aliases)
        self._overrides = {override.name: override for override in overrides}
        self._cached: Callable[[str | None, str], PriceSources] = lru_cache(CACHED_NAMES)(self._find)

    def of(self, provider: str | None, model: str) -> PriceSources:
        if len(model) > MAXIMUM_NAME or len(provider or "") > MAXIMUM_NAME:  # of any length, so it is not cached either
            return _NO_SOURCES
        return self._cached(provider, model)

    def at(
        self, provider: str | None, model: str, time: datetime, organization_id: str | None = None
    ) -> EffectivePrices | Unpriced:
        """The prices of a model at a time, by the name that the organization's calls have for it."""
        alias = self.aliases.at(provider, model, time, organization_id)
        if alias is not None:
            return self._aliased(alias, time)
        effective = self.of(provider, model).at(time)
        if effective is not None:
            return effective
        if not model:
            return Unpriced("no_model", "the call names no model")
        return Unpriced("no_model", f"{unpriced_name(provider, model)} is on no price list, and has no override")

    def _aliased(self, alias: ModelAlias, time: datetime) -> EffectivePrices | Unpriced:
        effective = self.of(alias.provider, alias.model).at(time) or self.of(None, alias.model).at(time)
        if effective is not None:
            return effective
        return Unpriced("no_model", f"{alias.name} is {alias.model}, which is on no price list, and has no override")

    def _find(self, provider: str | None, model: str) -> PriceSources:
        names = candidate_names(provider, model)
        listed = next((found for name in names if (found := self._list.find(name)) is not None), None)
        names = (*names, ModelName.normalized(provider, model))
        if listed is not None:
            listed_provider, _, listed_model = listed.name.partition("/")
            names = (*names, ModelName(listed_provider, listed_model))
        overrides = {name: self._overrides[name] for name in names if name in self._overrides}
        return PriceSources(
            tuple((override, self._priced(override, listed)) for override in overrides.values()),
            None if listed is None else EffectivePrices(listed, "list", self._list.version),
        )

    def _priced(self, override: PriceOverride, listed: PricedModel | None) -> tuple[PricedModel | None, ...]:
        provider = override.provider if listed is None else listed.name.partition("/")[0]
        return tuple(
            None if entry.value is None else self._list.operators(override.name.readable, provider, entry.value, listed)
            for entry in override.prices.entries
        )
