"""The operator's exchange rates, by the time from which they hold."""

from datetime import datetime, timedelta
from decimal import Decimal

from shared.containers import CATALOG
from shared.domain.kernel.errors import ConflictError, NotFoundError, PreconditionFailedError
from shared.domain.kernel.histories import LEAD, Entry, History, check_start
from shared.domain.kernel.money import Amount
from shared.domain.provider_costs.exchange_rates import ExchangeRate, ExchangeRates, exchange_rate_id
from shared.ports.clock import Clock
from shared.ports.store import AlreadyExistsError, Page, StaleEtagError, Store, every_item
from shared.services.storage.invalidation import Changes
from shared.services.storage.preconditions import check_if_match
from shared.settings import Settings

MAXIMUM_RATES = 4000
"""In the history of one pair: ten years of daily rates."""

_PLACE = (CATALOG.name, "exchange_rates")


class ExchangeRateBook:
    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self.changes = Changes()

    async def put(
        self, source: str, target: str, rate: Decimal, effective_from: datetime | None, if_match: str | None
    ) -> tuple[ExchangeRate, str]:
        """A rate that holds from then on. A pair's first may take effect in the past, and so may an earlier one than
        its first, since before that nothing held; all others come at the end, 10 minutes ahead or later. So a rate that
        was in force at some time never changes.

        Raises `ValidationError`, `PreconditionFailedError`, `ConflictError`.
        """
        now = self._clock.now()
        try:
            known, etag = await self.get(source, target)
        except NotFoundError:
            return await self._first(source, target, rate, effective_from or now)
        check_if_match(if_match, etag)
        if len(known.rates.entries) >= MAXIMUM_RATES:
            raise ConflictError(f"A pair of currencies has at most {MAXIMUM_RATES} rates")
        start = effective_from or max(now + LEAD, known.rates.entries[-1].effective_from + timedelta(microseconds=1))
        if start < known.rates.entries[0].effective_from:
            self._check_start(start)
            rates = History[Amount](entries=(Entry(effective_from=start, value=rate), *known.rates.entries))
        else:
            rates = known.rates.appended(rate, start, now)
        changed = known.changed(rates=rates)
        try:
            new_etag = await self._store.replace(*_PLACE, changed.document(), etag)
        except StaleEtagError as error:
            raise PreconditionFailedError("The rates are being changed by someone else; read them again") from error
        self.changes.announce()
        return changed, new_etag

    async def _first(self, source: str, target: str, rate: Decimal, start: datetime) -> tuple[ExchangeRate, str]:
        self._check_start(start)
        made = ExchangeRate(
            id=exchange_rate_id(source, target),
            from_currency=source,
            to_currency=target,
            rates=History[Amount].starting(rate, at=start),
        )
        try:
            etag = await self._store.create(*_PLACE, made.document())
        except AlreadyExistsError as error:
            raise PreconditionFailedError("The rates are being changed by someone else; read them again") from error
        self.changes.announce()
        return made, etag

    def _check_start(self, start: datetime) -> None:
        check_start(start, self._clock.now(), timedelta(days=self._settings.backdating_days), "/effective_from")

    async def get(self, source: str, target: str) -> tuple[ExchangeRate, str]:
        """Raises `NotFoundError`."""
        item = await self._store.get(*_PLACE, exchange_rate_id(source, target))
        if item is None:
            raise NotFoundError(f"There is no exchange rate from {source} to {target}")
        return ExchangeRate.read(item.document), item.etag

    async def page(self, limit: int, cursor: str | None) -> Page:
        return await self._store.query(*_PLACE, ExchangeRate.kind, limit=limit, cursor=cursor)

    async def rates(self) -> ExchangeRates:
        """All of them."""
        known = every_item(self._store, *_PLACE, ExchangeRate.kind)
        return ExchangeRates(tuple([ExchangeRate.read(item.document) async for item in known]))
