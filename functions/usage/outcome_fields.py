"""What requests and answers about outcomes have in common."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator

from shared import json
from shared.domain.kernel.money import ExactDecimal
from shared.domain.kernel.validation import Length
from shared.domain.metering.event_types import EventType
from shared.domain.pricing.charges.event_values import OUTCOME_TYPE
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.outcomes import DecidedBy, Outcome, Status, is_outcome
from shared.http import PathValues, Schema, ThingId, VerbatimJson
from shared.services.storage.caller_json import small_text
from shared.services.usage.outcomes import OutcomeDetails

MAXIMUM_EVIDENCE = 50
"""Fields at the top level of the evidence for an outcome."""


def _small(evidence: dict[str, Any]) -> dict[str, Any]:
    small_text(evidence)
    return evidence


def _outcome_type(event_type: str) -> str:
    if not is_outcome(event_type):
        raise ValueError(f"is not the type of an outcome, which begins with {OUTCOME_TYPE}")
    return event_type


Evidence = Annotated[dict[str, Any], Length(0, MAXIMUM_EVIDENCE), AfterValidator(_small)]
OutcomeType = Annotated[EventType, AfterValidator(_outcome_type)]


class OutcomePath(PathValues):
    outcome_id: Annotated[str, ThingId("out")]
    """The outcome's id."""


class OutcomeAnswer(Schema):
    id: str
    event_id: str
    """Of the event that reported it."""
    external_event_id: str
    """Of that event, as its sender chose it."""
    source: str
    """Where that event came from, as its sender says."""
    type: str
    """`outcome.` and a name."""
    agent_id: str
    run: str | None
    """The key of the run that it belongs to."""
    time: datetime
    """When it happened."""
    period_start: datetime
    """The start of the period in which it counts."""
    status: Status
    reason: str | None
    """Why it was rejected or reversed."""
    value: ExactDecimal | None
    """As it was reported, in `currency`."""
    verified_value: ExactDecimal | None
    """The value that counts, in `currency`."""
    currency: str
    exchange_rate: ExactDecimal | None
    """To the organization's currency, in force when it happened."""
    converted_value: ExactDecimal | None
    """The value in the organization's currency; null where there was no exchange rate."""
    converted_currency: str
    """The organization's."""
    verified_by: Literal["operator", "organization"]
    """Who may verify it: only the operator, or the organization as well."""
    decided_at: datetime | None
    """When it was verified, rejected or reversed."""
    decided_by: DecidedBy | None
    """Who decided: a rule of its charge, the operator or the organization."""
    note: str | None
    """Of whoever verified it."""

    @classmethod
    def of(cls, outcome: Outcome, organization: Organization, **beside: str | None) -> Self:
        return cls.showing(
            outcome,
            event_id=outcome.event_key,
            external_event_id=outcome.event_id,
            period_start=outcome.period,
            converted_value=outcome.value_in(organization.currency),
            converted_currency=organization.currency,
            verified_by=outcome.verifier,
            **beside,
        )


class OutcomeDetailsAnswer(OutcomeAnswer):
    evidence: VerbatimJson
    """From the report."""
    verification_evidence: VerbatimJson
    """From the verification."""


def outcome_details(organization: Organization, details: OutcomeDetails) -> OutcomeDetailsAnswer:
    return OutcomeDetailsAnswer.of(
        details.outcome,
        organization,
        evidence=json.encode_verbatim(details.event_data.get("evidence")).decode(),
        verification_evidence=details.outcome.verification_evidence,
    )
