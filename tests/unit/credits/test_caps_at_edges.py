"""Caps at the edges of hours, days and months, in five timezones, in the months in which clocks change.

Where a window begins and ends is worked out a second time, by the clock on the wall.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.adapters.credits.item_wallets import ItemWallets
from shared.domain.credits.budgets import Budget
from shared.domain.credits.commands import GiveGrant, TakeLease, Use
from shared.domain.credits.counters import Context
from shared.domain.credits.grants import Terms
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.credits.windows import WindowName
from shared.domain.kernel.histories import History
from shared.domain.kernel.times import from_text
from shared.domain.periods.periods import Calendar
from shared.domain.tenancy.organizations import Organization
from shared.ports.wallets import Wanted
from shared.services.credits.ledger import Ledger
from shared.services.storage import Outbox
from shared.services.tenancy.organizations import Organizations
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

CHANGES = {
    "UTC": date(2026, 3, 29),
    "Europe/Berlin": date(2026, 10, 25),
    "America/New_York": date(2026, 3, 8),
    "Australia/Lord_Howe": date(2026, 4, 5),
    "Asia/Kathmandu": date(2026, 3, 29),
}
"""Lord Howe's clocks change by half an hour, Kathmandu's are 45 minutes off the hour."""
ORGANIZATION = "org_1"
TICK, DAY = timedelta(microseconds=1), timedelta(days=1)


def midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def edges(window: WindowName, zone: str) -> list[datetime]:
    """The edges of the windows around the day on which clocks change."""
    changed = CHANGES[zone]
    if window == "month":
        return [midnight(date(2026, changed.month + more, 1), zone) for more in (0, 1, 2)]
    if window == "day":
        return [midnight(changed + more * DAY, zone) for more in (-1, 0, 1, 2)]
    return list(_hours(midnight(changed, zone), midnight(changed + DAY, zone)))


def _hours(start: datetime, end: datetime) -> Iterator[datetime]:
    """Steps of 60 minutes from local midnight; the last one is what is left of the day."""
    while start < end:
        yield start
        start += timedelta(hours=1)
    yield end


class OneCalendar(Organizations):
    def __init__(self, zone: str) -> None:
        self.calendars = History[Calendar].starting(Calendar(timezone=zone))

    async def cached(self, organization_id: str, *, reload: bool = False) -> Any:  # noqa: ARG002
        return Organization.model_construct(calendars=self.calendars)


class Capped:
    """10 credits in each window."""

    def __init__(self, zone: str, window: WindowName, start: datetime) -> None:
        store, self.clock = MemoryStore(), SettableClock(start)
        self.organizations = OneCalendar(zone)
        self.wallets = ItemWallets(store)
        self.ledger = Ledger(self.wallets, self.clock, self.organizations, Outbox(store, self.clock))
        self.budget = Budget("cap", ORGANIZATION, "organization", ORGANIZATION, window, Decimal(10))
        self.number = 0

    async def prepare(self) -> None:
        grant = GiveGrant(organization_id=ORGANIZATION, key="grant", amount=Decimal(10_000), terms=Terms("purchase"))
        await self.ledger.run(ORGANIZATION, grant)
        stored = await self.wallets.read(ORGANIZATION, Wanted())
        wallet = stored.wallet.copy()
        wallet.put_budgets((self.budget,))
        wallet.finish()
        await self.wallets.commit(stored, wallet)

    async def run(self, make: Any, at: datetime, **fields: Any) -> Transfer:
        self.clock.set(at)
        self.number += 1
        key, calendars = f"key {self.number}", self.organizations.calendars
        return await self.ledger.run(
            ORGANIZATION, make(organization_id=ORGANIZATION, key=key, calendars=calendars, **fields)
        )

    async def admits(self, amount: int, at: datetime) -> bool:
        entries = (UseEntry(Decimal(amount), Context(ORGANIZATION)),)
        return (await self.run(Use, at, entries=entries)).refusal is None


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("window", ["hour", "day", "month"])
async def test_a_cap_refuses_until_the_last_instant_of_its_window(zone: str, window: WindowName) -> None:
    around = edges(window, zone)
    capped = Capped(zone, window, around[0] - DAY)
    await capped.prepare()
    for start, end in pairwise(around):
        assert await capped.admits(10, start), f"a window begins at {start}"
        assert not await capped.admits(1, (start + timedelta(minutes=25)))
        assert not await capped.admits(1, end - 10 * TICK), f"it goes on until {end}"


@pytest.mark.parametrize("zone", CHANGES)
@pytest.mark.parametrize("window", ["hour", "day", "month"])
async def test_a_lease_ends_with_its_window_and_takes_nothing_of_the_next_one(zone: str, window: WindowName) -> None:
    start, end = edges(window, zone)[-2:]
    capped = Capped(zone, window, start - DAY)
    await capped.prepare()
    context, expires_in = Context(ORGANIZATION), timedelta(hours=24)
    early = end - timedelta(minutes=20)
    lease = await capped.run(TakeLease, early, amount=Decimal(4), context=context, expires_in=expires_in)
    assert (from_text(lease.answer["expires_at"]), lease.answer["cut_by"]) == (end, "cap")
    assert lease.answer["expires_in"] == 20 * 60
    late = await capped.run(
        TakeLease, end - timedelta(milliseconds=900), amount=Decimal(1), context=context, expires_in=expires_in
    )
    assert late.refusal is not None
    assert late.refusal.code == "window_ended", "nobody can spend in less than a second"
    assert not await capped.admits(7, end - 10 * TICK)
    assert await capped.admits(10, end)
