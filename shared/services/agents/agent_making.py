"""Agents that nobody has made are made when they are first named, where an API key may do so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from shared.containers import TENANTS
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, LimitExceededError, ValidationError
from shared.domain.kernel.ids import new_id
from shared.ports.clock import Clock
from shared.services.agents.agents import AgentDraft, Agents
from shared.services.storage import Records, Store, replacing
from shared.settings import Settings

NO_PROJECTS: Mapping[str, str] = {}
_KEPT = timedelta(days=2)


class MadeAgents(Entity):
    """How many agents were made on sight in an organization and UTC day."""

    kind: ClassVar[str] = "made_agents"
    audit: ClassVar[Audit] = BOOKKEEPING
    count: int = 0

    def document(self) -> dict[str, Any]:
        return {**super().document(), "ttl": int(_KEPT.total_seconds())}


@dataclass
class Made:
    """What became of unknown agents."""

    names: list[str] = field(default_factory=list)
    """Made now. Agents owe fees, so whoever named them is told."""
    refused: dict[str, str] = field(default_factory=dict)
    """Name -> why there is still no agent."""


def first_times(named: Iterable[tuple[str, datetime]]) -> dict[str, datetime]:
    """When each agent did the first thing, of the names and times of all things."""
    first: dict[str, datetime] = {}
    for name, time in named:
        first[name] = min(time, first.get(name, time))
    return first


class AgentMaking:
    def __init__(self, store: Store, clock: Clock, agents: Agents, settings: Settings) -> None:
        self._clock = clock
        self._agents = agents
        self._maximum = settings.maximum_made_agents
        self._counts = Records(store, TENANTS, MadeAgents)

    async def make(
        self,
        organization_id: str,
        since: Mapping[str, datetime],
        billing_model_id: str | None,
        projects: Mapping[str, str] = NO_PROJECTS,
    ) -> Made:
        """Make an agent of each name that is no agent's id or external id, if there is a billing model for it.

        `since` is the time of the first thing that each did: the model is in force from then on. None stands for a
        key that may make none. `projects` has, by name, the ids of those that agents are made in. At most
        `maximum_made_agents` in a day of UTC: agent and count are stored in one batch.
        """
        made = Made()
        known = await self._agents.resolve(organization_id, set(since))
        for name in sorted(since.keys() - known.keys()):
            reason = (
                "this key makes no agents"
                if billing_model_id is None
                else await self._make(organization_id, name, since[name], billing_model_id, projects.get(name))
            )
            if reason is None:
                made.names.append(name)
            else:
                made.refused[name] = reason
        return made

    async def _make(
        self, organization_id: str, name: str, since: datetime, billing_model_id: str, project_id: str | None
    ) -> str | None:
        """Why it was not made; None where it was. Where another process was first, there is one now."""
        now = self._clock.now()
        draft = AgentDraft(
            external_id=name,
            name=name,
            project_id=project_id,
            billing_model_id=billing_model_id,
            billing_model_from=min(since, now),
        )
        agent_id = new_id("agt")
        day = f"made_agents:{now:%Y-%m-%d}"

        async def attempt() -> str | None:
            current = await self._counts.find(organization_id, day)
            if current is None:
                await self._counts.ensure(organization_id, MadeAgents(id=day))
                current = await self._counts.get_created(organization_id, day)
            if current.entity.count >= self._maximum:
                return f"{self._maximum} agents were made today already"
            counted = current.entity.changed(count=current.entity.count + 1)
            await self._agents.create(agent_id, organization_id, draft, replacing(current, counted))
            return None

        try:
            return await self._counts.retry(attempt)
        except ConflictError:
            known = await self._agents.resolve(organization_id, {name})
            return None if known else "many make agents at this moment"
        except (ValidationError, LimitExceededError) as error:
            return error.detail
