"""What an event costs the operator at its provider, in the organization's currency."""

from collections.abc import Mapping
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
from shared.domain.provider_costs.llm_prices import TokenCounts
from shared.domain.provider_costs.model_names import reported_model, unpriced_name
from shared.domain.provider_costs.price_lookup import LlmPrices

COST_TYPE = "cost."
AMOUNT_PATH = "data.amount"
REPORTED_COST_PATH = "data.cost"
LLM = "llm"
"""The category of LLM calls."""

PROVIDER_COST = "$cost."
"""With the category after it, the system total of a category of costs."""
REPORTED_COST = "$stated_cost"
"""The system total of what senders of LLM calls say they cost."""
UNPRICED = "$unpriced"
"""The system total of LLM calls without a price and their tokens; `$unpriced.{model}` for each model."""


class EventCost(msgspec.Struct, frozen=True):
    """What one event costs at its provider. Without an amount it costs nothing, or the cost is not known."""

    amount: Decimal | None = None
    category: str | None = None
    reported: Decimal | None = None
    """What the sender of an LLM call says it cost."""
    priced_by: str | None = None
    """The `provider/model` whose price was applied."""
    unpriced: str | None = None
    """The model of an LLM call without a price."""
    tokens: int = 0
    """Input and output tokens of such a call."""

    def readings(self) -> tuple[tuple[str, Reading], ...]:
        """What it adds to system totals, by their names."""
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
    """An event with its provider cost, as meters read it (`metering.meters.Event`)."""

    type: str
    data: Mapping[str, Any]
    time: str
    key: str
    cost: Decimal | None = None
    """In the organization's currency."""
    cost_category: str | None = None
    exchange_rate: Decimal | None = None
    """From the currency that the event names to the organization's; None without one."""
    amounts: Mapping[str, Decimal] = {}
    """Amounts by path that are read instead of the reported ones, in the organization's currency."""


@dataclass(frozen=True, slots=True)
class CostRules:
    """The prices and exchange rates that decide what events cost."""

    prices: LlmPrices
    rates: ExchangeRates

    def of(self, event_type: str, data: Mapping[str, Any], at: datetime, currency: str) -> EventCost:
        """What an event costs, in `currency`, at the prices and rates of a time.

        Raises `NoExchangeRateError`, and `UnmeterableError` for a cost without an amount.
        """
        if event_type == LLM_CALL:
            return self._of_llm_call(data, at, currency)
        if event_type.startswith(COST_TYPE):
            amount = number_at(data, AMOUNT_PATH, event_type)
            cost = self.rates.convert(amount, reported_currency(data, currency), currency, at)
            return EventCost(cost, event_type.removeprefix(COST_TYPE))
        return NO_COST

    def _of_llm_call(self, data: Mapping[str, Any], at: datetime, currency: str) -> EventCost:
        model, tokens = reported_model(data), TokenCounts.of(data)
        reported = self._reported_cost(data, at, currency)
        effective = self.prices.of(*model).at(at)
        cost = effective.prices.cost(tokens) if effective is not None else None
        if effective is None or cost is None:
            return EventCost(None, LLM, reported, unpriced=unpriced_name(*model), tokens=tokens.total)
        converted = self.rates.convert(cost, effective.prices.currency, currency, at)
        return EventCost(converted, LLM, reported, effective.name)

    def _reported_cost(self, data: Mapping[str, Any], at: datetime, currency: str) -> Decimal | None:
        """What the sender says the call cost.

        None where it cannot be converted, as no bill depends on it.
        """
        if data.get("cost") is None:
            return None
        try:
            return self.rates.convert(read_decimal(data["cost"]), reported_currency(data, currency), currency, at)
        except NoExchangeRateError:
            return None
