"""The ledger as services do it: two hosts over one store, with lost answers, stale reads, crashes and wrong clocks.

It has the form of the ledger over the pure domain, so that the same laws are tried on both.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, TypeVar

import msgspec

from shared.adapters.credits.item_wallets import ItemWallets
from shared.adapters.credits.wallet_items import partition_of, record_in
from shared.containers import LEDGERS
from shared.domain.credits.budgets import Budget
from shared.domain.credits.commands import AnyCommand
from shared.domain.credits.counters import Counter
from shared.domain.credits.grant_pages import GrantPage
from shared.domain.credits.grants import Grant
from shared.domain.credits.head import Cut, Head
from shared.domain.credits.holds import Hold
from shared.domain.credits.leases import Lease
from shared.domain.credits.members import Member
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.verification import LedgerProblem, Verification
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import NotFoundError, RateLimitedError, UnavailableError
from shared.domain.kernel.times import BEGINNING
from shared.domain.tenancy.organizations import Organization
from shared.ports.store import Item, Operation
from shared.ports.wallets import StoredWallet, Wanted
from shared.services.credits.ledger import Ledger
from shared.services.storage import Outbox
from shared.services.tenancy.organizations import Organizations
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.credit_laws import CALENDARS, PAYER, START

S = TypeVar("S", bound=msgspec.Struct)

KINDS: dict[type[msgspec.Struct], str] = {
    Head: "credit_head",
    GrantPage: "credit_grant_page",
    Hold: "credit_hold",
    Lease: "credit_lease",
    Counter: "credit_counter",
    Transfer: "credit_transfer",
    Cut: "credit_cut",
}
MOST_BEHIND = 20
"""Seconds by which clocks of hosts are wrong at most."""
NO_ANSWER = (UnavailableError, RateLimitedError, NotFoundError)


class FaultyStore(MemoryStore):
    """Gives way at each request. Some batches fail before or after they are stored, and some reads are of before."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.fails = False
        """Whether anything fails at all."""
        self.loses_next = False
        self.largest_batch = 0
        self._decoded: dict[str, Any] = {}
        self._before: dict[tuple[str, str], MemoryStore] = {}

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        await asyncio.sleep(self.random.random() / 100)
        before = self._before.get((container, pk))
        if before is not None and self.fails and self.random.random() < 0.1:
            return await before.get_many(container, pk, ids)
        return await super().get_many(container, pk, ids)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        await asyncio.sleep(self.random.random() / 100)
        self.largest_batch = max(self.largest_batch, len(operations))
        lost, self.loses_next = self.loses_next, False
        if lost or (self.fails and self.random.random() < 0.05):
            raise UnavailableError("It was not stored")
        self._before[container, pk] = self._copy(container, pk)
        etags = await super().batch(container, pk, operations)
        if self.fails and self.random.random() < 0.05:
            raise UnavailableError("The answer was lost")
        return etags

    def records(self, container: str, pk: str, kind: str, model: type[S]) -> list[S]:
        """All of a kind. Each version is decoded once, as everything is immutable."""
        kept = [each for each in self._partition(container, pk).values() if each.fields["kind"] == kind]
        for each in kept:
            if each.etag not in self._decoded:
                self._decoded[each.etag] = record_in(each.item().document, model)
        return [self._decoded[each.etag] for each in kept]

    def _copy(self, container: str, pk: str) -> MemoryStore:
        copy = MemoryStore()
        copy._partition(container, pk).update(self._partition(container, pk))
        return copy


class LimitedWallets(ItemWallets):
    """Every wallet has the budgets and children that the laws are tried with."""

    budgets: tuple[Budget, ...] = ()
    children: tuple[str, ...] = ()

    async def read(self, payer: str, wanted: Wanted, known: StoredWallet | None = None) -> StoredWallet:
        stored = await super().read(payer, wanted, known)
        stored.wallet.budgets = self.budgets
        stored.wallet.members |= {child: Member(child, "joined", BEGINNING) for child in self.children}
        return stored


class OneCalendar(Organizations):
    """Organizations with the calendars of the laws."""

    def __init__(self) -> None:
        pass

    async def cached(self, organization_id: str, *, reload: bool = False) -> Organization:  # noqa: ARG002
        return _organization(organization_id)


@cache
def _organization(organization_id: str) -> Organization:
    return Organization.model_construct(id=organization_id, calendars=CALENDARS)


@dataclass
class CreditHosts:
    """Each pack goes to both hosts, some of its commands to both at once; now and then a host starts anew."""

    budgets: tuple[Budget, ...] = ()
    children: tuple[str, ...] = ()
    crashes: bool = False
    """Whether the next batch is lost before it is stored."""
    random: Random = field(default_factory=lambda: Random(1))
    wallets: type[LimitedWallets] = LimitedWallets

    def __post_init__(self) -> None:
        self.store = FaultyStore(self.random)
        self.clocks = [SettableClock(START) for _ in range(2)]
        self.hosts = [self._host(clock) for clock in self.clocks]
        self.limited_by = self.budgets
        self.is_quiet = False
        """Whether nothing fails from now on."""

    def _host(self, clock: SettableClock) -> Ledger:
        wallets = self.wallets(self.store)
        wallets.budgets, wallets.children = self.budgets, self.children
        return Ledger(wallets, clock, OneCalendar(), Outbox(self.store, clock))

    def run(self, commands: Sequence[AnyCommand], now: datetime) -> list[Transfer | None]:
        """The first answer of each command; None where it has none."""
        return virtual_time.run(self._run(commands, now))

    async def _run(self, commands: Sequence[AnyCommand], now: datetime) -> list[Transfer | None]:
        self.store.fails, self.store.loses_next, self.crashes = not self.is_quiet, self.crashes, False
        for index, clock in enumerate(self.clocks):
            clock.set(now - timedelta(seconds=self.random.randint(0, MOST_BEHIND)))
            if self.random.random() < 0.2 or self.budgets != self.limited_by:
                self.hosts[index] = self._host(clock)
        self.limited_by = self.budgets
        answers = await asyncio.gather(*(self._answers(command) for command in commands))
        self.store.loses_next = False
        return list(answers)

    async def _answers(self, command: AnyCommand) -> Transfer | None:
        """Of one host, or of both, where the same command must have the same answer."""
        hosts = list(self.hosts) if self.random.random() < 0.2 else [self.random.choice(self.hosts)]
        found = await asyncio.gather(*(_answer(host, command) for host in hosts))
        answers = [answer for answer in found if answer is not None]
        assert len({answer.hash for answer in answers}) <= 1, "law 7: one key, one answer"
        return answers[0] if answers else None

    # What tests ask, of what is stored

    @property
    def operations(self) -> int:
        return self.store.largest_batch

    @property
    def head(self) -> Head:
        return next(iter(self.all(Head)), Head())

    def all(self, kind: type[S]) -> list[S]:
        return self.store.records(LEDGERS.name, partition_of(PAYER), KINDS[kind], kind)

    def find(self, kind: type[S], id_: str) -> S | None:
        return next((thing for thing in self.all(kind) if getattr(thing, "id", None) == id_), None)

    def load(self) -> Wallet:
        return Wallet(PAYER, self.head, pages={page.id: page for page in self.all(GrantPage)})

    def transfers(self) -> list[Transfer]:
        return sorted(self.all(Transfer), key=lambda transfer: (transfer.time, transfer.id))

    def grants(self, kind: str = "default") -> list[Grant]:
        return list(self.load().grants(kind))

    def problems(self, cut: Cut | None = None) -> list[LedgerProblem]:
        verification = Verification.of_all(self.all(Cut)) if cut is None else Verification.after(cut)
        for transfer in self.transfers():
            if cut is None or transfer.sequence > cut.sequence:
                verification.take(transfer)
        verification.check_head(self.head, self.all(GrantPage))
        return verification.problems


async def _answer(host: Ledger, command: AnyCommand) -> Transfer | None:
    try:
        return await host.run(PAYER, command)
    except NO_ANSWER:
        return None
