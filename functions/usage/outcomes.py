"""Outcomes: listed, read and counted."""

from typing import Any

import azure.functions as func
from pydantic import Field

from functions.fields import ClientId, Listed, Month
from functions.usage.outcome_fields import (
    OutcomeAnswer,
    OutcomeDetailsAnswer,
    OutcomePath,
    OutcomeType,
    outcome_details,
)
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import ExactDecimal
from shared.domain.periods.periods import Period
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.outcomes import Outcome, Status
from shared.http import Call, ListQuery, NoBody, Projects, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.usage.outcomes import OutcomeQuery

blueprint = func.Blueprint()


class FilterQuery(ListQuery):
    agent: ClientId | None = None
    """Only outcomes of this agent, by its id or external id."""
    type: OutcomeType | None = None
    """Only outcomes of this type."""
    period: Month | None = None
    """Only outcomes of this month, such as 2026-10."""
    start: ZonedTime | None = Field(default=None, alias="from")
    """Only outcomes from this time on."""
    end: ZonedTime | None = Field(default=None, alias="to")
    """Only outcomes before this time."""


class OutcomeListQuery(FilterQuery):
    status: Status | None = None
    """Only outcomes with this status."""


def _listed(organization: Organization, outcomes: list[Outcome], cursor: str | None) -> Reply:
    data = [OutcomeAnswer.of(outcome, organization) for outcome in outcomes]
    return Reply(Listed(data=data, next_cursor=cursor))


async def _wanted(
    call: Call[Any, Any, Any], organization: Organization, named: FilterQuery, status: Status | None
) -> OutcomeQuery:
    period = await _period(call, organization, named.period)
    return OutcomeQuery(status, named.agent, named.type, period, named.start, named.end)


async def _period(call: Call[Any, Any, Any], organization: Organization, month: str | None) -> Period | None:
    return None if month is None else await call.services.periods.of_month(organization, month, call.now)


@endpoint(
    blueprint,
    "GET",
    "outcomes",
    summary="Outcomes, newest first; with a type that is rare among them, a page may be shorter than its limit without"
    " being the last one",
    access=Permission.OUTCOMES_READ,
    projects=Projects.FILTERED,
    query=OutcomeListQuery,
    answers={200: Listed[OutcomeAnswer]},
)
async def list_outcomes(call: Call[NoBody, OutcomeListQuery]) -> Reply:
    query = call.query
    organization = await call.organization()
    wanted = await _wanted(call, organization, query, query.status)
    visible = await call.visible_agents(organization.id)
    page = await call.services.outcomes.page(
        organization, wanted, query.limit, query.cursor, lambda outcome: visible is None or outcome.agent_id in visible
    )
    return _listed(organization, *page)


@endpoint(
    blueprint,
    "GET",
    "outcomes/billing-ready",
    summary="Verified outcomes that no finalized invoice has billed yet, newest first",
    access=Permission.OUTCOMES_READ,
    projects=Projects.FILTERED,
    query=FilterQuery,
    answers={200: Listed[OutcomeAnswer]},
)
async def list_billing_ready_outcomes(call: Call[NoBody, FilterQuery]) -> Reply:
    query = call.query
    organization = await call.organization()
    wanted = await _wanted(call, organization, query, "verified")
    visible = await call.visible_agents(organization.id)
    page = await call.services.unbilled_outcomes.page(organization, wanted, query.limit, query.cursor, visible)
    return _listed(organization, *page)


class StatisticsQuery(Query):
    agent: ClientId | None = None
    """Only outcomes of this agent, by its id or external id."""
    period: Month | None = None
    """Only outcomes of this month, such as 2026-10."""


class StatusTotalAnswer(Schema):
    count: int
    """How many."""
    value: ExactDecimal
    """The sum of their values in the organization's currency, without those that have no exchange rate."""


class StatisticsAnswer(Schema):
    currency: str
    """The organization's."""
    count: int
    """How many in all states."""
    success_rate: ExactDecimal
    """verified / all; 0 where there are no outcomes."""
    pending: StatusTotalAnswer
    """Those that nobody has decided about."""
    verified: StatusTotalAnswer
    """Those that count."""
    rejected: StatusTotalAnswer
    """Those that never counted."""
    reversed: StatusTotalAnswer
    """Those that count no longer."""


@endpoint(
    blueprint,
    "GET",
    "outcomes/statistics",
    summary="Number and value of outcomes by status, and the share that is verified",
    access=Permission.OUTCOMES_READ,
    projects=Projects.FILTERED,
    query=StatisticsQuery,
    answers={200: StatisticsAnswer},
)
async def get_outcome_statistics(call: Call[NoBody, StatisticsQuery]) -> Reply:
    query = call.query
    organization = await call.organization()
    period = await _period(call, organization, query.period)
    visible = await call.visible_agents(organization.id)
    statistics = await call.services.outcomes.statistics(organization, query.agent, period, visible)
    by_status = {str(status): total for status, total in statistics.by_status.items()}
    return Reply(StatisticsAnswer.showing(statistics, currency=organization.currency, **by_status))


@endpoint(
    blueprint,
    "GET",
    "outcomes/{outcome_id}",
    summary="One outcome, with the evidence for it; not found while its event is on its way or parked",
    access=Permission.OUTCOMES_READ,
    projects=Projects.BY_PATH,
    path_values=OutcomePath,
    answers={200: OutcomeDetailsAnswer},
)
async def get_outcome(call: Call[NoBody, Query, OutcomePath]) -> Reply:
    organization = await call.organization()
    return Reply(outcome_details(organization, await call.services.outcomes.get(organization, call.path.outcome_id)))
