"""Grants of credits."""

from datetime import datetime, timedelta
from typing import Annotated, Self

import azure.functions as func
from pydantic import Field, model_validator

from functions.credits.fields import CreditKind, Reason, answer_of, caller_of
from functions.fields import Listed, Reference
from shared.domain.access.identity import Permission
from shared.domain.credits.amounts import CreditAmount
from shared.domain.credits.grants import DEFAULT_KIND, DEFAULT_PRIORITY, CostBasis, Rollover, Source, Terms
from shared.domain.kernel.money import Currency, ExactDecimal, NonNegativeAmount
from shared.domain.kernel.validation import refusal
from shared.http import Call, ListQuery, NoBody, Reply, Schema, ZonedTime, endpoint
from shared.services.credits.balances import GrantState

blueprint = func.Blueprint()

Priority = Annotated[int, Field(ge=0, le=1000, strict=True)]


class MoneyPaid(Schema):
    """An amount of money."""

    amount: NonNegativeAmount
    """What was paid."""
    currency: Currency


class RolloverTerms(Schema):
    """What of credits goes on when they end, and how long."""

    maximum: CreditAmount
    """How many of them at most; the rest is gone."""
    days: Annotated[int, Field(ge=1, le=3660, strict=True)]
    """For how many times 24 hours; then they are gone for good."""


class GrantRequest(Schema):
    organization_id: Reference | None = None
    """The organization that gets the credits: id, slug or external id."""
    amount: CreditAmount
    """How many credits, with at most 6 decimals."""
    source: Source
    """Where the credits come from."""
    kind: CreditKind = DEFAULT_KIND
    """Kinds never mix: a use takes credits of one kind."""
    promotional: bool = False
    """Whether they were given away: these burn before others of the same priority and expiry."""
    priority: Priority = DEFAULT_PRIORITY
    """Lower ones burn first."""
    expires_at: ZonedTime | None = None
    """The instant at which what is left of them is gone; null for never."""
    rollover: RolloverTerms | None = None
    """What goes on when they end; needs `expires_at`."""
    cost_basis: MoneyPaid | None = None
    """What the organization paid for them."""
    reason: Reason | None = None
    """Why, for people."""

    @model_validator(mode="after")
    def _ends_where_it_rolls_over(self) -> Self:
        if self.rollover is not None and self.expires_at is None:
            raise refusal((("expires_at",), "is needed with a rollover: without an end nothing rolls over"))
        return self


class GrantAnswer(Schema):
    transaction_id: str
    """The transfer that gave them."""
    grant_id: str
    """The new grant."""
    amount: ExactDecimal
    """How many credits were given."""
    available: ExactDecimal
    """The available credits of this kind after it."""


class CreditGrantAnswer(Schema):
    id: str
    organization_id: str
    amount: ExactDecimal
    """How many credits were given."""
    remaining: ExactDecimal
    """What is free of them."""
    held: ExactDecimal
    """What holds have set aside of them."""
    source: Source
    """Where they come from."""
    kind: str
    """The kind of credits."""
    promotional: bool
    """Whether they were given away."""
    priority: int
    """Lower ones burn first."""
    expires_at: datetime | None
    """When what is left of them is gone: later than they were given where they have rolled over."""
    rollover: RolloverTerms | None
    """What goes on when they end."""
    cost_basis: MoneyPaid | None
    """What the organization paid for them."""
    clawed_back: ExactDecimal
    """What was taken back as their payment was."""
    reason: str | None
    """Why they were given."""
    created_at: datetime


@endpoint(
    blueprint,
    "POST",
    "credits/grants",
    summary="Give credits to an organization",
    access=Permission.CREDITS_WRITE,
    body=GrantRequest,
    answers={201: GrantAnswer},
    keeps_own_keys=True,
    example={"amount": "1000", "source": "bonus", "reason": "A pilot"},
)
async def give_credits(call: Call[GrantRequest]) -> Reply:
    body = call.body
    basis, rollover = body.cost_basis, body.rollover
    terms = Terms(
        body.source,
        body.priority,
        body.promotional,
        body.expires_at,
        None if basis is None else CostBasis(basis.amount, basis.currency, body.amount),
        None if rollover is None else Rollover(rollover.maximum, timedelta(days=rollover.days)),
    )
    caller = await caller_of(call, body.organization_id)
    transfer = await call.services.credits.spending.give(caller, body.amount, terms, body.kind, body.reason)
    answer = answer_of(transfer)
    del answer["revision"]  # that of the own wallet; budgets may lie in that of another one who pays
    return Reply(answer)


@endpoint(
    blueprint,
    "GET",
    "credits/grants",
    summary="Grants of credits, newest first",
    access=Permission.CREDITS_READ,
    query=ListQuery,
    answers={200: Listed[CreditGrantAnswer]},
)
async def list_credit_grants(call: Call[NoBody, ListQuery]) -> Reply:
    organization_id = await call.organization_id()
    states, following = await call.services.credits.balances.grants(
        organization_id, call.query.limit, call.query.cursor
    )
    return Reply(Listed(data=[_shown(state) for state in states], next_cursor=following))


def _shown(state: GrantState) -> CreditGrantAnswer:
    record, terms = state.record, state.record.terms
    basis, rollover = terms.cost_basis, terms.rollover
    return CreditGrantAnswer(
        id=record.id,
        organization_id=record.organization_id,
        amount=record.amount,
        remaining=state.free,
        held=state.pinned,
        source=terms.source,
        kind=record.credit_kind,
        promotional=terms.promotional,
        priority=terms.priority,
        expires_at=state.expires_at,
        rollover=None
        if rollover is None
        else RolloverTerms(maximum=rollover.maximum, days=rollover.lifetime // timedelta(days=1)),
        cost_basis=None if basis is None else MoneyPaid(amount=basis.amount, currency=basis.currency),
        clawed_back=record.clawed_back,
        reason=record.reason,
        created_at=record.created_at,
    )
