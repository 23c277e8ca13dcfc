"""Exchange rates: the operator's, by the time from which they hold. What was once used never changes."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import EXACT, Amount, to_places

CurrencyPair = tuple[str, str]
"""From the first to the second."""


class NoExchangeRateError(XyraError):
    """Nothing says what an amount is worth in the currency that it is needed in."""

    code = "no_exchange_rate"
    title = "There is no exchange rate"

    def __init__(self, source: str, target: str) -> None:
        super().__init__(f"there is no exchange rate from {source} to {target}")
        self.pair: CurrencyPair = (source, target)


class ExchangeRate(Entity):
    """What one unit of a currency is worth in another: one way only, the other way has a rate of its own."""

    kind: ClassVar[str] = "exchange_rate"

    from_currency: str
    to_currency: str
    rates: History[Amount]


def exchange_rate_id(source: str, target: str) -> str:
    return named_id("fx", source, target)


class ExchangeRates:
    """Those that are known, to convert by."""

    def __init__(self, rates: tuple[ExchangeRate, ...] = ()) -> None:
        self._histories = {(rate.from_currency, rate.to_currency): rate.rates for rate in rates}

    def rate(self, source: str, target: str, at: datetime) -> Decimal | None:
        """The one in force then."""
        history = self._histories.get((source, target))
        return None if history is None else history.at(at)

    def convert(self, amount: Decimal, source: str, target: str, at: datetime) -> Decimal:
        """By the rate in force then. Nothing is nothing in every currency. Raises `NoExchangeRateError`."""
        if source == target or not amount:
            return amount
        rate = self.rate(source, target, at)
        if rate is None:
            raise NoExchangeRateError(source, target)
        return exchanged(amount, rate)


def reported_currency(data: Mapping[str, Any], currency: str) -> str:
    """That of the amounts in an event's data; the organization's, where it names none."""
    return str(data.get("currency") or currency)


def exchanged(amount: Decimal, rate: Decimal) -> Decimal:
    """Half up to 12 places whatever the currencies: only lines are rounded to minor units."""
    return to_places(EXACT.multiply(amount, rate))
