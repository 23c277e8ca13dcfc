"""Agents: what acts and what is billed for."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from shared.domain.kernel.audit import OWN_TRAIL, Audit, Audited, verb_by_status
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.histories import Entry, History, last_return
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import BEGINNING, Instant

_INSTANT = timedelta(microseconds=1)

AgentStatus = Literal["active", "inactive", "deleted"]


class Agent(Entity):
    """An agent of an organization."""

    kind: ClassVar[str] = "agent"
    audit: ClassVar[Audit] = Audited(area="agents", verb=verb_by_status(deleted="delete"))

    organization_id: str
    external_id: str
    name: str
    description: str | None = None
    type: str | None = None
    capabilities: tuple[str, ...] = ()
    config: str = "{}"
    """JSON as text, because numbers in Cosmos documents become doubles."""
    project_id: str | None = None
    department_id: str | None = None
    status: AgentStatus = "active"
    models: History[str | None]
    """The id of the billing model that prices the agent; None for no model, whose usage is metered but not billed."""
    created_at: Instant
    ended_at: Instant | None = None
    """From then on its usage is refused. It is set at least 10 minutes ahead, as all histories are."""

    def document(self) -> dict[str, Any]:
        return {**super().document(), "listed": "no" if self.status == "deleted" else "yes"}

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    @property
    def billing_model_id(self) -> str | None:
        """The model last assigned; it may be in force only from `billing_model_from` on."""
        return self.models.last

    @property
    def billing_model_from(self) -> datetime | None:
        """When that takes effect, also where it ends pricing; None where no model ever prices the agent."""
        return self.models.entries[-1].effective_from if self.all_model_ids else None

    @property
    def all_model_ids(self) -> set[str]:
        """Of every billing model that it ever had, has, or will have."""
        return {entry.value for entry in self.models.entries if entry.value is not None}

    def returned_at(self, instant: datetime, since: datetime) -> datetime | None:
        """When it came back to the billing model that it has at an instant.

        None where it has not left that model between `since` and the instant, or has none.
        """
        model_id = self.models.at(instant)
        if model_id is None or len(self.models.entries) == 1:
            return None
        return last_return([*self.models.within(since, instant + _INSTANT)], instant)

    def is_in(self, *, project_id: str | None = None, department_id: str | None = None) -> bool:
        """Whether it belongs to a project and a department now; None stands for any.

        A moved agent takes all its past usage along.
        """
        return project_id in (None, self.project_id) and department_id in (None, self.department_id)

    def ended_by(self, instant: datetime) -> bool:
        """Whether its usage at an instant is refused."""
        return self.ended_at is not None and instant >= self.ended_at


def times_on_plans(agent: Agent) -> Iterator[tuple[datetime, datetime | None]]:
    """The times [start, end) in which an agent has no billing model of its own: its organization's plans price it."""
    for interval in agent.models.intervals():
        if interval.value is None:
            start = agent.created_at if interval.start == BEGINNING else interval.start
            end = min((end for end in (interval.end, agent.ended_at) if end is not None), default=None)
            if end is None or start < end:
                yield start, end


def agents_on_plans(agents: Iterable[Agent]) -> History[int]:
    """How many agents have no billing model of their own, in time."""
    changes: dict[datetime, int] = {}
    for agent in agents:
        for start, end in times_on_plans(agent):
            changes[start] = changes.get(start, 0) + 1
            if end is not None:
                changes[end] = changes.get(end, 0) - 1
    entries, number = [Entry(effective_from=BEGINNING, value=0)], 0
    for moment in sorted(changes):
        number += changes[moment]
        entries.append(Entry(effective_from=moment, value=number))
    return History[int](entries=tuple(entries))


class AgentActivity(Entity):
    """When an agent was last active.

    It is apart from the agent, whose ETag must not change with usage.
    """

    kind: ClassVar[str] = "agent_activity"
    audit: ClassVar[Audit] = OWN_TRAIL

    agent_id: str
    last_active_at: Instant


def activity_id(agent_id: str) -> str:
    """The id of the agent's `AgentActivity`."""
    return f"activity:{agent_id}"


def external_id_claim_id(external_id: str) -> str:
    """The id of the item that makes an external id unique in its organization."""
    return named_id("ext", "agent", external_id)
