"""What an agent's billing model takes of events, as acceptance needs to know it."""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from cachetools import LRUCache

from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.histories import Interval
from shared.domain.pricing.billing_models import BillingModel, Version, VersionReference
from shared.domain.provider_costs.findings import Finding
from shared.domain.tenancy.agents import Agent
from shared.domain.usage.entered_numbers import entered_paths
from shared.services.pricing.billing_models import BillingModels
from shared.services.pricing.plan_usage import PlanUsage

MAXIMUM_CACHED = 10_000
_MAXIMUM_TYPES = 1000
"""Remembered of one version."""
_NO_PATHS = frozenset[str]()


class TypeInForce(NamedTuple):
    """What happens to events of a type at some time."""

    number_paths: frozenset[str]
    """The paths at which only meters read numbers."""
    finding: Finding | None
    """Why they are not billed."""


UNKNOWN = TypeInForce(_NO_PATHS, None)
"""Where the billing model cannot be read now."""
_NO_MODEL = TypeInForce(
    _NO_PATHS, Finding("no_billing_model", "the agent has no billing model at that time: it is metered, and not billed")
)


class _Since:
    """A billing model's version from some time on, or none."""

    __slots__ = ("_types", "model", "reference", "version")

    def __init__(
        self, model: BillingModel | None, reference: VersionReference | None, version: Version | None = None
    ) -> None:
        self.model = model
        self.reference = reference
        self.version = version
        self._types: dict[str, TypeInForce] = {}

    def of(self, event_type: str) -> TypeInForce:
        found = self._types.get(event_type)
        if found is None:
            found = self._new(event_type)
            if len(self._types) < _MAXIMUM_TYPES:
                self._types[event_type] = found
        return found

    def _new(self, event_type: str) -> TypeInForce:
        if self.version is None:
            return _NO_MODEL if self.reference is None else UNKNOWN
        taking = [charge for charge in self.version.charges if charge.takes(event_type)]
        if not taking:
            detail = f"no charge of the agent's billing model takes events of the type {event_type}"
            return TypeInForce(_NO_PATHS, Finding("no_charge", detail))
        paths = _NO_PATHS.union(*(charge.number_paths(event_type) for charge in taking))
        return TypeInForce(entered_paths(event_type, paths), None)


class AgentPricing:
    """The versions that price an agent, by the times from which they do."""

    __slots__ = ("_sinces", "_starts", "agent")

    def __init__(self, agent: Agent, entries: Iterable[tuple[datetime, _Since]]) -> None:
        self.agent = agent
        ordered = sorted(entries, key=lambda entry: entry[0])
        self._starts = [start for start, _ in ordered]
        self._sinces = [since for _, since in ordered]

    def of(self, event_type: str, time: datetime) -> TypeInForce:
        index = bisect_right(self._starts, time)
        return self._sinces[index - 1].of(event_type) if index else _NO_MODEL

    def between(self, first: datetime, last: datetime) -> list[_Since]:
        """What is in force at any time from the first to the last one."""
        return self._sinces[max(0, bisect_right(self._starts, first) - 1) : bisect_right(self._starts, last)]


class PricingInForce:
    """Reads billing models for rounding and warnings, which may take them as they were two minutes ago.

    What it remembers of an agent is as old as the agent that it is asked with, which is read again every minute.
    """

    def __init__(self, billing_models: BillingModels, plan_usage: PlanUsage) -> None:
        self._billing_models = billing_models
        self._plan_usage = plan_usage
        self._cached = LRUCache[str, AgentPricing](MAXIMUM_CACHED)

    async def of(self, agents: Iterable[Agent], first: datetime, last: datetime) -> dict[str, AgentPricing]:
        """By agent id, with the versions that are in force between these times.

        An agent is missing where its billing models cannot be read now.
        """
        found: dict[str, AgentPricing] = {}
        for agent in agents:
            try:
                pricing = self._cached.get(agent.id)
                if pricing is None or pricing.agent is not agent:
                    pricing = self._cached[agent.id] = AgentPricing(agent, await self._entries(agent))
                for since in pricing.between(first, last):
                    if since.version is None and since.model is not None and since.reference is not None:
                        since.version = await self._billing_models.version(since.model, since.reference)
            except (NotFoundError, UnavailableError):
                continue
            found[agent.id] = pricing
        return found

    async def _entries(self, agent: Agent) -> list[tuple[datetime, _Since]]:
        entries: list[tuple[datetime, _Since]] = []
        for assigned in agent.models.intervals():
            if assigned.value is None:
                entries += await self._of_plans(agent.organization_id, assigned)
                continue
            model = await self._billing_models.cached(agent.organization_id, assigned.value)
            entries.append((assigned.start, _Since(model, model.versions.at(assigned.start))))
            entries += [
                (each.effective_from, _Since(model, each.value))
                for each in model.versions.entries
                if each.effective_from > assigned.start and (assigned.end is None or each.effective_from < assigned.end)
            ]
        return entries

    async def _of_plans(
        self, organization_id: str, without_model: Interval[str | None]
    ) -> list[tuple[datetime, _Since]]:
        """What the organization's plans are in the time in which an agent has no billing model."""
        start, end = without_model.start, without_model.end
        versions = await self._plan_usage.histories(organization_id)
        begun = [version for since, version in versions if since <= start]
        later = [(since, version) for since, version in versions if start < since and (end is None or since < end)]
        return [
            (since, _Since(None, None, version)) for since, version in [(start, begun[-1] if begun else None), *later]
        ]
