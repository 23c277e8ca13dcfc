"""Alerts: each crossing once, under lost answers and repeats, and again after it was armed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.domain.credits.alert import Alert
from shared.domain.credits.alerts import raise_alerts
from shared.domain.credits.budgets import Budget
from shared.domain.credits.commands import GiveGrant, Refund, Use
from shared.domain.credits.counters import Context
from shared.domain.credits.deciding import decide
from shared.domain.credits.grants import Terms
from shared.domain.credits.transfers import UseEntry
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Calendar
from tests.doubles.worlds.credit_ledger import PAYER, CreditLedger

NOW = datetime(2026, 11, 18, 10, tzinfo=UTC)
CALENDARS = History[Calendar].starting(Calendar(timezone="UTC"))
AGENT = Context(PAYER, agent_id="agt_1")


class Watched:
    """A ledger whose batches raise alerts."""

    def __init__(self, *budgets: Budget, thresholds: tuple[int, ...] = ()) -> None:
        self.ledger = CreditLedger(budgets=budgets)
        self.thresholds = tuple(map(Decimal, thresholds))
        self.now = NOW
        self.number = 0
        self.ids: list[str] = []

    def run(self, make: Any, **fields: Any) -> list[tuple[Any, ...]]:
        """One command in one batch; what it raises."""
        self.number += 1
        stored = self.ledger.load()
        wallet = stored.copy()
        decide(wallet, make(organization_id=PAYER, key=f"key {self.number}", **fields), self.now)
        raise_alerts(stored, wallet, self.now, self.thresholds)
        wallet.finish()
        self.ledger.store(wallet)
        self.ids += [alert.id for alert in wallet.alerts]
        return [_shown(alert) for alert in wallet.alerts]

    def give(self, amount: int) -> list[tuple[Any, ...]]:
        return self.run(GiveGrant, amount=Decimal(amount), terms=Terms("purchase"))

    def use(self, amount: int, context: Context = AGENT) -> list[tuple[Any, ...]]:
        return self.run(Use, entries=(UseEntry(Decimal(amount), context),), calendars=CALENDARS)

    def refund(self, amount: int) -> list[tuple[Any, ...]]:
        """Of the last use."""
        last = next(each for each in reversed(self.ledger.transfers()) if each.type == "use" and not each.is_refused)
        fields = {"transaction_id_refunded": last.id, "amount": Decimal(amount), "reason": "a test"}
        return self.run(Refund, **fields, calendars=CALENDARS)


def _shown(alert: Alert) -> tuple[Any, ...]:
    return (alert.type, alert.budget_id, alert.share, alert.used, alert.threshold)


def budget(limit: int, **fields: Any) -> Budget:
    return Budget("bud", PAYER, "agent", "each", fields.pop("window", "once"), Decimal(limit), **fields)


def test_a_balance_is_low_once_until_it_is_armed_again() -> None:
    watched = Watched(thresholds=(50, 10))
    assert watched.give(100) == []
    assert watched.use(50) == [], "50 is not below 50"
    assert watched.use(1) == [("low_balance", None, None, 49, 50)]
    assert watched.use(1) == []
    assert watched.give(6) == [], "54 is less than 1.1 x 50"
    assert watched.use(10) == []
    assert watched.give(11) == [], "55 arms it"
    assert watched.use(6) == [("low_balance", None, None, 49, 50)]
    assert watched.use(45) == [("low_balance", None, None, 4, 10)]
    assert watched.give(51) == []
    assert watched.use(56) == [], "a refused use moves nothing"
    assert watched.use(54) == [("low_balance", None, None, 1, 50), ("low_balance", None, None, 1, 10)]
    assert len(set(watched.ids)) == len(watched.ids) == 5


def test_a_share_is_reached_once_until_it_is_10_points_away() -> None:
    watched = Watched(budget(100, alert_at=(Decimal(80), Decimal(100))))
    watched.give(1000)
    assert watched.use(79) == []
    assert watched.use(1) == [("budget_share", "bud", 80, 80, 100)]
    assert watched.refund(1) == []
    assert watched.use(10) == []
    assert watched.use(11) == [("budget_share", "bud", 100, 100, 100)]
    assert watched.use(1) == [], "it is refused"
    assert watched.refund(10) == [], "90 % is not yet less than 90 %"
    assert watched.use(10) == []
    assert watched.refund(10) == []
    assert watched.use(1) == []
    assert watched.refund(1) == []
    second = Context(PAYER, agent_id="agt_2")
    assert watched.use(100, second) == [("budget_share", "bud", 80, 100, 100), ("budget_share", "bud", 100, 100, 100)]


def test_what_one_batch_has_no_room_for_is_told_by_the_next_one() -> None:
    shares = tuple(Decimal(10 * tenth) for tenth in range(1, 11))
    budgets = [budget(10, enforcement="soft", alert_at=shares) for _ in range(25)]
    named = [msgspec.structs.replace(each, id=f"bud {number}") for number, each in enumerate(budgets)]
    watched = Watched(*named)
    watched.give(1000)
    told = [watched.use(10), watched.use(1), watched.use(1)]
    assert [len(each) for each in told] == [200, 50, 0]
    assert len({alert[:3] for of_batch in told for alert in of_batch}) == 250, "each of them once"


def test_a_share_is_news_again_in_the_next_window() -> None:
    watched = Watched(budget(10, window="hour", alert_at=(Decimal(100),)))
    watched.give(1000)
    assert watched.use(10) == [("budget_share", "bud", 100, 10, 10)]
    watched.now += timedelta(hours=1)
    assert watched.use(10) == [("budget_share", "bud", 100, 10, 10)]
    assert len(set(watched.ids)) == 2


def test_a_refund_arms_a_share_again() -> None:
    watched = Watched(budget(100, alert_at=(Decimal(80),)))
    watched.give(1000)
    assert watched.use(80) == [("budget_share", "bud", 80, 80, 100)]
    assert watched.refund(10) == [], "70 % is not below 70 %"
    assert watched.refund(1) == []
    assert watched.use(11) == [("budget_share", "bud", 80, 80, 100)]


def test_a_forecast_is_what_the_window_comes_to_at_its_pace() -> None:
    watched = Watched(budget(100, window="day", alert_at=()))
    watched.give(1000)
    watched.now = NOW.replace(hour=5)
    assert watched.use(90) == [], "less than a quarter of the day is over"
    watched.now = NOW.replace(hour=18)
    assert watched.refund(30) == [], "60 / 0.75 = 80"
    assert watched.use(15) == [("forecast", "bud", None, 100, 100)]
    assert watched.use(1) == []
    assert watched.refund(1) == [], "100 is not below 90"
    watched.now = NOW.replace(hour=23, minute=59)
    assert watched.use(1) == [], "about 76: armed again"
    assert watched.use(23) == []


def test_a_higher_limit_arms_a_share_again() -> None:
    watched = Watched(budget(10))
    watched.give(1000)
    assert watched.use(10) == [("budget_share", "bud", 80, 10, 10), ("budget_share", "bud", 100, 10, 10)]
    watched.ledger.budgets = (budget(100),)
    assert watched.use(75) == [("budget_share", "bud", 80, 85, 100)], "10 % was far below 80 %"
    assert watched.use(1) == []


def test_time_arms_a_forecast_again() -> None:
    watched = Watched(budget(100, window="day", alert_at=()))
    watched.give(1000)
    watched.now = NOW.replace(hour=6)
    assert watched.use(50) == [("forecast", "bud", None, 200, 100)]
    watched.now = NOW.replace(hour=18)
    assert watched.use(40) == [("forecast", "bud", None, 120, 100)], "50 / 0.75 was below 90"


def test_a_small_share_is_armed_again_where_nothing_is_used() -> None:
    watched = Watched(budget(100, alert_at=(Decimal(5),)))
    watched.give(1000)
    assert watched.use(5) == [("budget_share", "bud", 5, 5, 100)]
    assert watched.refund(4) == []
    assert watched.use(4) == [], "5 % has no 10 points below it"
    assert watched.refund(4) == []
    assert watched.use(1) == []
    first = next(each for each in watched.ledger.transfers() if each.type == "use")
    fields = {"amount": Decimal(1), "reason": "a test", "calendars": CALENDARS}
    assert watched.run(Refund, transaction_id_refunded=first.id, **fields) == []
    assert watched.refund(1) == []
    assert watched.use(5) == [("budget_share", "bud", 5, 5, 100)]


def test_a_deleted_budget_leaves_nothing_and_a_new_one_under_its_id_is_told_anew() -> None:
    watched = Watched(budget(10, enforcement="soft", alert_at=(Decimal(100),)))
    watched.give(1000)
    assert watched.use(10) == [("budget_share", "bud", 100, 10, 10)]
    watched.ledger.budgets = ()
    assert watched.use(1) == []
    assert all(counter.alerted == () for counter in watched.ledger.counters())
    watched.ledger.budgets = (budget(12, enforcement="soft", alert_at=(Decimal(100),)),)
    assert watched.use(1) == [("budget_share", "bud", 100, 12, 12)]


def test_a_forecast_needs_data() -> None:
    """None for a window without an end, for a limit of nothing, and where a window has hardly begun."""
    watched = Watched(budget(100, window="once", alert_at=()))
    watched.give(1000)
    assert watched.use(99) == []
    watched = Watched(budget(0, window="day", enforcement="soft", alert_at=()))
    watched.give(1000)
    assert watched.use(1) == [], "a limit of nothing is passed, not forecast"
    watched = Watched(budget(2, window="month", alert_at=()))
    watched.now = NOW.replace(day=1, hour=0)
    watched.give(1000)
    assert watched.use(1) == [], "the month begins at this instant"


def test_a_day_is_unusual_beyond_the_band_of_those_before() -> None:
    watched = Watched()
    watched.give(10_000)
    for day, amount in enumerate((10, 12, 8, 10)):
        watched.now = NOW + timedelta(days=day)
        assert watched.use(amount) == []
    watched.now = NOW + timedelta(days=4)
    assert watched.use(20) == [], "not more than twice the mean"
    assert watched.use(1) == [("unusual_spending", None, None, 21, 10)] * 2, "of the organization and the agent"
    assert watched.use(30) == []
    watched.now = NOW + timedelta(days=5)
    assert watched.use(50) == [], "after a day of 51, 50 is usual"


@pytest.mark.parametrize("limit", [0])
def test_a_limit_of_nothing_is_reached_by_nothing(limit: int) -> None:
    watched = Watched(budget(limit, enforcement="soft", alert_at=(Decimal(80),)))
    watched.give(10)
    assert watched.use(1) == [("budget_share", "bud", 80, 1, 0)]
    assert watched.use(1) == []


def test_what_is_raised_is_in_the_wallet_and_not_in_its_memory() -> None:
    wallet = Wallet(PAYER)
    raise_alerts(Wallet(PAYER), wallet, NOW, (Decimal(50),))
    assert [alert.type for alert in wallet.alerts] == ["low_balance"]
    assert wallet.head.alerted == ("50",)
