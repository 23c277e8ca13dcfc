"""Budgets: caps on what is spent, and how much of them is left."""

from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

import azure.functions as func
from pydantic import Field, model_validator

from functions.credits.fields import CreditKind
from functions.fields import BudgetLimit, BudgetUnit, ClientId, Listed, Name, OrganizationPath, Reference
from shared.domain.access.identity import Permission
from shared.domain.credits.amounts import CreditLimit
from shared.domain.credits.budgets import DEFAULT_ALERTS, Budget, BudgetState, Enforcement
from shared.domain.credits.counters import Scope
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.windows import WindowName
from shared.domain.kernel.errors import ConflictError, NotFoundError
from shared.domain.kernel.money import ExactDecimal, NonNegativeAmount
from shared.domain.kernel.validation import Length, refusal
from shared.http import Call, ListQuery, NoBody, PathValues, Query, Reply, Schema, endpoint
from shared.services.credits.budgets import BudgetDraft, BudgetStatus

blueprint = func.Blueprint()

_HIGHEST_SHARE = 1_000
WALLET_BUDGET = "wallet-budget"
"""The id of the budget that the operator sets for an organization's spending."""


class BudgetPath(PathValues):
    budget_id: ClientId
    """The id that the caller chose, or that of a run's or a department's limit."""


class BudgetRequest(BudgetLimit):
    name: Name | None = None
    """For people."""
    scope: Scope
    """What kind of thing it limits."""
    ref: Reference | None = None
    """The id of the thing; an agent's may be its external id, a run's is its key. `each` limits each thing of the scope
    by itself. An organization's budget needs none.
    """
    window: WindowName
    """A clock hour, day or calendar month in the organization's timezone, or `once` for all time."""
    kind: CreditKind = DEFAULT_KIND
    """The kind of credits. Only `default` has a value in money."""
    enforcement: Enforcement = "hard"
    """`hard` refuses what would pass the limit, `soft` only notes it."""
    alert_at: Annotated[list[NonNegativeAmount], Length(0, 10)] = list(DEFAULT_ALERTS)
    """Percent of the limit at which to note it, up to 1,000."""

    @model_validator(mode="after")
    def _shares_are_percent(self) -> Self:
        for index, share in enumerate(self.alert_at):
            if not 0 < share <= _HIGHEST_SHARE:
                raise refusal((("alert_at", index), f"is a percentage above 0, at most {_HIGHEST_SHARE}"))
        return self

    def draft(self) -> BudgetDraft:
        return BudgetDraft(
            self.scope,
            self.ref,
            self.window,
            self.limit,
            self.unit,
            self.kind,
            self.enforcement,
            tuple(self.alert_at),
            self.name,
        )


class BudgetAnswer(Schema):
    id: str
    name: str | None
    """For people."""
    scope: Scope
    """What kind of thing it limits."""
    ref: str
    """The id of the thing, or `each`."""
    window: WindowName
    """The span of time in which it counts."""
    limit: ExactDecimal
    """The most that may be spent in a window."""
    unit: BudgetUnit
    """What the limit counts."""
    kind: str
    """The kind of credits."""
    enforcement: Enforcement
    """`hard` refuses, `soft` only notes."""
    alert_at: list[ExactDecimal]
    """Percent of the limit at which it is noted."""
    created_at: datetime

    @classmethod
    def of(cls, budget: Budget) -> Self:
        return cls.showing(budget, ref=budget.reference)


class CountedWindow(Schema):
    """A span of time [start, end)."""

    start: datetime | None
    """Null for `once`."""
    end: datetime | None
    """Null for `once`."""
    timezone: str
    """The organization's, in which days begin."""


class PendingEvents(Schema):
    """Accepted events that have no amount yet."""

    events: int
    """How many."""
    oldest: datetime | None
    """When the oldest of them was accepted; null for none."""
    at_least: bool
    """Whether there may be more: counting was cut off."""


class BudgetStatusAnswer(Schema):
    id: str
    name: str | None
    """For people."""
    scope: Scope
    """What kind of thing it limits."""
    ref: str
    """The thing that is counted here."""
    kind: str
    """The kind of credits."""
    enforcement: Enforcement
    """`hard` refuses, `soft` only notes."""
    alert_at: list[ExactDecimal]
    """Percent of the limit at which it is noted."""
    window: CountedWindow
    """The present one."""
    unit: BudgetUnit
    """Of all amounts here."""
    limit: ExactDecimal
    """The most that may be spent in a window."""
    spent: ExactDecimal
    """What was spent and captured, less what was refunded."""
    held: ExactDecimal
    """What holds and leases have set aside."""
    unreported: ExactDecimal
    """Of leases that expired: what their holders have not accounted for."""
    metered: ExactDecimal
    """What reported usage comes to."""
    left: ExactDecimal
    """What may still be spent; never below 0."""
    over: ExactDecimal
    """By how much the limit is passed; 0 while it is not."""
    pending: PendingEvents
    """Events of the organization that are on their way. They have no amount yet, so `left` may be too much."""
    counted_to: datetime
    """Usage that was metered until then is in `metered`."""
    revision: int
    """Of the wallet; send it as `at_least` to see at least what is seen here."""
    state: BudgetState
    """`exhausted` where nothing is left, `alert` where a share of `alert_at` is reached, else `ok`."""

    @classmethod
    def of(cls, status: BudgetStatus) -> Self:
        window = status.window
        is_open = window.end is not None
        shown = CountedWindow(start=window.start if is_open else None, end=window.end, timezone=status.timezone)
        amounts = {
            name: getattr(status.figures, name)
            for name in ("spent", "held", "unreported", "metered", "left", "over", "state")
        }
        pending = PendingEvents(
            events=status.pending.count, oldest=status.pending.oldest, at_least=status.pending.at_least
        )
        return cls.showing(
            status.budget,
            ref=status.reference,
            window=shown,
            revision=status.revision,
            pending=pending,
            counted_to=status.counted_to,
            **amounts,
        )


class BudgetStatusQuery(Query):
    ref: Reference | None = None
    """Which thing to show, of a budget for each."""
    at_least: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """The `revision` of an earlier answer: this one must not be behind it."""


class WalletBudgetRequest(Schema):
    monthly: CreditLimit | None
    """Credits of the kind `default` that may be spent in a calendar month; null for any number."""
    enforcement: Enforcement = "hard"
    """`hard` refuses what would pass it, `soft` only notes it."""

    def draft(self, monthly: Decimal) -> BudgetDraft:
        alerts = tuple(DEFAULT_ALERTS)
        return BudgetDraft(
            "organization", None, "month", monthly, "credits", DEFAULT_KIND, self.enforcement, alerts, "Wallet"
        )


def _refuse_wallet_budget(call: Call[Any, Any, BudgetPath]) -> None:
    """Raises `ConflictError`: it holds against those who spend a payer's credits."""
    if call.path.budget_id == WALLET_BUDGET:
        path = "/organizations/{organization_id}/wallet-budget"
        raise ConflictError(f"This is what the operator lets the organization spend: it is changed at PUT {path}")


@endpoint(
    blueprint,
    "PUT",
    "organizations/{organization_id}/wallet-budget",
    summary="Limit what an organization spends in a month, also of its payer's credits",
    access=Permission.ORGANIZATIONS_CREATE,
    path_values=OrganizationPath,
    body=WalletBudgetRequest,
    answers={200: BudgetAnswer, 204: None},
    example={"monthly": "500", "enforcement": "hard"},
)
async def put_wallet_budget(call: Call[WalletBudgetRequest, Query, OrganizationPath]) -> Reply:
    organization_id, monthly = await call.organization_id(call.path.organization_id), call.body.monthly
    budgets = call.services.credits.budgets
    if monthly is None:
        with suppress(NotFoundError):
            await budgets.delete(organization_id, WALLET_BUDGET, call.if_match)
        return Reply(status=204)
    stored = await budgets.put(organization_id, WALLET_BUDGET, call.body.draft(monthly), call.if_match)
    return Reply(BudgetAnswer.of(stored.budget), etag=stored.etag)


@endpoint(
    blueprint,
    "PUT",
    "budgets/{budget_id}",
    summary="Set a budget under an id of the caller's; it binds what is spent from now on",
    access=Permission.BUDGETS_WRITE,
    path_values=BudgetPath,
    body=BudgetRequest,
    answers={200: BudgetAnswer, 201: BudgetAnswer},
    example={"name": "All agents", "scope": "organization", "window": "month", "limit": "500"},
)
async def put_budget(call: Call[BudgetRequest, Query, BudgetPath]) -> Reply:
    _refuse_wallet_budget(call)
    stored = await call.services.credits.budgets.put(
        await call.organization_id(), call.path.budget_id, call.body.draft(), call.if_match
    )
    return Reply(BudgetAnswer.of(stored.budget), status=201 if stored.is_new else 200, etag=stored.etag)


@endpoint(
    blueprint,
    "GET",
    "budgets",
    summary="Budgets of an organization, newest first",
    access=Permission.CREDITS_READ,
    query=ListQuery,
    answers={200: Listed[BudgetAnswer]},
)
async def list_budgets(call: Call[NoBody, ListQuery]) -> Reply:
    budgets, cursor = await call.services.credits.budgets.page(
        await call.organization_id(), call.query.limit, call.query.cursor
    )
    return Reply(Listed(data=[BudgetAnswer.of(budget) for budget in budgets], next_cursor=cursor))


@endpoint(
    blueprint,
    "GET",
    "budgets/{budget_id}",
    summary="A budget with what its present window counts, and what is left",
    access=Permission.CREDITS_READ,
    path_values=BudgetPath,
    query=BudgetStatusQuery,
    answers={200: BudgetStatusAnswer},
    errors=(NotFoundError,),
)
async def get_budget(call: Call[NoBody, BudgetStatusQuery, BudgetPath]) -> Reply:
    status = await call.services.credits.budgets.status(
        await call.organization_id(), call.path.budget_id, call.query.ref, call.query.at_least
    )
    return Reply(BudgetStatusAnswer.of(status), etag=status.etag)


@endpoint(
    blueprint,
    "DELETE",
    "budgets/{budget_id}",
    summary="Delete a budget: it limits nothing from now on",
    access=Permission.BUDGETS_WRITE,
    path_values=BudgetPath,
    answers={204: None},
    errors=(NotFoundError,),
)
async def delete_budget(call: Call[NoBody, Query, BudgetPath]) -> Reply:
    _refuse_wallet_budget(call)
    await call.services.credits.budgets.delete(await call.organization_id(), call.path.budget_id, call.if_match)
    return Reply()
