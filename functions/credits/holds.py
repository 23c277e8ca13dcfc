"""Holds: credits reserved for work in progress, then captured, released or expired."""

from datetime import datetime, timedelta
from typing import Annotated

import azure.functions as func
from pydantic import Field

from functions.credits.fields import (
    SPENDING_ERRORS,
    CreditKind,
    SpendingContext,
    WalletRevision,
    answer_of,
    caller_of,
    may_name_amounts,
)
from functions.fields import Metadata, Name, Reference
from shared.domain.access.identity import Permission
from shared.domain.credits.amounts import CreditAmount
from shared.domain.credits.errors import HoldExpiredError, HoldResolvedError
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.holds import LONGEST_HOLD
from shared.domain.kernel.money import ExactDecimal
from shared.http import Call, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint
from shared.services.credits.spending import ActionDone

blueprint = func.Blueprint()

_LONGEST_SECONDS = int(LONGEST_HOLD.total_seconds())
_RESOLVING_ERRORS = (HoldResolvedError, HoldExpiredError)


class HoldPath(PathValues):
    hold_id: Annotated[str, ThingId("hold")]
    """The hold's id."""


class ReserveRequest(SpendingContext):
    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    amount: CreditAmount
    """How many credits, with at most 6 decimals."""
    kind: CreditKind = DEFAULT_KIND
    """The kind of credits."""
    expires_in: Annotated[int, Field(ge=1, le=_LONGEST_SECONDS, strict=True)] = 3600
    """Seconds until what was not captured returns by itself; at most a day."""


class HoldAnswer(Schema):
    transaction_id: str
    """The transfer that set them aside."""
    hold_id: str
    """The hold, to be captured or released."""
    amount: ExactDecimal
    """How many credits were set aside."""
    expires_at: datetime
    """When they return by themselves."""
    available: ExactDecimal
    """The available credits of this kind after it."""
    revision: WalletRevision


class CaptureRequest(Schema):
    amount: CreditAmount | None = None
    """How many credits were used, at most those of the hold; by default all of them. The rest returns."""
    agent_type: Name | None = None
    """Whose action it was, for the lists and sums of what was spent."""
    action: Name | None = None
    """What was done."""
    metadata: Metadata = "{}"


class CaptureAnswer(Schema):
    transaction_id: str
    """The transfer that spent them."""
    hold_id: str
    """The hold that was captured."""
    amount: ExactDecimal
    """How many credits were spent."""
    returned: ExactDecimal
    """How many of the hold were not."""
    available: ExactDecimal
    """The available credits of this kind after it."""
    revision: WalletRevision


class ReleaseAnswer(Schema):
    transaction_id: str
    """The transfer that returned them."""
    hold_id: str
    """The hold that was released."""
    amount: ExactDecimal
    """How many credits returned."""
    available: ExactDecimal
    """The available credits of this kind after it."""
    revision: WalletRevision


@endpoint(
    blueprint,
    "POST",
    "credits/reserve",
    summary="Set credits aside for work in progress",
    access=Permission.CREDITS_USE,
    body=ReserveRequest,
    answers={201: HoldAnswer},
    keeps_own_keys=True,
    authorize=may_name_amounts,
    errors=SPENDING_ERRORS,
    example={"amount": "5", "expires_in": 600},
    adds_costs=True,
)
async def reserve_credits(call: Call[ReserveRequest]) -> Reply:
    body = call.body
    transfer = await call.services.credits.spending.reserve(
        await caller_of(call, body.organization_id),
        body.amount,
        body.spent_for(),
        body.kind,
        timedelta(seconds=body.expires_in),
    )
    return Reply(answer_of(transfer))


@endpoint(
    blueprint,
    "POST",
    "credits/holds/{hold_id}/capture",
    summary="Spend all or part of a hold; the rest returns",
    access=Permission.CREDITS_USE,
    path_values=HoldPath,
    body=CaptureRequest,
    answers={200: CaptureAnswer},
    keeps_own_keys=True,
    errors=_RESOLVING_ERRORS,
    example={"amount": "3.5"},
)
async def capture_hold(call: Call[CaptureRequest, Query, HoldPath]) -> Reply:
    body = call.body
    done = ActionDone(body.agent_type, body.action, body.metadata)
    transfer = await call.services.credits.spending.capture(await caller_of(call), call.path.hold_id, body.amount, done)
    return Reply(answer_of(transfer))


@endpoint(
    blueprint,
    "POST",
    "credits/holds/{hold_id}/release",
    summary="Return all of a hold",
    access=Permission.CREDITS_USE,
    path_values=HoldPath,
    answers={200: ReleaseAnswer},
    keeps_own_keys=True,
    errors=_RESOLVING_ERRORS,
)
async def release_hold(call: Call[NoBody, Query, HoldPath]) -> Reply:
    transfer = await call.services.credits.spending.release(await caller_of(call), call.path.hold_id)
    return Reply(answer_of(transfer))
