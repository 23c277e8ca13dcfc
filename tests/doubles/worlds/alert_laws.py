"""Law 12 over random histories: each crossing is told once, and again after it was armed.

What has to be told is worked out a second time, from the plain journals of the laws of leases. Packs and answers are
lost, commands are repeated, and what tells the alerts is delivered again and again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from random import Random
from typing import Any

import msgspec
from hypothesis.stateful import initialize

from shared.domain.credits.alert import Alert
from shared.domain.credits.alerts import raise_alerts
from shared.domain.credits.budgets import Budget
from shared.domain.credits.commands import GiveGrant
from shared.domain.credits.grants import Terms
from shared.domain.credits.leases import Lease
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import Window
from shared.services.credits.credit_alerts import CreditAlert
from tests.doubles.worlds.credit_ledger import PAYER, CreditLedger
from tests.doubles.worlds.lease_laws import STEPS, LeaseLaws

THRESHOLDS = (Decimal(50), Decimal(10))
KEPT = timedelta(days=8)
_TICK = timedelta(microseconds=1)
ALERTING = (
    Budget("bud_hour", PAYER, "agent", "each", "hour", Decimal(12), alert_at=(Decimal(5), Decimal(50), Decimal(100))),
    Budget("bud_day", PAYER, "department", "dep_1", "day", Decimal(30)),
    Budget("bud_once", PAYER, "run", "each", "once", Decimal(25)),
    Budget("bud_soft", PAYER, "organization", PAYER, "day", Decimal(40), enforcement="soft"),
)
SOFT_LIMITS = (15, 40, 60)

Told = tuple[str, str | None, Decimal | None, str | None, datetime | None, Decimal, Decimal]
"""Type, budget, share, thing, start of the window, used, and what was crossed."""


def told(alert: Alert | CreditAlert) -> Told:
    return (
        *(alert.type, alert.budget_id, alert.share, alert.reference, alert.window_start),
        *(alert.used, alert.threshold),
    )


@dataclass
class AlertingLedger(CreditLedger):
    """Stores what a batch raises with the batch, and delivers it later: at least once."""

    outbox: dict[str, Alert] = field(default_factory=dict)
    raised: list[Alert] = field(default_factory=list)
    """By the batch that is not stored yet."""
    listed: dict[str, Alert] = field(default_factory=dict)

    def finish(self, before: Wallet, wallet: Wallet) -> None:
        raise_alerts(before, wallet, wallet.head.time, THRESHOLDS)
        super().finish(before, wallet)

    def store(self, wallet: Wallet) -> None:
        super().store(wallet)
        self.outbox |= {alert.id: alert for alert in wallet.alerts}

    def deliver(self, random: Random, _: datetime) -> None:
        """Whatever waits, some of it without noting that it was."""
        for id_, alert in list(self.outbox.items()):
            self.listed[id_] = alert
            if random.random() < 0.5 or self.is_quiet:
                del self.outbox[id_]

    def alerts(self) -> list[Alert]:
        """Those that are listed."""
        return list(self.listed.values())


class AlertLaws(LeaseLaws):
    """Limits of soft budgets change meanwhile, and days pass."""

    budgets: Sequence[Budget] = ALERTING

    def __init__(self) -> None:
        super().__init__()
        self.expected: list[Told] = []
        self.raised: set[tuple[Any, ...]] = set()
        self.sums: dict[tuple[str, str, Window], list[Decimal]] = {}
        self.available = Decimal(0)

    @initialize()
    def begin(self) -> None:
        self._give(120)

    def _give(self, amount: int) -> None:
        self.number += 1
        grant = GiveGrant(
            organization_id=PAYER, key=f"grant {self.number}", amount=Decimal(amount), terms=Terms("bonus")
        )
        self._run(grant)

    @property
    def steps(self) -> Mapping[Callable[[Any, Random], None], int]:
        return {**STEPS, AlertLaws.give: 3, AlertLaws.change_limit: 3, AlertLaws.pass_day: 5, AlertLaws.deliver: 6}

    def give(self, random: Random) -> None:
        self._give(random.choice([5, 20, 60]))

    def change_limit(self, random: Random) -> None:
        """It tells nothing by itself: what is crossed is looked at when something is counted."""
        limit = Decimal(random.choice(SOFT_LIMITS))
        self.budgets = (*ALERTING[:-1], msgspec.structs.replace(ALERTING[-1], limit=limit))
        self.ledger.budgets = self.budgets

    def pass_day(self, _: Random) -> None:
        self.now += timedelta(days=1)

    def deliver(self, random: Random) -> None:
        self.before = {lease.id: lease for lease in self.ledger.all(Lease)}
        self.ledger.deliver(random, self.now)
        self._take_new()

    # The second computation

    def took(self, transfer: Transfer) -> None:
        self._take_balance(transfer)
        sums = {place: list(amounts) for place, amounts in self.plain_sums().items()}
        for (scope, thing, window), amounts in sums.items():
            before = self.sums.get((scope, thing, window), [Decimal(0)] * 3)
            if amounts != before and (window.end is None or window.end > transfer.time):
                used = sum(before, Decimal(0)), sum(amounts, Decimal(0))
                for budget in self.budgets:
                    if (budget.scope, budget.window) == (scope, window.name) and budget.reference in ("each", thing):
                        self._take_shares(budget, thing, window, used)
                        self._take_forecast(budget, thing, window, used, transfer.time)
                if window.name == "day" and scope in ("organization", "agent"):
                    self._take_day(scope, thing, window, used, self._days_before(sums, scope, thing, window, transfer))
        self.sums = sums

    def _cross(self, key: tuple[Any, ...], alert: Told, *, is_reached: bool, is_armed: bool) -> None:
        if is_armed:
            self.raised.discard(key)
        if is_reached and key not in self.raised:
            self.raised.add(key)
            self.expected.append(alert)

    def _take_balance(self, transfer: Transfer) -> None:
        available = transfer.available_after["default"]
        for threshold in THRESHOLDS:
            alert: Told = ("low_balance", None, None, None, None, available, threshold)
            armed = available >= threshold * Decimal("1.1")
            self._cross(("balance", threshold), alert, is_reached=available < threshold, is_armed=armed)

    def _take_shares(self, budget: Budget, thing: str, window: Window, used: tuple[Decimal, Decimal]) -> None:
        for share in budget.alert_at:
            percents = [100 * amount / budget.limit for amount in used]
            armed = any(percent < share - 10 or percent == 0 for percent in percents)
            alert: Told = ("budget_share", budget.id, share, thing, _start(window), used[1], budget.limit)
            key = ("share", budget.id, share, thing, window.key)
            self._cross(key, alert, is_reached=percents[1] >= share, is_armed=armed)

    def _take_forecast(
        self, budget: Budget, thing: str, window: Window, used: tuple[Decimal, Decimal], now: datetime
    ) -> None:
        if window.end is None or used[1] >= budget.limit:
            return
        elapsed = Fraction((now - window.start) // _TICK, (window.end - window.start) // _TICK)
        if elapsed < Fraction(1, 4):
            return
        expected = [Fraction(amount) / elapsed for amount in used]
        armed = any(each < Fraction(budget.limit) * Fraction(9, 10) for each in expected)
        shown = _rounded(expected[1])
        alert: Told = ("forecast", budget.id, None, thing, _start(window), shown, budget.limit)
        key = ("forecast", budget.id, thing, window.key)
        self._cross(key, alert, is_reached=expected[1] >= budget.limit, is_armed=armed)

    def _take_day(
        self, scope: str, thing: str, window: Window, used: tuple[Decimal, Decimal], days: list[Fraction]
    ) -> None:
        if len(days) < 3:
            return
        mean = sum(days, Fraction(0)) / len(days)
        variance = sum(((day - mean) ** 2 for day in days), Fraction(0)) / len(days)

        def is_beyond(amount: Fraction) -> bool:
            return amount > 2 * mean and (amount - mean) ** 2 > 9 * variance

        armed = any(not is_beyond(Fraction(amount) / Fraction(9, 10)) for amount in used)
        alert: Told = ("unusual_spending", None, None, thing, window.start, used[1], _rounded(mean))
        self._cross(("day", scope, thing, window.key), alert, is_reached=is_beyond(Fraction(used[1])), is_armed=armed)

    def _days_before(
        self,
        sums: Mapping[tuple[str, str, Window], Sequence[Decimal]],
        scope: str,
        thing: str,
        window: Window,
        transfer: Transfer,
    ) -> list[Fraction]:
        """Those that are known: the others went eight days after their end, with nothing held."""
        assert window.end is not None
        return [
            Fraction(sum(amounts, Decimal(0)))
            for (of, what, other), amounts in sums.items()
            if (of, what, other.name) == (scope, thing, "day")
            and other.end is not None
            and other.end < window.end
            and (other.end + KEPT >= transfer.time or amounts[1])
        ]

    def teardown(self) -> None:
        super().teardown()
        if not self.is_broken:
            self._take_new()
            self.now += timedelta(days=1)
            self.deliver(Random(0))
            assert Counter(map(told, self.ledger.alerts())) == Counter(self.expected), "law 12: each crossing once"


def _start(window: Window) -> datetime | None:
    return None if window.end is None else window.start


def _rounded(amount: Fraction) -> Decimal:
    """Half up, to six places."""
    return Decimal(floor(amount * 10**6 + Fraction(1, 2))).scaleb(-6)
