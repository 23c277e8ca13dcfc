"""`python -m bench.credits`: what the credits ledger costs, in processor time and in requests to the store.

At the end: what a client's own check of its lease takes. What metered usage costs is in `bench.metered_counting`.

Uses, and holds that are captured, go through the ledger with the store of one machine (SQLite, synchronous FULL), many
at once. Processor time is that of the whole process, as machines are shared; p50 and p99 are by the wall clock. The
size of a batch and its operations are counted where they go to the store. Request units are what Cosmos DB would take:
about 5 for each KB of an item that is written, unindexed, and 1 for one that is read.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from shared import json
from shared.adapters.clock.system_clock import SystemClock
from shared.adapters.credits.item_wallets import ItemWallets
from shared.adapters.sqlite import Database, SqliteStore
from shared.domain.credits.budgets import Budget
from shared.domain.credits.commands import Capture, GiveGrant, Reserve, SettleLease, TakeLease, Use
from shared.domain.credits.counters import Context
from shared.domain.credits.grants import Terms
from shared.domain.credits.transfers import UseEntry
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Calendar
from shared.domain.tenancy.organizations import Organization
from shared.ports.store import Delete, Item, Operation
from shared.ports.wallets import Wanted
from shared.services.credits.ledger import Ledger
from shared.services.storage import Outbox
from shared.services.tenancy.organizations import Organizations

CALENDARS = History[Calendar].starting(Calendar(timezone="Europe/Berlin"))
CONNECTIONS = 64
AMOUNT = Decimal(3)


class CountedStore(SqliteStore):
    """Counts requests, operations and bytes."""

    requests = 0
    operations = 0
    bytes = 0
    largest = 0
    request_units = 0

    async def get_many(self, container: str, pk: str, ids: Any) -> dict[str, Item]:  # noqa: ANN401  as the store's
        self.requests += 1
        items = await super().get_many(container, pk, ids)
        self.request_units += max(1, len(items))
        return items

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        self.requests += 1
        self.operations += len(operations)
        sizes = [len(json.encode(each.document)) for each in operations if not isinstance(each, Delete)]
        size = sum(sizes)
        self.bytes += size
        self.request_units += sum(5 * max(1, ceil(each / 1024)) for each in sizes)
        self.largest = max(self.largest, size)
        return await super().batch(container, pk, operations)


class _Organizations(Organizations):
    """With one calendar for all."""

    def __init__(self) -> None:
        pass

    async def cached(self, organization_id: str, *, reload: bool = False) -> Organization:  # noqa: ARG002
        return Organization.model_construct(id=organization_id, calendars=CALENDARS)


@dataclass
class Figures:
    name: str
    done: int = 0
    cpu_seconds: float = 0
    wall_seconds: float = 0
    requests: int = 0
    operations: int = 0
    bytes: int = 0
    largest: int = 0
    request_units: int = 0
    latencies: list[float] = field(default_factory=list)

    def row(self) -> list[str]:
        latencies = sorted(self.latencies)
        return [
            self.name,
            f"{self.done / self.cpu_seconds:,.0f}",
            f"{self.done / self.wall_seconds:,.0f}",
            *(f"{1000 * latencies[int(share * (len(latencies) - 1))]:.1f}" for share in (0.5, 0.99)),
            f"{self.requests / self.done:.2f}",
            f"{self.operations / self.done:.2f}",
            f"{self.request_units / self.done:,.1f}",
            f"{self.bytes / self.done:,.0f}",
            f"{self.largest / 1000:,.0f}",
        ]


Spend = Callable[[Ledger, str, int], Awaitable[None]]


async def _measured(  # noqa: PLR0913  what is measured
    store: CountedStore, name: str, wallets: int, number: int, at_once: int, spend: Spend, *, caps: int = 0
) -> Figures:
    """`number` commands (or pairs) over some wallets, `at_once` at a time, with so many hard caps on each."""
    item_wallets = ItemWallets(store)
    ledger = Ledger(item_wallets, SystemClock(), _Organizations(), Outbox(store, SystemClock()))
    payers = [f"org_{uuid4().hex}" for _ in range(wallets)]
    for payer in payers:
        grant = GiveGrant(organization_id=payer, key="grant", amount=Decimal(10_000_000), terms=Terms("purchase"))
        await ledger.run(payer, grant)
        if caps:
            await _cap(item_wallets, payer, caps)
    figures = Figures(name, done=number)
    store.requests = store.operations = store.bytes = store.largest = store.request_units = 0
    numbers = iter(range(number))

    async def connection() -> None:
        for each in numbers:
            begun = time.perf_counter()
            await spend(ledger, payers[each % wallets], each)
            figures.latencies.append(time.perf_counter() - begun)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(at_once)))
    figures.cpu_seconds, figures.wall_seconds = time.process_time() - cpu, time.perf_counter() - wall
    figures.requests, figures.operations = store.requests, store.operations
    figures.bytes, figures.largest, figures.request_units = store.bytes, store.largest, store.request_units
    return figures


async def _cap(wallets: ItemWallets, payer: str, caps: int) -> None:
    """Hard caps on an agent that all of it counts for, which are never reached."""
    stored = await wallets.read(payer, Wanted())
    wallet = stored.wallet.copy()
    wallet.put_budgets(
        tuple(Budget(f"cap {each}", payer, "agent", "agt_1", "month", Decimal(10**9)) for each in range(caps))
    )
    wallet.finish()
    await wallets.commit(stored, wallet)


def _use(context: Callable[[str, int], Context]) -> Spend:
    async def spend(ledger: Ledger, payer: str, number: int) -> None:
        entries = (UseEntry(AMOUNT, context(payer, number)),)
        use = Use(organization_id=payer, key=f"use {number}", entries=entries, calendars=CALENDARS)
        assert (await ledger.run(payer, use)).refusal is None  # noqa: S101  a bench of refusals says nothing

    return spend


def _reserve_command(payer: str, number: int) -> Reserve:
    return Reserve(
        organization_id=payer,
        key=f"reserve {number}",
        amount=AMOUNT,
        context=Context(payer, agent_id="agt_1", run="run"),
        expires_in=timedelta(hours=1),
        calendars=CALENDARS,
    )


async def _reserve(ledger: Ledger, payer: str, number: int) -> None:
    assert (await ledger.run(payer, _reserve_command(payer, number))).refusal is None  # noqa: S101  see above


async def _reserve_and_capture(ledger: Ledger, payer: str, number: int) -> None:
    reserve = _reserve_command(payer, number)
    await ledger.run(payer, reserve)
    capture = Capture(organization_id=payer, key=f"capture {number}", hold_id=reserve.hold_id, calendars=CALENDARS)
    assert (await ledger.run(payer, capture)).refusal is None  # noqa: S101  see above


async def _take_and_settle(ledger: Ledger, payer: str, number: int) -> None:
    """A lease: taken, reported once, and ended."""
    lease = TakeLease(
        organization_id=payer,
        key=f"lease {number}",
        amount=AMOUNT,
        context=Context(payer, agent_id="agt_1", run="run"),
        expires_in=timedelta(minutes=5),
        calendars=CALENDARS,
    )
    assert (await ledger.run(payer, lease)).refusal is None  # noqa: S101  see above
    settled = SettleLease(
        organization_id=payer,
        key=f"settle {number}",
        lease_id=lease.lease_id,
        total=AMOUNT,
        final=True,
        calendars=CALENDARS,
    )
    assert (await ledger.run(payer, settled)).refusal is None  # noqa: S101  see above


@dataclass(slots=True)
class _HeldLease:
    """What a client keeps of its lease: what is left, and until when."""

    left: Decimal
    until: float

    def may_spend(self, amount: Decimal) -> bool:
        if amount > self.left or time.monotonic() >= self.until:
            return False
        self.left -= amount
        return True


def _microseconds_of_a_check(number: int) -> float:
    lease, amount = _HeldLease(Decimal(10**9), time.monotonic() + 3600), Decimal("0.5")
    begun = time.process_time()
    for _ in range(number):
        assert lease.may_spend(amount)  # noqa: S101  see above
    return (time.process_time() - begun) * 1e6 / number


def _of_one_run(payer: str, _: int) -> Context:
    return Context(payer, project_id="prj_1", department_id="dep_1", agent_id="agt_1", api_key_id="key_1", run="run")


def _of_own_run(payer: str, number: int) -> Context:
    return Context(payer, "prj_1", "dep_1", "agt_1", "key_1", f"run {number}")


def _of_own_run_and_agent(payer: str, number: int) -> Context:
    return Context(payer, "prj_1", "dep_1", f"agt_{number}", "key_1", f"run {number}")


def _of_all_own(payer: str, number: int) -> Context:
    return Context(payer, f"prj_{number}", f"dep_{number}", f"agt_{number}", f"key_{number}", f"run {number}")


async def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 170)
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    table = Table(
        "", "per CPU s", "per s", "p50 ms", "p99 ms", "requests", "operations", "RU", "bytes", "largest batch KB"
    )
    with tempfile.TemporaryDirectory(prefix="xyra-credits-") as folder:
        database = Database(Path(folder) / "xyra.db")
        store = CountedStore(database, SystemClock())
        cases: list[tuple[str, int, int, Spend]] = [
            ("uses of one run, alone", 1, 1, _use(_of_one_run)),
            ("of own runs, alone", 1, 1, _use(_of_own_run)),
            ("of own runs and agents, alone", 1, 1, _use(_of_own_run_and_agent)),
            ("of everything different, alone", 1, 1, _use(_of_all_own)),
            ("uses, one wallet, one run", 1, CONNECTIONS, _use(_of_one_run)),
            ("uses, one wallet, own runs", 1, CONNECTIONS, _use(_of_own_run)),
            ("uses, one wallet, own runs and agents", 1, CONNECTIONS, _use(_of_own_run_and_agent)),
            ("uses, one wallet, everything different", 1, CONNECTIONS, _use(_of_all_own)),
            ("uses, 100 wallets, one run", 100, CONNECTIONS, _use(_of_one_run)),
            ("reserves, alone", 1, 1, _reserve),
            ("reserve + capture pairs, alone", 1, 1, _reserve_and_capture),
            ("reserve + capture pairs, one wallet", 1, CONNECTIONS, _reserve_and_capture),
        ]
        leases = [
            ("leases taken and settled, alone, one cap", 1, 1),
            ("leases taken and settled, one wallet, no cap", CONNECTIONS, 0),
            ("leases taken and settled, one wallet, one cap", CONNECTIONS, 1),
            ("leases taken and settled, one wallet, 100 caps", CONNECTIONS, 100),
        ]
        for name, wallets, at_once, spend in cases:
            table.add_row(*(await _measured(store, name, wallets, number, at_once, spend)).row())
        for name, at_once, caps in leases:
            measured = await _measured(store, name, 1, number, at_once, _take_and_settle, caps=caps)
            table.add_row(*measured.row())
        database.close()
    console.print(table)
    console.print(f"A client's check of its lease: {_microseconds_of_a_check(100 * number):.2f} microseconds")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
