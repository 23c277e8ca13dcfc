"""The cost and revenue of the agents of a project, department or organization."""

from typing import Any, Self

import azure.functions as func

from functions.billing.figures import ActivityAnswer, FiguresAnswer, SummaryQuery, activity_fields
from functions.fields import DepartmentPath, OrganizationPath, ProjectPath, SpanAnswer
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import RoundedAmount
from shared.domain.rating.allocation import ChargeShare
from shared.http import Call, NoBody, Query, Reply, Schema, endpoint
from shared.services.billing.summaries import GroupSummary

blueprint = func.Blueprint()


class ChargeShareAnswer(Schema):
    """The agents' share of a charge."""

    billing_model_id: str | None
    """The billing model of the charge."""
    charge: str | None
    """The charge's key."""
    type: str
    """The type of the charge."""
    description: str
    pooled: bool
    """Whether its lines are shared by the organization's agents."""
    amount: RoundedAmount
    """The agents' share."""
    organization_amount: RoundedAmount
    """The sum of all lines of the charge."""

    @classmethod
    def of(cls, share: ChargeShare) -> Self:
        line = share.line
        return cls.showing(
            line,
            billing_model_id=line.model_id,
            pooled=line.agent_id is None,
            amount=share.amount,
            organization_amount=share.whole,
        )


class GroupSummaryAnswer(ActivityAnswer):
    """Figures of the agents that belong to it now, wherever they belonged in the period."""

    agents: int
    """The number of agents now, without deleted ones."""
    active_agents: int
    """The number of agents with an event in the period."""
    charges: list[ChargeShareAnswer]
    """The agents' share of each charge. They add up to `billed_amount`."""

    @classmethod
    def of(cls, summary: GroupSummary, currency: str, **group: str) -> Self:
        counts: dict[str, Any] = {"agents": summary.agents, "active_agents": summary.active_agents}
        return cls.showing(
            summary.figures,
            currency=currency,
            period=summary.period,
            charges=[ChargeShareAnswer.of(share) for share in summary.shares],
            **counts,
            **activity_fields(summary.activity),
            **group,
        )


class ProjectSummaryAnswer(GroupSummaryAnswer):
    project_id: str


class DepartmentSummaryAnswer(GroupSummaryAnswer):
    department_id: str


class OrganizationStatsAnswer(FiguresAnswer):
    """Figures of the open billing period up to now."""

    organization_id: str
    currency: str
    period: SpanAnswer
    """The open billing period."""
    agents: int
    """The number of agents now, without deleted ones."""
    active_agents: int
    """The number of agents with an event in the period."""


@endpoint(
    blueprint,
    "GET",
    "projects/{project_id}/summary",
    summary="What a project's agents cost and earn in a period, charge by charge",
    access=Permission.INVOICES_READ,
    path_values=ProjectPath,
    query=SummaryQuery,
    answers={200: ProjectSummaryAnswer},
)
async def get_project_summary(call: Call[NoBody, SummaryQuery, ProjectPath]) -> Reply:
    project_id = call.path.project_id
    organization = await call.organization_of(project_id)
    period = await call.services.periods.of_month(organization, call.query.period, call.now)
    summary = await call.services.summaries.of_project(organization, project_id, period)
    return Reply(ProjectSummaryAnswer.of(summary, organization.currency, project_id=project_id))


@endpoint(
    blueprint,
    "GET",
    "departments/{department_id}/summary",
    summary="What a department's agents cost and earn in a period, charge by charge",
    access=Permission.INVOICES_READ,
    path_values=DepartmentPath,
    query=SummaryQuery,
    answers={200: DepartmentSummaryAnswer},
)
async def get_department_summary(call: Call[NoBody, SummaryQuery, DepartmentPath]) -> Reply:
    department_id = call.path.department_id
    organization = await call.organization_of(department_id)
    period = await call.services.periods.of_month(organization, call.query.period, call.now)
    summary = await call.services.summaries.of_department(organization, department_id, period)
    return Reply(DepartmentSummaryAnswer.of(summary, organization.currency, department_id=department_id))


@endpoint(
    blueprint,
    "GET",
    "organizations/{organization_id}/stats",
    summary="What an organization's agents cost and earn in the open period",
    access=Permission.INVOICES_READ,
    path_values=OrganizationPath,
    answers={200: OrganizationStatsAnswer},
)
async def get_organization_stats(call: Call[NoBody, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    organization = await call.services.organizations.get(organization_id)
    period = await call.services.periods.of_month(organization, None, call.now)
    summary = await call.services.summaries.of_organization(organization, period)
    return Reply(
        OrganizationStatsAnswer.showing(
            summary.figures,
            organization_id=organization.id,
            currency=organization.currency,
            period=period,
            agents=summary.agents,
            active_agents=summary.active_agents,
        )
    )
