"""The price list of the package `genai-prices`, as it was installed: its own updates over the network stay off, since
nothing here starts them.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from shared.domain.kernel.money import EXACT, ZERO
from shared.domain.provider_costs.llm_prices import TieredPrice, TokenPrices
from shared.domain.provider_costs.model_names import ModelName

if TYPE_CHECKING:
    from genai_prices.types import (
        ConditionalPrice,
        ModelInfo,
        ModelPrice,
        Provider,
        StartDateConstraint,
        TieredPrices,
        TimeOfDateConstraint,
    )

_CURRENCY = "USD"
"""Of the whole list."""
_NAMES = 4096
_PER_THOUSAND = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class _Period:
    constraint: "StartDateConstraint | TimeOfDateConstraint | None"
    prices: TokenPrices


@dataclass(frozen=True, slots=True)
class ListedModel:
    provider: str
    model: str
    periods: tuple[_Period, ...]
    """The last one that applies holds; where none does, the first."""

    def at(self, time: datetime) -> TokenPrices:
        for period in reversed(self.periods):
            if period.constraint is None or period.constraint.active(time):
                return period.prices
        return self.periods[0].prices


class PackagedPriceList:
    def __init__(self) -> None:
        self._lookup = lru_cache(_NAMES)(self._find)

    def find(self, name: ModelName) -> ListedModel | None:
        return self._lookup(name)

    @cached_property
    def _providers(self) -> "list[Provider]":
        """Imported where they are needed: that takes an eighth of a second."""
        from genai_prices.data import providers  # noqa: PLC0415  see above

        return providers

    def _find(self, name: ModelName) -> ListedModel | None:
        provider = self._provider_of(name)
        model = provider.find_model(name.model, all_providers=self._providers) if provider is not None else None
        return _listed(provider, model) if provider is not None and model is not None else None

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


def _listed(provider: "Provider", model: "ModelInfo") -> ListedModel | None:
    prices = model.prices if isinstance(model.prices, list) else [_always(model.prices)]
    periods = tuple(_Period(each.constraint, _token_prices(each.prices)) for each in prices)
    return ListedModel(provider.id, model.id, periods) if periods else None


def _always(prices: "ModelPrice") -> "ConditionalPrice":
    from genai_prices.types import ConditionalPrice  # noqa: PLC0415  see _providers

    return ConditionalPrice(prices=prices)


def _token_prices(listed: "ModelPrice") -> TokenPrices:
    """Of text; nobody reports the tokens of images, sound or written caches apart."""
    requests = _tiered(listed.requests_kcount)
    return TokenPrices(
        currency=_CURRENCY,
        input=_tiered(listed.input_mtok),
        output=_tiered(listed.output_mtok),
        cached_input=_tiered(listed.cache_read_mtok),
        reasoning=_tiered(listed.output_reasoning_mtok),
        request=ZERO if requests is None else EXACT.multiply(requests.base, _PER_THOUSAND),
    )


def _tiered(price: "Decimal | TieredPrices | None") -> TieredPrice | None:
    if price is None or isinstance(price, Decimal):
        return None if price is None else TieredPrice(price)
    return TieredPrice(price.base, tuple((tier.start, tier.price) for tier in price.tiers))
