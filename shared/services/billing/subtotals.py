"""Subtotals of a document's lines: by agent, or by the project or department that agents are in now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from shared.domain.kernel.money import round_half_up, total
from shared.domain.pricing.lines import Line
from shared.domain.tenancy.organizations import Organization
from shared.services.agents.agents import Agents
from shared.services.tenancy.departments import Departments
from shared.services.tenancy.projects import Projects

Grouping = Literal["agent", "project", "department", "organization"]


@dataclass(frozen=True, slots=True)
class Subtotal:
    """The sum of the lines of one group, in the currency of the document."""

    id: str | None
    """None for lines that no agent has, or whose agent is in no project or department."""
    name: str | None
    lines: int
    amount: Decimal


class Subtotals:
    """As everywhere, an agent takes all that it ever did along to where it is now.

    A line for all agents of the organization stands under None. The subtotals add up to the sum of the lines.
    """

    def __init__(self, agents: Agents, projects: Projects, departments: Departments) -> None:
        self._agents = agents
        self._projects = projects
        self._departments = departments

    async def of(self, organization: Organization, lines: Sequence[Line], grouping: Grouping) -> list[Subtotal]:
        """By id, that of None last."""
        group_of_agent = await self._groups(organization, lines, grouping)
        groups: dict[str | None, list[Line]] = {}
        for line in lines:
            groups.setdefault(group_of_agent.get(line.agent_id), []).append(line)
        names = await self._names(organization, lines, groups, grouping)
        return [
            Subtotal(
                id=group,
                name=None if group is None else names.get(group),
                lines=len(of_group),
                amount=round_half_up(total(line.amount for line in of_group), organization.currency),
            )
            for group, of_group in sorted(groups.items(), key=lambda named: (named[0] is None, named[0] or ""))
        ]

    async def _groups(
        self, organization: Organization, lines: Sequence[Line], grouping: Grouping
    ) -> Mapping[str | None, str | None]:
        """The group of each agent; of the organization that of all lines."""
        agent_ids = {line.agent_id for line in lines if line.agent_id is not None}
        if grouping == "organization":
            return {None: organization.id} | dict.fromkeys(agent_ids, organization.id)
        if grouping == "agent":
            return {agent_id: agent_id for agent_id in agent_ids}
        agents = await self._agents.resolve(organization.id, agent_ids)
        return {
            agent_id: agent.project_id if grouping == "project" else agent.department_id
            for agent_id, agent in agents.items()
        }

    async def _names(
        self,
        organization: Organization,
        lines: Sequence[Line],
        groups: Mapping[str | None, Sequence[Line]],
        grouping: Grouping,
    ) -> Mapping[str, str]:
        """As they are now; of agents as the lines have them."""
        ids = [group for group in groups if group is not None]
        match grouping:
            case "organization":
                return {organization.id: organization.name}
            case "agent":
                return {line.agent_id: line.agent_name for line in lines if line.agent_id and line.agent_name}
            case "project":
                return await self._projects.names(organization.id, ids)
            case "department":
                return await self._departments.names(organization.id, ids)
