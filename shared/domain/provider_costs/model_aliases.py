"""Aliases: the operator's word on which model a name stands for, such as that of a deployment on Azure."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import ClassVar

from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import Instant, to_text
from shared.domain.provider_costs.model_names import MAXIMUM_NAME, ModelName, candidate_names, known_provider

CACHED_NAMES = 4096


class ModelAlias(Entity):
    """From a time on, calls under a name cost what calls of another model cost.

    It holds until the next alias of the same name. It is for all organizations, or for one.
    """

    kind: ClassVar[str] = "llm_alias"
    audit: ClassVar[Audit] = Audited(area="llm_aliases")

    provider: str
    name: str
    """What calls say, such as the name of a deployment."""
    model: str
    """As the price list or an override names it: at the provider, else anywhere."""
    effective_from: Instant
    organization_id: str | None = None
    """None is all organizations."""

    @property
    def called(self) -> ModelName:
        """The name of the calls, in the form in which names are looked up."""
        return ModelName(known_provider(self.provider), self.name)


def alias_id(provider: str, name: str, effective_from: datetime, organization_id: str | None) -> str:
    return named_id("lla", organization_id or "", provider, name, to_text(effective_from))


class AliasLookup:
    """Finds the alias of the name that a call has."""

    def __init__(self, aliases: Iterable[ModelAlias] = ()) -> None:
        self._by_name: dict[ModelName, list[ModelAlias]] = {}
        self._ids: set[str] = set()
        for alias in sorted(aliases, key=lambda each: each.effective_from, reverse=True):
            self._by_name.setdefault(alias.called, []).append(alias)
            self._ids.add(alias.id)
        self._cached: Callable[[str | None, str, str | None], tuple[ModelAlias, ...]] = lru_cache(CACHED_NAMES)(
            self._find
        )

    def knows(self, alias: ModelAlias) -> bool:
        return alias.id in self._ids

    def may_know(self, provider: str | None, model: str) -> bool:
        """Whether any organization has, at any time, an alias for a name."""
        return any(name in self._by_name for name in candidate_names(provider, model))

    def at(self, provider: str | None, model: str, time: datetime, organization_id: str | None) -> ModelAlias | None:
        """The alias in force at a time: the organization's own, else the one for all."""
        if not self._by_name or max(len(model), len(provider or "")) > MAXIMUM_NAME:
            return None
        aliases = self._cached(provider, model, organization_id)
        return next((alias for alias in aliases if alias.effective_from <= time), None)

    def _find(self, provider: str | None, model: str, organization_id: str | None) -> tuple[ModelAlias, ...]:
        """All that an organization has for a name: its own first, and of these the latest first."""
        named = [alias for name in candidate_names(provider, model) for alias in self._by_name.get(name, ())]
        own = [alias for alias in named if alias.organization_id is not None]
        for_all = [alias for alias in named if alias.organization_id is None]
        return (*(alias for alias in own if alias.organization_id == organization_id), *for_all)
