"""The cost, revenue and pricing of one agent."""

from datetime import datetime
from typing import Self

import azure.functions as func

from functions.billing.figures import (
    ActivityAnswer,
    CountAnswer,
    FiguresAnswer,
    SummaryQuery,
    activity_fields,
    counted_events,
)
from functions.fields import AgentReferencePath, SpanAnswer
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import RoundedAmount
from shared.domain.kernel.times import from_text
from shared.domain.pricing.charges import AnyCharge
from shared.http import Call, NoBody, Query, Reply, Schema, endpoint
from shared.services.billing.agent_pricing import ModelPricing
from shared.services.billing.summaries import AgentShare

blueprint = func.Blueprint()

TREND_PERIODS = 6
"""How many periods a trend shows at most, the open one last."""


class PeriodFigures(FiguresAnswer):
    period: SpanAnswer
    """The billing period that the figures are of."""


class AgentStatsAnswer(FiguresAnswer):
    """Figures of the open billing period up to now."""

    agent_id: str
    currency: str
    period: SpanAnswer
    """The open billing period."""
    events: list[CountAnswer]
    """How many of each type."""
    last_active_at: datetime | None
    """When its latest event happened or was reported."""
    trend: list[PeriodFigures]
    """The open period and those before it, oldest first."""


class PricingAnswer(Schema):
    """What prices an agent from a time on. Without a billing model its usage is not billed."""

    start: datetime
    """When this version, or its model for this agent, took effect or will; without a model when pricing ended."""
    billing_model_id: str | None
    """Null where no billing model is in force."""
    name: str | None
    """The billing model's name."""
    version_id: str | None
    """Null where no billing model is in force."""
    version: int | None
    """The version's number."""
    charges: tuple[AnyCharge, ...]
    """The charges of the version."""

    @classmethod
    def of(cls, pricing: ModelPricing) -> Self:
        model, version = pricing.model, pricing.version
        return cls(
            start=pricing.start,
            billing_model_id=model.id if model else None,
            name=model.name if model else None,
            version_id=version.id if version else None,
            version=version.number if version else None,
            charges=version.charges if version else (),
        )


class BillingConfigAnswer(Schema):
    agent_id: str
    currency: str
    current: PricingAnswer
    """What prices the agent now."""
    upcoming: list[PricingAnswer]
    """What will price the agent later, in order."""


class AgentShareAnswer(Schema):
    """The agent's share of a line.

    A pooled line is shared by what its charge prices; by quantity, where all of it is free; by days, without usage.
    """

    key: str
    """The key of the line."""
    type: str
    """The type of the charge."""
    charge: str | None
    """The charge's key."""
    description: str
    pooled: bool
    """Whether other agents have a share in the line."""
    amount: RoundedAmount
    """The agent's share."""
    line_amount: RoundedAmount
    """The whole line's amount."""

    @classmethod
    def of(cls, share: AgentShare) -> Self:
        return cls.showing(share.line, pooled=share.is_pooled, amount=share.amount, line_amount=share.line.amount)


class BillingSummaryAnswer(ActivityAnswer):
    agent_id: str
    lines: list[AgentShareAnswer]
    """The agent's share of each line. They add up to `billed_amount`."""


@endpoint(
    blueprint,
    "GET",
    "agents/{agent_id}/stats",
    summary="What an agent costs and earns in the open period, with a trend",
    access=Permission.INVOICES_READ,
    path_values=AgentReferencePath,
    answers={200: AgentStatsAnswer},
)
async def get_agent_stats(call: Call[NoBody, Query, AgentReferencePath]) -> Reply:
    organization = await call.organization_of(call.path.agent_id)
    summaries = call.services.summaries
    agent = await summaries.agent(organization.id, call.path.agent_id)
    periods = await call.services.periods.latest(organization, call.now, TREND_PERIODS)
    trend = await summaries.of_agent(organization, agent, periods)
    present = trend[-1]
    reported_at = (await call.services.agent_activities.last_active(organization.id, [agent.id])).get(agent.id)
    happened_at = [from_text(summary.activity.last_event_at) for summary in trend if summary.activity.last_event_at]
    return Reply(
        AgentStatsAnswer.showing(
            present.figures,
            agent_id=agent.id,
            currency=organization.currency,
            period=present.period,
            events=counted_events(present.activity),
            last_active_at=max([*happened_at, *([reported_at] if reported_at else [])], default=None),
            trend=[PeriodFigures.showing(summary.figures, period=summary.period) for summary in trend],
        )
    )


@endpoint(
    blueprint,
    "GET",
    "agents/{agent_id}/billing-config",
    summary="What an agent is priced by, now and later",
    access=Permission.BILLING_MODELS_READ,
    path_values=AgentReferencePath,
    answers={200: BillingConfigAnswer},
)
async def get_billing_config(call: Call[NoBody, Query, AgentReferencePath]) -> Reply:
    organization = await call.organization_of(call.path.agent_id)
    agent = await call.services.summaries.agent(organization.id, call.path.agent_id)
    pricings = await call.services.agent_pricing.from_now_on(agent)
    current, *upcoming = [PricingAnswer.of(pricing) for pricing in pricings]
    return Reply(
        BillingConfigAnswer(agent_id=agent.id, currency=organization.currency, current=current, upcoming=upcoming)
    )


@endpoint(
    blueprint,
    "GET",
    "agents/{agent_id}/billing-summary",
    summary="What an agent costs and earns in a period, line by line",
    access=Permission.INVOICES_READ,
    path_values=AgentReferencePath,
    query=SummaryQuery,
    answers={200: BillingSummaryAnswer},
)
async def get_billing_summary(call: Call[NoBody, SummaryQuery, AgentReferencePath]) -> Reply:
    organization = await call.organization_of(call.path.agent_id)
    period = await call.services.periods.of_month(organization, call.query.period, call.now)
    summaries = call.services.summaries
    agent = await summaries.agent(organization.id, call.path.agent_id)
    (summary,) = await summaries.of_agent(organization, agent, [period])
    return Reply(
        BillingSummaryAnswer.showing(
            summary.figures,
            agent_id=agent.id,
            currency=organization.currency,
            period=period,
            lines=[AgentShareAnswer.of(share) for share in summary.shares],
            **activity_fields(summary.activity),
        )
    )
