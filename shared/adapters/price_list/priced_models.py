"""Models of the package `genai-prices` with their prices, and what calls cost at them."""

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.adapters.price_list.price_plans import PricePlan, PriceSlice, amounts_of
from shared.adapters.price_list.units import REQUESTS
from shared.domain.kernel.money import EXACT, to_places
from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.priced_models import PriceStep
from shared.domain.provider_costs.service_tiers import STANDARD, price_context
from shared.domain.provider_costs.usage_counts import Count, Counts

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

_SLICES = 64
_PER_THOUSAND = Decimal("0.001")

_log = logging.getLogger(__name__)


class PackageModel:
    """A model with the prices that the package computes with.

    The package's own `calc_price` takes 0.1 ms. So calls of tokens are priced by a plan that is made once for each set
    of units. The first call of each plan is priced by the package, too: should they ever differ, the package holds.
    """

    def __init__(
        self, name: str, provider: "Provider", model: "ModelInfo", *, currency: str = "USD", is_lenient: bool = False
    ) -> None:
        from genai_prices.types import ConditionalPrice  # noqa: PLC0415  the package is imported where it is needed

        self.name = name
        self.currency = currency
        self._provider = provider
        self._model = model
        self._is_lenient = is_lenient
        self.conditional_prices = (
            model.prices if isinstance(model.prices, list) else [ConditionalPrice(prices=model.prices)]
        )
        """Its standard prices, with the times at which they apply; the last that applies holds."""
        self._has_tiers = any(listed is model for listed in provider.models)
        """False for another provider's model, whose tiers are not this provider's."""
        self._slice = lru_cache(_SLICES)(self._new_slice)

    def cost(self, counts: Counts, tier: str, at: datetime) -> Decimal | Unpriced:
        """See `PricedModel`."""
        found = self._plan(counts, tier, at)
        if isinstance(found, Unpriced):
            return found
        prices, plan = found
        try:
            complete = plan.completed(counts)
            requests = counts.get(REQUESTS, 1)
            is_of_integers = plan.is_of_tokens and type(requests) is int
            if is_of_integers and self._is_like_the_package(prices, plan, complete, tier, at):
                return plan.cost_of_tokens(complete, prices.request_units * int(requests))
            plan.shares(complete)
            return self._cost_by_package(prices, complete, tier, at)
        except ValueError as error:  # ours, and what the package raises about counts
            return Unpriced("unclear_counts", str(error))

    def rates(self, context: Count, tier: str, at: datetime) -> Mapping[str, Decimal]:
        """See `PricedModel`."""
        prices = self._in_force(tier, at)
        return {} if isinstance(prices, Unpriced) else prices.rates(context)

    def steps(self, counts: Counts, tier: str, at: datetime) -> list[PriceStep]:
        """See `PricedModel`."""
        found = self._plan(counts, tier, at)
        if isinstance(found, Unpriced):
            return []
        prices, plan = found
        steps = [
            PriceStep(unit.key, Decimal(share), price, unit.per, amount)
            for unit, share, price, amount in amounts_of(plan, plan.completed(counts))
        ]
        if prices.request:
            requests = Decimal(counts.get(REQUESTS, 1))
            steps.append(PriceStep(REQUESTS, requests, prices.request, 1000, prices.request * requests / 1000))
        return steps

    def is_free(self, tier: str, at: datetime) -> bool:
        """See `PricedModel`."""
        prices = self._in_force(tier, at)
        return isinstance(prices, PriceSlice) and prices.is_free

    def _plan(self, counts: Counts, tier: str, at: datetime) -> tuple[PriceSlice, PricePlan] | Unpriced:
        prices = self._in_force(tier, at)
        if isinstance(prices, Unpriced):
            return prices
        plan = prices.plan(counts)
        return plan if isinstance(plan, Unpriced) else (prices, plan)

    def _in_force(self, tier: str, at: datetime) -> PriceSlice | Unpriced:
        if tier == STANDARD:
            return self._slice(self._period(at), None, ())
        context = price_context(self._provider.id, tier)
        variants = tuple(
            index
            for index, variant in enumerate(self._model.price_variants or ())
            if variant.when == context and (variant.constraint is None or variant.constraint.active(at))
        )
        if not variants or not self._has_tiers:
            return Unpriced("no_tier_price", f"{self.name} has no price for the service tier {tier} at that time")
        return self._slice(self._period(at), tier, variants)

    def _period(self, at: datetime) -> int:
        """Which of the model's prices are in force: the last that apply, else the first."""
        for index in range(len(self.conditional_prices) - 1, 0, -1):
            constraint = self.conditional_prices[index].constraint
            if constraint is None or constraint.active(at):
                return index
        return 0

    def _new_slice(self, period: int, tier: str | None, variants: tuple[int, ...]) -> PriceSlice:
        from genai_prices.types import ModelPrice  # noqa: PLC0415  the package is imported where it is needed

        prices = dict(vars(self.conditional_prices[period].prices))
        if tier is not None:
            for index in reversed(variants):  # the first variant holds
                overrides = (self._model.price_variants or [])[index].prices
                prices |= {key: price for key, price in vars(overrides).items() if price is not None}
        return PriceSlice(ModelPrice(**prices), is_lenient=self._is_lenient)

    def _cost_by_package(self, prices: PriceSlice, counts: Counts, tier: str, at: datetime) -> Decimal:
        from genai_prices import Usage  # noqa: PLC0415  the package is imported where it is needed

        usage = Usage(**{key: count for key, count in counts.items() if key != REQUESTS})
        context: Mapping[str, str] | None = None if tier == STANDARD else price_context(self._provider.id, tier)
        price = self._model.calc_price(usage, self._provider, genai_request_timestamp=at, price_context=context)
        more_requests = Decimal(counts.get(REQUESTS, 1)) - 1
        beside = EXACT.multiply(EXACT.multiply(prices.request, _PER_THOUSAND), more_requests)
        return to_places(price.total_price + beside)

    def _is_like_the_package(
        self, prices: PriceSlice, plan: PricePlan, counts: Counts, tier: str, at: datetime
    ) -> bool:
        if plan.is_confirmed is None:
            ours = plan.cost_of_tokens(counts, prices.request_units * int(counts.get(REQUESTS, 1)))
            plan.is_confirmed = ours == self._cost_by_package(prices, counts, tier, at)
            if not plan.is_confirmed:
                _log.error("the package prices otherwise", extra={"model": self.name, "units": sorted(counts)})
        return plan.is_confirmed
