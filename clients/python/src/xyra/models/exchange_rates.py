"""Models of `exchange_rates`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NotRequired, TypedDict


class ExchangeRateAnswer(TypedDict):
    from_currency: str
    """The currency that is converted."""
    to_currency: str
    """The currency that it is converted to."""
    rate: str | None
    """The present rate; null before the first one."""
    upcoming: Sequence[RateEntry]
    """The next rates, at most 5."""
    history: Sequence[RateEntry]
    """The last 500 rates in the order of their times, upcoming ones included."""


class ExchangeRateList(TypedDict):
    data: Sequence[ExchangeRateListed]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class ExchangeRateListed(TypedDict):
    from_currency: str
    """The currency that is converted."""
    to_currency: str
    """The currency that it is converted to."""
    rate: str | None
    """The present rate; null before the first one."""
    upcoming: Sequence[RateEntry]
    """The next rates, at most 5."""


class ExchangeRateRequest(TypedDict):
    rate: str | int | Decimal
    """The price of one unit of `from_currency` in `to_currency`."""
    effective_from: NotRequired[str | None]
    """When it takes effect: in 10 minutes (the default) or later. The first rate of a pair, or one before it, may take
    effect in the past, by default now."""


class RateEntry(TypedDict):
    effective_from: str
    """Inclusive."""
    effective_to: str | None
    """Exclusive; null for the last rate."""
    rate: str
    """The price of one unit of `from_currency` in `to_currency`."""
