"""When a top-up is asked for."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.credits.head import Head, TopUps
from shared.domain.credits.top_ups import ask_for_top_up
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Calendar
from shared.domain.tenancy.organization_settings import TopUpSetting

NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)
CALENDARS = History[Calendar].starting(Calendar(timezone="America/New_York"))
SETTING = TopUpSetting(threshold=Decimal(50), package="small", monthly_maximum=Decimal(20), cool_down_seconds=3600)


def wallet(available: str = "49", **top_ups: Any) -> Wallet:
    return Wallet("org_1", Head(accounts={"default": {"free": Decimal(available)}}, top_ups=TopUps(**top_ups)))


@pytest.mark.parametrize(
    ("asking", "opens"),
    [
        (wallet(), True),
        (wallet("50"), False),
        (wallet("-3"), True),
        (wallet(closed_at=NOW - timedelta(minutes=59)), False),
        (wallet(closed_at=NOW - timedelta(minutes=60)), True),
        (wallet(month="2026-11", charged=Decimal("10.10")), True),
        (wallet(month="2026-11", charged=Decimal("10.11")), False),
        (wallet(month="2026-10", charged=Decimal("10.11")), True),
    ],
)
def test_by_the_level_the_pause_and_the_local_months_maximum(asking: Wallet, opens: bool) -> None:
    """At three o'clock in London it is still November in New York."""
    ask_for_top_up(asking, SETTING, CALENDARS, NOW)
    assert len(asking.opened_top_ups) == opens
    assert (asking.head.top_ups.open is not None) == opens


def test_one_is_open_at_a_time() -> None:
    asking = wallet()
    for days in (0, 1, 40):
        ask_for_top_up(asking, SETTING, CALENDARS, NOW + timedelta(days=days))
    assert len(asking.opened_top_ups) == 1


def test_nothing_is_bought_without_a_setting() -> None:
    asking = wallet()
    ask_for_top_up(asking, None, CALENDARS, NOW)
    assert asking.opened_top_ups == []
