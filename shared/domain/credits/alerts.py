"""Alerts: what happens to a balance or a budget that somebody should know, once for each crossing.

They are decided in the batch that crosses, from its totals; what was raised is kept there until it is armed again:

- a balance below a threshold; armed again at 1.1 times the threshold;
- a share of a budget that is reached; armed again 10 points below it;
- a forecast: what the window comes to at its pace so far, used / (elapsed / length), reaches the limit, once a quarter
  of the window is over; armed again below 90 % of the limit;
- unusual spending of an organization or agent: a day beyond three standard deviations above the mean of the days before
  it that are still known, three at least, and beyond twice that mean; armed again 10 % below.
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


class _Crossing(msgspec.Struct, frozen=True):
    """One thing that may be crossed, as it stands after a batch."""

    key: str
    """Tells it from others of the same counter; it ends with the key of its window."""
    is_reached: bool
    is_armed: bool
    """Whether it is so far away that reaching it is news again."""
    alert: Alert


def raise_alerts(before: Wallet, wallet: Wallet, now: datetime, thresholds: Iterable[Decimal]) -> None:
    """Note what a batch has crossed. `thresholds` are of the balance of the default kind."""
    _take_balance(wallet, now, thresholds)
    for id_, counter in list(wallet.counters.items()):
        member = wallet.members.get(counter.organization_id)
        if member is not None and member.state == "left":
            continue  # the wallet that pays now has all of it
        if before.counters.get(id_) is not counter and any(counter.windows.values()):
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
    raised = {key for key in counter.alerted if any(_window_of(key) in of_kind for of_kind in counter.windows.values())}
    for crossing in _crossings(wallet.budgets, before, counter, now):
        if crossing.is_armed:
            raised.discard(crossing.key)
        elif not crossing.is_reached or crossing.key in raised:
            continue
        elif wallet.raise_alert(_named(crossing.alert, wallet, f"{counter.id} {crossing.key}")):
            raised.add(crossing.key)
    if raised == set(counter.alerted):
        return counter
    return msgspec.structs.replace(counter, alerted=tuple(sorted(raised)))


def _crossings(
    budgets: Iterable[Budget], before: Counter | None, counter: Counter, now: datetime
) -> Iterator[_Crossing]:
    """Of windows that the batch has changed and that are not over."""
    own = [run_budget(counter, limit) for limit in counter.limits]
    for budget in (*budgets, *own):
        if not _limits(budget, counter):
            continue
        for key, spending in _changed(before, counter, budget.kind, budget.window, now):
            yield from _shares(budget, counter, key, spending, now)
            yield from _forecast(budget, counter, key, spending, now)
    if counter.scope in _WATCHED:
        for kind in counter.windows:
            for key, spending in _changed(before, counter, kind, "day", now):
                yield from _unusual(counter, kind, key, spending, now)


def _limits(budget: Budget, counter: Counter) -> bool:
    return (
        budget.scope == counter.scope
        and budget.organization_id == counter.organization_id
        and budget.reference in ("each", counter.reference)
    )


def _changed(
    before: Counter | None, counter: Counter, kind: str, window: str, now: datetime
) -> list[tuple[str, Spending]]:
    old = {} if before is None else before.windows.get(kind, {})
    everywhere = counter.all_windows(kind)
    return [
        (key, everywhere[key])
        for key, spending in counter.windows.get(kind, {}).items()
        if key.partition(":")[0] == window
        and old.get(key) != spending
        and (not spending.end or instant_of(spending.end) > now)
    ]


def _shares(budget: Budget, counter: Counter, key: str, spending: Spending, now: datetime) -> Iterator[_Crossing]:
    percent = EXACT.multiply(budget.used(spending), Decimal(100))
    for share in budget.alert_at:
        alert = _of_budget("budget_share", budget, counter, key, spending, now)
        yield _Crossing(
            f"{budget.id} {plain(share)} {key}",
            percent >= EXACT.multiply(budget.limit, share),
            percent < EXACT.multiply(budget.limit, share - _ARMED_BELOW),
            msgspec.structs.replace(alert, share=share),
        )


def _forecast(budget: Budget, counter: Counter, key: str, spending: Spending, now: datetime) -> Iterator[_Crossing]:
    start = _start_of(key)
    if start is None or not spending.end:
        return
    elapsed = Fraction(Decimal(str((now - start).total_seconds()))) / (spending.end - int(start.timestamp()))
    used = budget.used(spending)
    if elapsed < _FORECAST_AFTER or used >= budget.limit:
        return
    expected = Fraction(used) / elapsed
    alert = _of_budget("forecast", budget, counter, key, spending, now)
    yield _Crossing(
        f"{budget.id} forecast {key}",
        expected >= Fraction(budget.limit),
        expected < Fraction(budget.limit) * _ARMED_SHARE,
        msgspec.structs.replace(alert, used=round_to(expected, 6)),
    )


def _unusual(counter: Counter, kind: str, key: str, spending: Spending, now: datetime) -> Iterator[_Crossing]:
    days = [
        Fraction(other.total)
        for other_key, other in counter.all_windows(kind).items()
        if other_key.partition(":")[0] == "day" and other.end < spending.end
    ]
    if len(days) < _FEWEST_DAYS:
        return
    mean = sum(days, Fraction(0)) / len(days)
    variance = sum(((day - mean) ** 2 for day in days), Fraction(0)) / len(days)

    def is_beyond(used: Fraction) -> bool:
        return used > 2 * mean and (used - mean) ** 2 > 9 * variance

    used = Fraction(spending.total)
    alert = Alert(
        *("", "unusual_spending", counter.organization_id, now, kind, spending.total, round_to(mean, 6)),
        scope=counter.scope,
        reference=counter.reference,
        window_start=_start_of(key),
        window_end=instant_of(spending.end),
    )
    yield _Crossing(f"unusual {kind} {key}", is_beyond(used), not is_beyond(used / _ARMED_SHARE), alert)


def _of_budget(  # noqa: PLR0913  what it is about
    type_: AlertType, budget: Budget, counter: Counter, key: str, spending: Spending, now: datetime
) -> Alert:
    return Alert(
        *("", type_, counter.organization_id, now, budget.kind, budget.used(spending), budget.limit, budget.unit),
        budget_id=budget.id,
        scope=counter.scope,
        reference=counter.reference,
        window_start=_start_of(key),
        window_end=instant_of(spending.end) if spending.end else None,
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
