"""When agents were last active: for people to look at, never for money."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from cachetools import TTLCache

from shared.containers import TENANTS
from shared.domain.kernel.times import BEGINNING
from shared.domain.tenancy.agents import AgentActivity, activity_id
from shared.ports.clock import Clock
from shared.services.storage import Records, Store

_WRITTEN_EVERY = timedelta(minutes=1)
_REMEMBERED = timedelta(hours=1)
_MAXIMUM_REMEMBERED = 100_000


class AgentActivities:
    """Written at most once a minute for each agent and process; the latest time wins."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._activities = Records(store, TENANTS, AgentActivity)
        self._written = TTLCache[tuple[str, str], datetime, datetime](_MAXIMUM_REMEMBERED, _REMEMBERED, timer=clock.now)

    async def last_active(self, organization_id: str, agent_ids: Collection[str]) -> dict[str, datetime]:
        """When agents were last active, to the minute, by their metered events.

        Agents that never were active are missing.
        """
        ids = [activity_id(agent_id) for agent_id in agent_ids]
        activities = await self._activities.get_many(organization_id, ids)
        return {activity.agent_id: activity.last_active_at for activity, _ in activities.values()}

    async def note(self, organization_id: str, active_at: Mapping[str, datetime]) -> None:
        """Remember that these agents were active at these times."""
        news = {agent_id: at for agent_id, at in active_at.items() if self._is_news(organization_id, agent_id, at)}
        if not news:
            return
        known = await self.last_active(organization_id, news)
        latest = [
            AgentActivity(
                id=activity_id(agent_id), agent_id=agent_id, last_active_at=max(at, known.get(agent_id, BEGINNING))
            )
            for agent_id, at in news.items()
        ]
        await self._activities.put(organization_id, *latest)
        for activity in latest:
            self._written[organization_id, activity.agent_id] = activity.last_active_at

    def _is_news(self, organization_id: str, agent_id: str, at: datetime) -> bool:
        written = self._written.get((organization_id, agent_id))
        return written is None or at - written >= _WRITTEN_EVERY
