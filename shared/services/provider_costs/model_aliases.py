"""The operator's aliases: which model a name in calls stands for."""

from datetime import datetime, timedelta

from shared.containers import CATALOG
from shared.domain.kernel.errors import ConflictError, NotFoundError, ValidationError
from shared.domain.kernel.histories import check_start
from shared.domain.provider_costs.findings import Unpriced
from shared.domain.provider_costs.model_aliases import ModelAlias, alias_id
from shared.domain.provider_costs.price_lookup import LlmPrices
from shared.ports.clock import Clock
from shared.ports.prices import PriceList
from shared.services.provider_costs.llm_prices import PriceOverrides
from shared.services.storage import AlreadyExistsError, Records, Store, Stored, look_twice
from shared.services.storage.invalidation import Changes
from shared.settings import Settings

MAXIMUM_ALIASES = 2000
"""All of them are in the memory of each process that meters."""

_PARTITION = "llm_aliases"


class ModelAliases:
    def __init__(
        self, store: Store, clock: Clock, settings: Settings, price_list: PriceList, overrides: PriceOverrides
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._price_list = price_list
        self._overrides = overrides
        self._aliases = Records(store, CATALOG, ModelAlias, prefix="lla", called="alias")
        self.changes = Changes()

    async def create(
        self, provider: str, name: str, model: str, effective_from: datetime, organization_id: str | None
    ) -> Stored[ModelAlias]:
        """An alias, which may take effect in the past. Events that were metered stay as they are.

        Raises `ConflictError` where the name has an alias from that time on, `ValidationError` for a model without a
        price and a start too long ago.
        """
        check_start(effective_from, self._clock.now(), timedelta(days=self._settings.backdating_days), "/from")
        alias = ModelAlias(
            id=alias_id(provider, name, effective_from, organization_id),
            provider=provider,
            name=name,
            model=model,
            effective_from=effective_from,
            organization_id=organization_id,
        )
        await self._check_has_price(alias)
        if len(await self.all()) >= MAXIMUM_ALIASES:
            raise ConflictError(f"At most {MAXIMUM_ALIASES} aliases are kept; delete some that are no longer needed")
        try:
            stored = await self._aliases.write(_PARTITION, None, alias)
        except AlreadyExistsError as error:
            raise ConflictError(f"{alias.called.readable} has an alias from that time on, {alias.id}") from error
        self.changes.announce()
        return stored

    async def _check_has_price(self, alias: ModelAlias) -> None:
        prices = LlmPrices(self._price_list, await self._overrides.all(), [alias])
        at = max(alias.effective_from, self._clock.now())
        if isinstance(prices.at(alias.provider, alias.name, at, alias.organization_id), Unpriced):
            raise ValidationError.at("/model", "has no price: name it as the price list or an override does")

    async def get(self, alias_id: str, organization_id: str | None) -> Stored[ModelAlias]:
        """One that an organization may see: its own, or one for all. None is the operator, who sees each.

        Raises `NotFoundError`.
        """
        # A read may miss one that was made a moment ago.
        stored = await look_twice(lambda: self._aliases.get(_PARTITION, alias_id), errors=(NotFoundError,))
        if not _is_seen_by(stored.entity, organization_id):
            raise NotFoundError("There is no such alias")
        return stored

    async def delete(self, alias_id: str, if_match: str | None) -> None:
        """From then on, calls under its name are as without it. Those that have a cost keep it.

        Raises `NotFoundError`, `PreconditionFailedError`.
        """
        await self._aliases.delete(_PARTITION, alias_id, if_match)
        self.changes.announce()

    async def seen_by(self, organization_id: str | None) -> list[ModelAlias]:
        """Those that an organization may see, by name, the latest first."""
        aliases = [alias for alias in await self.all() if _is_seen_by(alias, organization_id)]
        latest_first = sorted(aliases, key=lambda each: each.effective_from, reverse=True)
        return sorted(latest_first, key=lambda each: (each.provider, each.name, each.organization_id or ""))

    async def all(self) -> list[ModelAlias]:
        return [alias async for alias, _ in self._aliases.all(_PARTITION)]


def _is_seen_by(alias: ModelAlias, organization_id: str | None) -> bool:
    return organization_id is None or alias.organization_id in (None, organization_id)
