"""Leases: slices of credits that clients spend by themselves and account for by totals."""

from datetime import datetime, timedelta
from typing import Annotated, Self

import azure.functions as func
from pydantic import Field

from functions.credits.fields import (
    SPENDING_ERRORS,
    CreditKind,
    Reason,
    SpendingContext,
    WalletRevision,
    answer_of,
    caller_of,
    may_name_amounts,
)
from functions.fields import Listed, Name, Reference
from shared.domain.access.identity import Permission
from shared.domain.credits.amounts import CreditAmount, CreditLimit
from shared.domain.credits.errors import (
    HoldExpiredError,
    HoldResolvedError,
    LeasePayerChangedError,
    WindowEndedError,
)
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.leases import LONGEST_LEASE, Lease, LeaseState
from shared.domain.kernel.money import ExactDecimal
from shared.domain.kernel.validation import Length
from shared.http import Call, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint
from shared.services.credits.leasing import LeaseFilter, ReportedEntry

blueprint = func.Blueprint()

MAXIMUM_ENTRIES = 40

LeaseSeconds = Annotated[int, Field(ge=1, le=int(LONGEST_LEASE.total_seconds()), strict=True)]
_EXTENDING_ERRORS = (HoldResolvedError, HoldExpiredError, LeasePayerChangedError)


class LeasePath(PathValues):
    lease_id: Annotated[str, ThingId("lease")]
    """The lease's id."""


class LeaseRequest(SpendingContext):
    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    amount: CreditAmount
    """How many credits the client may spend by itself, with at most 6 decimals."""
    kind: CreditKind = DEFAULT_KIND
    """The kind of credits."""
    expires_in: LeaseSeconds = 300
    """Seconds until the client must have stopped spending; at most a day."""


class ExtendRequest(Schema):
    amount: CreditAmount | None = None
    """How many credits are added; by default none."""
    expires_in: LeaseSeconds = 300
    """Seconds from now until the client must have stopped; it never becomes less time than before."""


class LeaseGivenAnswer(Schema):
    transaction_id: str
    """The transfer that set the credits aside."""
    lease_id: str
    """The lease, to be settled, extended or ended."""
    amount: ExactDecimal
    """The whole slice."""
    expires_in: int
    """Seconds in which the client may spend, counted from when it first sent the request; maybe fewer than asked."""
    expires_at: datetime
    """When the client must have stopped, by the clock of the ledger."""
    returns_at: datetime
    """When what was not reported returns: until then a report is in time."""
    cut_by: str | None
    """The budget whose window ends before the time that was asked for; null for none."""
    credit_value: ExactDecimal | None = None
    """What one of its credits counts in budgets in money; null where credits have no value."""
    available: ExactDecimal
    """The available credits of this kind after it."""
    revision: WalletRevision


class LeaseEntry(Schema):
    """What a part of the increase was spent on."""

    agent_type: Name | None = None
    """Whose action it was."""
    action: Name | None = None
    """What was done."""
    amount: CreditAmount
    """What it cost."""


class EndRequest(Schema):
    total: CreditLimit
    """Everything that was spent since the lease began. A lower one than before changes nothing."""
    entries: Annotated[list[LeaseEntry], Length(0, MAXIMUM_ENTRIES)] = []
    """What the increase was spent on; they add up to it."""


class SettleRequest(EndRequest):
    final: bool = False
    """Whether nothing more will be spent: the rest of the slice returns."""


class SettleAnswer(Schema):
    transaction_id: str
    """The transfer of this report."""
    lease_id: str
    """The lease."""
    reported: ExactDecimal
    """Everything that was reported so far."""
    left: ExactDecimal
    """What of the slice may still be spent."""
    over: ExactDecimal
    """What was reported beyond the slice."""
    state: LeaseState
    """`open`, `ended` by its holder, or `expired`."""
    late: bool
    """Whether the credits had returned already, so that others may have spent them."""
    available: ExactDecimal
    """The available credits of this kind after it."""
    revision: WalletRevision


class WriteOffRequest(Schema):
    reason: Reason | None = None
    """Why, for people."""


class WriteOffAnswer(Schema):
    transaction_id: str
    """The transfer that says so."""
    lease_id: str
    """The lease."""
    written_off: ExactDecimal
    """What its budgets count no longer."""
    available: ExactDecimal
    """The available credits of this kind after it."""
    revision: WalletRevision


class LeaseAnswer(Schema):
    lease_id: str
    """Its id."""
    transaction_id: str
    """The transfer that made it."""
    organization_id: str
    state: LeaseState
    """`open`, `ended` by its holder, or `expired`."""
    kind: str
    """The kind of credits."""
    amount: ExactDecimal
    """The whole slice."""
    reported: ExactDecimal
    """What was spent of it, as reported so far."""
    left: ExactDecimal
    """What of the slice may still be spent."""
    over: ExactDecimal
    """What was reported beyond the slice."""
    unreported: ExactDecimal
    """What its budgets count without a report, as it expired."""
    written_off: ExactDecimal
    """What the operator took out of its budgets."""
    project_id: str | None
    """The project that it is spent for."""
    department_id: str | None
    """The department that it is spent for."""
    agent_id: str | None
    """The agent that spends it."""
    api_key_id: str | None
    """The key that took it."""
    run: str | None
    """The run's key."""
    created_at: datetime
    expires_at: datetime
    """When the client must have stopped spending."""
    returns_at: datetime
    """When what was not reported returns."""

    @classmethod
    def of(cls, lease: Lease) -> Self:
        context = lease.context
        return cls.showing(
            lease,
            lease_id=lease.id,
            organization_id=context.organization_id,
            kind=lease.credit_kind,
            left=lease.set_aside,
            created_at=lease.admitted_at,
            **{name: getattr(context, name) for name in _CONTEXT},
        )


_CONTEXT = ("project_id", "department_id", "agent_id", "api_key_id", "run")


class LeaseListQuery(ListQuery):
    state: LeaseState | None = None
    """Only leases in this state."""
    unreported: bool = False
    """Only those that budgets still count without a report."""


@endpoint(
    blueprint,
    "POST",
    "credits/leases",
    summary="Set a slice of credits aside that the client spends by itself",
    access=Permission.CREDITS_USE,
    body=LeaseRequest,
    answers={201: LeaseGivenAnswer},
    keeps_own_keys=True,
    authorize=may_name_amounts,
    errors=(*SPENDING_ERRORS, WindowEndedError),
    example={"amount": "10", "expires_in": 300},
)
async def take_lease(call: Call[LeaseRequest]) -> Reply:
    body = call.body
    transfer = await call.services.credits.leases.take(
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
    "credits/leases/{lease_id}/extend",
    summary="Add credits to a lease, or time, or both",
    access=Permission.CREDITS_USE,
    path_values=LeasePath,
    body=ExtendRequest,
    answers={201: LeaseGivenAnswer},
    keeps_own_keys=True,
    authorize=may_name_amounts,
    errors=(*SPENDING_ERRORS, WindowEndedError, *_EXTENDING_ERRORS),
    example={"amount": "5", "expires_in": 300},
)
async def extend_lease(call: Call[ExtendRequest, Query, LeasePath]) -> Reply:
    transfer = await call.services.credits.leases.extend(
        await caller_of(call), call.path.lease_id, call.body.amount, timedelta(seconds=call.body.expires_in)
    )
    return Reply(answer_of(transfer))


@endpoint(
    blueprint,
    "POST",
    "credits/leases/{lease_id}/settle",
    summary="Report everything that was spent since a lease began",
    access=Permission.CREDITS_USE,
    path_values=LeasePath,
    body=SettleRequest,
    answers={200: SettleAnswer},
    keeps_own_keys=True,
    example={"total": "3.25"},
)
async def settle_lease(call: Call[SettleRequest, Query, LeasePath]) -> Reply:
    return await _settled(call, final=call.body.final)


@endpoint(
    blueprint,
    "POST",
    "credits/leases/{lease_id}/end",
    summary="Report what was spent of a lease in all, and return the rest",
    access=Permission.CREDITS_USE,
    path_values=LeasePath,
    body=EndRequest,
    answers={200: SettleAnswer},
    keeps_own_keys=True,
    example={"total": "3.25"},
)
async def end_lease(call: Call[EndRequest, Query, LeasePath]) -> Reply:
    return await _settled(call, final=True)


async def _settled(
    call: Call[SettleRequest, Query, LeasePath] | Call[EndRequest, Query, LeasePath], *, final: bool
) -> Reply:
    total, entries = call.body.total, call.body.entries
    reported = [ReportedEntry(entry.amount, entry.agent_type, entry.action) for entry in entries]
    transfer = await call.services.credits.leases.settle(
        await caller_of(call), call.path.lease_id, total, reported, final=final
    )
    return Reply(answer_of(transfer))


@endpoint(
    blueprint,
    "POST",
    "credits/leases/{lease_id}/write-off",
    summary="Take out of the budgets what of an expired lease was never reported",
    access=Permission.CREDITS_WRITE,
    path_values=LeasePath,
    body=WriteOffRequest,
    answers={200: WriteOffAnswer},
    keeps_own_keys=True,
    example={"reason": "The host is gone, and spent nothing"},
)
async def write_off_lease(call: Call[WriteOffRequest, Query, LeasePath]) -> Reply:
    transfer = await call.services.credits.leases.write_off(await caller_of(call), call.path.lease_id, call.body.reason)
    return Reply(answer_of(transfer))


@endpoint(
    blueprint,
    "GET",
    "credits/leases",
    summary="Leases of an organization, newest first",
    access=Permission.CREDITS_READ,
    query=LeaseListQuery,
    answers={200: Listed[LeaseAnswer]},
)
async def list_leases(call: Call[NoBody, LeaseListQuery]) -> Reply:
    query = call.query
    wanted = LeaseFilter(await call.organization_id(), query.state, query.unreported)
    leases, cursor = await call.services.credits.leases.page(wanted, query.limit, query.cursor)
    return Reply(Listed(data=[LeaseAnswer.of(lease) for lease in leases], next_cursor=cursor))


@endpoint(
    blueprint,
    "GET",
    "credits/leases/{lease_id}",
    summary="One lease, with what was reported of it",
    access=Permission.CREDITS_READ,
    path_values=LeasePath,
    answers={200: LeaseAnswer},
)
async def get_lease(call: Call[NoBody, Query, LeasePath]) -> Reply:
    lease = await call.services.credits.leases.get(await call.organization_id(), call.path.lease_id)
    return Reply(LeaseAnswer.of(lease))
