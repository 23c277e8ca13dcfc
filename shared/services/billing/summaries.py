"""Summaries: what agents cost and earn, alone or together, from usage totals and what is due, never from events."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.money import round_half_up, total
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line
from shared.domain.rating.allocation import ChargeShare, amounts_by_agent, charge_shares
from shared.domain.rating.figures import ActivityTotals, Figures
from shared.domain.rating.rated_lines import RatedLine
from shared.domain.rating.rating import rate_by_segment
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.ports.usage import UsageTotal
from shared.services.agents.agents import Agents
from shared.services.billing.facts import FactsReader
from shared.services.billing.subtotals import Subtotals
from shared.services.tenancy.departments import Departments
from shared.services.tenancy.projects import Projects


@dataclass(frozen=True, slots=True)
class AgentShare:
    """What of a line falls to an agent: all of its own lines, a part of those that it shares."""

    line: Line
    amount: Decimal

    @property
    def is_pooled(self) -> bool:
        return self.line.agent_id is None


@dataclass(frozen=True, slots=True)
class Summary:
    """Of one agent in one period."""

    period: Period
    figures: Figures
    shares: Sequence[AgentShare]
    activity: ActivityTotals


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """Of the agents of a project or a department in one period."""

    period: Period
    figures: Figures
    shares: Sequence[ChargeShare]
    activity: ActivityTotals
    agents: int
    active_agents: int
    """With an event in the period."""


@dataclass(frozen=True, slots=True)
class OrganizationSummary:
    period: Period
    figures: Figures
    agents: int
    active_agents: int
    """With an event in the period."""


@dataclass(frozen=True, slots=True)
class _PeriodFacts:
    """What all summaries of a period are made from: the totals and lines of all agents."""

    period: Period
    totals: Sequence[UsageTotal]
    lines: Sequence[RatedLine]


class Summaries:
    """Makes summaries of agents, projects, departments and organizations.

    A summary reads the totals of all agents in its periods, because pooled lines are shared out by what each used. That
    takes as many reads as an invoice's preview, however many events there are. It grows with the number of distinct
    values only where these are in several shards or under several versions.

    A project or department consists of the agents that are in it now, with all that they ever did, as in usage reports
    (`Agent.is_in`). Their shares of lines are its own, so the billed amounts of all projects, and of the agents without
    one, add up to the organization's, to the minor unit.

    All raise `UnavailableError` where the agent or version of some usage cannot be read yet.
    """

    def __init__(self, agents: Agents, projects: Projects, departments: Departments, facts: FactsReader) -> None:
        self._agents = agents
        self._projects = projects
        self._departments = departments
        self._facts = facts
        self.subtotals = Subtotals(agents, projects, departments)

    async def agent(self, organization_id: str, agent_id: str) -> Agent:
        """Also one that has ended, because what it did stays billed. Raises `NotFoundError`."""
        try:
            return (await self._agents.get(organization_id, agent_id)).entity
        except NotFoundError:
            ended = (await self._agents.resolve(organization_id, {agent_id})).get(agent_id)
            if ended is None:
                raise
            return ended

    async def of_agent(self, organization: Organization, agent: Agent, periods: Sequence[Period]) -> list[Summary]:
        """In the order of the periods."""
        return [
            _summary_of_agent(facts, agent.id, organization.currency)
            for facts in await self._read(organization, periods)
        ]

    async def of_project(self, organization: Organization, project_id: str, period: Period) -> GroupSummary:
        """Also when it is deleted, as long as an agent names it. Raises `NotFoundError`."""
        agents = [agent for agent in await self._agents.all(organization.id) if agent.is_in(project_id=project_id)]
        if not agents:
            await self._projects.get(organization.id, project_id)
        return await self._of_group(organization, agents, period)

    async def of_department(self, organization: Organization, department_id: str, period: Period) -> GroupSummary:
        """Also when it is deleted, as long as an agent names it. Raises `NotFoundError`."""
        agents = [
            agent for agent in await self._agents.all(organization.id) if agent.is_in(department_id=department_id)
        ]
        if not agents:
            await self._departments.get(organization.id, department_id)
        return await self._of_group(organization, agents, period)

    async def of_organization(self, organization: Organization, period: Period) -> OrganizationSummary:
        """Of all its agents."""
        (facts,) = await self._read(organization, [period])
        billed = round_half_up(total(rated.line.amount for rated in facts.lines), organization.currency)
        return OrganizationSummary(
            period=period,
            figures=_activity(facts.totals).figures(billed),
            agents=_present(await self._agents.all(organization.id)),
            active_agents=_active(facts.totals),
        )

    async def _of_group(self, organization: Organization, agents: Collection[Agent], period: Period) -> GroupSummary:
        (facts,) = await self._read(organization, [period])
        agent_ids = {agent.id for agent in agents}
        group_totals = [usage for usage in facts.totals if usage.key.agent_id in agent_ids]
        shares = charge_shares(facts.lines, organization.currency, agent_ids)
        activity = _activity(group_totals)
        billed = round_half_up(total(share.amount for share in shares), organization.currency)
        return GroupSummary(
            period=period,
            figures=activity.figures(billed),
            shares=shares,
            activity=activity,
            agents=_present(agents),
            active_agents=_active(group_totals),
        )

    async def _read(self, organization: Organization, periods: Sequence[Period]) -> list[_PeriodFacts]:
        totals = await self._facts.totals(organization, periods)
        facts = await self._facts.with_totals(organization, periods, totals)
        return [
            _PeriodFacts(period, period_totals, rate_by_segment(period_facts))
            for period, period_totals, period_facts in zip(periods, totals, facts, strict=True)
        ]


def _present(agents: Collection[Agent]) -> int:
    """The number of agents that are not deleted."""
    return sum(agent.status != "deleted" for agent in agents)


def _active(totals: Sequence[UsageTotal]) -> int:
    """The number of agents that have one of these totals."""
    return len({usage.key.agent_id for usage in totals})


def _activity(totals: Sequence[UsageTotal]) -> ActivityTotals:
    """Under all versions."""
    return ActivityTotals.of(usage.totals for usage in totals)


def _summary_of_agent(facts: _PeriodFacts, agent_id: str, currency: str) -> Summary:
    activity = _activity([usage for usage in facts.totals if usage.key.agent_id == agent_id])
    shares = [share for rated in facts.lines if (share := _share(rated, currency, agent_id)) is not None]
    billed = round_half_up(total(share.amount for share in shares), currency)
    return Summary(period=facts.period, figures=activity.figures(billed), shares=shares, activity=activity)


def _share(rated: RatedLine, currency: str, agent_id: str) -> AgentShare | None:
    part = amounts_by_agent(rated, currency).get(agent_id)
    return None if part is None else AgentShare(rated.line, part)
