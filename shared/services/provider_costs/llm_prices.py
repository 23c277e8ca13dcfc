"""The operator's own prices of LLM models, which hold instead of the price list; and which models have no price."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from shared.containers import CATALOG
from shared.domain.kernel.errors import ConflictError, NotFoundError, PreconditionFailedError
from shared.domain.kernel.histories import LEAD, History, check_start
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.money import plain, truncate
from shared.domain.metering.readings import CountAndSum
from shared.domain.periods.periods import Period
from shared.domain.provider_costs.costs import UNPRICED
from shared.domain.provider_costs.llm_prices import ModelName, ModelPrices, PriceOverride, override_id
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.store import AlreadyExistsError, Page, StaleEtagError, Store, every_item
from shared.ports.usage import Usage
from shared.services.storage.invalidation import Changes
from shared.services.storage.preconditions import check_if_match
from shared.settings import Settings

MAXIMUM_OVERRIDES = 2000
"""All of them are in every rater's memory."""
MAXIMUM_ENTRIES = 500
"""In the history of one."""

_PLACE = (CATALOG.name, "llm_prices")
_EACH_UNPRICED = f"{UNPRICED}."


class PriceOverrides:
    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self.changes = Changes()

    async def create(
        self, name: ModelName, prices: ModelPrices, effective_from: datetime | None
    ) -> tuple[PriceOverride, str]:
        """The first prices of a model; they may take effect in the past, and events that were rated keep what they
        cost.

        Raises `ConflictError` where the model has a history already, `ValidationError` for a start too long ago.
        """
        now = self._clock.now()
        start = effective_from or now
        check_start(start, now, timedelta(days=self._settings.backdating_days), "/effective_from")
        override = PriceOverride(
            id=override_id(name),
            provider=name.provider,
            model=name.model,
            prices=History[ModelPrices | None].starting(prices, at=start),
        )
        if len(await self.all()) >= MAXIMUM_OVERRIDES:
            raise ConflictError(f"At most {MAXIMUM_OVERRIDES} models have prices of the operator's")
        try:
            etag = await self._store.create(*_PLACE, override.document())
        except AlreadyExistsError as error:
            raise ConflictError(f"{name.readable} has prices of the operator's; change those, {override.id}") from error
        self.changes.announce()
        return override, etag

    async def change(
        self, price_id: str, prices: ModelPrices | None, effective_from: datetime | None, if_match: str | None
    ) -> tuple[PriceOverride, str]:
        """Other prices, or with None the list's again, 10 minutes ahead or later.

        Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError`, `ValidationError`.
        """
        override, etag = await self.get(price_id)
        check_if_match(if_match, etag)
        if len(override.prices.entries) >= MAXIMUM_ENTRIES:
            raise ConflictError(f"A model's prices change at most {MAXIMUM_ENTRIES} times")
        now = self._clock.now()
        last = override.prices.entries[-1].effective_from
        start = effective_from or max(now + LEAD, last + timedelta(microseconds=1))
        changed = override.changed(prices=override.prices.appended(prices, start, now))
        try:
            new_etag = await self._store.replace(*_PLACE, changed.document(), etag)
        except StaleEtagError as error:
            raise PreconditionFailedError("The prices are being changed by someone else; read them again") from error
        self.changes.announce()
        return changed, new_etag

    async def end(
        self, price_id: str, effective_from: datetime | None, if_match: str | None
    ) -> tuple[PriceOverride, str]:
        """Repeating it changes nothing. Raises as `change`."""
        override, etag = await self.get(price_id)
        check_if_match(if_match, etag)
        if override.prices.last is None:
            return override, etag
        return await self.change(price_id, None, effective_from, etag)

    async def get(self, price_id: str) -> tuple[PriceOverride, str]:
        """Raises `NotFoundError`."""
        item = await self._store.get(*_PLACE, price_id) if is_id(price_id, "llp") else None
        if item is None:
            raise NotFoundError("There are no such prices")
        return PriceOverride.read(item.document), item.etag

    async def page(self, limit: int, cursor: str | None) -> Page:
        return await self._store.query(*_PLACE, PriceOverride.kind, limit=limit, cursor=cursor)

    async def all(self) -> list[PriceOverride]:
        overrides = every_item(self._store, *_PLACE, PriceOverride.kind)
        return [PriceOverride.read(item.document) async for item in overrides]


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """Calls of a model that has no price, and their tokens; `*` stands for all models beyond those told apart."""

    model: str
    calls: int
    tokens: str


class UnpricedModels:
    def __init__(self, usage: Usage) -> None:
        self._usage = usage

    async def of(self, organization: Organization, period: Period) -> list[UnpricedModel]:
        """From the period's totals, so without reading an event; most calls first."""
        found: dict[str, CountAndSum] = {}
        shards = organization.largest_shard_count
        for each in await self._usage.totals(organization.id, shards, period.start, distinct=False):
            for name in each.totals.meters():
                reading = each.totals.reading(name)
                if name.startswith(_EACH_UNPRICED) and isinstance(reading, CountAndSum):
                    model = name.removeprefix(_EACH_UNPRICED)
                    found[model] = found.get(model, CountAndSum()).merge(reading)
        models = [
            UnpricedModel(model, int(calls.count), plain(truncate(Fraction(calls.sum))))
            for model, calls in found.items()
        ]
        return sorted(models, key=lambda each: (-each.calls, each.model))
