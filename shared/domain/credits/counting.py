"""Counts what is spent in the counters of its context, and holds it against caps."""

from collections.abc import Iterable
from copy import copy
from datetime import datetime
from decimal import Decimal

from shared.domain.credits.budgets import Overrun, overrun
from shared.domain.credits.counters import Amounts, Context, with_missing
from shared.domain.credits.transfers import Refusal
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import windows_at
from shared.domain.kernel.histories import History
from shared.domain.kernel.money import plain
from shared.domain.kernel.times import shown
from shared.domain.periods.periods import Calendar


def admit(  # noqa: PLR0913  what an admission depends on
    wallet: Wallet,
    kind: str,
    amounts: Iterable[tuple[Context, Decimal]],
    now: datetime,
    calendars: History[Calendar],
    *,
    held: bool,
    credit_value: Decimal | None,
    counted_at: datetime | None = None,
) -> Refusal | None:
    """Count what is admitted now, spent or held; nothing where a hard cap would be passed.

    It counts in the windows of `counted_at`: by default now.
    """
    windows = windows_at(counted_at or now, calendars)
    admitted = list(amounts)
    before = {
        id_: counter for context, _ in admitted for id_, counter in with_missing(wallet.counters, context).items()
    }
    after = dict(before)
    for context, amount in admitted:
        for id_ in context.counter_ids():
            more = Amounts(held=amount) if held else Amounts(spent=amount)
            after[id_] = after[id_].counted(kind, windows, now, more, credit_value)
    contexts = [context for context, _ in admitted]
    over = overrun(wallet.budgets, kind, contexts, windows, before, after, has_value=credit_value is not None)
    if over is None:
        wallet.counters |= after
        return None
    # What refuses is written as it is: where another host has changed it, as after a refund, the batch fails.
    wallet.counters[over.counter] = copy(before[over.counter])
    return _refused(over)


def _refused(over: Overrun) -> Refusal:
    budget, window = over.budget, over.window
    if over.left is None:
        return Refusal(
            "conflict", f"The budget {budget.id} is in money, and a credit has no value: set the credit_value"
        )
    span = "in all" if window.end is None else f"in this {window.name}"
    return Refusal(
        "limit_exceeded",
        f"The budget {budget.id} has {plain(over.left)} {'of money' if budget.unit == 'money' else 'credits'} "
        f"left {span}",
        {
            "budget_id": budget.id,
            "left": plain(over.left),
            "window": {"name": window.name, "end": None if window.end is None else shown(window.end)},
        },
    )


def settle(  # noqa: PLR0913  see above
    wallet: Wallet,
    kind: str,
    context: Context,
    admitted_at: datetime,
    now: datetime,
    calendars: History[Calendar],
    amounts: Amounts,
    *,
    credit_value: Decimal | None,
) -> None:
    """Change what was admitted earlier, in the windows of its admission and by what a credit was worth then."""
    windows = windows_at(admitted_at, calendars)
    for id_, counter in with_missing(wallet.counters, context).items():
        wallet.counters[id_] = counter.counted(kind, windows, now, amounts, credit_value)
