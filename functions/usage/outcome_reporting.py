"""Outcomes: reported as events."""

from typing import Annotated

import azure.functions as func
from pydantic import AfterValidator, Field, StringConstraints

from functions.fields import AgentReferencePath
from functions.usage.outcome_fields import Evidence
from functions.usage.reported_events import OneEventAnswer, Report, ReportMetadata, location, report_one
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import Currency, ReportedAmount
from shared.domain.kernel.times import read_time
from shared.domain.kernel.validation_messages import Expected
from shared.domain.pricing.charges.event_values import OUTCOME_TYPE
from shared.domain.usage.outcomes import outcome_id
from shared.http import Call, Projects, Query, Reply, endpoint

blueprint = func.Blueprint()


def _checked_time(text: str) -> str:
    read_time(text)
    return text


OutcomeName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,192}$"), Expected("1 to 192 letters, digits and _ . : / -")
]
TimeAsWritten = Annotated[str, AfterValidator(_checked_time), Field(json_schema_extra={"format": "date-time"})]


class OutcomeRequest(Report):
    outcome_type: OutcomeName
    """The name after `outcome.` in the type of the event."""
    value: ReportedAmount | None = None
    """The value of the outcome, in `currency`."""
    currency: Currency | None = None
    """The organization's, if left out. From another one, the value is converted by the operator's exchange rate."""
    evidence: Evidence | None = None
    """For whoever verifies it."""
    interaction_time: TimeAsWritten | None = None
    """When the agent did what led to the outcome."""
    details: ReportMetadata = {}
    """Other data of the event, which meters can read."""


class OneOutcomeAnswer(OneEventAnswer):
    outcome_id: str
    """For `GET /outcomes/{outcome_id}`, once the event is metered."""


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/outcomes",
    summary="Report one outcome of an agent's work",
    access=Permission.EVENTS_WRITE,
    projects=Projects.BY_PATH,
    path_values=AgentReferencePath,
    body=OutcomeRequest,
    answers={202: OneOutcomeAnswer},
    example={"outcome_type": "issue_resolved", "value": "80", "currency": "USD", "details": {"issue": "1042"}},
)
async def report_outcome(call: Call[OutcomeRequest, Query, AgentReferencePath]) -> Reply:
    outcome = call.body
    fixed = {name: getattr(outcome, name) for name in ("value", "currency", "evidence", "interaction_time")}
    event = await report_one(
        call,
        OUTCOME_TYPE + outcome.outcome_type,
        fixed=fixed,
        free=("details", outcome.details),
        type_field="outcome_type",
    )
    answer = OneOutcomeAnswer.showing(event, outcome_id=outcome_id(event.event_id))
    return Reply(answer, headers=location(event.event_id))
