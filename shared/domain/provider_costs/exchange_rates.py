"""Exchange rates: the operator's, as histories. A rate that was in force is never changed."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, ClassVar

from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import EXACT, Amount, to_places

CurrencyPair = tuple[str, str]
"""From the first currency to the second."""


class NoExchangeRateError(XyraError):
    """No exchange rate was in force for an amount that has to be converted."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "no_exchange_rate"
    title = "There is no exchange rate"

    def __init__(self, source: str, target: str) -> None:
        super().__init__(f"there is no exchange rate from {source} to {target}")
        self.pair: CurrencyPair = (source, target)


class ExchangeRate(Entity):
    """What one unit of a currency is in another, in this direction only."""

    kind: ClassVar[str] = "exchange_rate"
    audit: ClassVar[Audit] = Audited(area="exchange_rates")

    from_currency: str
    to_currency: str
    rates: History[Amount]


def exchange_rate_id(source: str, target: str) -> str:
    return named_id("fx", source, target)


class ExchangeRates:
    """Converts amounts at the rate in force."""

    def __init__(self, rates: tuple[ExchangeRate, ...] = ()) -> None:
        self._histories = {(rate.from_currency, rate.to_currency): rate.rates for rate in rates}

    def rate(self, source: str, target: str, at: datetime) -> Decimal | None:
        """The rate in force at a time, if any."""
        history = self._histories.get((source, target))
        return None if history is None else history.at(at)

    def convert(self, amount: Decimal, source: str, target: str, at: datetime) -> Decimal:
        """Convert at the rate in force, to 12 places. Zero needs no rate. Raises `NoExchangeRateError`."""
        if source == target or not amount:
            return amount
        rate = self.rate(source, target, at)
        if rate is None:
            raise NoExchangeRateError(source, target)
        return exchanged(amount, rate)


def reported_currency(data: Mapping[str, Any], currency: str) -> str:
    """The currency of the amounts in an event's data, by default the organization's `currency`."""
    return str(data.get("currency") or currency)


def exchanged(amount: Decimal, rate: Decimal) -> Decimal:
    """The amount at a rate, rounded half up to 12 places."""
    return to_places(EXACT.multiply(amount, rate))
