"""What requests and answers about outcomes have in common."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from shared import json
from shared.domain.kernel.money import ExactDecimal
from shared.domain.kernel.times import from_text
from shared.domain.metering.meters import EventType
from shared.domain.pricing.charges.event_values import OUTCOME_TYPE
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.outcomes import DecidedBy, Outcome, Status, is_outcome
from shared.http import Reply, Schema
from shared.services.storage.caller_json import small_text
from shared.services.usage.outcomes import OutcomeDetails

MAXIMUM_EVIDENCE = 50
"""Fields at the top of the evidence for an outcome."""


def _small(evidence: dict[str, Any]) -> dict[str, Any]:
    small_text(evidence)
    return evidence


def _outcome_type(event_type: str) -> str:
    if not is_outcome(event_type):
        raise ValueError(f"is not the type of an outcome, which begins with {OUTCOME_TYPE}")
    return event_type


Evidence = Annotated[dict[str, Any], Field(max_length=MAXIMUM_EVIDENCE), AfterValidator(_small)]
OutcomeType = Annotated[EventType, AfterValidator(_outcome_type)]


class OutcomeAnswer(Schema):
    """`event_id` names the event that reported it, `external_event_id` is how its sender named that. `value` was
    reported, `verified_value` is what counts, both in `currency`. `converted_value` is what it is worth in the
    organization's currency, the `converted_currency`, by the `exchange_rate` that was in force when it happened; null
    in another currency without one. `verified_by` says who may verify it beside the operator; `decided_by` who did
    decide: a rule of its charge, the operator or the organization.
    """

    id: str
    event_id: str
    external_event_id: str
    source: str
    type: str
    agent_id: str
    run: str | None
    time: datetime
    period_start: datetime
    status: Status
    reason: str | None
    value: ExactDecimal | None
    verified_value: ExactDecimal | None
    currency: str
    exchange_rate: ExactDecimal | None
    converted_value: ExactDecimal | None
    converted_currency: str
    verified_by: Literal["operator", "organization"]
    decided_at: datetime | None
    decided_by: DecidedBy | None
    note: str | None


class OutcomeDetailsAnswer(OutcomeAnswer):
    """`evidence` came with the report; `verification_evidence` with the verification."""

    evidence: Any
    verification_evidence: Any


def outcome_answer(outcome: Outcome, organization: Organization) -> dict[str, Any]:
    derived = {
        "event_id": outcome.event_key,
        "external_event_id": outcome.event_id,
        "time": from_text(outcome.time),
        "period_start": outcome.period,
        "converted_value": outcome.value_in(organization.currency),
        "converted_currency": organization.currency,
        "verified_by": outcome.verifier,
    }
    return derived | {name: getattr(outcome, name) for name in OutcomeAnswer.model_fields if name not in derived}


def outcome_details(organization: Organization, details: OutcomeDetails) -> Reply:
    outcome = details.outcome
    verification = outcome.verification_evidence
    return Reply(
        {
            **outcome_answer(outcome, organization),
            "evidence": json.verbatim(json.encode_verbatim(details.event_data.get("evidence")).decode()),
            "verification_evidence": None if verification is None else json.verbatim(verification),
        }
    )
