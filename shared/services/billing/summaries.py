"""What agents cost and earn, each, by project, by department and all of an organization: from totals and what is due,
never from events.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.money import round_half_up, total
from shared.domain.periods.periods import Period, periods_to_create
from shared.domain.pricing.billing_models import BillingModel, Version
from shared.domain.pricing.lines import Line
from shared.domain.rating.allocation import ChargeShare, amounts_by_agent, charge_shares
from shared.domain.rating.figures import AgentActivity, Figures
from shared.domain.rating.rating import RatedLine, rate_by_segment
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.usage import Usage, UsageTotal
from shared.services.agents.agents import Agents
from shared.services.billing.facts import FactsReader
from shared.services.periods.periods import Periods
from shared.services.pricing.billing_models import BillingModels
from shared.services.tenancy.departments import Departments
from shared.services.tenancy.projects import Projects

FAR_FUTURE = datetime.max.replace(tzinfo=UTC)
TREND = 6
"""How many periods a trend shows at most, the open one last."""


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
    activity: AgentActivity


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """Of the agents of a project or a department in one period."""

    period: Period
    figures: Figures
    shares: Sequence[ChargeShare]
    activity: AgentActivity
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
class ModelPricing:
    """By what an agent is priced from a time on; None is no model, or one of which no version is in force."""

    start: datetime
    model: BillingModel | None
    version: Version | None


class Summaries:
    """A summary reads the totals of its periods over all agents, because pooled lines are shared out by what each of
    them used: as many reads as an invoice's preview, however many events there are. What is billed takes the distinct
    values of unique meters, too, which are read one by one: where a model has such a meter, the cost of a summary grows
    with their number.

    What belongs to a project or a department are the agents that are in it now, with all that they ever did, as in
    usage reports (`Agent.is_in`). It has the parts of lines that its agents have, so the billed amounts of all
    projects, and of the agents without one, come to the organization's, to the minor unit.

    All raise `UnavailableError` where what the usage was rated by cannot be read yet.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        usage: Usage,
        clock: Clock,
        agents: Agents,
        projects: Projects,
        departments: Departments,
        billing_models: BillingModels,
        periods: Periods,
        facts: FactsReader,
    ) -> None:
        self._usage = usage
        self._clock = clock
        self._agents = agents
        self._projects = projects
        self._departments = departments
        self._billing_models = billing_models
        self._periods = periods
        self._facts = facts

    async def agent(self, organization_id: str, agent_id: str) -> Agent:
        """Ended ones included: what they did stays billed. Raises `NotFoundError`."""
        try:
            return (await self._agents.get_item(organization_id, agent_id))[0]
        except NotFoundError:
            ended = (await self._agents.resolve(organization_id, {agent_id})).get(agent_id)
            if ended is None:
                raise
            return ended

    async def of_agent(self, organization: Organization, agent: Agent, periods: Sequence[Period]) -> list[Summary]:
        """In the order of the periods."""
        read = await self._read(organization, periods)
        return [
            _summary(period, organization.currency, agent.id, _activity(totals, agent.id), lines)
            for period, totals, lines in read
        ]

    async def of_project(self, organization: Organization, project_id: str, period: Period) -> GroupSummary:
        """Also when it is deleted, as long as an agent names it. Raises `NotFoundError`."""
        agents = [each for each in await self._agents.all(organization.id) if each.is_in(project_id=project_id)]
        if not agents:
            await self._projects.get_item(organization.id, project_id)
        return await self._of_group(organization, agents, period)

    async def of_department(self, organization: Organization, department_id: str, period: Period) -> GroupSummary:
        """Also when it is deleted, as long as an agent names it. Raises `NotFoundError`."""
        agents = [each for each in await self._agents.all(organization.id) if each.is_in(department_id=department_id)]
        if not agents:
            await self._departments.get_item(organization.id, department_id)
        return await self._of_group(organization, agents, period)

    async def of_organization(self, organization: Organization, period: Period) -> OrganizationSummary:
        """Of all its agents."""
        ((_, totals, lines),) = await self._read(organization, [period])
        billed = round_half_up(total(each.line.amount for each in lines), organization.currency)
        return OrganizationSummary(
            period=period,
            figures=AgentActivity.of(each.totals for each in totals).figures(billed),
            agents=_present(await self._agents.all(organization.id)),
            active_agents=_active(totals),
        )

    async def latest_periods(self, organization: Organization) -> list[Period]:
        """The open period and those before it, from the first that was laid on; as laid, else as they would be laid."""
        now = self._clock.now()
        created = await self._periods.created(organization.id)
        every = [*created, *periods_to_create(created, organization.calendars, now, now)]
        return [each for each in every if each.start <= now][-TREND:]

    async def pricing(self, organization_id: str, agent: Agent) -> list[ModelPricing]:
        """What the agent is priced by from now on, without a gap: at present first, then what has been decided for
        later. Raises `UnavailableError`.
        """
        found: list[ModelPricing] = []
        until = self._clock.now()
        for assigned in agent.models.within(until, agent.ended_at or FAR_FUTURE):
            if assigned.value is None:
                continue
            model = await self._model(organization_id, assigned.value)
            for versions in model.versions.within(assigned.start, assigned.end or FAR_FUTURE):
                if until < versions.start:
                    found.append(ModelPricing(until, None, None))
                version = await self._billing_models.version(model, versions.value)
                found.append(ModelPricing(versions.start, model, version))
                until = versions.end or FAR_FUTURE
        if until < FAR_FUTURE:
            found.append(ModelPricing(until, None, None))
        return found

    async def _model(self, organization_id: str, model_id: str) -> BillingModel:
        """One that an agent has."""
        try:
            return (await self._billing_models.visible(organization_id, model_id))[0]
        except NotFoundError as error:
            raise UnavailableError("The billing model was made a moment ago and cannot be read yet") from error

    async def _of_group(self, organization: Organization, agents: Collection[Agent], period: Period) -> GroupSummary:
        ((_, totals, lines),) = await self._read(organization, [period])
        agent_ids = {agent.id for agent in agents}
        own = [each for each in totals if each.key.agent_id in agent_ids]
        shares = charge_shares(lines, organization.currency, agent_ids)
        activity = AgentActivity.of(each.totals for each in own)
        billed = round_half_up(total(share.amount for share in shares), organization.currency)
        return GroupSummary(
            period=period,
            figures=activity.figures(billed),
            shares=shares,
            activity=activity,
            agents=_present(agents),
            active_agents=_active(own),
        )

    async def _read(
        self, organization: Organization, periods: Sequence[Period]
    ) -> list[tuple[Period, list[UsageTotal], list[RatedLine]]]:
        totals = [
            await self._usage.totals(organization.id, organization.largest_shard_count, period.start)
            for period in periods
        ]
        facts = await self._facts.with_totals(organization, periods, totals)
        return [
            (period, found, rate_by_segment(known)) for period, found, known in zip(periods, totals, facts, strict=True)
        ]


def _present(agents: Collection[Agent]) -> int:
    return sum(agent.status != "deleted" for agent in agents)


def _active(totals: Sequence[UsageTotal]) -> int:
    return len({each.key.agent_id for each in totals})


def _activity(totals: Sequence[UsageTotal], agent_id: str) -> AgentActivity:
    """Under all versions."""
    return AgentActivity.of(each.totals for each in totals if each.key.agent_id == agent_id)


def _summary(period: Period, currency: str, agent_id: str, own: AgentActivity, lines: Sequence[RatedLine]) -> Summary:
    shares = [share for line in lines if (share := _share(line, currency, agent_id)) is not None]
    return Summary(
        period=period,
        figures=own.figures(round_half_up(total(share.amount for share in shares), currency)),
        shares=shares,
        activity=own,
    )


def _share(rated: RatedLine, currency: str, agent_id: str) -> AgentShare | None:
    part = amounts_by_agent(rated, currency).get(agent_id)
    return None if part is None else AgentShare(rated.line, part)
