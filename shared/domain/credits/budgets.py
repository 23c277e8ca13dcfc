"""Caps on spending: a budget limits what may be spent in one window."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Literal

import msgspec
from typeid import base32

from shared.domain.credits.amounts import PLACES
from shared.domain.credits.counters import (
    SCOPES,
    Context,
    Counter,
    RunLimit,
    Scope,
    Spending,
    Unit,
    counter_id,
    run_counter_id,
)
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.windows import Window, WindowName
from shared.domain.kernel.ids import fingerprint, is_id
from shared.domain.kernel.money import EXACT, ZERO
from shared.domain.kernel.times import BEGINNING

EACH = "each"
MAXIMUM_BUDGETS = 1_000
"""Of one wallet: all of them lie in one item."""
MAXIMUM_SHARES = 200
"""In `alert_at`, of all budgets that limit one thing: its counter keeps which of them were told."""
DEFAULT_ALERTS = (Decimal(80), Decimal(100))
ORPHANED_AFTER = timedelta(minutes=10)
"""A limit whose run was not created by then belongs to a request that failed."""

Enforcement = Literal["hard", "soft"]
BudgetState = Literal["ok", "alert", "exhausted"]

_RUN_BUDGET = "bud"


class Budget(msgspec.Struct, frozen=True):
    """A cap in credits or in money."""

    id: str
    organization_id: str
    scope: Scope
    reference: str
    """What it limits, or `each` thing of its scope by itself."""
    window: WindowName
    limit: Decimal
    kind: str = DEFAULT_KIND
    enforcement: Enforcement = "hard"
    unit: Unit = "credits"
    name: str | None = None
    alert_at: tuple[Decimal, ...] = DEFAULT_ALERTS
    """Percent of the limit."""
    created_at: datetime = BEGINNING

    def applies_to(self, context: Context) -> str | None:
        """The id of the counter that it limits for spending in this context, if any."""
        if context.organization_id != self.organization_id:
            return None
        for scope, reference in context.references():
            if scope == self.scope and self.reference in (EACH, reference):
                return counter_id(scope, context.organization_id, reference)
        return None

    def used(self, spending: Spending) -> Decimal:
        """What counts against the limit, in its unit."""
        return spending.total if self.unit == "credits" else spending.money_total


def shares_told_beside(budget: Budget, budgets: Iterable[Budget]) -> int:
    """How many shares are told of one thing that a budget limits, at most."""
    of_each, of_one = 0, dict[str, int]()
    for other in budgets:
        if (other.organization_id, other.scope) == (budget.organization_id, budget.scope):
            if other.reference == EACH:
                of_each += len(other.alert_at)
            else:
                of_one[other.reference] = of_one.get(other.reference, 0) + len(other.alert_at)
    most = max(of_one.values(), default=0) if budget.reference == EACH else of_one.get(budget.reference, 0)
    return of_each + most


class Budgets(msgspec.Struct, frozen=True):
    """All budgets of a wallet, which the head names by their revision."""

    revision: int = 0
    budgets: tuple[Budget, ...] = ()


class Figures(msgspec.Struct, frozen=True):
    """What a budget's window counts, in the unit of the budget."""

    spent: Decimal
    held: Decimal
    unreported: Decimal
    metered: Decimal
    left: Decimal
    over: Decimal
    """By how much the limit is passed."""
    state: BudgetState


def figures(budget: Budget, spending: Spending) -> Figures:
    if budget.unit == "credits":
        amounts = (spending.spent, spending.held, spending.unreported, spending.metered)
    else:
        amounts = (spending.money_spent, spending.money_held, spending.money_unreported, spending.money_metered)
    left = EXACT.subtract(budget.limit, budget.used(spending))
    return Figures(*amounts, max(ZERO, left), max(ZERO, EXACT.minus(left)), _state(budget, budget.used(spending)))


def credits_left(budget: Budget, spending: Spending, credit_value: Decimal | None) -> Decimal:
    """How many credits a budget admits yet: of one in money rounded down, none where a credit has no value."""
    left = figures(budget, spending).left
    if budget.unit == "credits":
        return left
    if credit_value is None:
        return ZERO
    return Decimal(floor(Fraction(left) / Fraction(credit_value) * 10**PLACES)).scaleb(-PLACES)


def _state(budget: Budget, used: Decimal) -> BudgetState:
    if used >= budget.limit:
        return "exhausted"
    is_noted = any(EXACT.multiply(used, Decimal(100)) >= EXACT.multiply(budget.limit, at) for at in budget.alert_at)
    return "alert" if is_noted else "ok"


# Limits of single runs


def run_budget_id(run: str) -> str:
    """The id of the limit of one run, from which `counter_of_run_budget` finds its counter."""
    return f"{_RUN_BUDGET}_{base32.encode(bytes.fromhex(fingerprint(run)[:32]))}"


def counter_of_run_budget(organization_id: str, budget_id: str) -> str | None:
    """The counter that may have the limit with this id; None where it cannot be one of a run."""
    if not is_id(budget_id, _RUN_BUDGET):
        return None
    try:
        digest = base32.decode(budget_id.removeprefix(f"{_RUN_BUDGET}_"))
    except (ValueError, RuntimeError):  # what the codec raises
        return None
    return run_counter_id(organization_id, bytes(digest).hex())


def run_budget(counter: Counter, limit: RunLimit) -> Budget:
    return Budget(
        id=run_budget_id(counter.reference),
        organization_id=counter.organization_id,
        scope="run",
        reference=counter.reference,
        window="once",
        limit=limit.limit,
        unit=limit.unit,
        created_at=limit.set_at,
    )


def with_run_limit(counter: Counter, limit: RunLimit) -> Counter:
    """With the limit of a run that is being created, and without those of requests that failed long ago."""
    others = tuple(
        each for each in counter.limits if each.run_id != limit.run_id and each.set_at + ORPHANED_AFTER > limit.set_at
    )
    return msgspec.structs.replace(counter, limits=(*others, limit))


def without_run_limit(counter: Counter, run_id: str) -> Counter:
    return msgspec.structs.replace(counter, limits=tuple(limit for limit in counter.limits if limit.run_id != run_id))


# What caps refuse


class Overrun(msgspec.Struct, frozen=True):
    """A cap that an admission would pass."""

    budget: Budget
    counter: str
    """The id of the counter that says so."""
    left: Decimal | None
    """What was left of it before; None where nobody can say, as a credit has no value in money."""
    window: Window


def capping(
    budgets: Iterable[Budget], kind: str, contexts: Iterable[Context], counters: Mapping[str, Counter]
) -> Iterator[tuple[Budget, str]]:
    """The hard budgets that limit spending in these contexts, by scope and id, each with the counter that it limits."""
    found: dict[tuple[int, str, str, Unit], Budget] = {}
    for context in contexts:
        limiting = [budget for budget in budgets if budget.kind == kind and budget.enforcement == "hard"]
        if kind == DEFAULT_KIND and context.run is not None:
            counter = counters[counter_id("run", context.organization_id, context.run)]
            limiting += [run_budget(counter, limit) for limit in counter.limits]
        for budget in limiting:
            counted_in = budget.applies_to(context)
            if counted_in is not None:
                place = (SCOPES.index(budget.scope), budget.id, counted_in, budget.unit)
                before = found.get(place)
                if before is None or budget.limit < before.limit:
                    found[place] = budget
    return ((budget, counted_in) for (_, _, counted_in, _), budget in sorted(found.items(), key=lambda item: item[0]))


def overrun(  # noqa: PLR0913  what an admission changes
    budgets: Iterable[Budget],
    kind: str,
    contexts: Iterable[Context],
    windows: Iterable[Window],
    before: Mapping[str, Counter],
    after: Mapping[str, Counter],
    *,
    has_value: bool,
) -> Overrun | None:
    """The first hard budget, by scope and id, that counters would pass after an admission.

    `has_value` says whether a credit is worth money: without it nothing is admitted against a budget in money.
    """
    by_name = {window.name: window for window in windows}
    for budget, counter in capping(tuple(budgets), kind, contexts, before):
        window = by_name[budget.window]
        if budget.unit == "money" and not has_value:
            return Overrun(budget, counter, None, window)
        if budget.used(after[counter].spending(kind, window)) > budget.limit:
            left = EXACT.subtract(budget.limit, budget.used(before[counter].spending(kind, window)))
            return Overrun(budget, counter, max(ZERO, left), window)
    return None
