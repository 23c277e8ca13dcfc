"""Outcomes: reported, listed, verified, rejected, reversed, counted."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

import azure.functions as func
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from functions.fields import ClientId, Month
from functions.usage.reported_events import Metadata, OneEventAnswer, Report, report_one
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.money import Currency, ExactDecimal, NonNegativeAmount
from shared.domain.kernel.times import from_text, read_time
from shared.domain.kernel.validation import refusal
from shared.domain.metering.meters import EventType
from shared.domain.periods.periods import Period
from shared.domain.pricing.charges.event_values import OUTCOME_TYPE
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.outcomes import DecidedBy, Outcome, Status, Verification, is_outcome, outcome_id
from shared.http import Call, ListQuery, NoBody, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.storage.caller_json import small_text
from shared.services.usage.outcomes import MAXIMUM_DECIDED, InState, OutcomeDetails, OutcomeQuery

blueprint = func.Blueprint()

MAXIMUM_EVIDENCE = 50


def _small(evidence: dict[str, Any]) -> dict[str, Any]:
    small_text(evidence)
    return evidence


def _checked_time(text: str) -> str:
    read_time(text)
    return text


def _outcome_type(event_type: str) -> str:
    if not is_outcome(event_type):
        raise ValueError(f"is not the type of an outcome, which begins with {OUTCOME_TYPE}")
    return event_type


Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Note = Annotated[str, StringConstraints(max_length=1000)]
Evidence = Annotated[dict[str, Any], Field(max_length=MAXIMUM_EVIDENCE), AfterValidator(_small)]
StatedTime = Annotated[str, AfterValidator(_checked_time), Field(json_schema_extra={"format": "date-time"})]
"""A time that stays as it was written."""
OutcomeType = Annotated[EventType, AfterValidator(_outcome_type)]
OutcomeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,192}$")]


class OutcomeRequest(Report):
    """`outcome_type` is the name after `outcome.`. Without a currency the value is in the organization's; in another it
    is converted by the operator's exchange rate for the time of the outcome.
    `interaction_time` is when the agent did what led to it.
    """

    outcome_type: OutcomeName
    value: NonNegativeAmount | None = None
    currency: Currency | None = None
    evidence: Evidence | None = None
    interaction_time: StatedTime | None = None
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


class OutcomeList(Schema):
    data: list[OutcomeAnswer]
    next_cursor: str | None


class FilterQuery(ListQuery):
    agent: ClientId | None = None
    type: OutcomeType | None = None
    period: Month | None = None
    start: ZonedTime | None = Field(default=None, alias="from")
    end: ZonedTime | None = Field(default=None, alias="to")


class OutcomeListQuery(FilterQuery):
    status: Status | None = None


def _answer(outcome: Outcome, organization: Organization) -> dict[str, Any]:
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


def _listed(organization: Organization, outcomes: list[Outcome], cursor: str | None) -> Reply:
    answers = [OutcomeAnswer.model_validate(_answer(outcome, organization)) for outcome in outcomes]
    return Reply(OutcomeList(data=answers, next_cursor=cursor))


async def _wanted(
    call: Call[Any, Any], organization: Organization, named: FilterQuery, status: Status | None
) -> OutcomeQuery:
    period = await _period(call, organization, named.period)
    return OutcomeQuery(status, named.agent, named.type, period, named.start, named.end)


async def _period(call: Call[Any, Any], organization: Organization, month: str | None) -> Period | None:
    """None is any."""
    return None if month is None else await call.services.periods.of_month(organization, month, call.now)


@endpoint(
    blueprint,
    "GET",
    "outcomes",
    summary="Outcomes, newest first; where a type is wanted that is rare among them, a page may be shorter than its"
    " limit and not the last one",
    access=Permission.OUTCOMES_READ,
    query=OutcomeListQuery,
    answers={200: OutcomeList},
)
async def list_outcomes(call: Call[NoBody, OutcomeListQuery]) -> Reply:
    query = call.query
    organization = await call.organization()
    wanted = await _wanted(call, organization, query, query.status)
    page = await call.services.outcomes.page(organization, wanted, query.limit, query.cursor)
    return _listed(organization, *page)


@endpoint(
    blueprint,
    "GET",
    "outcomes/billing-ready",
    summary="Verified outcomes that no finalized invoice has billed yet, newest first",
    access=Permission.OUTCOMES_READ,
    query=FilterQuery,
    answers={200: OutcomeList},
)
async def list_billing_ready_outcomes(call: Call[NoBody, FilterQuery]) -> Reply:
    query = call.query
    organization = await call.organization()
    wanted = await _wanted(call, organization, query, "verified")
    page = await call.services.unbilled_outcomes.page(organization, wanted, query.limit, query.cursor)
    return _listed(organization, *page)


class StatisticsQuery(Query):
    agent: ClientId | None = None
    period: Month | None = None


class InStateAnswer(Schema):
    count: int
    value: ExactDecimal


class StatisticsAnswer(Schema):
    """`success_rate` is verified / all, 0 where there are none. Values are in the organization's currency; one that was
    reported in another, for whose time there was no exchange rate, is in no sum.
    """

    currency: str
    count: int
    success_rate: ExactDecimal
    pending: InStateAnswer
    verified: InStateAnswer
    rejected: InStateAnswer
    reversed: InStateAnswer


@endpoint(
    blueprint,
    "GET",
    "outcomes/statistics",
    summary="How many outcomes are in which state, what they are worth, and the share of the verified ones",
    access=Permission.OUTCOMES_READ,
    query=StatisticsQuery,
    answers={200: StatisticsAnswer},
)
async def get_outcome_statistics(call: Call[NoBody, StatisticsQuery]) -> Reply:
    query = call.query
    organization = await call.organization()
    period = await _period(call, organization, query.period)
    found = await call.services.outcomes.statistics(organization, query.agent, period)
    states = {status: _in_state(state) for status, state in found.states.items()}
    return Reply(
        StatisticsAnswer.model_validate(
            {"currency": organization.currency, "count": found.count, "success_rate": found.success_rate, **states}
        )
    )


def _in_state(state: InState) -> InStateAnswer:
    return InStateAnswer(count=state.count, value=state.value)


class BulkFilter(Schema):
    agent: ClientId | None = None
    type: OutcomeType | None = None
    start: ZonedTime | None = Field(default=None, alias="from")
    end: ZonedTime | None = Field(default=None, alias="to")


class BulkRequest(Schema):
    """Either `ids`, or a `filter` of the pending ones: the newest 1,000, and from `cursor` on the next ones."""

    ids: Annotated[list[ClientId], Field(min_length=1, max_length=MAXIMUM_DECIDED)] | None = None
    filter: BulkFilter | None = None
    cursor: Annotated[str, Field(max_length=2048)] | None = None
    evidence: Evidence | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> "BulkRequest":
        if (self.ids is None) == (self.filter is None):
            raise refusal((("ids",), "is given, or filter is; not both"))
        if self.cursor is not None and self.filter is None:
            raise refusal((("cursor",), "belongs to filter"))
        return self


class RefusedAnswer(Schema):
    """The code and detail of a problem."""

    code: str
    detail: str


class BulkResult(Schema):
    """What the outcome is now, or why it could not be verified."""

    id: str
    status: Status | None
    problem: RefusedAnswer | None


class BulkAnswer(Schema):
    verified: int
    refused: int
    data: list[BulkResult]
    next_cursor: str | None


@endpoint(
    blueprint,
    "POST",
    "outcomes/verify",
    summary="Verify up to 1,000 outcomes, each as if by itself; what is verified already stays as it is",
    access=Permission.OUTCOMES_VERIFY,
    body=BulkRequest,
    answers={200: BulkAnswer},
    example={"filter": {"type": "outcome.issue_resolved"}, "note": "Checked in the tracker"},
)
async def verify_outcomes(call: Call[BulkRequest, Query]) -> Reply:
    organization = await call.organization()
    outcomes, told, cursor = call.services.outcomes, call.body, None
    ids = told.ids
    if ids is None:
        chosen = told.filter or BulkFilter()
        query = OutcomeQuery("pending", chosen.agent, chosen.type, None, chosen.start, chosen.end)
        pending, cursor = await outcomes.page(organization, query, MAXIMUM_DECIDED, told.cursor)
        ids = [outcome.id for outcome in pending]
    results = await outcomes.verify(organization, ids, _verification(told), call.principal)
    data = [_bulk_result(id_, results[id_]) for id_ in dict.fromkeys(ids)]
    verified = sum(each.problem is None for each in data)
    return Reply(BulkAnswer(verified=verified, refused=len(data) - verified, data=data, next_cursor=cursor))


def _bulk_result(id_: str, result: Outcome | XyraError) -> BulkResult:
    if isinstance(result, Outcome):
        return BulkResult(id=id_, status=result.status, problem=None)
    return BulkResult(id=id_, status=None, problem=RefusedAnswer(code=result.code, detail=result.detail))


class VerifyRequest(Schema):
    """`value` is what it is worth, where that is less than was reported; in the currency in which it was reported."""

    value: NonNegativeAmount | None = None
    evidence: Evidence | None = None
    note: Note | None = None


class DecisionRequest(Schema):
    reason: Reason


def _verification(told: VerifyRequest | BulkRequest) -> Verification:
    value = told.value if isinstance(told, VerifyRequest) else None
    evidence = None if told.evidence is None else json.encode_verbatim(told.evidence).decode()
    return Verification(value, evidence, told.note)


@endpoint(
    blueprint,
    "GET",
    "outcomes/{outcome_id}",
    summary="One outcome, with the evidence for it; not found while its event is on its way or parked",
    access=Permission.OUTCOMES_READ,
    answers={200: OutcomeDetailsAnswer},
)
async def get_outcome(call: Call[NoBody, Query]) -> Reply:
    organization = await call.organization()
    return _shown(organization, await call.services.outcomes.get(organization, call.path["outcome_id"]))


def _shown(organization: Organization, details: OutcomeDetails) -> Reply:
    outcome = details.outcome
    data = {} if details.event_data is None else json.decode(details.event_data)
    verification = outcome.verification_evidence
    return Reply(
        {
            **_answer(outcome, organization),
            "evidence": json.verbatim(json.encode_verbatim(data.get("evidence")).decode()),
            "verification_evidence": None if verification is None else json.verbatim(verification),
        }
    )


async def _decided(call: Call[Any, Any], organization: Organization, result: Outcome | XyraError) -> Reply:
    if isinstance(result, XyraError):
        raise result
    return _shown(organization, await call.services.outcomes.details(organization, result))


@endpoint(
    blueprint,
    "POST",
    "outcomes/{outcome_id}/verify",
    summary="Verify a pending outcome, by another credential than the one that reported it; it counts in the period in"
    " which it happened",
    access=Permission.OUTCOMES_VERIFY,
    body=VerifyRequest,
    answers={200: OutcomeDetailsAnswer},
    example={"value": "75", "evidence": {"ticket": "closed"}, "note": "Checked with the customer"},
)
async def verify_outcome(call: Call[VerifyRequest, Query]) -> Reply:
    organization, id_ = await call.organization(), call.path["outcome_id"]
    results = await call.services.outcomes.verify(organization, [id_], _verification(call.body), call.principal)
    return await _decided(call, organization, results[id_])


@endpoint(
    blueprint,
    "POST",
    "outcomes/{outcome_id}/reject",
    summary="Reject a pending outcome: it never counts",
    access=Permission.OUTCOMES_VERIFY,
    body=DecisionRequest,
    answers={200: OutcomeDetailsAnswer},
    example={"reason": "The issue was opened again"},
)
async def reject_outcome(call: Call[DecisionRequest, Query]) -> Reply:
    organization = await call.organization()
    result = await call.services.outcomes.reject(
        organization, call.path["outcome_id"], call.body.reason, call.principal
    )
    return await _decided(call, organization, result)


@endpoint(
    blueprint,
    "POST",
    "outcomes/{outcome_id}/reverse",
    summary="Take back a verified outcome; where it has been billed, the next invoice gives back what it cost",
    access=Permission.OUTCOMES_VERIFY,
    body=DecisionRequest,
    answers={200: OutcomeDetailsAnswer},
    example={"reason": "The customer was refunded"},
)
async def reverse_outcome(call: Call[DecisionRequest, Query]) -> Reply:
    organization = await call.organization()
    result = await call.services.outcomes.reverse(
        organization, call.path["outcome_id"], call.body.reason, call.principal
    )
    return await _decided(call, organization, result)
