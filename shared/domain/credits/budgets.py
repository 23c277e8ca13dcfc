"""Caps on spending: a budget limits what may be spent in one window."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from shared.domain.credits.counters import Context, Counter, Scope, counter_id
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.windows import Window, WindowName
from shared.domain.kernel.money import ZERO

EACH = "each"
MAXIMUM_BUDGETS = 1_000
"""Of one wallet: all of them lie in one item."""


class Budget(msgspec.Struct, frozen=True):
    """A cap in credits."""

    id: str
    organization_id: str
    scope: Scope
    reference: str
    """What it limits, or `each` thing of its scope by itself."""
    window: WindowName
    limit: Decimal
    kind: str = DEFAULT_KIND
    enforcement: Literal["hard", "soft"] = "hard"

    def applies_to(self, context: Context) -> str | None:
        """The id of the counter that it limits for spending in this context, if any."""
        if context.organization_id != self.organization_id:
            return None
        for scope, reference in context.references():
            if scope == self.scope and self.reference in (EACH, reference):
                return counter_id(scope, context.organization_id, reference)
        return None


class Budgets(msgspec.Struct, frozen=True):
    """All budgets of a wallet, which the head names by their revision."""

    revision: int = 0
    budgets: tuple[Budget, ...] = ()


class Overrun(msgspec.Struct, frozen=True):
    """A cap that an admission would pass."""

    budget: Budget
    left: Decimal
    """What was left of it before."""
    window: Window


def overrun(  # noqa: PLR0913  what an admission changes
    budgets: Iterable[Budget],
    kind: str,
    contexts: Iterable[Context],
    windows: Iterable[Window],
    before: Mapping[str, Counter],
    after: Mapping[str, Counter],
) -> Overrun | None:
    """The first hard budget, by scope and id, that counters would pass after an admission."""
    by_name = {window.name: window for window in windows}
    limiting = [budget for budget in budgets if budget.kind == kind and budget.enforcement == "hard"]
    for budget in sorted(limiting, key=lambda budget: (budget.scope, budget.id)):
        window = by_name[budget.window]
        for context in contexts:
            counter = budget.applies_to(context)
            if counter is None or after[counter].spending(kind, window).total <= budget.limit:
                continue
            used = before[counter].spending(kind, window).total
            return Overrun(budget, max(ZERO, budget.limit - used), window)
    return None
