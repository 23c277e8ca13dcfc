"""Outcomes: verified, rejected, reversed."""

from typing import Annotated, Any

import azure.functions as func
from pydantic import Field, StringConstraints, model_validator

from functions.fields import ClientId, Listed
from functions.usage.outcome_fields import Evidence, OutcomeDetailsAnswer, OutcomePath, OutcomeType, outcome_details
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.kernel.validation import Length, refusal
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.outcomes import Outcome, Status, Verification
from shared.http import Call, Projects, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.usage.outcome_decisions import MAXIMUM_DECIDED
from shared.services.usage.outcomes import OutcomeQuery, not_found

blueprint = func.Blueprint()

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Note = Annotated[str, StringConstraints(max_length=1000)]


class BulkFilter(Schema):
    agent: ClientId | None = None
    """Only outcomes of this agent, by its id or external id."""
    type: OutcomeType | None = None
    """Only outcomes of this type."""
    start: ZonedTime | None = Field(default=None, alias="from")
    """Only outcomes from this time on."""
    end: ZonedTime | None = Field(default=None, alias="to")
    """Only outcomes before this time."""


class BulkRequest(Schema):
    """Either `ids` or `filter`."""

    ids: Annotated[list[ClientId], Length(1, MAXIMUM_DECIDED)] | None = None
    """Ids of outcomes."""
    filter: BulkFilter | None = None
    """The newest 1,000 pending outcomes that match, or the next ones after `cursor`."""
    cursor: Annotated[str, Field(max_length=2048)] | None = None
    """With `filter`: the `next_cursor` of the previous answer."""
    evidence: Evidence | None = None
    """Stored with each outcome."""
    note: Note | None = None
    """Stored with each outcome."""

    @model_validator(mode="after")
    def _one_choice(self) -> "BulkRequest":
        if (self.ids is None) == (self.filter is None):
            raise refusal((("ids",), "is given, or filter is; not both"))
        if self.cursor is not None and self.filter is None:
            raise refusal((("cursor",), "belongs to filter"))
        return self


class RefusedAnswer(Schema):
    """Why an outcome could not be verified."""

    code: str
    """The last segment of a problem's `type`."""
    detail: str
    """What is wrong."""


class BulkResult(Schema):
    id: str
    status: Status | None
    """Its status now; null where it could not be verified."""
    problem: RefusedAnswer | None


class BulkAnswer(Listed[BulkResult]):
    verified: int
    """How many are verified now."""
    refused: int
    """How many could not be verified."""


@endpoint(
    blueprint,
    "POST",
    "outcomes/verify",
    summary="Verify up to 1,000 outcomes, each by itself; one that is verified already stays as it is",
    access=Permission.OUTCOMES_VERIFY,
    projects=Projects.CHECKED,
    body=BulkRequest,
    answers={200: BulkAnswer},
    example={"filter": {"type": "outcome.issue_resolved"}, "note": "Checked in the tracker"},
)
async def verify_outcomes(call: Call[BulkRequest]) -> Reply:
    organization = await call.organization()
    visible = await call.visible_agents(organization.id)
    request, ids, cursor = call.body, call.body.ids, None
    if ids is None:
        wanted = request.filter or BulkFilter()
        query = OutcomeQuery("pending", wanted.agent, wanted.type, None, wanted.start, wanted.end)
        pending, cursor = await call.services.outcomes.page(
            organization,
            query,
            MAXIMUM_DECIDED,
            request.cursor,
            lambda outcome: visible is None or outcome.agent_id in visible,
            pointer="/filter/agent",
        )
        ids = [outcome.id for outcome in pending]
    known = await _visible_outcomes(call, organization, ids, visible)
    results = await call.services.outcome_decisions.verify(organization, known, _verification(request), call.principal)
    results = {id_: results.get(id_, not_found()) for id_ in ids}
    data = [_bulk_result(id_, results[id_]) for id_ in dict.fromkeys(ids)]
    verified = sum(result.problem is None for result in data)
    return Reply(BulkAnswer(verified=verified, refused=len(data) - verified, data=data, next_cursor=cursor))


async def _visible_outcomes(
    call: Call[Any, Any, Any], organization: Organization, ids: list[str], visible: frozenset[str] | None
) -> list[str]:
    """Those that are of agents which the caller may see."""
    if visible is None:
        return ids
    stored = await call.services.outcomes.find(organization, ids)
    return [id_ for id_ in ids if id_ in stored and stored[id_].outcome.agent_id in visible]


def _bulk_result(id_: str, result: Outcome | XyraError) -> BulkResult:
    if isinstance(result, Outcome):
        return BulkResult(id=id_, status=result.status, problem=None)
    return BulkResult(id=id_, status=None, problem=RefusedAnswer(code=result.code, detail=result.public_detail))


class VerifyRequest(Schema):
    value: NonNegativeAmount | None = None
    """Replaces the reported value where it is less; in the currency of the report."""
    evidence: Evidence | None = None
    """Why it holds: an object of at most 50 keys."""
    note: Note | None = None
    """Kept with it."""


class DecisionRequest(Schema):
    reason: Reason
    """Kept with it."""


def _verification(request: VerifyRequest | BulkRequest) -> Verification:
    value = request.value if isinstance(request, VerifyRequest) else None
    evidence = None if request.evidence is None else json.encode_verbatim(request.evidence).decode()
    return Verification(value, evidence, request.note)


async def _decided(call: Call[Any, Any, Any], organization: Organization, result: Outcome | XyraError) -> Reply:
    if isinstance(result, XyraError):
        raise result
    return Reply(outcome_details(organization, await call.services.outcomes.details(organization, result)))


@endpoint(
    blueprint,
    "POST",
    "outcomes/{outcome_id}/verify",
    summary="Verify a pending outcome, by another credential than the one that reported it; it counts in the period in"
    " which it happened",
    access=Permission.OUTCOMES_VERIFY,
    projects=Projects.BY_PATH,
    path_values=OutcomePath,
    body=VerifyRequest,
    answers={200: OutcomeDetailsAnswer},
    example={"value": "75", "evidence": {"ticket": "closed"}, "note": "Checked with the customer"},
)
async def verify_outcome(call: Call[VerifyRequest, Query, OutcomePath]) -> Reply:
    organization, id_ = await call.organization(), call.path.outcome_id
    results = await call.services.outcome_decisions.verify(
        organization, [id_], _verification(call.body), call.principal
    )
    return await _decided(call, organization, results[id_])


@endpoint(
    blueprint,
    "POST",
    "outcomes/{outcome_id}/reject",
    summary="Reject a pending outcome: it never counts",
    access=Permission.OUTCOMES_VERIFY,
    projects=Projects.BY_PATH,
    path_values=OutcomePath,
    body=DecisionRequest,
    answers={200: OutcomeDetailsAnswer},
    example={"reason": "The issue was opened again"},
)
async def reject_outcome(call: Call[DecisionRequest, Query, OutcomePath]) -> Reply:
    organization = await call.organization()
    result = await call.services.outcome_decisions.reject(
        organization, call.path.outcome_id, call.body.reason, call.principal
    )
    return await _decided(call, organization, result)


@endpoint(
    blueprint,
    "POST",
    "outcomes/{outcome_id}/reverse",
    summary="Reverse a verified outcome; if it has been billed, the next invoice credits it",
    access=Permission.OUTCOMES_VERIFY,
    projects=Projects.BY_PATH,
    path_values=OutcomePath,
    body=DecisionRequest,
    answers={200: OutcomeDetailsAnswer},
    example={"reason": "The customer was refunded"},
)
async def reverse_outcome(call: Call[DecisionRequest, Query, OutcomePath]) -> Reply:
    organization = await call.organization()
    result = await call.services.outcome_decisions.reverse(
        organization, call.path.outcome_id, call.body.reason, call.principal
    )
    return await _decided(call, organization, result)
