"""Exchange rates of the operator, each with the time from which it is valid."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

import azure.functions as func
import pydantic
from pydantic import AfterValidator, TypeAdapter

from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.histories import Interval
from shared.domain.kernel.money import Currency, NonNegativeAmount, RoundedAmount
from shared.domain.provider_costs.exchange_rates import ExchangeRate
from shared.http import Call, ListQuery, NoBody, PathText, PathValues, Query, Reply, Schema, ZonedTime, endpoint

blueprint = func.Blueprint()

MAXIMUM_UPCOMING = 5
MAXIMUM_HISTORY = 500

_CODE = TypeAdapter(Currency)


def _positive(rate: Decimal) -> Decimal:
    if not rate:
        raise ValueError("has to be more than 0")
    return rate


class CurrencyPairPath(PathValues):
    from_currency: PathText
    """The ISO 4217 code of the currency that is converted."""
    to_currency: PathText
    """The ISO 4217 code of the currency that it is converted to."""


class ExchangeRateRequest(Schema):
    rate: Annotated[NonNegativeAmount, AfterValidator(_positive)]
    """The price of one unit of `from_currency` in `to_currency`."""
    effective_from: ZonedTime | None = None
    """When it takes effect: in 10 minutes (the default) or later. The first rate of a pair, or one before it, may take
    effect in the past, by default now.
    """


class RateEntry(Schema):
    effective_from: datetime
    """Inclusive."""
    effective_to: datetime | None
    """Exclusive; null for the last rate."""
    rate: RoundedAmount
    """The price of one unit of `from_currency` in `to_currency`."""

    @classmethod
    def of(cls, interval: Interval[Decimal]) -> Self:
        return cls(effective_from=interval.start, effective_to=interval.end, rate=interval.value)


class ExchangeRateListed(Schema):
    from_currency: str
    """The currency that is converted."""
    to_currency: str
    """The currency that it is converted to."""
    rate: RoundedAmount | None
    """The present rate; null before the first one."""
    upcoming: list[RateEntry]
    """The next rates, at most 5."""

    @classmethod
    def at(cls, known: ExchangeRate, now: datetime, **beside: list[RateEntry]) -> Self:
        upcoming = [RateEntry.of(interval) for interval in known.rates.next_after(now, MAXIMUM_UPCOMING)]
        return cls.showing(known, rate=known.rates.at(now), upcoming=upcoming, **beside)


class ExchangeRateAnswer(ExchangeRateListed):
    history: list[RateEntry]
    """The last 500 rates in the order of their times, upcoming ones included."""


class HistoryQuery(Query):
    before: ZonedTime | None = None
    """Only rates that took effect before this time are in `history`."""


def _shown(known: ExchangeRate, now: datetime, before: datetime | None = None) -> ExchangeRateAnswer:
    history = [RateEntry.of(interval) for interval in known.rates.last_before(before, MAXIMUM_HISTORY)]
    return ExchangeRateAnswer.at(known, now, history=history)


@endpoint(
    blueprint,
    "GET",
    "exchange-rates",
    summary="All pairs of currencies with their present and next exchange rates",
    access=Permission.PRICES_READ,
    query=ListQuery,
    answers={200: Listed[ExchangeRateListed]},
)
async def list_exchange_rates(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.exchange_rates.page(call.query.limit, call.query.cursor)
    data = [ExchangeRateListed.at(known, call.services.clock.now()) for known in page.entities]
    return Reply(Listed(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "exchange-rates/{from_currency}/{to_currency}",
    summary="The exchange rates of one pair of currencies",
    access=Permission.PRICES_READ,
    path_values=CurrencyPairPath,
    query=HistoryQuery,
    answers={200: ExchangeRateAnswer},
)
async def get_exchange_rate(call: Call[NoBody, HistoryQuery, CurrencyPairPath]) -> Reply:
    known, etag = await call.services.exchange_rates.get(call.path.from_currency, call.path.to_currency)
    return Reply(_shown(known, call.services.clock.now(), call.query.before), etag=etag)


@endpoint(
    blueprint,
    "PUT",
    "exchange-rates/{from_currency}/{to_currency}",
    summary="Set the exchange rate of a pair of currencies from a time on",
    access=Permission.PRICES_WRITE,
    path_values=CurrencyPairPath,
    body=ExchangeRateRequest,
    answers={200: ExchangeRateAnswer},
    example={"rate": "0.92"},
)
async def put_exchange_rate(call: Call[ExchangeRateRequest, Query, CurrencyPairPath]) -> Reply:
    source, target = _currency(call.path.from_currency), _currency(call.path.to_currency)
    if source == target:
        raise NotFoundError("A currency has no exchange rate to itself")
    call.refuse_organization("exchange rates are those of all organizations")
    known, etag = await call.services.exchange_rates.put(
        source, target, call.body.rate, call.body.effective_from, call.if_match
    )
    return Reply(_shown(known, call.services.clock.now()), etag=etag)


def _currency(code: str) -> str:
    """Raises `NotFoundError` for a path with anything but a currency."""
    try:
        return _CODE.validate_python(code)
    except pydantic.ValidationError as error:
        raise NotFoundError(f"{code} is not a currency code of ISO 4217 with a minor unit") from error
