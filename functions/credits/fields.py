"""Fields that entrypoints of credits share."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from functions.fields import ClientId, Reference
from shared.domain.access.identity import Permission
from shared.domain.credits.errors import BudgetExceededError, InsufficientCreditsError, refusal_error
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.errors import ForbiddenError
from shared.domain.kernel.validation_messages import Expected
from shared.http import Call, Query, Schema
from shared.services.credits.spending import Caller, SpentFor

CreditKind = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$"),
    Expected("a name of at most 40 small letters, digits, _ and -"),
]
"""Kinds of credits never mix."""

WalletRevision = Annotated[
    int | None,
    Field(description="Of the wallet. Budgets that are read with it as `at_least` count this. Null of older answers."),
]

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]

SPENDING_ERRORS = (InsufficientCreditsError, BudgetExceededError)


class SpendingContext(Schema):
    """What credits are spent for."""

    agent: Reference | None = None
    """The agent's id or external id."""
    project_id: Reference | None = None
    """By default the agent's."""
    department_id: Reference | None = None
    """By default the agent's."""
    run: ClientId | None = None
    """The run's key."""

    def spent_for(self, pointer: str = "") -> SpentFor:
        return SpentFor(self.agent, self.project_id, self.department_id, self.run, pointer)


class KindQuery(Query):
    kind: CreditKind = DEFAULT_KIND
    """The kind of credits."""


async def caller_of(call: Call[Any, Any, Any], organization: str | None = None) -> Caller:
    """Whose command a request is."""
    return Caller(
        await call.organization_id(organization), call.principal, call.idempotency_key or "", call.request_hash
    )


async def may_name_amounts(call: Call[Any, Any, Any]) -> None:
    """Raises `ForbiddenError` for a credential that may spend by the cost table only."""
    if not call.principal.may(Permission.CREDITS_USE_AMOUNT):
        raise ForbiddenError(f"Naming an amount needs the permission {Permission.CREDITS_USE_AMOUNT.value}")


def answer_of(transfer: Transfer) -> dict[str, Any]:
    """The first answer of a command. Raises its refusal."""
    if transfer.refusal is not None:
        raise refusal_error(transfer.refusal)
    return {"revision": None, **transfer.answer}  # answers that are kept from before have none
