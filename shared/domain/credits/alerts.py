"""Alerts: what happens to a balance or a budget that somebody should know, once for each crossing.

They are decided in the batch that crosses, from its totals; what was raised is kept there until it is armed again:

- a balance below a threshold; armed again at 1.1 times the threshold;
- a share of a budget that is reached; armed again 10 points below it, or where nothing is used;
- a forecast: what the window comes to at its pace so far, used / (elapsed / length), reaches the limit, once a quarter
  of the window is over; armed again below 90 % of the limit;
- unusual spending of an organization or agent: a day beyond three standard deviations above the mean of the days before
  it that are still known, three at least, and beyond twice that mean; armed again 10 % below.

Limits are changed and time passes without a batch that crosses anything. So what was far away before a batch, by the
limit and at the time of the batch, was armed again by then.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import msgspec

from shared.domain.credits.alert import Alert, AlertType
from shared.domain.credits.budgets import Budget, run_budget
from shared.domain.credits.counters import Counter, Scope, Spending
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import instant_of
from shared.domain.kernel.ids import timed_id
from shared.domain.kernel.money import EXACT, plain, round_to

_ARMED_BELOW = 10
"""Points of a share."""
_ARMED_SHARE = Fraction(9, 10)
_FORECAST_AFTER = Fraction(1, 4)
_FEWEST_DAYS = 3
_WATCHED: tuple[Scope, ...] = ("organization", "agent")


class _Change(msgspec.Struct, frozen=True):
    """What a batch has done to a window."""

    key: str
    before: Spending
    after: Spending


class _Crossing(msgspec.Struct, frozen=True):
    """One thing that may be crossed, as it stands before and after a batch."""

    key: str
    """Tells it from others of the same counter; it ends with the key of its window."""
    is_reached: bool
    was_armed: bool
    """Whether it was so far away before that reaching it is news again."""
    is_armed: bool
    """The same afterwards."""
    alert: Alert


def raise_alerts(before: Wallet, wallet: Wallet, now: datetime, thresholds: Iterable[Decimal]) -> None:
    """Note what a batch has crossed. `thresholds` are of the balance of the default kind."""
    _take_balance(wallet, now, thresholds)
    for id_, counter in list(wallet.counters.items()):
        has_counted = any(counter.windows.values()) or bool(counter.shares)
        if (
            has_counted and before.counters.get(id_) is not counter and not wallet.has_left(counter.organization_id)
        ):  # else the wallet that pays now decides
            wallet.counters[id_] = _taken(wallet, before.counters.get(id_), counter, now)


def _take_balance(wallet: Wallet, now: datetime, thresholds: Iterable[Decimal]) -> None:
    available = wallet.available(DEFAULT_KIND)
    raised = set(wallet.head.alerted)
    for threshold in sorted(set(thresholds), reverse=True):
        key = plain(threshold)
        if available >= EXACT.multiply(threshold, Decimal("1.1")):
            raised.discard(key)
        if available < threshold and key not in raised:
            alert = Alert("", "low_balance", wallet.payer, now, DEFAULT_KIND, available, threshold)
            if wallet.raise_alert(_named(alert, wallet, key)):
                raised.add(key)
    if raised != set(wallet.head.alerted):
        wallet.head = msgspec.structs.replace(wallet.head, alerted=tuple(sorted(raised)))


def _taken(wallet: Wallet, before: Counter | None, counter: Counter, now: datetime) -> Counter:
    """The counter with what it has raised by now."""
    own = [run_budget(counter, limit) for limit in counter.limits]
    budgets = [budget for budget in (*wallet.budgets, *own) if _limits(budget, counter)]
    raised = {key for key in counter.alerted if _may_be_crossed(key, budgets, counter, now)}
    for crossing in _crossings(budgets, before, counter, now):
        if crossing.was_armed or crossing.is_armed:
            raised.discard(crossing.key)
        if crossing.is_reached and crossing.key not in raised:
            named = _named(crossing.alert, wallet, f"{counter.id} {crossing.key}")
            if wallet.raise_alert(named):
                raised.add(crossing.key)
    if raised == set(counter.alerted):
        return counter
    return msgspec.structs.replace(counter, alerted=tuple(sorted(raised)))


def _crossings(
    budgets: Iterable[Budget], before: Counter | None, counter: Counter, now: datetime
) -> Iterator[_Crossing]:
    """Of windows that the batch has changed and that are not over. `budgets` limit this counter."""
    for budget in budgets:
        for change in _changed(before, counter, budget.kind, budget.window, now):
            yield from _shares(budget, counter, change, now)
            yield from _forecast(budget, counter, change, now)
    if counter.scope in _WATCHED:
        for kind in counter.windows:
            for change in _changed(before, counter, kind, "day", now):
                yield from _unusual(counter, kind, change, now)


def _limits(budget: Budget, counter: Counter) -> bool:
    return (
        budget.scope == counter.scope
        and budget.organization_id == counter.organization_id
        and budget.reference in ("each", counter.reference)
    )


def _may_be_crossed(key: str, budgets: Iterable[Budget], counter: Counter, now: datetime) -> bool:
    """Whether it is of a window that is not over, and of a budget that there still is, or of none."""
    windows = [of_kind[_window_of(key)] for of_kind in counter.windows.values() if _window_of(key) in of_kind]
    if not any(_goes_on(spending, now) for spending in windows):
        return False
    return key.startswith("unusual ") or any(key.startswith(f"{budget.id} ") for budget in budgets)


def _changed(before: Counter | None, counter: Counter, kind: str, window: str, now: datetime) -> list[_Change]:
    """What was counted in other wallets counts as well, and was there before."""
    earlier = {} if before is None else before.all_windows(kind)
    return [
        _Change(key, earlier.get(key) or Spending(spending.end), spending)
        for key, spending in counter.all_windows(kind).items()
        if key.partition(":")[0] == window and earlier.get(key) != spending and _goes_on(spending, now)
    ]


def _goes_on(spending: Spending, now: datetime) -> bool:
    return not spending.end or instant_of(spending.end) > now


def _shares(budget: Budget, counter: Counter, change: _Change, now: datetime) -> Iterator[_Crossing]:
    used_before, used = budget.used(change.before), budget.used(change.after)
    alert = _of_budget("budget_share", budget, counter, change, now)

    def is_armed(used: Decimal, share: Decimal) -> bool:
        is_below = EXACT.multiply(used, Decimal(100)) < EXACT.multiply(budget.limit, share - _ARMED_BELOW)
        return is_below or (not used and budget.limit > 0)

    for share in budget.alert_at:
        yield _Crossing(
            f"{budget.id} {plain(share)} {change.key}",
            EXACT.multiply(used, Decimal(100)) >= EXACT.multiply(budget.limit, share),
            is_armed(used_before, share),
            is_armed(used, share),
            msgspec.structs.replace(alert, share=share),
        )


def _forecast(budget: Budget, counter: Counter, change: _Change, now: datetime) -> Iterator[_Crossing]:
    start, end = _start_of(change.key), change.after.end
    if start is None or not end:
        return
    elapsed = Fraction(Decimal(str((now - start).total_seconds()))) / (end - int(start.timestamp()))
    used_before, used = budget.used(change.before), budget.used(change.after)
    if elapsed < _FORECAST_AFTER or used >= budget.limit:
        return
    limit, expected = Fraction(budget.limit), Fraction(used) / elapsed
    alert = _of_budget("forecast", budget, counter, change, now)
    yield _Crossing(
        f"{budget.id} forecast {change.key}",
        expected >= limit,
        Fraction(used_before) / elapsed < limit * _ARMED_SHARE,
        expected < limit * _ARMED_SHARE,
        msgspec.structs.replace(alert, used=round_to(expected, 6)),
    )


def _unusual(counter: Counter, kind: str, change: _Change, now: datetime) -> Iterator[_Crossing]:
    end = change.after.end
    days = [
        Fraction(other.total)
        for other_key, other in counter.all_windows(kind).items()
        if other_key.partition(":")[0] == "day" and other.end < end
    ]
    if len(days) < _FEWEST_DAYS:
        return
    mean = sum(days, Fraction(0)) / len(days)
    variance = sum(((day - mean) ** 2 for day in days), Fraction(0)) / len(days)

    def is_beyond(used: Fraction) -> bool:
        return used > 2 * mean and (used - mean) ** 2 > 9 * variance

    used_before, used = Fraction(change.before.total), Fraction(change.after.total)
    alert = Alert(
        *("", "unusual_spending", counter.organization_id, now, kind, change.after.total, round_to(mean, 6)),
        scope=counter.scope,
        reference=counter.reference,
        window_start=_start_of(change.key),
        window_end=instant_of(end),
    )
    yield _Crossing(
        f"unusual {kind} {change.key}",
        is_beyond(used),
        not is_beyond(used_before / _ARMED_SHARE),
        not is_beyond(used / _ARMED_SHARE),
        alert,
    )


def _of_budget(type_: AlertType, budget: Budget, counter: Counter, change: _Change, now: datetime) -> Alert:
    used, end = budget.used(change.after), change.after.end
    return Alert(
        *("", type_, counter.organization_id, now, budget.kind, used, budget.limit, budget.unit),
        budget_id=budget.id,
        scope=counter.scope,
        reference=counter.reference,
        window_start=_start_of(change.key),
        window_end=instant_of(end) if end else None,
    )


def _named(alert: Alert, wallet: Wallet, what: str) -> Alert:
    """With the id of this crossing: the batch that it is in is stored once."""
    return msgspec.structs.replace(
        alert, id=timed_id("alert", alert.time, wallet.payer, wallet.head.revision + 1, what)
    )


def _start_of(key: str) -> datetime | None:
    start = key.partition(":")[2]
    return instant_of(int(start)) if start else None


def _window_of(key: str) -> str:
    return key.rpartition(" ")[2]
