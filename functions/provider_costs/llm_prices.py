"""What LLM calls cost at their providers: the operator's own prices beside the price list, and what has no price."""

from datetime import datetime
from typing import Annotated, Any, Self

import azure.functions as func
from pydantic import Field, model_validator

from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.histories import Interval
from shared.domain.kernel.money import Currency, ExactDecimal
from shared.domain.kernel.validation import refusal
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError
from shared.domain.provider_costs.llm_prices import (
    MAXIMUM_NAME,
    ModelName,
    ModelPrices,
    Name,
    PriceOverride,
    TokenCounts,
    TokenPrices,
)
from shared.http import Call, ListQuery, NoBody, Query, Reply, Schema, ZonedTime, endpoint, window

blueprint = func.Blueprint()

_PRICES = {"input": "2.00", "cached_input": "0.20", "output": "12.00"}
_EXAMPLE = {"provider": "google", "model": "gemini-3-pro-preview", "prices": _PRICES}

MAXIMUM_UPCOMING = 5

TokenCount = Annotated[int, Field(strict=True, ge=0, lt=10**15)]


class LlmPriceChange(Schema):
    """`effective_from` defaults to 10 minutes ahead."""

    prices: ModelPrices
    effective_from: ZonedTime | None = None


class LlmPriceRequest(Schema):
    """`provider` and `model` as events name them, or as the price list does; without a provider, of events that name
    none. `effective_from` defaults to now, and may be in the past.
    """

    provider: Name | None = None
    model: Name
    prices: ModelPrices
    effective_from: ZonedTime | None = None


class LlmPriceEnd(Schema):
    """`effective_from` defaults to 10 minutes ahead."""

    effective_from: ZonedTime | None = None


class PriceEntry(Schema):
    """`prices` are per million tokens; null is where the price list holds again."""

    effective_from: datetime
    effective_to: datetime | None
    prices: ModelPrices | None

    @classmethod
    def of(cls, interval: Interval[ModelPrices | None]) -> Self:
        return cls(effective_from=interval.start, effective_to=interval.end, prices=interval.value)


class LlmPriceListed(Schema):
    """`prices` are those in force now, null where there are none. `upcoming` are the next ones, at most 5."""

    id: str
    provider: str | None
    model: str
    prices: ModelPrices | None
    upcoming: list[PriceEntry]

    @classmethod
    def of(cls, override: PriceOverride, now: datetime) -> Self:
        return cls(**cls._fields(override, now))

    @classmethod
    def _fields(cls, override: PriceOverride, now: datetime) -> dict[str, Any]:
        return {
            "id": override.id,
            "provider": override.provider,
            "model": override.model,
            "prices": override.prices.at(now),
            "upcoming": [PriceEntry.of(interval) for interval in override.prices.next_after(now, MAXIMUM_UPCOMING)],
        }


class LlmPriceAnswer(LlmPriceListed):
    """`history` is all of it, what is upcoming included: at most 500 entries."""

    history: list[PriceEntry]

    @classmethod
    def of(cls, override: PriceOverride, now: datetime) -> Self:
        history = [PriceEntry.of(interval) for interval in override.prices.intervals()]
        return cls(**cls._fields(override, now), history=history)


class LlmPriceList(Schema):
    data: list[LlmPriceListed]
    next_cursor: str | None


class CalculateLlmCallRequest(Schema):
    """An LLM call as its event would say it, at `time` (default: now). `currency` defaults to that of the prices;
    another one needs an exchange rate.
    """

    provider: Annotated[str, Field(max_length=MAXIMUM_NAME)] | None = None
    model: Annotated[str, Field(max_length=MAXIMUM_NAME)]
    time: ZonedTime | None = None
    currency: Currency | None = None
    input_tokens: TokenCount = 0
    cached_input_tokens: TokenCount = 0
    output_tokens: TokenCount = 0
    reasoning_tokens: TokenCount = 0

    @model_validator(mode="after")
    def _cached_is_input(self) -> Self:
        if self.cached_input_tokens > self.input_tokens:
            raise refusal((("cached_input_tokens",), "is more than input_tokens, which include the cached ones"))
        return self

    @property
    def tokens(self) -> TokenCounts:
        return TokenCounts(self.input_tokens, self.cached_input_tokens, self.output_tokens, self.reasoning_tokens)


class CalculatedPrices(Schema):
    """Per million tokens at the size of this call's context; null where the kind of tokens has no price of its own."""

    currency: str
    input: ExactDecimal | None
    cached_input: ExactDecimal | None
    output: ExactDecimal | None
    reasoning: ExactDecimal | None
    request: ExactDecimal

    @classmethod
    def of(cls, prices: TokenPrices, context: int) -> Self:
        kinds = {name: getattr(prices, name) for name in ("input", "cached_input", "output", "reasoning")}
        return cls(
            currency=prices.currency,
            request=prices.request,
            **{name: None if price is None else price.at(context) for name, price in kinds.items()},
        )


class CalculatedLlmCall(Schema):
    """`cost` is null for a model without a price. `overridden` says that the price is the operator's."""

    cost: ExactDecimal | None
    currency: str | None
    priced_by: str | None
    overridden: bool
    prices: CalculatedPrices | None


class UnpricedQuery(ListQuery):
    period: str | None = Field(default=None, max_length=7)


class UnpricedModelAnswer(Schema):
    """Calls whose cost nobody knows; `*` stands for all models beyond the 50 that are told apart for an agent."""

    model: str
    calls: int
    tokens: ExactDecimal


class UnpricedList(Schema):
    data: list[UnpricedModelAnswer]
    next_cursor: str | None


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
async def create_llm_price(call: Call[LlmPriceRequest, Query]) -> Reply:
    name = ModelName(call.body.provider, call.body.model)
    override, etag = await call.services.llm_prices.create(name, call.body.prices, call.body.effective_from)
    return Reply(LlmPriceAnswer.of(override, call.services.clock.now()), status=201, etag=etag)


@endpoint(
    blueprint,
    "GET",
    "llm-prices",
    summary="The operator's prices of LLM models: those in force and the next ones",
    access=Permission.PRICES_READ,
    query=ListQuery,
    answers={200: LlmPriceList},
)
async def list_llm_prices(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.llm_prices.page(call.query.limit, call.query.cursor)
    data = [LlmPriceListed.of(override, call.services.clock.now()) for override in page.entities]
    return Reply(LlmPriceList(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "llm-prices/unpriced",
    summary="The models without a price that an organization's agents called in a period",
    access=Permission.USAGE_READ,
    query=UnpricedQuery,
    answers={200: UnpricedList},
)
async def list_unpriced_models(call: Call[NoBody, UnpricedQuery]) -> Reply:
    organization = await call.organization()
    period = await call.services.periods.of_month(organization, call.query.period, call.now)
    models = await call.services.unpriced_models.of(organization, period)
    shown, next_cursor = window(len(models), call.query.limit, call.query.cursor)
    data = [UnpricedModelAnswer.model_validate(each) for each in models[shown]]
    return Reply(UnpricedList(data=data, next_cursor=next_cursor))


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
async def calculate_llm_call(call: Call[CalculateLlmCallRequest, Query]) -> Reply:
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
    answers={200: LlmPriceAnswer},
)
async def get_llm_price(call: Call[NoBody, Query]) -> Reply:
    override, etag = await call.services.llm_prices.get(call.path["price_id"])
    return Reply(LlmPriceAnswer.of(override, call.services.clock.now()), etag=etag)


@endpoint(
    blueprint,
    "PUT",
    "llm-prices/{price_id}",
    summary="Give a model other prices, 10 minutes ahead or later",
    access=Permission.PRICES_WRITE,
    body=LlmPriceChange,
    answers={200: LlmPriceAnswer},
    example={"prices": _PRICES},
)
async def change_llm_price(call: Call[LlmPriceChange, Query]) -> Reply:
    override, etag = await call.services.llm_prices.change(
        call.path["price_id"], call.body.prices, call.body.effective_from, call.if_match
    )
    return Reply(LlmPriceAnswer.of(override, call.services.clock.now()), etag=etag)


@endpoint(
    blueprint,
    "POST",
    "llm-prices/{price_id}/end",
    summary="Let the price list hold for a model again, 10 minutes ahead or later",
    access=Permission.PRICES_WRITE,
    body=LlmPriceEnd,
    answers={200: LlmPriceAnswer},
    example={},
)
async def end_llm_price(call: Call[LlmPriceEnd, Query]) -> Reply:
    override, etag = await call.services.llm_prices.end(call.path["price_id"], call.body.effective_from, call.if_match)
    return Reply(LlmPriceAnswer.of(override, call.services.clock.now()), etag=etag)
