"""The operator's exchange rates: what one unit of a currency is worth in another, by the time from which it holds."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

import azure.functions as func
import pydantic
from pydantic import AfterValidator, Field, TypeAdapter

from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.histories import Interval
from shared.domain.kernel.money import Currency, NonNegativeAmount, RoundedAmount
from shared.domain.provider_costs.exchange_rates import ExchangeRate
from shared.http import Call, ListQuery, NoBody, Query, Reply, Schema, ZonedTime, endpoint

blueprint = func.Blueprint()

MAXIMUM_UPCOMING = 5
MAXIMUM_HISTORY = 500

_CODE = TypeAdapter(Currency)


def _positive(rate: Decimal) -> Decimal:
    if not rate:
        raise ValueError("has to be more than 0")
    return rate


class ExchangeRateRequest(Schema):
    """`effective_from`, for the pair's first rate or one before it, defaults to now and may be in the past; for all
    others it defaults to 10 minutes ahead, and cannot be earlier.
    """

    rate: Annotated[NonNegativeAmount, AfterValidator(_positive)]
    effective_from: ZonedTime | None = None


class RateEntry(Schema):
    effective_from: datetime
    effective_to: datetime | None
    rate: RoundedAmount

    @classmethod
    def of(cls, interval: Interval[Decimal]) -> Self:
        return cls(effective_from=interval.start, effective_to=interval.end, rate=interval.value)


class ExchangeRateListed(Schema):
    """`rate` is the one in force now, null before the first. `upcoming` are the next ones, at most 5."""

    from_currency: str
    to_currency: str
    rate: RoundedAmount | None
    upcoming: list[RateEntry]

    @classmethod
    def of(cls, known: ExchangeRate, now: datetime) -> Self:
        return cls(**cls._fields(known, now))

    @classmethod
    def _fields(cls, known: ExchangeRate, now: datetime) -> dict[str, Any]:
        return {
            "from_currency": known.from_currency,
            "to_currency": known.to_currency,
            "rate": known.rates.at(now),
            "upcoming": [RateEntry.of(interval) for interval in known.rates.next_after(now, MAXIMUM_UPCOMING)],
        }


class ExchangeRateAnswer(ExchangeRateListed):
    """`history` are the last 500 rates, what is upcoming included, in the order of their times."""

    history: list[RateEntry]

    @classmethod
    def of(cls, known: ExchangeRate, now: datetime, before: datetime | None = None) -> Self:
        history = [RateEntry.of(interval) for interval in known.rates.last_before(before, MAXIMUM_HISTORY)]
        return cls(**cls._fields(known, now), history=history)


class HistoryQuery(Query):
    before: ZonedTime | None = Field(
        default=None, description="The history is that of the last 500 rates that took effect earlier"
    )


class ExchangeRateList(Schema):
    data: list[ExchangeRateListed]
    next_cursor: str | None


@endpoint(
    blueprint,
    "GET",
    "exchange-rates",
    summary="All exchange rates: those in force and the next ones",
    access=Permission.PRICES_READ,
    query=ListQuery,
    answers={200: ExchangeRateList},
)
async def list_exchange_rates(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.exchange_rates.page(call.query.limit, call.query.cursor)
    data = [ExchangeRateListed.of(rate, call.services.clock.now()) for rate in page.entities]
    return Reply(ExchangeRateList(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "exchange-rates/{from_currency}/{to_currency}",
    summary="The exchange rates of one pair of currencies",
    access=Permission.PRICES_READ,
    query=HistoryQuery,
    answers={200: ExchangeRateAnswer},
)
async def get_exchange_rate(call: Call[NoBody, HistoryQuery]) -> Reply:
    known, etag = await call.services.exchange_rates.get(call.path["from_currency"], call.path["to_currency"])
    return Reply(ExchangeRateAnswer.of(known, call.services.clock.now(), call.query.before), etag=etag)


@endpoint(
    blueprint,
    "PUT",
    "exchange-rates/{from_currency}/{to_currency}",
    summary="Say what a currency is worth in another from some time on",
    access=Permission.PRICES_WRITE,
    body=ExchangeRateRequest,
    answers={200: ExchangeRateAnswer},
    example={"rate": "0.92"},
)
async def put_exchange_rate(call: Call[ExchangeRateRequest, Query]) -> Reply:
    source, target = _currency(call, "from_currency"), _currency(call, "to_currency")
    if source == target:
        raise NotFoundError("A currency is worth itself")
    known, etag = await call.services.exchange_rates.put(
        source, target, call.body.rate, call.body.effective_from, call.if_match
    )
    return Reply(ExchangeRateAnswer.of(known, call.services.clock.now()), etag=etag)


def _currency(call: Call[ExchangeRateRequest, Query], name: str) -> str:
    """Raises `NotFoundError` for what is no currency: the path leads nowhere."""
    try:
        return _CODE.validate_python(call.path[name])
    except pydantic.ValidationError as error:
        raise NotFoundError(f"{call.path[name]} is not a currency code of ISO 4217 with a minor unit") from error
