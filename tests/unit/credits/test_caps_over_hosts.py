"""Caps on several hosts: a new one binds at once whatever they remember, and many runs have one each.

`XYRA_CAPPED_RUNS` is how many (2,000).
"""

import asyncio
import os
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.adapters.credits.item_wallets import ItemWallets
from shared.domain.credits.budgets import Budget
from shared.domain.credits.commands import GiveGrant, Use
from shared.domain.credits.counters import Context
from shared.domain.credits.grants import Terms
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Calendar
from shared.domain.tenancy.organizations import Organization
from shared.ports.wallets import StoredWallet, Wanted
from shared.services.credits.ledger import Ledger
from shared.services.storage import Outbox
from shared.services.tenancy.organizations import Organizations
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

RUNS = int(os.environ.get("XYRA_CAPPED_RUNS", "2000"))
CALENDARS = History[Calendar].starting(Calendar(timezone="UTC"))
ORGANIZATION = "org_1"
NOW = datetime(2026, 11, 18, 10, tzinfo=UTC)


class OneCalendar(Organizations):
    def __init__(self) -> None:
        pass

    async def cached(self, organization_id: str, *, reload: bool = False) -> Any:  # noqa: ARG002
        return Organization.model_construct(calendars=CALENDARS)


class CachedBudgets(ItemWallets):
    """Naive: it keeps the budgets that it has read first, whatever revision the head names."""

    budgets: tuple[Budget, ...] | None = None

    async def read(self, payer: str, wanted: Wanted, known: StoredWallet | None = None) -> StoredWallet:
        stored = await super().read(payer, wanted, known)
        self.budgets = stored.wallet.budgets if self.budgets is None else self.budgets
        stored.wallet.budgets = self.budgets
        return stored


class Hosts:
    def __init__(self, wallets: type[ItemWallets]) -> None:
        self.store = MemoryStore()
        clock = SettableClock(NOW)
        outbox = Outbox(self.store, clock)
        self.hosts = [Ledger(wallets(self.store), clock, OneCalendar(), outbox) for _ in range(2)]

    async def give(self, amount: int) -> None:
        grant = GiveGrant(organization_id=ORGANIZATION, key="grant", amount=Decimal(amount), terms=Terms("purchase"))
        await self.hosts[0].run(ORGANIZATION, grant)

    async def use(self, host: int, key: str, run: str | None = None) -> Transfer:
        entries = (UseEntry(Decimal(1), Context(ORGANIZATION, run=run)),)
        use = Use(organization_id=ORGANIZATION, key=key, entries=entries, calendars=CALENDARS)
        return await self.hosts[host].run(ORGANIZATION, use)

    async def put(self, budget: Budget) -> None:
        wallets = ItemWallets(self.store)
        stored = await wallets.read(ORGANIZATION, Wanted())
        wallet = stored.wallet.copy()
        wallet.put_budgets((budget,))
        wallet.finish()
        await wallets.commit(stored, wallet)


async def refuses_at_once(wallets: type[ItemWallets]) -> bool:
    """Whether a host that knows the wallet well holds a cap that was set elsewhere a moment ago."""
    hosts = Hosts(wallets)
    await hosts.give(100)
    for number in range(5):
        assert (await hosts.use(0, f"before {number}")).refusal is None
    await hosts.put(Budget("cap", ORGANIZATION, "organization", ORGANIZATION, "day", Decimal(5)))
    return (await hosts.use(0, "after")).refusal is not None


async def test_a_new_cap_binds_every_host_at_once() -> None:
    assert await refuses_at_once(ItemWallets)


async def test_a_host_that_caches_budgets_without_their_revision_is_found() -> None:
    assert not await refuses_at_once(CachedBudgets)


@pytest.mark.parametrize("limit", [2])
async def test_each_of_many_runs_has_its_own_cap(limit: int) -> None:
    hosts = Hosts(ItemWallets)
    await hosts.give(10 * RUNS)
    await hosts.put(Budget("runs", ORGANIZATION, "run", "each", "once", Decimal(limit)))
    done: Counter[str] = Counter()

    async def spend(number: int) -> None:
        for attempt in range(limit + 1):
            transfer = await hosts.use(0, f"{number} {attempt}", f"run {number}")
            done["refused" if transfer.refusal else "spent"] += 1

    for start in range(0, RUNS, 200):
        await asyncio.gather(*(spend(number) for number in range(start, min(RUNS, start + 200))))
    assert done == {"spent": limit * RUNS, "refused": RUNS}
    head = (await ItemWallets(hosts.store).read(ORGANIZATION, Wanted())).wallet.head
    assert head.accounts["default"]["consumed"] == limit * RUNS
