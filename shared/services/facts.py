"""Everything that a period's rating needs, read once."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from shared.domain.billing_models import Version, version_history
from shared.domain.events import UNPRICED
from shared.domain.histories import History
from shared.domain.organizations import Organization
from shared.domain.periods import Period
from shared.domain.rating import Facts, Segment, segments
from shared.ports.usage import Usage
from shared.services.agents import Agents
from shared.services.billing_models import BillingModels


class FactsReader:
    def __init__(self, agents: Agents, billing_models: BillingModels, usage: Usage) -> None:
        self._agents = agents
        self._billing_models = billing_models
        self._usage = usage

    async def of(self, organization: Organization, periods: Iterable[Period]) -> list[Facts]:
        """Segments under the present histories, whether or not there was usage, with the totals of all shards.

        The totals are read before the histories, so that no usage is seen of what the histories do not know yet.
        """
        totals = [
            await self._usage.totals(organization.id, organization.largest_shard_count, period.start)
            for period in periods
        ]
        agents = await self._agents.all(organization.id)
        models = await self._models(organization.id, {model for agent in agents for model in _models_of(agent.models)})
        histories = [(agent.id, agent.models) for agent in agents]
        ends = {agent.id: agent.ended_at for agent in agents}
        return [
            Facts(
                period=period,
                currency=organization.currency,
                segments=_until(segments(period, histories, models), ends, organization.ended_at),
                totals={
                    (total.key.agent_id, total.key.version_id): total.totals
                    for total in found
                    if total.key.version_id != UNPRICED
                },
            )
            for period, found in zip(periods, totals, strict=True)
        ]

    async def _models(self, organization_id: str, model_ids: set[str]) -> dict[str, History[Version]]:
        histories: dict[str, History[Version]] = {}
        for model_id in sorted(model_ids):
            model, _ = await self._billing_models.visible(organization_id, model_id)
            histories[model_id] = version_history(await self._billing_models.versions(model))
        return histories


def _models_of(history: History[str | None]) -> set[str]:
    return {entry.value for entry in history.entries if entry.value is not None}


def _until(
    found: list[Segment], agents_end: Mapping[str, datetime | None], organization_ends: datetime | None
) -> list[Segment]:
    """Nothing becomes due after an agent's end or the organization's."""
    cut: list[Segment] = []
    for segment in found:
        ends = (segment.end, agents_end[segment.agent_id], organization_ends)
        end = min(end for end in ends if end is not None)
        if segment.start < end:
            cut.append(replace(segment, end=end))
    return cut
