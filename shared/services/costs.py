"""What events cost at providers: by the price list, the operator's prices and the exchange rates."""

from datetime import timedelta

from shared.domain.costs import CostRules, LlmPrices
from shared.ports.clock import Clock
from shared.ports.prices import PriceList
from shared.services.caching import Cache
from shared.services.exchange_rates import ExchangeRateBook
from shared.services.llm_prices import PriceOverrides

CACHED = timedelta(seconds=60)
_RULES = "rules"


class Costs:
    def __init__(
        self, clock: Clock, price_list: PriceList, overrides: PriceOverrides, exchange_rates: ExchangeRateBook
    ) -> None:
        self._price_list = price_list
        self._overrides = overrides
        self._exchange_rates = exchange_rates
        self._cache: Cache[str, CostRules] = Cache(clock, CACHED)

    async def cached(self) -> CostRules:
        """At most 60 s old, for raters."""
        return self._cache.peek(_RULES) or await self.rules()

    async def rules(self) -> CostRules:
        """As they are now."""
        prices = LlmPrices(self._price_list.find, await self._overrides.all())
        rules = CostRules(prices, await self._exchange_rates.rates())
        self._cache.keep(_RULES, rules)
        return rules
