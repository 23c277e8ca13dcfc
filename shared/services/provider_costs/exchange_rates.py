"""The operator's exchange rates: for each pair of currencies a history."""

from datetime import datetime, timedelta
from decimal import Decimal

from shared.containers import CATALOG
from shared.domain.kernel.errors import ConflictError, NotFoundError
from shared.domain.kernel.histories import MINIMUM_LEAD, Entry, History, check_start
from shared.domain.kernel.money import Amount
from shared.domain.provider_costs.exchange_rates import ExchangeRate, ExchangeRates, exchange_rate_id
from shared.ports.clock import Clock
from shared.services.storage import Page, Records, Store, Stored
from shared.services.storage.invalidation import Changes
from shared.settings import Settings

MAXIMUM_RATES = 4000
"""In the history of one pair: ten years of daily rates."""

_PARTITION = "exchange_rates"


class ExchangeRateBook:
    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self._rates = Records(store, CATALOG, ExchangeRate)
        self.changes = Changes()

    async def put(
        self, source: str, target: str, rate: Decimal, effective_from: datetime | None, if_match: str | None
    ) -> Stored[ExchangeRate]:
        """Add a rate that holds from then on.

        Where nothing held yet, before a pair's first rate, it may take effect in the past. All other rates come at the
        end, 10 minutes ahead or later, so a rate that was in force never changes. Raises `ValidationError`,
        `PreconditionFailedError`, `ConflictError`.
        """

        def decide(known: ExchangeRate | None) -> ExchangeRate:
            if known is None:
                return self._first(source, target, rate, effective_from)
            return known.changed(rates=self._with_rate(known.rates, rate, effective_from))

        pair_id = exchange_rate_id(source, target)
        stored = await self._rates.change_or_create(_PARTITION, pair_id, decide, if_match)
        self.changes.announce()
        return stored

    def _first(self, source: str, target: str, rate: Decimal, effective_from: datetime | None) -> ExchangeRate:
        start = effective_from or self._clock.now()
        self._check_start(start)
        return ExchangeRate(
            id=exchange_rate_id(source, target),
            from_currency=source,
            to_currency=target,
            rates=History[Amount].starting(rate, at=start),
        )

    def _with_rate(self, rates: History[Amount], rate: Decimal, effective_from: datetime | None) -> History[Amount]:
        if len(rates.entries) >= MAXIMUM_RATES:
            raise ConflictError(f"A pair of currencies has at most {MAXIMUM_RATES} rates")
        now = self._clock.now()
        start = effective_from or max(now + MINIMUM_LEAD, rates.entries[-1].effective_from + timedelta(microseconds=1))
        if start < rates.entries[0].effective_from:
            self._check_start(start)
            return History[Amount](entries=(Entry(effective_from=start, value=rate), *rates.entries))
        return rates.appended(rate, start, now)

    def _check_start(self, start: datetime) -> None:
        check_start(start, self._clock.now(), timedelta(days=self._settings.backdating_days), "/effective_from")

    async def get(self, source: str, target: str) -> Stored[ExchangeRate]:
        """Raises `NotFoundError`."""
        stored = await self._rates.find(_PARTITION, exchange_rate_id(source, target))
        if stored is None:
            raise NotFoundError(f"There is no exchange rate from {source} to {target}")
        return stored

    async def page(self, limit: int, cursor: str | None) -> Page[ExchangeRate]:
        """A part of the pairs of currencies, each with its history."""
        return await self._rates.page(_PARTITION, limit=limit, cursor=cursor)

    async def rates(self) -> ExchangeRates:
        """All rates."""
        return ExchangeRates(tuple([rate async for rate, _ in self._rates.all(_PARTITION)]))
