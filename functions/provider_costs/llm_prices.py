"""The operator's own prices of LLM models, and models without a price."""

from datetime import datetime
from typing import Annotated, Self

import azure.functions as func
from pydantic import Field

from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.kernel.histories import Interval
from shared.domain.kernel.money import ExactDecimal
from shared.domain.provider_costs.llm_prices import PriceOverride, Prices
from shared.domain.provider_costs.model_names import LowerCaseName, ModelName
from shared.http import (
    Call,
    ListQuery,
    NoBody,
    PathValues,
    Projects,
    Query,
    Reply,
    Schema,
    ThingId,
    ZonedTime,
    endpoint,
    window,
)

blueprint = func.Blueprint()

_FOR_ALL = "these prices are those of all organizations"
_PRICES = {"input": "2.00", "cached_input": "0.20", "output": "12.00"}
_EXAMPLE = {"provider": "google", "model": "gemini-3-pro-preview", "prices": _PRICES}

MAXIMUM_UPCOMING = 5


class LlmPricePath(PathValues):
    price_id: Annotated[str, ThingId("llp")]
    """The id of the model's prices."""


class LlmPriceChange(Schema):
    prices: Prices
    """Of tokens, per million; or `rates` and `service_tiers` in the notation of the price list."""
    effective_from: ZonedTime | None = None
    """When it takes effect: in 10 minutes (the default) or later."""


class LlmPriceRequest(Schema):
    provider: LowerCaseName | None = None
    """As events or the price list name it. Null for events that name no provider."""
    model: LowerCaseName
    """As events or the price list name it."""
    prices: Prices
    """Of tokens, per million; or `rates` and `service_tiers` in the notation of the price list."""
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
    prices: Prices | None
    """Null where the price list applies again."""

    @classmethod
    def of(cls, interval: Interval[Prices | None]) -> Self:
        return cls(effective_from=interval.start, effective_to=interval.end, prices=interval.value)


class LlmPriceListed(Schema):
    id: str
    provider: str | None
    """Null for events that name no provider."""
    model: str
    """In lower case."""
    prices: Prices | None
    """The present prices; null where the price list applies."""
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
    call.refuse_organization(_FOR_ALL)
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
    projects=Projects.REFUSED,
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
    call.refuse_organization(_FOR_ALL)
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
    call.refuse_organization(_FOR_ALL)
    override, etag = await call.services.llm_prices.end(call.path.price_id, call.body.effective_from, call.if_match)
    return Reply(_shown(override, call.services.clock.now()), etag=etag)
