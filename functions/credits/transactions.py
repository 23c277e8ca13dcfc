"""Transactions of the ledger, refunds of them, and statements over them."""

from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from pydantic import Field

from functions.credits.fields import CreditKind, Reason, WalletRevision, answer_of, caller_of
from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.credits.amounts import CreditAmount
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.transfers import Transfer, TransferType
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.money import ExactDecimal
from shared.http import (
    Call,
    ListQuery,
    NoBody,
    PathValues,
    Query,
    Reply,
    Schema,
    ThingId,
    VerbatimObject,
    ZonedTime,
    endpoint,
)
from shared.services.credits.statements import MAXIMUM_LINES, StatementLine

blueprint = func.Blueprint()


class TransactionPath(PathValues):
    transaction_id: Annotated[str, ThingId("txn")]
    """The transaction's id."""


class CreditLine(Schema):
    """One account's part of a transfer."""

    kind: str
    """The kind of credits."""
    account: str
    """The account, such as `free`, `consumed` or `granted.purchase`."""
    amount: ExactDecimal
    """Positive where the account receives."""


class GrantPart(Schema):
    """The part of a transaction that one grant bears."""

    grant_id: str | None
    """Null for debt."""
    amount: ExactDecimal
    """How many credits."""


class UsedCredits(Schema):
    """What credits were spent on."""

    amount: ExactDecimal
    """How many credits."""
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


class TransactionAnswer(Schema):
    id: str
    organization_id: str
    type: TransferType
    """What happened."""
    sequence: int
    """Its place in the ledger."""
    time: datetime
    """When it was booked."""
    kind: str
    """The kind of credits."""
    amount: ExactDecimal
    """How many credits it is about."""
    lines: list[CreditLine]
    """What the accounts received; they sum to zero."""
    parts: list[GrantPart]
    """The grants that it moved credits from or to."""
    uses: list[UsedCredits]
    """What was spent or set aside, and for what."""
    corrects: str | None
    """The hold, grant or transaction that it is about."""
    reason: str | None
    """Why, for people."""
    hash: str
    """Over all of it and the hash of the transfer before."""
    previous_hash: str
    """The hash of the transfer before."""


class RefundRequest(Schema):
    amount: CreditAmount | None = None
    """How many credits; by default all that is left of the transaction."""
    reason: Reason
    """Why, for people."""


class RefundAnswer(Schema):
    transaction_id: str
    """The transfer that returned them."""
    amount: ExactDecimal
    """How many credits returned."""
    refunded: ExactDecimal
    """How many of the transaction were refunded in all."""
    available: ExactDecimal
    """The available credits of this kind after it."""
    revision: WalletRevision


class StatementQuery(Query):
    start: ZonedTime = Field(alias="from")
    """Inclusive."""
    to: ZonedTime
    """Exclusive."""
    kind: CreditKind = DEFAULT_KIND
    """The kind of credits."""
    limit: int = Field(default=MAXIMUM_LINES, ge=1, le=MAXIMUM_LINES)
    """The most lines to return."""
    cursor: str | None = Field(default=None, max_length=2048)
    """The `next_cursor` of the page before, with the same time and kind."""


class StatementLineAnswer(Schema):
    """A transfer on a statement."""

    transaction_id: str
    """The transfer."""
    sequence: int
    """Its place in the ledger."""
    time: datetime
    """When it was booked."""
    type: TransferType
    """What happened."""
    change: ExactDecimal
    """Of the available credits."""
    available: ExactDecimal
    """The available credits after it."""
    reason: str | None
    """Why, for people."""


class StatementAnswer(Schema):
    """What moved one kind of credits in a time [from, to), page by page."""

    kind: str
    """The kind of credits."""
    opening: ExactDecimal
    """The available credits before it."""
    lines: list[StatementLineAnswer]
    """In the order of the ledger; opening and all changes add up to closing."""
    closing: ExactDecimal
    """The available credits after it."""
    next_cursor: str | None
    """The `cursor` of the next page, whose opening is this one's closing; null on the last one."""


@endpoint(
    blueprint,
    "GET",
    "credits/transactions",
    summary="Transactions of credits, newest first",
    access=Permission.CREDITS_READ,
    query=ListQuery,
    answers={200: Listed[TransactionAnswer]},
)
async def list_credit_transactions(call: Call[NoBody, ListQuery]) -> Reply:
    transfers, following = await call.services.credits.statements.page(
        await call.organization_id(), call.query.limit, call.query.cursor
    )
    return Reply(Listed(data=[_shown(transfer) for transfer in transfers], next_cursor=following))


@endpoint(
    blueprint,
    "GET",
    "credits/transactions/{transaction_id}",
    summary="One transaction of credits",
    access=Permission.CREDITS_READ,
    path_values=TransactionPath,
    answers={200: TransactionAnswer},
)
async def get_credit_transaction(call: Call[NoBody, Query, TransactionPath]) -> Reply:
    organization_id = await call.organization_id()
    payers = await call.services.credits.paying.payers(organization_id)
    return Reply(_shown(await call.services.credits.statements.get(organization_id, call.path.transaction_id, payers)))


@endpoint(
    blueprint,
    "POST",
    "credits/transactions/{transaction_id}/refund",
    summary="Return credits that a use or capture spent",
    access=Permission.CREDITS_WRITE,
    path_values=TransactionPath,
    body=RefundRequest,
    answers={200: RefundAnswer},
    keeps_own_keys=True,
    example={"amount": "2", "reason": "The answer was wrong"},
)
async def refund_credits(call: Call[RefundRequest, Query, TransactionPath]) -> Reply:
    transfer = await call.services.credits.spending.refund(
        await caller_of(call), call.path.transaction_id, call.body.amount, call.body.reason
    )
    return Reply(answer_of(transfer))


@endpoint(
    blueprint,
    "GET",
    "credits/statement",
    summary="What moved credits in a time, with the balance before and after",
    access=Permission.CREDITS_READ,
    query=StatementQuery,
    answers={200: StatementAnswer},
)
async def get_credit_statement(call: Call[NoBody, StatementQuery]) -> Reply:
    query = call.query
    if query.to <= query.start:
        raise ValidationError.at("?to", "is not after from")
    statement = await call.services.credits.statements.of(
        await call.organization_id(), query.kind, query.start, query.to, query.limit, query.cursor
    )
    return Reply(
        StatementAnswer(
            kind=query.kind,
            opening=statement.opening,
            lines=[_statement_line(line) for line in statement.lines],
            closing=statement.closing,
            next_cursor=statement.next_cursor,
        )
    )


def _statement_line(line: StatementLine) -> StatementLineAnswer:
    transfer = line.transfer
    return StatementLineAnswer(
        transaction_id=transfer.id,
        sequence=transfer.sequence,
        time=transfer.time,
        type=transfer.type,
        change=line.change,
        available=line.available,
        reason=transfer.reason,
    )


def _shown(transfer: Transfer) -> TransactionAnswer:
    uses: list[dict[str, Any]] = [
        {
            "amount": entry.amount,
            "agent_id": entry.context.agent_id,
            "project_id": entry.context.project_id,
            "department_id": entry.context.department_id,
            "run": entry.context.run,
            "agent_type": entry.agent_type,
            "action": entry.action,
            "quantity": entry.quantity,
            "metadata": entry.metadata,
        }
        for entry in transfer.entries
    ]
    parts = [{"grant_id": part.grant_id or None, "amount": part.amount} for part in transfer.parts]
    return TransactionAnswer.showing(transfer, kind=transfer.credit_kind, uses=uses, parts=parts)
