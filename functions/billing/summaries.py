"""What agents cost and earn."""

from datetime import datetime
from typing import Any, Self

import azure.functions as func
from pydantic import ConfigDict, Field

from functions.fields import SpanAnswer
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import ExactDecimal, RoundedAmount
from shared.domain.kernel.times import from_text
from shared.domain.pricing.charges import AnyCharge
from shared.domain.provider_costs.costs import REPORTED_COST, UNPRICED
from shared.domain.rating.allocation import ChargeShare
from shared.domain.rating.figures import AgentActivity, Figures
from shared.http import Call, NoBody, Query, Reply, Schema, endpoint
from shared.services.billing.agent_pricing import ModelPricing
from shared.services.billing.summaries import AgentShare, GroupSummary

blueprint = func.Blueprint()

TREND_PERIODS = 6
"""How many periods a trend shows at most, the open one last."""


class SummaryQuery(Query):
    period: str | None = Field(default=None, max_length=7)


class FiguresAnswer(Schema):
    """`margin` is (billed_amount - provider_cost) / billed_amount, `return` (outcome_value - billed_amount) /
    outcome_value; 0 where the divisor is 0.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    provider_cost: ExactDecimal
    billed_amount: RoundedAmount
    outcome_value: ExactDecimal
    margin: ExactDecimal
    return_ratio: ExactDecimal = Field(alias="return")


class PeriodFigures(FiguresAnswer):
    period: SpanAnswer


class CountAnswer(Schema):
    """A type `*` stands for all beyond those that are told apart."""

    event_type: str
    count: int


class AgentStatsAnswer(FiguresAnswer):
    """Of the open period, up to now; `trend` has the periods before it besides, oldest first."""

    agent_id: str
    currency: str
    period: SpanAnswer
    events: list[CountAnswer]
    last_active_at: datetime | None
    trend: list[PeriodFigures]


class PricingAnswer(Schema):
    """From `start` on, until the next entry; without a model what the agent does is metered and not billed."""

    start: datetime
    billing_model_id: str | None
    name: str | None
    version_id: str | None
    version: int | None
    charges: tuple[AnyCharge, ...]


class BillingConfigAnswer(Schema):
    """`current` is in force now, without a model where nothing is; `upcoming` is what has been decided for later, in
    order.
    """

    agent_id: str
    currency: str
    current: PricingAnswer
    upcoming: list[PricingAnswer]


class ShareAnswer(Schema):
    """What of a line falls to the agent: `amount` of `line_amount`. A pooled line is shared out by what its charge
    prices, by quantity where all of it is free, or by days where there is none.
    """

    key: str
    type: str
    charge: str | None
    description: str
    pooled: bool
    amount: RoundedAmount
    line_amount: RoundedAmount

    @classmethod
    def of(cls, share: AgentShare) -> Self:
        line = share.line
        return cls(
            key=line.key,
            type=line.type,
            charge=line.charge,
            description=line.description,
            pooled=share.is_pooled,
            amount=share.amount,
            line_amount=line.amount,
        )


class CategoryCost(Schema):
    category: str
    amount: ExactDecimal


class UnpricedAnswer(Schema):
    """LLM calls of models that have no price; their cost is not in `provider_cost`."""

    calls: int
    tokens: ExactDecimal


class ActivityAnswer(FiguresAnswer):
    """`stated_cost` is what the senders of LLM calls say that these cost; `provider_cost` does not rest on it."""

    currency: str
    period: SpanAnswer
    costs: list[CategoryCost]
    stated_cost: ExactDecimal
    unpriced: UnpricedAnswer
    events: list[CountAnswer]


class BillingSummaryAnswer(ActivityAnswer):
    agent_id: str
    lines: list[ShareAnswer]


class ChargeShareAnswer(Schema):
    """What of a charge falls to the agents together: `amount` of `organization_amount`, to which all lines of the
    charge come.
    """

    billing_model_id: str | None
    charge: str | None
    type: str
    description: str
    pooled: bool
    amount: RoundedAmount
    organization_amount: RoundedAmount

    @classmethod
    def of(cls, share: ChargeShare) -> Self:
        line = share.line
        return cls(
            billing_model_id=line.model_id,
            charge=line.charge,
            type=line.type,
            description=line.description,
            pooled=line.agent_id is None,
            amount=share.amount,
            organization_amount=share.whole,
        )


class GroupSummaryAnswer(ActivityAnswer):
    """Of the agents that are there now, with all that they ever did; deleted ones are not in their number. An agent is
    active with an event in the period.
    """

    agents: int
    active_agents: int
    charges: list[ChargeShareAnswer]


class ProjectSummaryAnswer(GroupSummaryAnswer):
    project_id: str


class DepartmentSummaryAnswer(GroupSummaryAnswer):
    department_id: str


class OrganizationStatsAnswer(FiguresAnswer):
    """Of the open period, up to now. An agent is active with an event in it."""

    organization_id: str
    currency: str
    period: SpanAnswer
    agents: int
    active_agents: int


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "provider_cost": figures.provider_cost,
        "billed_amount": figures.billed_amount,
        "outcome_value": figures.outcome_value,
        "margin": figures.margin,
        "return": figures.return_ratio,
    }


def _events(activity: AgentActivity) -> list[CountAnswer]:
    return [CountAnswer(event_type=event_type, count=count) for event_type, count in sorted(activity.counts.items())]


def _activity(activity: AgentActivity) -> dict[str, Any]:
    return {
        "costs": [CategoryCost(category=name, amount=amount) for name, amount in activity.costs.items()],
        "stated_cost": activity.sum_of(REPORTED_COST),
        "unpriced": UnpricedAnswer(calls=activity.count_of(UNPRICED), tokens=activity.sum_of(UNPRICED)),
        "events": _events(activity),
    }


def _group(summary: GroupSummary, currency: str) -> dict[str, Any]:
    return {
        "currency": currency,
        "period": SpanAnswer.of(summary.period),
        "agents": summary.agents,
        "active_agents": summary.active_agents,
        "charges": [ChargeShareAnswer.of(share) for share in summary.shares],
        **_activity(summary.activity),
        **_figures(summary.figures),
    }


def _pricing(pricing: ModelPricing) -> PricingAnswer:
    model, version = pricing.model, pricing.version
    return PricingAnswer(
        start=pricing.start,
        billing_model_id=model.id if model else None,
        name=model.name if model else None,
        version_id=version.id if version else None,
        version=version.number if version else None,
        charges=version.charges if version else (),
    )


@endpoint(
    blueprint,
    "GET",
    "agents/{agent_id}/stats",
    summary="What an agent costs and earns in the open period, with a trend",
    access=Permission.INVOICES_READ,
    answers={200: AgentStatsAnswer},
)
async def get_agent_stats(call: Call[NoBody, Query]) -> Reply:
    agent_id = call.path["agent_id"]
    organization = await call.organization_of(agent_id)
    summaries = call.services.summaries
    agent = await summaries.agent(organization.id, agent_id)
    periods = await call.services.periods.latest(organization, call.now, TREND_PERIODS)
    trend = await summaries.of_agent(organization, agent, periods)
    present = trend[-1]
    active_at = (await call.services.agent_activities.last_active(organization.id, [agent.id])).get(agent.id)
    seen = [from_text(each.activity.last_event_at) for each in trend if each.activity.last_event_at is not None]
    return Reply(
        AgentStatsAnswer(
            agent_id=agent.id,
            currency=organization.currency,
            period=SpanAnswer.of(present.period),
            events=_events(present.activity),
            last_active_at=max([*seen, *([active_at] if active_at is not None else [])], default=None),
            trend=[PeriodFigures(period=SpanAnswer.of(each.period), **_figures(each.figures)) for each in trend],
            **_figures(present.figures),
        )
    )


@endpoint(
    blueprint,
    "GET",
    "agents/{agent_id}/billing-config",
    summary="What an agent is priced by, now and later",
    access=Permission.BILLING_MODELS_READ,
    answers={200: BillingConfigAnswer},
)
async def get_billing_config(call: Call[NoBody, Query]) -> Reply:
    agent_id = call.path["agent_id"]
    organization = await call.organization_of(agent_id)
    agent = await call.services.summaries.agent(organization.id, agent_id)
    pricing = await call.services.agent_pricing.from_now_on(agent)
    current, *upcoming = [_pricing(each) for each in pricing]
    return Reply(
        BillingConfigAnswer(agent_id=agent.id, currency=organization.currency, current=current, upcoming=upcoming)
    )


@endpoint(
    blueprint,
    "GET",
    "agents/{agent_id}/billing-summary",
    summary="What an agent costs and earns in a period, line by line",
    access=Permission.INVOICES_READ,
    query=SummaryQuery,
    answers={200: BillingSummaryAnswer},
)
async def get_billing_summary(call: Call[NoBody, SummaryQuery]) -> Reply:
    agent_id = call.path["agent_id"]
    organization = await call.organization_of(agent_id)
    period = await call.services.periods.of_month(organization, call.query.period, call.now)
    summaries = call.services.summaries
    agent = await summaries.agent(organization.id, agent_id)
    (summary,) = await summaries.of_agent(organization, agent, [period])
    return Reply(
        BillingSummaryAnswer(
            agent_id=agent.id,
            currency=organization.currency,
            period=SpanAnswer.of(period),
            lines=[ShareAnswer.of(share) for share in summary.shares],
            **_activity(summary.activity),
            **_figures(summary.figures),
        )
    )


@endpoint(
    blueprint,
    "GET",
    "projects/{project_id}/summary",
    summary="What a project's agents cost and earn in a period, charge by charge",
    access=Permission.INVOICES_READ,
    query=SummaryQuery,
    answers={200: ProjectSummaryAnswer},
)
async def get_project_summary(call: Call[NoBody, SummaryQuery]) -> Reply:
    project_id = call.path["project_id"]
    organization = await call.organization_of(project_id)
    period = await call.services.periods.of_month(organization, call.query.period, call.now)
    found = await call.services.summaries.of_project(organization, project_id, period)
    return Reply(ProjectSummaryAnswer(project_id=project_id, **_group(found, organization.currency)))


@endpoint(
    blueprint,
    "GET",
    "departments/{department_id}/summary",
    summary="What a department's agents cost and earn in a period, charge by charge",
    access=Permission.INVOICES_READ,
    query=SummaryQuery,
    answers={200: DepartmentSummaryAnswer},
)
async def get_department_summary(call: Call[NoBody, SummaryQuery]) -> Reply:
    department_id = call.path["department_id"]
    organization = await call.organization_of(department_id)
    period = await call.services.periods.of_month(organization, call.query.period, call.now)
    found = await call.services.summaries.of_department(organization, department_id, period)
    return Reply(DepartmentSummaryAnswer(department_id=department_id, **_group(found, organization.currency)))


@endpoint(
    blueprint,
    "GET",
    "organizations/{organization_id}/stats",
    summary="What an organization's agents cost and earn in the open period",
    access=Permission.INVOICES_READ,
    answers={200: OrganizationStatsAnswer},
)
async def get_organization_stats(call: Call[NoBody, Query]) -> Reply:
    organization_id = await call.organization_id(call.path["organization_id"])
    organization = await call.services.organizations.get(organization_id)
    summaries = call.services.summaries
    period = await call.services.periods.of_month(organization, None, call.now)
    found = await summaries.of_organization(organization, period)
    return Reply(
        OrganizationStatsAnswer(
            organization_id=organization.id,
            currency=organization.currency,
            period=SpanAnswer.of(period),
            agents=found.agents,
            active_agents=found.active_agents,
            **_figures(found.figures),
        )
    )
