"""Outcomes: reported."""

from dataclasses import replace
from typing import Annotated

import azure.functions as func
from pydantic import AfterValidator, Field, StringConstraints

from functions.usage.outcome_fields import Evidence
from functions.usage.reported_events import Metadata, OneEventAnswer, Report, report_one
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import Currency, NonNegativeAmount
from shared.domain.kernel.times import read_time
from shared.domain.pricing.charges.event_values import OUTCOME_TYPE
from shared.domain.usage.outcomes import outcome_id
from shared.http import Call, Query, Reply, endpoint

blueprint = func.Blueprint()


def _checked_time(text: str) -> str:
    read_time(text)
    return text


OutcomeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,192}$")]
TimeAsWritten = Annotated[str, AfterValidator(_checked_time), Field(json_schema_extra={"format": "date-time"})]


class OutcomeRequest(Report):
    """`outcome_type` is the name after `outcome.`. Without a currency the value is in the organization's; in another it
    is converted by the operator's exchange rate for the time of the outcome.
    `interaction_time` is when the agent did what led to it.
    """

    outcome_type: OutcomeName
    value: NonNegativeAmount | None = None
    currency: Currency | None = None
    evidence: Evidence | None = None
    interaction_time: TimeAsWritten | None = None
    details: Metadata = {}


class OneOutcomeAnswer(OneEventAnswer):
    outcome_id: str


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/outcomes",
    summary="Report one outcome of an agent's work",
    access=Permission.EVENTS_WRITE,
    body=OutcomeRequest,
    answers={202: OneOutcomeAnswer},
    example={"outcome_type": "issue_resolved", "value": "80", "currency": "USD", "details": {"issue": "1042"}},
)
async def report_outcome(call: Call[OutcomeRequest, Query]) -> Reply:
    told = call.body
    fixed = {name: getattr(told, name) for name in ("value", "currency", "evidence", "interaction_time")}
    reply = await report_one(
        call, OUTCOME_TYPE + told.outcome_type, fixed=fixed, free=("details", told.details), named="outcome_type"
    )
    assert isinstance(reply.body, dict)  # noqa: S101  as `report_one` makes it
    return replace(reply, body={**reply.body, "outcome_id": outcome_id(reply.body["event_id"])})
