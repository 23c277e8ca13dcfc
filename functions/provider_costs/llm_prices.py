"""Prices of LLM models: the operator's own, calculations, and models without a price."""

from datetime import datetime
from typing import Annotated, Self

import azure.functions as func
from pydantic import Field, model_validator

from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.histories import Interval
from shared.domain.kernel.money import Currency, ExactDecimal
from shared.domain.kernel.validation import refusal
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError
from shared.domain.provider_costs.llm_prices import ModelPrices, PriceOverride, TokenCounts, TokenPrices
from shared.domain.provider_costs.model_names import MAXIMUM_NAME, LowerCaseName, ModelName
from shared.http import Call, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, ZonedTime, endpoint, window

blueprint = func.Blueprint()

_PRICES = {"input": "2.00", "cached_input": "0.20", "output": "12.00"}
_EXAMPLE = {"provider": "google", "model": "gemini-3-pro-preview", "prices": _PRICES}

MAXIMUM_UPCOMING = 5

TokenCount = Annotated[int, Field(strict=True, ge=0, lt=10**15)]


class LlmPricePath(PathValues):
    price_id: Annotated[str, ThingId("llp")]
    """The id of the model's prices."""


class LlmPriceChange(Schema):
    prices: ModelPrices
    """Per million tokens."""
    effective_from: ZonedTime | None = None
    """When it takes effect: in 10 minutes (the default) or later."""


class LlmPriceRequest(Schema):
    provider: LowerCaseName | None = None
    """As events or the price list name it. Null for events that name no provider."""
    model: LowerCaseName
    """As events or the price list name it."""
    prices: ModelPrices
    """Per million tokens."""
    effective_from: ZonedTime | None = None
    """When it takes effect; may be in the past. By default now."""


class LlmPriceEnd(Schema):
    effective_from: ZonedTime | None = None
    """When it takes effect: in 10 minutes (the default) or later."""


class PriceEntry(Schema):
    effective_from: datetime
    """Inclusive."""
    effective_to: datetime | None
    """Exclusive; null for the last entry."""
    prices: ModelPrices | None
    """Per million tokens; null where the price list applies again."""

    @classmethod
    def of(cls, interval: Interval[ModelPrices | None]) -> Self:
        return cls(effective_from=interval.start, effective_to=interval.end, prices=interval.value)


class LlmPriceListed(Schema):
    id: str
    provider: str | None
    """Null for events that name no provider."""
    model: str
    """In lower case."""
    prices: ModelPrices | None
    """The present prices per million tokens; null where the price list applies."""
    upcoming: list[PriceEntry]
    """The next prices, at most 5."""

    @classmethod
    def at(cls, override: PriceOverride, now: datetime, **beside: list[PriceEntry]) -> Self:
        upcoming = [PriceEntry.of(interval) for interval in override.prices.next_after(now, MAXIMUM_UPCOMING)]
        return cls.showing(override, prices=override.prices.at(now), upcoming=upcoming, **beside)


class LlmPriceAnswer(LlmPriceListed):
    history: list[PriceEntry]
    """All prices in the order of their times, upcoming ones included; at most 500."""


def _shown(override: PriceOverride, now: datetime) -> LlmPriceAnswer:
    history = [PriceEntry.of(interval) for interval in override.prices.intervals()]
    return LlmPriceAnswer.at(override, now, history=history)


class CalculateLlmCallRequest(Schema):
    """An LLM call as its event would report it."""

    provider: Annotated[str, Field(max_length=MAXIMUM_NAME)] | None = None
    """As the event would name it."""
    model: Annotated[str, Field(max_length=MAXIMUM_NAME)]
    """As the event would name it."""
    time: ZonedTime | None = None
    """When the call happens; by default now."""
    currency: Currency | None = None
    """The currency of the cost; by default that of the prices. Another one needs an exchange rate."""
    input_tokens: TokenCount = 0
    """The cached ones included."""
    cached_input_tokens: TokenCount = 0
    """Those of the input that the provider had in its cache."""
    output_tokens: TokenCount = 0
    """The reasoning ones included."""
    reasoning_tokens: TokenCount = 0
    """Those of the output that were spent on reasoning."""

    @model_validator(mode="after")
    def _cached_is_input(self) -> Self:
        if self.cached_input_tokens > self.input_tokens:
            raise refusal((("cached_input_tokens",), "is more than input_tokens, which include the cached ones"))
        return self

    @property
    def tokens(self) -> TokenCounts:
        return TokenCounts(self.input_tokens, self.cached_input_tokens, self.output_tokens, self.reasoning_tokens)


class CalculatedPrices(Schema):
    """Prices per million tokens, for the size of this call's context."""

    currency: str
    input: ExactDecimal | None
    """Null where input has no price."""
    cached_input: ExactDecimal | None
    """Null where cached input has no price of its own."""
    output: ExactDecimal | None
    """Null where output has no price."""
    reasoning: ExactDecimal | None
    """Null where reasoning has no price of its own."""
    request: ExactDecimal
    """The price of each call, in addition to its tokens."""

    @classmethod
    def of(cls, prices: TokenPrices, context: int) -> Self:
        kinds = {name: getattr(prices, name) for name in ("input", "cached_input", "output", "reasoning")}
        return cls(
            currency=prices.currency,
            request=prices.request,
            **{name: None if price is None else price.at(context) for name, price in kinds.items()},
        )


class CalculatedLlmCall(Schema):
    cost: ExactDecimal | None
    """Null for a model without a price."""
    currency: str | None
    """The currency of the cost."""
    priced_by: str | None
    """The `provider/model` whose prices were used."""
    overridden: bool
    """Whether the prices are the operator's own."""
    prices: CalculatedPrices | None
    """The prices that the cost is calculated from."""


class UnpricedQuery(ListQuery):
    period: str | None = Field(default=None, max_length=7)
    """A month such as 2026-10; by default the open period."""


class UnpricedModelAnswer(Schema):
    """LLM calls of a model without a price."""

    model: str
    """`*` stands for all models beyond the 50 that are counted one by one for an agent."""
    calls: int
    """How many."""
    tokens: ExactDecimal
    """Input and output together."""


@endpoint(
    blueprint,
    "POST",
    "llm-prices",
    summary="Set prices of a model, which apply instead of the price list",
    access=Permission.PRICES_WRITE,
    body=LlmPriceRequest,
    answers={201: LlmPriceAnswer},
    example=_EXAMPLE,
)
async def create_llm_price(call: Call[LlmPriceRequest]) -> Reply:
    name = ModelName(call.body.provider, call.body.model)
    override, etag = await call.services.llm_prices.create(name, call.body.prices, call.body.effective_from)
    return Reply(_shown(override, call.services.clock.now()), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "llm-prices",
    summary="Models with prices of the operator's: the present and the next ones",
    access=Permission.PRICES_READ,
    query=ListQuery,
    answers={200: Listed[LlmPriceListed]},
)
async def list_llm_prices(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.llm_prices.page(call.query.limit, call.query.cursor)
    data = [LlmPriceListed.at(override, call.services.clock.now()) for override in page.entities]
    return Reply(Listed(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "llm-prices/unpriced",
    summary="The models without a price that an organization's agents called in a period",
    access=Permission.USAGE_READ,
    query=UnpricedQuery,
    answers={200: Listed[UnpricedModelAnswer]},
)
async def list_unpriced_models(call: Call[NoBody, UnpricedQuery]) -> Reply:
    organization = await call.organization()
    period = await call.services.periods.of_month(organization, call.query.period, call.now)
    models = await call.services.unpriced_models.of(organization, period)
    shown, next_cursor = window(len(models), call.query.limit, call.query.cursor)
    return Reply(Listed(data=models[shown], next_cursor=next_cursor))


@endpoint(
    blueprint,
    "POST",
    "llm-prices/calculate",
    summary="Calculate what an LLM call costs at its provider",
    access=Permission.PRICES_READ,
    body=CalculateLlmCallRequest,
    answers={200: CalculatedLlmCall},
    idempotent=False,
    example={"model": "google/gemini-3-pro-preview", "input_tokens": 1200, "output_tokens": 90},
)
async def calculate_llm_call(call: Call[CalculateLlmCallRequest]) -> Reply:
    asked, tokens = call.body, call.body.tokens
    at = asked.time or call.now
    rules = await call.services.costs.recent()
    price = rules.prices.of(asked.provider, asked.model).at(at)
    cost = price.prices.cost(tokens) if price is not None else None
    if price is None or cost is None:
        return Reply(CalculatedLlmCall(cost=None, currency=None, priced_by=None, overridden=False, prices=None))
    currency = asked.currency or price.prices.currency
    try:
        converted = rules.rates.convert(cost, price.prices.currency, currency, at)
    except NoExchangeRateError as error:
        raise ValidationError.at("/currency", error.detail) from error
    return Reply(
        CalculatedLlmCall(
            cost=converted,
            currency=currency,
            priced_by=price.name,
            overridden=price.overridden,
            prices=CalculatedPrices.of(price.prices, tokens.input),
        )
    )


@endpoint(
    blueprint,
    "GET",
    "llm-prices/{price_id}",
    summary="The operator's prices of one model, with their history",
    access=Permission.PRICES_READ,
    path_values=LlmPricePath,
    answers={200: LlmPriceAnswer},
)
async def get_llm_price(call: Call[NoBody, Query, LlmPricePath]) -> Reply:
    override, etag = await call.services.llm_prices.get(call.path.price_id)
    return Reply(_shown(override, call.services.clock.now()), etag=etag)


@endpoint(
    blueprint,
    "PUT",
    "llm-prices/{price_id}",
    summary="Change the prices of a model in 10 minutes or later",
    access=Permission.PRICES_WRITE,
    path_values=LlmPricePath,
    body=LlmPriceChange,
    answers={200: LlmPriceAnswer},
    example={"prices": _PRICES},
)
async def change_llm_price(call: Call[LlmPriceChange, Query, LlmPricePath]) -> Reply:
    override, etag = await call.services.llm_prices.change(
        call.path.price_id, call.body.prices, call.body.effective_from, call.if_match
    )
    return Reply(_shown(override, call.services.clock.now()), etag=etag)


@endpoint(
    blueprint,
    "POST",
    "llm-prices/{price_id}/end",
    summary="Return to the price list for a model, in 10 minutes or later",
    access=Permission.PRICES_WRITE,
    path_values=LlmPricePath,
    body=LlmPriceEnd,
    answers={200: LlmPriceAnswer},
    example={},
)
async def end_llm_price(call: Call[LlmPriceEnd, Query, LlmPricePath]) -> Reply:
    override, etag = await call.services.llm_prices.end(call.path.price_id, call.body.effective_from, call.if_match)
    return Reply(_shown(override, call.services.clock.now()), etag=etag)
