"""What events cost at providers.

It rests on the price list, the operator's prices and the exchange rates.
"""

from datetime import datetime, timedelta

from cachetools import TTLCache

from shared.domain.provider_costs.costs import CostRules
from shared.domain.provider_costs.exchange_rates import CurrencyPair
from shared.domain.provider_costs.price_lookup import LlmPrices
from shared.ports.clock import Clock
from shared.ports.prices import PriceList
from shared.services.provider_costs.exchange_rates import ExchangeRateBook
from shared.services.provider_costs.llm_prices import PriceOverrides
from shared.services.provider_costs.model_aliases import ModelAliases

CACHED = timedelta(seconds=60)
RECENT = timedelta(seconds=5)
MAXIMUM_PAIRS = 10_000

_NOW = timedelta(0)


class Costs:
    """The rules are read as a whole and cached. A change by this process is seen by it at once."""

    def __init__(
        self,
        clock: Clock,
        price_list: PriceList,
        overrides: PriceOverrides,
        aliases: ModelAliases,
        exchange_rates: ExchangeRateBook,
    ) -> None:
        self._clock = clock
        self._price_list = price_list
        self._overrides = overrides
        self._aliases = aliases
        self._exchange_rates = exchange_rates
        self._kept: tuple[datetime, CostRules] | None = None
        self._changes = 0
        self._missed = TTLCache[CurrencyPair, bool, datetime](MAXIMUM_PAIRS, RECENT, timer=clock.now)
        overrides.changes.listen(self._forget)
        aliases.changes.listen(self._forget)
        exchange_rates.changes.listen(self._forget)

    async def cached(self) -> CostRules:
        """At most 60 s old, for metering."""
        return await self._younger_than(CACHED)

    async def recent(self) -> CostRules:
        """At most 5 s old, for those who ask what something costs."""
        return await self._younger_than(RECENT)

    async def rules(self) -> CostRules:
        """As they are now."""
        read_at, changes = self._clock.now(), self._changes
        await self._price_list.refresh(read_at)
        prices = LlmPrices(self._price_list, await self._overrides.all(), await self._aliases.all())
        rules = CostRules(prices, await self._exchange_rates.rates())
        if changes == self._changes:
            self._kept = read_at, rules
        return rules

    def miss(self, pair: CurrencyPair) -> None:
        """Note that there is no rate for the pair now."""
        self._missed[pair] = True

    def is_missed(self, pair: CurrencyPair) -> bool:
        """True when no rate was found for the pair in the last 5 s.

        Reading again so soon would delay every batch.
        """
        return pair in self._missed

    async def _younger_than(self, age: timedelta) -> CostRules:
        if self._kept is not None:
            read_at, rules = self._kept
            if _NOW <= self._clock.now() - read_at < age:
                return rules
        return await self.rules()

    def _forget(self) -> None:
        """Drop the cached rules, and those that are being read.

        The latter may lack the change.
        """
        self._kept = None
        self._changes += 1
