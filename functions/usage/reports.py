"""What the meters of a period have come to."""

from datetime import datetime

import azure.functions as func
from pydantic import Field

from functions.fields import SpanAnswer
from shared.domain.access.identity import Permission
from shared.http import Call, NoBody, Query, Reply, Schema, endpoint, window

blueprint = func.Blueprint()


class UsageQuery(Query):
    period: str | None = Field(default=None, max_length=7)
    agent: str | None = Field(default=None, max_length=256)
    charge: str | None = Field(default=None, max_length=64)
    project: str | None = Field(default=None, max_length=256)
    department: str | None = Field(default=None, max_length=256)
    limit: int = Field(default=200, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=2048)


class UsageRow(Schema):
    """One meter of one agent; `charge` is null for what no charge has metered."""

    agent_id: str
    charge: str | None
    event_type: str
    aggregation: str
    quantity: str


class UsageAnswer(Schema):
    period: SpanAnswer
    data: list[UsageRow]
    next_cursor: str | None
    as_of: datetime
    pending: int


@endpoint(
    blueprint,
    "GET",
    "usage",
    summary="Usage of a period by agent and charge, and how many accepted events are still on their way",
    access=Permission.USAGE_READ,
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
    shown, next_cursor = window(len(rows), query.limit, query.cursor)
    return Reply(
        UsageAnswer(
            period=SpanAnswer.of(period),
            data=[UsageRow.model_validate(row) for row in rows[shown]],
            next_cursor=next_cursor,
            as_of=call.now,
            pending=pending,
        )
    )
