"""A newer price list from a URL, in place of the installed one."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.adapters.price_list.units import registry, units_by_price_key
from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.llm_prices import Prices
from shared.domain.provider_costs.model_names import ModelName
from shared.domain.provider_costs.priced_models import PricedModel
from shared.domain.provider_costs.usage_counts import Counts
from shared.domain.provider_costs.usage_readings import UsageReading

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, Provider, TieredPrices

REFRESHED = timedelta(hours=1)
RETRIED = timedelta(minutes=5)
_FIRST_WAIT_SECONDS = 15.0
MAXIMUM_BYTES = 16 * 1024 * 1024
_TIMEOUT = ClientTimeout(total=10, connect=5)

_log = logging.getLogger(__name__)


class UnusableListError(ValueError):
    """A downloaded list that is not taken up."""


class DownloadedPriceList:
    """The list at a URL, looked for every hour; until there is one, and where it cannot be used, the list before it.

    Metering waits for the first download only, and no longer than 15 s. Later ones go on beside it.
    """

    def __init__(self, installed: PackagedPriceList, url: str) -> None:
        self._current = installed
        self._url = url
        self._next_look: datetime | None = None
        self._download: asyncio.Task[None] | None = None

    @property
    def version(self) -> str:
        return self._current.version

    async def refresh(self, now: datetime) -> None:
        """Look for a newer list, unless that was done less than an hour ago, and load what there is."""
        await self._look(now)
        await self._current.refresh(now)

    async def _look(self, now: datetime) -> None:
        if self._next_look is not None and now < self._next_look:
            return
        is_first = self._next_look is None
        self._next_look = now + RETRIED
        self._download = asyncio.create_task(self._take_up(now))
        if is_first:
            await asyncio.wait({self._download}, timeout=_FIRST_WAIT_SECONDS)

    async def settled(self) -> None:
        """Wait for the download that is under way, if any."""
        if self._download is not None:
            await self._download

    async def _take_up(self, now: datetime) -> None:
        try:
            content = await _fetched(self._url)
            list_version = hashlib.sha256(content).hexdigest()
            if list_version != self._current.version:
                self._current = await asyncio.to_thread(read_list, content, list_version)
                _log.info("a price list is taken up", extra={"list_version": list_version})
            self._next_look = now + REFRESHED
        except (ClientError, OSError, TimeoutError, UnusableListError) as error:
            _log.warning("the price list stays as it is", extra={"reason": str(error) or type(error).__name__})

    def find(self, name: ModelName) -> PricedModel | None:
        return self._current.find(name)

    def operators(self, name: str, provider: str | None, prices: Prices, listed: PricedModel | None) -> PricedModel:
        return self._current.operators(name, provider, prices, listed)

    def check(self, prices: Prices) -> None:
        self._current.check(prices)

    def is_unit(self, name: str) -> bool:
        return self._current.is_unit(name)

    def contradiction(self, counts: Counts) -> Unpriced | None:
        return self._current.contradiction(counts)

    def read_usage(
        self, provider: str | None, model: str, api: str | None, usage: Mapping[str, Any]
    ) -> UsageReading | None:
        return self._current.read_usage(provider, model, api, usage)


async def _fetched(url: str) -> bytes:
    """At most 16 MiB, within 10 s, without redirects."""
    async with ClientSession(timeout=_TIMEOUT) as session, session.get(url, allow_redirects=False) as response:
        if response.status != 200:  # noqa: PLR2004  the one status that has a list
            raise UnusableListError(f"the URL answers {response.status}")
        content = bytearray()
        async for part in response.content.iter_chunked(1 << 16):
            content += part
            if len(content) > MAXIMUM_BYTES:
                raise UnusableListError(f"the list has more than {MAXIMUM_BYTES} bytes")
        return bytes(content)


def read_list(content: bytes, list_version: str) -> PackagedPriceList:
    """A list in the package's own JSON form. Raises `UnusableListError`, also for units that the package lacks."""
    from genai_prices.types import _providers_from_raw  # noqa: PLC0415  the only reader of this form

    try:
        providers = _providers_from_raw(json.loads(content, parse_float=Decimal))
    except Exception as error:
        raise UnusableListError(f"the list cannot be read: {type(error).__name__}") from error
    prices = list(_prices_in(providers))
    if not prices:
        raise UnusableListError("the list has no prices")
    for each in prices:
        _check(each)
    _check_extractors(providers)
    return PackagedPriceList(providers, list_version)


def _prices_in(providers: "list[Provider]") -> "Iterator[ModelPrice]":
    for provider in providers:
        for model in provider.models:
            if isinstance(model.prices, list):
                yield from (each.prices for each in model.prices)
            else:
                yield model.prices
            yield from (variant.prices for variant in model.price_variants or ())


def _check(prices: "ModelPrice") -> None:
    """Raises `UnusableListError` for a unit that the package lacks, and for a price below 0."""
    for key, price in vars(prices).items():
        if key not in units_by_price_key():
            raise UnusableListError(f"the list has prices of a unit that is not known: {key[:64]}")
        if price is not None and any(not amount.is_finite() or amount < 0 for amount in _amounts_in(price)):
            raise UnusableListError(f"the list has a price below 0: {key}")


def _amounts_in(price: "Decimal | TieredPrices") -> list[Decimal]:
    return [price] if isinstance(price, Decimal) else [price.base, *(tier.price for tier in price.tiers)]


def _check_extractors(providers: "list[Provider]") -> None:
    """Raises `UnusableListError` where usage objects are read into a unit that the package lacks."""
    for provider in providers:
        for extractor in provider.extractors or ():
            unknown = [mapping.dest for mapping in extractor.mappings if mapping.dest not in registry().units]
            if unknown:
                raise UnusableListError(f"the list reads a unit that is not known: {unknown[0][:64]}")
