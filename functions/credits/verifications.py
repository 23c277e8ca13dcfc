"""Verifications: jobs that prove the ledger of an organization's credits."""

from datetime import datetime
from typing import Annotated, Literal, Self

import azure.functions as func

from functions.fields import Reference
from shared.domain.access.identity import Permission
from shared.http import Call, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint
from shared.services.credits.verification import CreditVerification

blueprint = func.Blueprint()


class VerificationPath(PathValues):
    verification_id: Annotated[str, ThingId("ver")]
    """The verification's id."""


class VerificationRequest(Schema):
    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    from_beginning: bool = False
    """Whether to look at the whole ledger, and not only at what came after the last month's cut."""


class LedgerProblemAnswer(Schema):
    """What is wrong with the ledger, and where."""

    sequence: int | None
    """The place in the ledger."""
    transaction_id: str | None
    """The transfer that is wrong."""
    kind: str
    """What is wrong: `altered`, `missing`, `misplaced`, `chain_broken`, `unbalanced`, `cut_differs`, `head_differs`,
    `grant_page`.
    """


class VerificationAnswer(Schema):
    id: str
    status: Literal["running", "done"]
    created_at: datetime
    ok: bool | None
    """Whether nothing is wrong; null while it is running."""
    checked_to: int | None
    """The place in the ledger up to which it looked."""
    problems: list[LedgerProblemAnswer]
    """The first 100."""

    @classmethod
    def of(cls, verification: CreditVerification) -> Self:
        return cls.showing(
            verification,
            problems=[LedgerProblemAnswer.model_validate(problem) for problem in verification.problems],
        )


@endpoint(
    blueprint,
    "POST",
    "credits/verify",
    summary="Verify the ledger: sums, balances, hashes; answers with a job",
    access=Permission.CREDITS_READ,
    body=VerificationRequest,
    answers={202: VerificationAnswer},
    example={"from_beginning": True},
)
async def verify_credits(call: Call[VerificationRequest]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    verification = await call.services.credits.verifications.request(
        call.new_id("ver"), organization_id, from_beginning=call.body.from_beginning
    )
    location = f"/api/v1/credits/verifications/{verification.id}"
    return Reply(VerificationAnswer.of(verification), headers={"Location": location})


@endpoint(
    blueprint,
    "GET",
    "credits/verifications/{verification_id}",
    summary="What a verification found",
    access=Permission.CREDITS_READ,
    path_values=VerificationPath,
    answers={200: VerificationAnswer},
)
async def get_credit_verification(call: Call[NoBody, Query, VerificationPath]) -> Reply:
    organization_id = await call.organization_id()
    return Reply(
        VerificationAnswer.of(await call.services.credits.verifications.get(organization_id, call.path.verification_id))
    )
