"""What an event costs the operator at its provider, in the organization's currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.kernel.money import EXACT, ZERO, read_decimal
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.metering.values import number_at
from shared.domain.provider_costs.exchange_rates import ExchangeRates, NoExchangeRateError, reported_currency
from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.model_names import reported_model, shown_name, unpriced_name
from shared.domain.provider_costs.price_lookup import CostSource, EffectivePrices, LlmPrices
from shared.domain.provider_costs.service_tiers import STANDARD, service_tier_of
from shared.domain.provider_costs.usage_counts import CallCounts, counts_of, reported_tokens

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


REPORTED_BY_MODEL = "$reported."
"""With a model's name, the system total of what senders say about calls that have a cost of ours, too."""
DIFFERENCE_BY_MODEL = "$difference."
"""With a model's name, the system total of our cost minus the reported one."""
BYOK_BY_MODEL = "$byok."
"""With a model's name, the system total of what calls with the customer's own key cost the customer."""


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
    source: CostSource | None = None
    """Whose figure the cost of an LLM call is."""
    list_version: str | None = None
    """Of the price list, where it is the list's."""
    reason: str | None = None
    """Why an LLM call has no price."""
    byok: bool = False
    """Whether the call was made with the customer's own key. It costs the operator nothing then."""
    byok_amount: Decimal | None = None
    """What such a call costs the customer."""

    @property
    def difference(self) -> Decimal | None:
        """The cost of an LLM call minus the reported one; None unless both are known, each by itself."""
        ours = self.byok_amount if self.byok else self.amount
        if ours is None or self.reported is None or self.source == "reported":
            return None
        return EXACT.subtract(ours, self.reported)

    @property
    def is_unpriced(self) -> bool:
        """Whether it is of an LLM call that has no cost. A cost of 0 is one."""
        return self.category is not None and self.amount is None

    @property
    def is_zero(self) -> bool:
        """Whether it is priced at 0, as a free model is. Not said of what the customer pays with its own key."""
        return self.amount is not None and not self.amount and not self.byok

    def readings(self) -> tuple[tuple[str, Reading], ...]:
        """What it adds to system totals, by their names."""
        if self.category is None:
            return ()
        readings: list[tuple[str, Reading]] = []
        if self.amount is not None:
            readings.append((PROVIDER_COST + self.category, CountAndSum(1, self.amount)))
        if self.reported is not None:
            readings.append((REPORTED_COST, CountAndSum(1, self.reported)))
            readings += self._compared(self.reported)
        if self.unpriced is not None:
            tokens = CountAndSum(1, Decimal(self.tokens))
            readings += [(UNPRICED, tokens), (f"{UNPRICED}.{self.unpriced}", tokens)]
        if self.byok:
            readings.append((BYOK_BY_MODEL + shown_name(self.priced_by), CountAndSum(1, self.byok_amount or ZERO)))
        return tuple(readings)

    def _compared(self, reported: Decimal) -> list[tuple[str, Reading]]:
        difference = self.difference
        if difference is None or self.source is None:  # events that were metered without a source are not compared
            return []
        model = shown_name(self.priced_by)
        return [
            (REPORTED_BY_MODEL + model, CountAndSum(1, reported)),
            (DIFFERENCE_BY_MODEL + model, CountAndSum(1, difference)),
        ]


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
    returned_at: str | None = None
    """When its agent came back to its billing model in this period; None if it never left."""


class CostTerms(msgspec.Struct, frozen=True):
    """What of a sender's word about the cost of an LLM call holds."""

    takes_reported: bool = False
    """Whether a reported cost is the cost, where neither list nor override has one."""
    takes_terms: bool = True
    """Whether the sender may say that a call had another service tier, or the customer's own key."""

    def tier_of(self, data: Mapping[str, Any]) -> str:
        """The service tier that the call is priced at."""
        return service_tier_of(data) if self.takes_terms else STANDARD

    def is_byok(self, data: Mapping[str, Any]) -> bool:
        """Whether the call was made with the customer's own key, so that the operator pays nothing."""
        return self.takes_terms and data.get("byok") is True

    def is_reported(self, data: Mapping[str, Any]) -> bool:
        """Whether the reported cost is what the call costs, should it have no price."""
        return self.takes_reported and data.get("cost") is not None and not self.is_byok(data)

    def needs_price(self, data: Mapping[str, Any]) -> bool:
        """Whether the call has no cost where it has no price."""
        return not self.is_byok(data) and not self.is_reported(data)


TRUSTED = CostTerms()
"""Without reported costs."""


class PricedCall(msgspec.Struct, frozen=True):
    """An LLM call with its counts and the prices that hold for it."""

    counts: CallCounts
    tier: str
    prices: EffectivePrices | None
    cost: Decimal | Unpriced
    """In the currency of the prices."""


@dataclass(frozen=True, slots=True)
class CostRules:
    """The prices and exchange rates that decide what events cost."""

    prices: LlmPrices
    rates: ExchangeRates

    def of(  # noqa: PLR0913  what a cost depends on
        self,
        event_type: str,
        data: Mapping[str, Any],
        at: datetime,
        currency: str,
        terms: CostTerms = TRUSTED,
        organization_id: str | None = None,
    ) -> EventCost:
        """What an event costs, in `currency`, at the prices and rates of a time.

        Raises `NoExchangeRateError`, and `UnmeterableError` for a cost without an amount.
        """
        if event_type == LLM_CALL:
            return self._of_llm_call(data, at, currency, terms, organization_id)
        if event_type.startswith(COST_TYPE):
            amount = number_at(data, AMOUNT_PATH, event_type)
            cost = self.rates.convert(amount, reported_currency(data, currency), currency, at)
            return EventCost(cost, event_type.removeprefix(COST_TYPE))
        return NO_COST

    def priced(
        self, data: Mapping[str, Any], at: datetime, terms: CostTerms = TRUSTED, organization_id: str | None = None
    ) -> PricedCall:
        """The price of an LLM call from its canonical data, or why it has none."""
        counts = counts_of(data)
        tier = terms.tier_of(data)
        prices = self.prices.at(*reported_model(data), at, organization_id)
        if isinstance(prices, Unpriced):
            return PricedCall(counts, tier, None, prices)
        if not counts.are_known and not prices.model.is_free(tier, at):
            return PricedCall(counts, tier, prices, Unpriced("no_count", "the call has no count that could be priced"))
        return PricedCall(counts, tier, prices, prices.model.cost(counts.counts, tier, at))

    def _of_llm_call(
        self, data: Mapping[str, Any], at: datetime, currency: str, terms: CostTerms, organization_id: str | None
    ) -> EventCost:
        reported = self._reported_cost(data, at, currency)
        byok = terms.is_byok(data)
        call = self.priced(data, at, terms, organization_id)
        if call.prices is None or isinstance(call.cost, Unpriced):
            reason = call.cost.detail if isinstance(call.cost, Unpriced) else None
            if byok:
                return EventCost(ZERO, LLM, reported, reason=reason, byok=True)
            if terms.is_reported(data) and reported is not None:
                return EventCost(reported, LLM, reported, source="reported", reason=reason)
            model = unpriced_name(*reported_model(data))
            return EventCost(None, LLM, reported, unpriced=model, tokens=reported_tokens(data), reason=reason)
        converted = self.rates.convert(call.cost, call.prices.model.currency, currency, at)
        return EventCost(
            ZERO if byok else converted,
            LLM,
            reported,
            call.prices.model.name,
            source=call.prices.source,
            list_version=call.prices.list_version,
            byok=byok,
            byok_amount=converted if byok else None,
        )

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
