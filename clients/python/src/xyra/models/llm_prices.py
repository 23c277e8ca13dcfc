"""Models of `llm_prices`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict


class CalculateLlmCallRequest(TypedDict):
    """The data of an LLM call as its event would report them, with a time.

    All names of an event's data are taken: ours, those of providers and SDKs, and `usage`."""

    input_tokens: NotRequired[int | None]
    """Including the cached ones."""
    cached_input_tokens: NotRequired[int | None]
    """Those of the input that the provider had in its cache."""
    output_tokens: NotRequired[int | None]
    """Including the reasoning ones."""
    reasoning_tokens: NotRequired[int | None]
    """Those of the output that were spent on reasoning."""
    total_tokens: NotRequired[int | None]
    """Input and output; tells whether the output includes the reasoning."""
    cache_write_tokens: NotRequired[int | None]
    """Those of the input that the provider wrote to its cache."""
    cache_write_1h_tokens: NotRequired[int | None]
    """Those of the written ones that it keeps for an hour."""
    units: NotRequired[Mapping[str, Any] | None]
    """All other units, by the price list's names: `{"input_audio_tokens": 400, "web_searches": 2}`."""
    usage: NotRequired[Mapping[str, Any] | None]
    """The provider's own usage object, in place of counts."""
    api: NotRequired[str | None]
    """Which API of the provider sent `usage`, where it has several."""
    service_tier: NotRequired[str | None]
    """`standard` (the default), `batch`, `flex`, `priority` or another one of the provider's."""
    byok: NotRequired[bool | None]
    """Whether the call was made with the customer's own key, so that it costs the operator nothing."""
    provider: NotRequired[str | None]
    """As the event would name it."""
    model: str
    """As the event would name it."""
    time: NotRequired[str | None]
    """When the call happens; by default now."""
    currency: NotRequired[str | None]
    """The currency of the cost; by default that of the prices. Another one needs an exchange rate."""
    cost: NotRequired[str | int | Decimal | None]
    """What the sender thinks, in `currency`; shown beside the cost."""


class CalculatedLlmCall(TypedDict):
    cost: str | None
    """Null for a call without a price; the warnings say why."""
    currency: str | None
    """The currency of the cost."""
    cost_source: Literal["list", "override", "reported"] | None
    """Whose price it is: `list`, `override`, or `reported` for the sender's figure."""
    priced_by: str | None
    """The `provider/model` whose prices were used."""
    overridden: bool
    """Whether the prices are the operator's own."""
    free: bool
    """Whether the model costs nothing."""
    list_version: str | None
    """Which price list it was."""
    reported_cost: str | None
    """What the sender thinks."""
    cost_difference: str | None
    """`cost` minus `reported_cost`, where the cost is not the reported one."""
    byok: bool
    """Whether it is the customer's own key that pays, and not the operator."""
    units: Mapping[str, str]
    """What was counted, by the price list's names; what is inside a unit is counted in it, too."""
    prices: CalculatedPrices | None
    """The prices of text that the cost is calculated from."""
    steps: Sequence[CalculationStep]
    """How the cost comes about."""
    warnings: Sequence[CalculationWarning]
    """What to look at before it is relied on."""


class CalculatedPrices(TypedDict):
    """Prices per million tokens, for the size of this call's context."""

    currency: str
    """Of these prices and of the steps."""
    input: str | None
    """Null where input has no price."""
    cached_input: str | None
    """Null where cached input has no price of its own."""
    output: str | None
    """Null where output has no price."""
    reasoning: str | None
    """Null where reasoning has no price of its own."""
    request: str
    """The price of each call, in addition to its units."""


class CalculationStep(TypedDict):
    """What one unit of the call costs. The steps add up to the cost in the currency of the prices."""

    unit: str
    """By the price list's name, such as `input_tokens`."""
    quantity: str
    """Without what is inside it and has a price of its own."""
    unit_amount: str
    """The price of `per` of them."""
    per: int
    """How many units the price is of."""
    amount: str
    """What they cost."""


class CalculationWarning(TypedDict):
    """What the sender of such an event would be told."""

    code: str
    """`unpriced`, `no_count`, `unknown_count`, `total_mismatch` or `standard_price`."""
    detail: str
    """What is missing, or did not count."""


LlmAliasAnswer = TypedDict(
    "LlmAliasAnswer",
    {"id": "str", "provider": "str", "name": "str", "model": "str", "from": "str", "organization_id": "str | None"},
)


class LlmAliasList(TypedDict):
    data: Sequence[LlmAliasAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


LlmAliasRequest = TypedDict(
    "LlmAliasRequest",
    {"provider": "str", "name": "str", "model": "str", "from": "str", "organization_id": "NotRequired[str | None]"},
)


class LlmPriceAnswer(TypedDict):
    id: str
    """Its id."""
    provider: str | None
    """Null for events that name no provider."""
    model: str
    """In lower case."""
    prices: ModelPrices | UnitPrices | None
    """The present prices; null where the price list applies."""
    upcoming: Sequence[PriceEntry]
    """The next prices, at most 5."""
    history: Sequence[PriceEntry]
    """All prices in the order of their times, upcoming ones included; at most 500."""


class LlmPriceChange(TypedDict):
    prices: ModelPricesInput | UnitPricesInput
    """Of tokens, per million; or `rates` and `service_tiers` in the notation of the price list."""
    effective_from: NotRequired[str | None]
    """When it takes effect: in 10 minutes (the default) or later."""


class LlmPriceEnd(TypedDict):
    effective_from: NotRequired[str | None]
    """When it takes effect: in 10 minutes (the default) or later."""


class LlmPriceList(TypedDict):
    data: Sequence[LlmPriceListed]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class LlmPriceListed(TypedDict):
    id: str
    """Its id."""
    provider: str | None
    """Null for events that name no provider."""
    model: str
    """In lower case."""
    prices: ModelPrices | UnitPrices | None
    """The present prices; null where the price list applies."""
    upcoming: Sequence[PriceEntry]
    """The next prices, at most 5."""


class LlmPriceRequest(TypedDict):
    provider: NotRequired[str | None]
    """As events or the price list name it. Null for events that name no provider."""
    model: str
    """As events or the price list name it."""
    prices: ModelPricesInput | UnitPricesInput
    """Of tokens, per million; or `rates` and `service_tiers` in the notation of the price list."""
    effective_from: NotRequired[str | None]
    """When it takes effect; may be in the past. By default now."""


class ModelPrices(TypedDict):
    """The operator's prices of tokens, per million. All other tokens cost what those cost that include them."""

    currency: NotRequired[str]
    """Of all prices here."""
    input: str
    """Per million input tokens."""
    cached_input: NotRequired[str | None]
    """Per million cached input tokens; null where they cost as other input tokens."""
    output: str
    """Per million output tokens."""
    reasoning: NotRequired[str | None]
    """Per million reasoning tokens; null where they cost as other output tokens."""


class ModelPricesInput(TypedDict):
    """The operator's prices of tokens, per million. All other tokens cost what those cost that include them."""

    currency: NotRequired[str]
    """Of all prices here."""
    input: str | int | Decimal
    """Per million input tokens."""
    cached_input: NotRequired[str | int | Decimal | None]
    """Per million cached input tokens; null where they cost as other input tokens."""
    output: str | int | Decimal
    """Per million output tokens."""
    reasoning: NotRequired[str | int | Decimal | None]
    """Per million reasoning tokens; null where they cost as other output tokens."""


class PriceCallsRequest(TypedDict):
    dry_run: NotRequired[bool]
    """Whether to say only what would be priced."""
    organization_id: NotRequired[str | None]
    """Only calls of this organization: id, slug or external id; null for all that the alias is for."""
    cursor: NotRequired[str | None]
    """The `next_cursor` of the answer before, with the same request."""


class PriceEntry(TypedDict):
    effective_from: str
    """Inclusive."""
    effective_to: str | None
    """Exclusive; null for the last entry."""
    prices: ModelPrices | UnitPrices | None
    """Null where the price list applies again."""


class PricedCallsAnswer(TypedDict):
    calls: int
    """How many calls got a cost, or would get one."""
    cost: str
    """What they cost together."""
    currency: str | None
    """That of their organizations; those with another one follow with the cursor. Null without calls of any."""
    unpriced: int
    """How many calls under the name have no price even so."""
    next_cursor: str | None
    """Not null where the request did not get to the end: send it again with this cursor."""


class RateTier(TypedDict):
    """A price that holds above a number of input tokens."""

    start: int
    """It holds for all units of a call with more input tokens than this."""
    price: str
    """Of the same number of units as the base."""


class RateTierInput(TypedDict):
    """A price that holds above a number of input tokens."""

    start: int
    """It holds for all units of a call with more input tokens than this."""
    price: str | int | Decimal
    """Of the same number of units as the base."""


class TieredRate(TypedDict):
    """A price that depends on the number of input tokens of the call."""

    base: str
    """Up to the first tier."""
    tiers: Sequence[RateTier]
    """Rising."""


class TieredRateInput(TypedDict):
    """A price that depends on the number of input tokens of the call."""

    base: str | int | Decimal
    """Up to the first tier."""
    tiers: Sequence[RateTierInput]
    """Rising."""


class UnitPrices(TypedDict):
    """The operator's prices in the notation of the price list. A unit without a price makes a call unpriced."""

    currency: NotRequired[str]
    """Of all prices here."""
    rates: Mapping[str, Any]
    """By the price list's key; empty for a model that is free."""
    service_tiers: NotRequired[Mapping[str, Any]]
    """The prices that differ in a service tier, such as `batch`. A tier that is not here has no price."""


class UnitPricesInput(TypedDict):
    """The operator's prices in the notation of the price list. A unit without a price makes a call unpriced."""

    currency: NotRequired[str]
    """Of all prices here."""
    rates: Mapping[str, Any]
    """By the price list's key; empty for a model that is free."""
    service_tiers: NotRequired[Mapping[str, Any]]
    """The prices that differ in a service tier, such as `batch`. A tier that is not here has no price."""


class UnpricedModelAnswer(TypedDict):
    """LLM calls of a model without a price."""

    model: str
    """`*` stands for all models beyond the 50 that are counted one by one for an agent."""
    calls: int
    """How many."""
    tokens: str
    """Input and output together."""


class UnpricedModelList(TypedDict):
    data: Sequence[UnpricedModelAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""
