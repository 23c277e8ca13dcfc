"""What LLM calls cost at their providers: the operator's own prices beside the price list, and what has no price."""

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
    """10 minutes ahead or later; without it in 10 minutes."""


class LlmPriceRequest(Schema):
    provider: LowerCaseName | None = None
    """As events name it, or as the price list does; without one, of events that name none."""
    model: LowerCaseName
    """As events name it, or as the price list does."""
    prices: ModelPrices
    """Per million tokens."""
    effective_from: ZonedTime | None = None
    """May be in the past; without it now."""


class LlmPriceEnd(Schema):
    effective_from: ZonedTime | None = None
    """10 minutes ahead or later; without it in 10 minutes."""


class PriceEntry(Schema):
    effective_from: datetime
    """From when on it holds."""
    effective_to: datetime | None
    """Until when; null for the last entry."""
    prices: ModelPrices | None
    """Per million tokens; null where the price list holds again."""

    @classmethod
    def of(cls, interval: Interval[ModelPrices | None]) -> Self:
        return cls(effective_from=interval.start, effective_to=interval.end, prices=interval.value)


class LlmPriceListed(Schema):
    id: str
    provider: str | None
    """Null for the model of whatever provider."""
    model: str
    """In lower case."""
    prices: ModelPrices | None
    """In force now, per million tokens; null where the price list holds."""
    upcoming: list[PriceEntry]
    """The next prices, at most 5."""

    @classmethod
    def at(cls, override: PriceOverride, now: datetime, **beside: list[PriceEntry]) -> Self:
        upcoming = [PriceEntry.of(interval) for interval in override.prices.next_after(now, MAXIMUM_UPCOMING)]
        return cls.showing(override, prices=override.prices.at(now), upcoming=upcoming, **beside)


class LlmPriceAnswer(LlmPriceListed):
    history: list[PriceEntry]
    """All of it, what is upcoming included: at most 500 entries."""


def _shown(override: PriceOverride, now: datetime) -> LlmPriceAnswer:
    history = [PriceEntry.of(interval) for interval in override.prices.intervals()]
    return LlmPriceAnswer.at(override, now, history=history)


class CalculateLlmCallRequest(Schema):
    """An LLM call as its event would say it."""

    provider: Annotated[str, Field(max_length=MAXIMUM_NAME)] | None = None
    """As the event would name it."""
    model: Annotated[str, Field(max_length=MAXIMUM_NAME)]
    """As the event would name it."""
    time: ZonedTime | None = None
    """When it happens; without it now."""
    currency: Currency | None = None
    """Of the cost; without it that of the prices. Another one needs an exchange rate."""
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
    """Per million tokens, at the size of this call's context."""

    currency: str
    input: ExactDecimal | None
    """Null where input has no price."""
    cached_input: ExactDecimal | None
    """Null where cached tokens cost what all input does."""
    output: ExactDecimal | None
    """Null where output has no price."""
    reasoning: ExactDecimal | None
    """Null where reasoning tokens cost what all output does."""
    request: ExactDecimal
    """Of each call, whatever its tokens."""

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
    """The one that was asked for, else that of the prices."""
    priced_by: str | None
    """The entry of the price list, or the operator's own, that has the prices."""
    overridden: bool
    """Whether the prices are the operator's own."""
    prices: CalculatedPrices | None
    """What the cost is made of."""


class UnpricedQuery(ListQuery):
    period: str | None = Field(default=None, max_length=7)
    """A month such as 2026-10; without it the open period."""


class UnpricedModelAnswer(Schema):
    """Calls whose cost nobody knows."""

    model: str
    """`*` stands for all models beyond the 50 that are told apart for an agent."""
    calls: int
    """How many."""
    tokens: ExactDecimal
    """Input and output together."""


@endpoint(
    blueprint,
    "POST",
    "llm-prices",
    summary="Give a model prices of the operator's, which hold instead of the price list",
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
    summary="The operator's prices of LLM models: those in force and the next ones",
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
    summary="What an LLM call costs at its provider",
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
    summary="One model's prices of the operator's, with their history",
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
    summary="Give a model other prices, 10 minutes ahead or later",
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
    summary="Let the price list hold for a model again, 10 minutes ahead or later",
    access=Permission.PRICES_WRITE,
    path_values=LlmPricePath,
    body=LlmPriceEnd,
    answers={200: LlmPriceAnswer},
    example={},
)
async def end_llm_price(call: Call[LlmPriceEnd, Query, LlmPricePath]) -> Reply:
    override, etag = await call.services.llm_prices.end(call.path.price_id, call.body.effective_from, call.if_match)
    return Reply(_shown(override, call.services.clock.now()), etag=etag)
