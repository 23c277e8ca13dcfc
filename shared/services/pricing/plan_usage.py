"""Plan usage: the versions by which the plans of an organization price the usage of agents without a billing model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cachetools import LRUCache

from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.histories import History, Interval, last_return
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.plan_versions import (
    PlanPart,
    has_usage,
    id_of_plans,
    parts_of,
    prefix_of,
    version_of_plans,
)
from shared.domain.pricing.usage_terms import UsageTerms
from shared.domain.tenancy.agents import Agent
from shared.ports.clock import Clock
from shared.services.pricing.billing_models import BillingModels
from shared.services.pricing.places import PlaceHistories
from shared.services.storage.recent_reads import RecentReads

CACHED = timedelta(seconds=60)
"""Usage terms are at least 10 minutes ahead when they are made."""
MAXIMUM_CACHED = 10_000
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class PricingPlans:
    """The plans that have priced usage, do and will."""

    terms: Mapping[str, History[UsageTerms]]
    """By place."""
    versions: Mapping[str, Version]
    """What prices them, by its id."""


class PlanUsage:
    def __init__(self, clock: Clock, place_histories: PlaceHistories, billing_models: BillingModels) -> None:
        self._place_histories = place_histories
        self._billing_models = billing_models
        self._cached_terms = RecentReads[str, Mapping[str, History[UsageTerms]]](MAXIMUM_CACHED, CACHED, clock)
        self._cached_versions = LRUCache[str, Version](MAXIMUM_CACHED)
        """A version never changes."""

    async def at(self, organization_id: str, instant: datetime) -> Version | None:
        """What prices usage at an instant, at most 60 s old; None where no plan does. Raises `UnavailableError`."""
        terms = await self._terms(organization_id)
        return await self._together([history.at(instant) for _, history in sorted(terms.items())])

    async def returned_at(
        self, organization_id: str, agent: Agent, version: Version, instant: datetime, since: datetime
    ) -> datetime | None:
        """When a billing model of plans came to price an agent again, that did so before between `since` and then.

        `version` is what prices the agent at the instant. None also where that has no levels: nothing else asks.
        """
        if not any(charge.has_levels for charge in version.charges):
            return None
        terms = await self._terms(organization_id)
        returns = [await self._return(history, agent, instant, since) for history in terms.values()]
        return max((returned for returned in returns if returned is not None), default=None)

    async def _return(
        self, history: History[UsageTerms], agent: Agent, instant: datetime, since: datetime
    ) -> datetime | None:
        """The same, of the plans at one place."""
        times: list[Interval[str]] = []
        for on_plans in agent.models.within(since, instant + _INSTANT):
            for each in history.within(on_plans.start, on_plans.end or instant) if on_plans.value is None else ():
                if each.value.charges_id is not None:
                    part = PlanPart(each.value.charges_id, each.value.is_free)
                    name = prefix_of((await self._charges(part)).model_id, is_free=part.is_free)
                    times.append(Interval(each.start, each.end, name))
        return last_return(times, instant)

    async def histories(self, organization_id: str) -> list[tuple[datetime, Version | None]]:
        """What has priced usage, does and will, by the times from which it does. Raises `UnavailableError`."""
        terms = await self._terms(organization_id)
        starts = sorted({entry.effective_from for history in terms.values() for entry in history.entries})
        ordered = [history for _, history in sorted(terms.items())]
        return [(start, await self._together([history.at(start) for history in ordered])) for start in starts]

    async def pricing(self, organization_id: str) -> PricingPlans:
        """What has priced usage, does and will, plan by plan. Raises `UnavailableError`."""
        terms = await self._terms(organization_id)
        ids = {entry.value.charges_id for history in terms.values() for entry in history.entries}
        return PricingPlans(terms, {id_: await self._charges(PlanPart(id_)) for id_ in ids if id_ is not None})

    async def version(self, version_id: str) -> Version:
        """The version with this id of plans. Raises `UnavailableError` where a part cannot be read yet."""
        cached = self._cached_versions.get(version_id)
        return (
            self._new([(part, await self._charges(part)) for part in parts_of(version_id)])
            if cached is None
            else cached
        )

    async def _together(self, terms: list[UsageTerms | None]) -> Version | None:
        parts = [
            PlanPart(each.charges_id, each.is_free)
            for each in terms
            if each is not None and each.charges_id is not None
        ]
        with_charges = [(part, await self._charges(part)) for part in parts]
        pricing = [(part, version) for part, version in with_charges if has_usage(version)]
        if not pricing:
            return None
        return self._cached_versions.get(id_of_plans(part for part, _ in pricing)) or self._new(pricing)

    def _new(self, parts: Sequence[tuple[PlanPart, Version]]) -> Version:
        version = version_of_plans(parts)
        self._cached_versions[version.id] = version
        return version

    async def _charges(self, part: PlanPart) -> Version:
        version = await self._billing_models.published(part.version_id)
        if version is None:
            raise UnavailableError("The version of a plan's billing model cannot be read yet")
        return version

    async def _terms(self, organization_id: str) -> Mapping[str, History[UsageTerms]]:
        terms = self._cached_terms.find(organization_id)
        if terms is None:
            terms = self._cached_terms[organization_id] = (await self._place_histories.of(organization_id)).usage
        return terms
