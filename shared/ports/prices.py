"""What providers ask for LLM calls: a maintained price list.

But for `refresh`, its calls do no input or output, so they are not `async`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.llm_prices import Prices
from shared.domain.provider_costs.price_lookup import ListedPrices
from shared.domain.provider_costs.usage_counts import Counts
from shared.domain.provider_costs.usage_readings import UsageReading


class PriceList(ListedPrices, Protocol):
    async def refresh(self, now: datetime) -> None:
        """Look for a newer list, where and when that is due. Whatever fails leaves the list as it is."""
        ...

    def check(self, prices: Prices) -> None:
        """Check prices of the operator's.

        Raises `ValidationError` for prices of unknown units, and for those that leave gaps between units.
        """
        ...

    def is_unit(self, name: str) -> bool:
        """Whether a usage key is one that the list knows."""
        ...

    def contradiction(self, counts: Counts) -> Unpriced | None:
        """Says which counts cannot all be true."""
        ...

    def read_usage(
        self, provider: str | None, model: str, api: str | None, usage: Mapping[str, Any]
    ) -> UsageReading | None:
        """Read a provider's own usage object; None where it has no form that is known."""
        ...
