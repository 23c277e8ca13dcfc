"""The operator's own prices of LLM models, and which models have no price."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from shared.containers import CATALOG
from shared.domain.kernel.errors import ConflictError
from shared.domain.kernel.histories import MINIMUM_LEAD, History, check_start
from shared.domain.kernel.money import plain, truncate
from shared.domain.metering.readings import CountAndSum
from shared.domain.periods.periods import Period
from shared.domain.provider_costs.costs import UNPRICED
from shared.domain.provider_costs.llm_prices import PriceOverride, Prices, override_id
from shared.domain.provider_costs.model_names import ModelName
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.prices import PriceList
from shared.ports.usage import Usage
from shared.services.storage import AlreadyExistsError, Page, Records, Store, Stored
from shared.services.storage.invalidation import Changes
from shared.settings import Settings

MAXIMUM_OVERRIDES = 2000
"""All of them are in the memory of each process that meters."""
MAXIMUM_ENTRIES = 500
"""In the history of one."""

_PARTITION = "llm_prices"
_UNPRICED_MODEL = f"{UNPRICED}."
"""With a model's name, the name of its system total."""


class PriceOverrides:
    """Prices of the operator's, which hold instead of the price list."""

    def __init__(self, store: Store, clock: Clock, settings: Settings, price_list: PriceList) -> None:
        self._price_list = price_list
        self._clock = clock
        self._settings = settings
        self._overrides = Records(store, CATALOG, PriceOverride, prefix="llp", called="LLM price")
        self.changes = Changes()

    async def create(self, name: ModelName, prices: Prices, effective_from: datetime | None) -> Stored[PriceOverride]:
        """The first prices of a model; they may take effect in the past.

        Events that were metered keep what they cost. Raises `ConflictError` where the model has a history already,
        `ValidationError` for a start too long ago.
        """
        self._price_list.check(prices)
        now = self._clock.now()
        start = effective_from or now
        check_start(start, now, timedelta(days=self._settings.backdating_days), "/effective_from")
        override = PriceOverride(
            id=override_id(name),
            provider=name.provider,
            model=name.model,
            prices=History[Prices | None].starting(prices, at=start),
        )
        if len(await self.all()) >= MAXIMUM_OVERRIDES:
            raise ConflictError(f"At most {MAXIMUM_OVERRIDES} models have prices of the operator's")
        try:
            stored = await self._overrides.write(_PARTITION, None, override)
        except AlreadyExistsError as error:
            raise ConflictError(f"{name.readable} has prices of the operator's; change those, {override.id}") from error
        self.changes.announce()
        return stored

    async def change(
        self, price_id: str, prices: Prices | None, effective_from: datetime | None, if_match: str | None
    ) -> Stored[PriceOverride]:
        """Add other prices, or with None the list's, 10 minutes ahead or later.

        Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError`, `ValidationError`.
        """
        if prices is not None:
            self._price_list.check(prices)

        def decide(override: PriceOverride) -> PriceOverride:
            return self._with_prices(override, prices, effective_from)

        return await self._change(price_id, decide, if_match)

    async def end(self, price_id: str, effective_from: datetime | None, if_match: str | None) -> Stored[PriceOverride]:
        """Go back to the list's prices. Repeating it changes nothing. Raises as `change`."""

        def decide(override: PriceOverride) -> PriceOverride:
            if override.prices.last is None:
                return override
            return self._with_prices(override, None, effective_from)

        return await self._change(price_id, decide, if_match)

    def _with_prices(
        self, override: PriceOverride, prices: Prices | None, effective_from: datetime | None
    ) -> PriceOverride:
        if len(override.prices.entries) >= MAXIMUM_ENTRIES:
            raise ConflictError(f"A model's prices change at most {MAXIMUM_ENTRIES} times")
        now = self._clock.now()
        last = override.prices.entries[-1].effective_from
        start = effective_from or max(now + MINIMUM_LEAD, last + timedelta(microseconds=1))
        return override.changed(prices=override.prices.appended(prices, start, now))

    async def _change(
        self, price_id: str, decide: Callable[[PriceOverride], PriceOverride], if_match: str | None
    ) -> Stored[PriceOverride]:
        stored = await self._overrides.change(_PARTITION, price_id, decide, if_match)
        self.changes.announce()
        return stored

    async def get(self, price_id: str) -> Stored[PriceOverride]:
        """Raises `NotFoundError`."""
        return await self._overrides.get(_PARTITION, price_id)

    async def page(self, limit: int, cursor: str | None) -> Page[PriceOverride]:
        return await self._overrides.page(_PARTITION, limit=limit, cursor=cursor)

    async def all(self) -> list[PriceOverride]:
        return [override async for override, _ in self._overrides.all(_PARTITION)]


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """Calls of a model that has no price, and their tokens.

    `*` is all models beyond those counted one by one.
    """

    model: str
    calls: int
    tokens: str


class UnpricedModels:
    def __init__(self, usage: Usage) -> None:
        self._usage = usage

    async def of(self, organization: Organization, period: Period) -> list[UnpricedModel]:
        """The models called without a price, most calls first. From totals, without reading events."""
        tokens_of: dict[str, CountAndSum] = {}
        shards = organization.largest_shard_count
        for usage in await self._usage.totals(organization.id, shards, period.start, distinct=False):
            for name in usage.totals.meters():
                reading = usage.totals.reading(name)
                if name.startswith(_UNPRICED_MODEL) and isinstance(reading, CountAndSum):
                    model = name.removeprefix(_UNPRICED_MODEL)
                    tokens_of[model] = tokens_of.get(model, CountAndSum()).merge(reading)
        models = [
            UnpricedModel(model, int(tokens.count), plain(truncate(Fraction(tokens.sum))))
            for model, tokens in tokens_of.items()
            if tokens.count  # all calls of others got a cost later
        ]
        return sorted(models, key=lambda model: (-model.calls, model.model))
