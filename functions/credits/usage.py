"""What credits were spent on: use by use, and summed."""

from datetime import datetime
from typing import Literal, Self

import azure.functions as func
from pydantic import Field, model_validator

from functions.credits.fields import CreditKind
from functions.fields import ClientId, Listed, Reference
from shared.domain.access.identity import Permission
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.kernel.money import ExactDecimal
from shared.domain.kernel.validation import refusal
from shared.http import Call, ListQuery, NoBody, Query, Reply, Schema, VerbatimObject, ZonedTime, endpoint
from shared.services.credits.usage import Group, Spent, SummaryBy, UsageFilter

blueprint = func.Blueprint()


class UsageFilterQuery(Query):
    start: ZonedTime | None = Field(default=None, alias="from")
    """Inclusive."""
    to: ZonedTime | None = None
    """Exclusive."""
    kind: CreditKind = DEFAULT_KIND
    """The kind of credits."""
    agent: Reference | None = None
    """The agent's id or external id."""
    project_id: Reference | None = None
    """What was spent for one project."""
    department_id: Reference | None = None
    """What was spent for one department."""
    run: ClientId | None = None
    """The run's key."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is not None and self.to is not None and self.to <= self.start:
            raise refusal((("to",), "is not after from"))
        return self


class CreditUsageQuery(UsageFilterQuery, ListQuery):
    pass


class CreditUsageSummaryQuery(UsageFilterQuery):
    by: SummaryBy = "day"
    """What the sums are for. A day is local to the organization."""


class CreditUsageAnswer(Schema):
    """One use, what of a hold was captured or of a lease reported, or what of any of these was refunded."""

    transaction_id: str
    """The transfer."""
    time: datetime
    """When it was booked."""
    type: Literal["use", "capture", "lease_settlement", "refund"]
    """What happened."""
    amount: ExactDecimal
    """How many credits; below zero for a refund."""
    agent_id: str | None
    project_id: str | None
    department_id: str | None
    run: str | None
    """The run's key."""
    agent_type: str | None
    """Whose action it was, in the cost table."""
    action: str | None
    """What was done."""
    quantity: ExactDecimal | None
    """How often it was done."""
    metadata: VerbatimObject
    """Data of the caller's own."""


class UsageSums(Schema):
    """amount = spent - refunded."""

    amount: ExactDecimal
    """What was spent in the end."""
    spent: ExactDecimal
    """By uses and captures."""
    refunded: ExactDecimal
    """What of such came back in this time."""
    uses: int
    """How many uses and captures."""


class UsageGroup(UsageSums):
    """The sums of one day, agent, project, department, run, agent type or action."""

    name: str | None
    """A date, an id, the run's key, or the action behind its agent type and a slash; null where none was named."""


class CreditUsageSummary(Schema):
    """What credits were spent on."""

    by: SummaryBy
    """What the sums are for."""
    data: list[UsageGroup]
    """Days in their order; else the largest amounts first, at most 1,000."""
    rest: UsageSums
    """What the list leaves out."""
    total: UsageSums
    """Of all."""


@endpoint(
    blueprint,
    "GET",
    "credits/usage",
    summary="What credits were spent on, newest first",
    access=Permission.CREDITS_READ,
    query=CreditUsageQuery,
    answers={200: Listed[CreditUsageAnswer]},
)
async def list_credit_usage(call: Call[NoBody, CreditUsageQuery]) -> Reply:
    organization_id = await call.organization_id()
    wanted = await _filter(call, organization_id, call.query)
    found, following = await call.services.credits.usage.page(wanted, call.query.limit, call.query.cursor)
    return Reply(Listed(data=[_shown(spent) for spent in found], next_cursor=following))


@endpoint(
    blueprint,
    "GET",
    "credits/usage/summary",
    summary="What credits were spent on, by day, agent, project, department, run or action",
    access=Permission.CREDITS_READ,
    query=CreditUsageSummaryQuery,
    answers={200: CreditUsageSummary},
)
async def get_credit_usage_summary(call: Call[NoBody, CreditUsageSummaryQuery]) -> Reply:
    organization_id = await call.organization_id()
    wanted = await _filter(call, organization_id, call.query)
    summary = await call.services.credits.usage.summary(wanted, call.query.by)
    groups = [UsageGroup(name=group.name, **_sums(group)) for group in summary.groups]
    return Reply(
        CreditUsageSummary(
            by=call.query.by,
            data=groups,
            rest=UsageSums(**_sums(summary.rest)),
            total=UsageSums(**_sums(summary.total)),
        )
    )


async def _filter(call: Call[NoBody, Query], organization_id: str, query: UsageFilterQuery) -> UsageFilter:
    """Raises `ValidationError` for an agent that there is not."""
    agent_id = None
    if query.agent is not None:
        agent_id = (await call.services.agents.named(organization_id, query.agent, "?agent")).id
    return UsageFilter(
        organization_id, query.kind, query.start, query.to, agent_id, query.project_id, query.department_id, query.run
    )


def _sums(group: Group) -> dict[str, object]:
    return {"amount": group.net, "spent": group.spent, "refunded": group.refunded, "uses": group.uses}


def _shown(spent: Spent) -> CreditUsageAnswer:
    transfer, entry, context = spent.transfer, spent.entry, spent.entry.context
    return CreditUsageAnswer.showing(
        transfer,
        transaction_id=transfer.id,
        amount=spent.amount,
        agent_id=context.agent_id,
        project_id=context.project_id,
        department_id=context.department_id,
        run=context.run,
        agent_type=entry.agent_type,
        action=entry.action,
        quantity=entry.quantity,
        metadata=entry.metadata,
    )
