"""Reports of a period's usage by agent and charge."""

from datetime import datetime

import azure.functions as func
from pydantic import Field

from functions.fields import Listed, SpanAnswer
from shared.domain.access.identity import Permission
from shared.http import Call, NoBody, Projects, Query, Reply, Schema, endpoint, window

blueprint = func.Blueprint()


class UsageQuery(Query):
    period: str | None = Field(default=None, max_length=7)
    """A month such as 2026-10; the open period, if left out."""
    agent: str | None = Field(default=None, max_length=256)
    """Only usage of this agent, by its id or external id."""
    charge: str | None = Field(default=None, max_length=64)
    """Only usage of the charge with this key."""
    project: str | None = Field(default=None, max_length=256)
    """Only usage of agents that are in this project now."""
    department: str | None = Field(default=None, max_length=256)
    """Only usage of agents that are in this department now."""
    limit: int = Field(default=200, ge=1, le=1000)
    """The most rows of a page."""
    cursor: str | None = Field(default=None, max_length=2048)
    """The `next_cursor` of the previous page, with the same filters."""


class UsageRow(Schema):
    """What one meter of one agent counted."""

    agent_id: str
    charge: str | None
    """The charge's key; null for usage that no charge meters."""
    event_type: str
    """Of the events that it counts."""
    aggregation: str
    """How they become one number."""
    quantity: str
    """What they come to."""


class UsageAnswer(Listed[UsageRow]):
    period: SpanAnswer
    """The billing period that the usage is of."""
    as_of: datetime
    """When the totals were read."""
    pending: int
    """How many accepted events are not metered yet."""


@endpoint(
    blueprint,
    "GET",
    "usage",
    summary="Usage of a period by agent and charge, and how many accepted events are not metered yet",
    access=Permission.USAGE_READ,
    projects=Projects.FILTERED,
    query=UsageQuery,
    answers={200: UsageAnswer},
)
async def get_usage(call: Call[NoBody, UsageQuery]) -> Reply:
    query = call.query
    organization = await call.organization()
    period = await call.services.periods.of_month(organization, query.period, call.now)
    pending = await call.services.events.pending(organization)
    rows = await call.services.usage_reports.rows(
        organization, period, agent=query.agent, charge=query.charge, project=query.project, department=query.department
    )
    visible = await call.visible_agents(organization.id)
    rows = [row for row in rows if visible is None or row.agent_id in visible]
    shown, next_cursor = window(len(rows), query.limit, query.cursor)
    return Reply(
        {"period": period, "data": rows[shown], "next_cursor": next_cursor, "as_of": call.now, "pending": pending}
    )
