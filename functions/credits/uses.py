"""Uses of credits: spent at once."""

from decimal import Decimal
from typing import Annotated, Any, Self

import azure.functions as func
from pydantic import model_validator

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
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.kernel.money import ExactDecimal
from shared.domain.kernel.validation import Length, refusal
from shared.http import Call, Reply, Schema, endpoint
from shared.services.credits.spending import RequestedUse

blueprint = func.Blueprint()

MAXIMUM_USES = 40


class CreditUse(SpendingContext):
    """An amount, or an action of an agent type that has a price."""

    amount: CreditAmount | None = None
    """How many credits, with at most 6 decimals. Needs the permission `credits:use_amount`."""
    agent_type: Name | None = None
    """Whose action it is, in the cost table."""
    action: Name | None = None
    """What was done; an action that the table does not have costs 1."""
    quantity: CreditAmount | None = None
    """How often; by default once."""
    metadata: Metadata = "{}"

    def names_one(self) -> bool:
        return (self.amount is None) == (self.agent_type is not None and self.action is not None)

    def requested(self, pointer: str = "") -> RequestedUse:
        return RequestedUse(
            self.spent_for(pointer),
            self.amount,
            self.agent_type,
            self.action,
            Decimal(1) if self.quantity is None else self.quantity,
            self.metadata,
        )


class UseRequest(CreditUse):
    """One use, or a list of uses that are taken all or nothing."""

    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    kind: CreditKind = DEFAULT_KIND
    """The kind of credits."""
    uses: Annotated[list[CreditUse], Length(1, MAXIMUM_USES)] | None = None
    """Several uses, instead of the fields of one."""

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if self.uses is not None:
            of_one = CreditUse.model_fields.keys() & self.model_fields_set
            if of_one:
                raise refusal(((min(of_one),), "goes into the entries of uses"))
            wrong = [index for index, use in enumerate(self.uses) if not use.names_one()]
            if wrong:
                raise refusal((("uses", wrong[0], "amount"), _EITHER))
            return self
        if not self.names_one():
            raise refusal((("amount",), _EITHER))
        return self

    def all_uses(self) -> list[RequestedUse]:
        if self.uses is None:
            return [self.requested()]
        return [use.requested(f"/uses/{index}") for index, use in enumerate(self.uses)]


_EITHER = "send either an amount, or agent_type and action"


class UseAmount(Schema):
    """One use of a list."""

    amount: ExactDecimal
    """What it cost."""


class UseAnswer(Schema):
    transaction_id: str
    """The transfer that spent them."""
    amount: ExactDecimal
    """How many credits were spent."""
    available: ExactDecimal
    """The available credits of this kind after it."""
    revision: WalletRevision
    uses: list[UseAmount] | None = None
    """Of a list, each use in its order; else null."""


async def _may_name_amounts(call: Call[UseRequest]) -> None:
    if any(use.amount is not None for use in (call.body, *(call.body.uses or ()))):
        await may_name_amounts(call)


@endpoint(
    blueprint,
    "POST",
    "credits/use",
    summary="Spend credits: an amount, or actions at their price; a list all or nothing",
    access=Permission.CREDITS_USE,
    body=UseRequest,
    answers={200: UseAnswer},
    keeps_own_keys=True,
    authorize=_may_name_amounts,
    errors=SPENDING_ERRORS,
    example={"agent_type": "ResearchAgent", "action": "research_topic"},
    adds_costs=True,
)
async def use_credits(call: Call[UseRequest]) -> Reply:
    body = call.body
    caller = await caller_of(call, body.organization_id)
    transfer = await call.services.credits.spending.use(
        caller, body.all_uses(), body.kind, is_list=body.uses is not None
    )
    answer: dict[str, Any] = {"uses": None, **answer_of(transfer)}
    return Reply(answer)
