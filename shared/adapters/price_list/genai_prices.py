"""The price list of the package `genai-prices`: as it was installed, or a newer one of the same form.

The package's own updates over the network stay off, since nothing here starts them.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property, lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from shared.adapters.price_list.operators_prices import check_prices, operators_model
from shared.adapters.price_list.priced_models import PackageModel
from shared.adapters.price_list.units import UnclearCountsError, registry, with_including
from shared.adapters.price_list.usage_objects import read_usage_object
from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.llm_prices import Prices
from shared.domain.provider_costs.model_names import ModelName, candidate_names
from shared.domain.provider_costs.priced_models import PricedModel
from shared.domain.provider_costs.usage_counts import Counts
from shared.domain.provider_costs.usage_readings import UsageReading

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

_PACKAGE = "genai-prices"
_NAMES = 4096
_TAGS_AS_LISTED = frozenset({"aws", "openrouter"})
"""Providers whose list says for every model which tags it takes."""


class PackagedPriceList:
    def __init__(self, providers: "list[Provider] | None" = None, list_version: str | None = None) -> None:
        """The installed list, or another one with its version."""
        self._given = providers
        self.version = list_version or version(_PACKAGE)
        self._lookup = lru_cache(_NAMES)(self._find)

    async def refresh(self, now: datetime) -> None:  # noqa: ARG002  the installed list changes with the package only
        """Load the list, in a thread: it would hold the event loop for an eighth of a second."""
        if "_providers" not in self.__dict__:
            await asyncio.to_thread(lambda: self._providers)

    def find(self, name: ModelName) -> PackageModel | None:
        return self._lookup(name)

    def operators(self, name: str, provider: str | None, prices: Prices, listed: PricedModel | None) -> PricedModel:
        """A model at the operator's prices."""
        return operators_model(name, provider or "", prices, listed if isinstance(listed, PackageModel) else None)

    def check(self, prices: Prices) -> None:
        """Raises `ValidationError` for prices of unknown units, or with gaps between them."""
        check_prices(prices)

    def is_unit(self, name: str) -> bool:
        return name in registry().units

    def contradiction(self, counts: Counts) -> Unpriced | None:
        """Says which counts cannot all be true."""
        try:
            with_including({name: count for name, count in counts.items() if name in registry().units})
        except UnclearCountsError as error:
            return Unpriced("unclear_counts", str(error))
        return None

    def read_usage(
        self, provider: str | None, model: str, api: str | None, usage: Mapping[str, Any]
    ) -> UsageReading | None:
        """Read a provider's own usage object; None where it has no form that is known."""
        names = candidate_names(provider, model)
        known = next((found for name in names if (found := self._provider_of(name)) is not None), None)
        return read_usage_object(self._providers, known, api, usage)

    @cached_property
    def _providers(self) -> "list[Provider]":
        """Imported where they are needed, as that takes so long."""
        if self._given is not None:
            return self._given
        from genai_prices.data import providers  # noqa: PLC0415  see above

        return providers

    def _find(self, name: ModelName) -> PackageModel | None:
        provider = self._provider_of(name)
        model = provider.find_model(name.model, all_providers=self._providers) if provider is not None else None
        if provider is None or model is None or not model.prices or not _has_tag(provider, model, name.model):
            return None
        return PackageModel(f"{provider.id}/{model.id}", provider, model)

    def _provider_of(self, name: ModelName) -> "Provider | None":
        if name.provider is not None:
            from genai_prices.data_snapshot import find_provider_by_id  # noqa: PLC0415  see _providers

            return find_provider_by_id(self._providers, name.provider)
        path, slash, _ = name.model.rpartition("/")
        # Another vendor's `gemini-clone` is not Google's, but `accounts/fireworks/models/...` is how one names its own.
        known_by = path + slash or name.model
        for provider in self._providers:
            if provider.model_match is not None and provider.model_match.is_match(known_by):
                return provider
        return None


def _has_tag(provider: "Provider", model: "ModelInfo", name: str) -> bool:
    """Whether the listed model is the one with this tag.

    `deepseek-r1:8b` is a model that somebody runs, and `deepseek-r1:free` costs nothing: neither is `deepseek-r1`.
    """
    _, colon, tag = name.partition(":")
    if not colon or provider.id in _TAGS_AS_LISTED or model.id.startswith("ft:"):
        return True
    return model.id.lower().endswith(f":{tag}")
