"""Caps on several hosts: a new one binds at once whatever they remember, what refuses is as it is now, and many runs
have one each.

`XYRA_CAPPED_RUNS` is how many (2,000).
"""

import asyncio
import os
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.adapters.credits.item_wallets import ItemWallets
from shared.adapters.credits.wallet_items import partition_of
from shared.containers import LEDGERS
from shared.domain.credits.budgets import Budget
from shared.domain.credits.commands import AnyCommand, ExtendLease, GiveGrant, Refund, SettleLease, TakeLease, Use
from shared.domain.credits.counters import Context, counter_id
from shared.domain.credits.grants import Terms
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Calendar
from shared.domain.tenancy.organizations import Organization
from shared.ports.store import Item
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


class LaggingStore(MemoryStore):
    """Reads some items once more as they were before, as a replica does that is behind."""

    def __init__(self) -> None:
        super().__init__()
        self.old: dict[str, Item] = {}

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        items = await super().get_many(container, pk, ids)
        return items | {id_: self.old.pop(id_) for id_ in list(self.old) if id_ in ids}

    async def now(self, *ids: str) -> dict[str, Item]:
        return await super().get_many(LEDGERS.name, partition_of(ORGANIZATION), ids)


class Hosts:
    def __init__(self, wallets: type[ItemWallets] = ItemWallets, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.clock = SettableClock(NOW)
        outbox = Outbox(self.store, self.clock)
        self.hosts = [Ledger(wallets(self.store), self.clock, OneCalendar(), outbox) for _ in range(2)]

    async def run(self, host: int, command: AnyCommand) -> Transfer:
        return await self.hosts[host].run(ORGANIZATION, command)

    async def give(self, amount: int) -> None:
        grant = GiveGrant(organization_id=ORGANIZATION, key="grant", amount=Decimal(amount), terms=Terms("purchase"))
        await self.run(0, grant)

    async def use(self, host: int, key: str, run: str | None = None, amount: int = 1) -> Transfer:
        entries = (UseEntry(Decimal(amount), Context(ORGANIZATION, run=run)),)
        return await self.run(host, Use(organization_id=ORGANIZATION, key=key, entries=entries, calendars=CALENDARS))

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


async def test_a_cap_does_not_refuse_by_a_counter_that_was_read_too_late() -> None:
    """The host knows the head, and what it reads of a counter is from before a refund."""
    store = LaggingStore()
    hosts = Hosts(store=store)
    await hosts.give(100)
    await hosts.put(Budget("cap", ORGANIZATION, "run", "each", "once", Decimal(5)))
    used = await hosts.use(1, "on the other host", "run 1", 5)
    before = await store.now(counter_id("run", ORGANIZATION, "run 1"))
    fields = {"transaction_id_refunded": used.id, "reason": "wrong", "calendars": CALENDARS}
    await hosts.run(1, Refund(organization_id=ORGANIZATION, key="refund", **fields))
    await hosts.use(0, "of another run", "run 2")
    store.old = before
    assert (await hosts.use(0, "fits again", "run 1")).refusal is None
    assert not store.old, "it was read"


async def test_a_lease_does_not_refuse_by_what_was_read_too_late() -> None:
    """It was extended, and reported, on another host."""
    store = LaggingStore()
    hosts = Hosts(store=store)
    await hosts.give(100)
    taken = TakeLease(
        organization_id=ORGANIZATION,
        key="lease",
        amount=Decimal(10),
        context=Context(ORGANIZATION),
        expires_in=timedelta(minutes=1),
        calendars=CALENDARS,
    )
    of_lease = {"organization_id": ORGANIZATION, "lease_id": taken.lease_id, "calendars": CALENDARS}
    await hosts.run(1, taken)
    before = await store.now(taken.lease_id)
    more_time = {"amount": Decimal(0), "expires_in": timedelta(minutes=10)}
    await hosts.run(1, ExtendLease(**of_lease, key="extend", **more_time))
    hosts.clock.move(timedelta(minutes=2))
    await hosts.use(0, "knows the head")
    store.old = dict(before)
    assert (await hosts.run(0, ExtendLease(**of_lease, key="again", **more_time))).refusal is None
    await hosts.run(1, SettleLease(**of_lease, key="first", total=Decimal(3)))
    await hosts.use(0, "knows the head again")
    store.old = dict(before)
    entries = (UseEntry(Decimal(1), Context(ORGANIZATION)),)
    second = SettleLease(**of_lease, key="second", total=Decimal(4), entries=entries)
    assert (await hosts.run(0, second)).refusal is None
    assert not store.old, "it was read"


@pytest.mark.parametrize("limit", [2])
async def test_each_of_many_runs_has_its_own_cap(limit: int) -> None:
    hosts = Hosts()
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
