"""A ledger over the pure domain: items in a dictionary, commands in packs, each pack stored whole or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from shared.domain.credits.budgets import Budget
from shared.domain.credits.commands import AnyCommand
from shared.domain.credits.counters import Counter
from shared.domain.credits.deciding import decide
from shared.domain.credits.drawn_periods import DrawnPeriod
from shared.domain.credits.grant_pages import GrantPage
from shared.domain.credits.grants import Grant
from shared.domain.credits.head import Cut, Head
from shared.domain.credits.holds import Hold
from shared.domain.credits.leases import Lease
from shared.domain.credits.members import Member
from shared.domain.credits.payments import GrantRecord, RefundRecord, TakingsPage
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.verification import LedgerProblem, Verification
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.times import BEGINNING

S = TypeVar("S")

MAXIMUM_OPERATIONS = 100
PAYER = "org_payer"


@dataclass
class CreditLedger:
    """What is stored, as bytes, so that nothing lives on in memory by accident."""

    items: dict[str, tuple[type[Any], bytes]] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()
    children: tuple[str, ...] = ()
    """Organizations that spend from the wallet, too."""
    crashes: bool = False
    """Whether the next pack is lost before it is stored."""
    is_quiet: bool = False
    """Whether nothing fails from now on."""
    operations: int = 0
    """Of the last batch."""

    def run(self, commands: Sequence[AnyCommand], now: datetime) -> list[Transfer | None]:
        """The first answer of each command; None where what it names is not there, or the pack was lost."""
        self.operations = 0
        known = {command.transaction_id: self.known(command, now) for command in commands}
        stored = self.load()
        wallet = stored.copy()
        for command in commands:
            if known[command.transaction_id] is not None:
                continue
            tried = wallet.copy()
            try:
                transfer = self.decide(tried, command, now)
            except NotFoundError:
                continue
            if self.operations_of(tried) > MAXIMUM_OPERATIONS:
                assert wallet.transfers, "law 0: a single command fits a batch"
                break
            wallet = tried
            known[command.transaction_id] = transfer
        if not wallet.transfers:
            return [known[command.transaction_id] for command in commands]
        self.finish(stored, wallet)
        if self.crashes:
            self.crashes = False
            return [None for _ in commands]
        self.store(wallet)
        return [known[command.transaction_id] for command in commands]

    def finish(self, before: Wallet, wallet: Wallet) -> None:  # noqa: ARG002  variants look at what was before
        wallet.finish()

    def known(self, command: AnyCommand, now: datetime) -> Transfer | None:  # noqa: ARG002  variants look at the time
        return self.find(Transfer, command.transaction_id)

    def decide(self, wallet: Wallet, command: AnyCommand, now: datetime) -> Transfer:
        return decide(wallet, command, now)

    def operations_of(self, wallet: Wallet) -> int:
        """The head, and whatever else a batch writes."""
        changed, gone = wallet.changed_pages()
        return 1 + len(changed) + len(gone) + len(self._changed_items(wallet))

    def load(self) -> Wallet:
        return Wallet(
            PAYER,
            self.find(Head, "head") or Head(),
            pages={page.id: page for page in self.all(GrantPage)},
            holds={hold.id: hold for hold in self.all(Hold)},
            leases={lease.id: lease for lease in self.all(Lease)},
            counters={counter.id: counter for counter in self.counters()},
            grant_records={record.id: record for record in self.all(GrantRecord)},
            takings_pages={page.id: page for page in self.all(TakingsPage)},
            refunds={record.transaction_id: record for record in self.all(RefundRecord)},
            members={child: Member(child, "joined", BEGINNING) for child in self.children},
            drawn_periods={drawn.id: drawn for drawn in self.all(DrawnPeriod)},
            earlier={transfer.id: transfer for transfer in self.all(Transfer)},
            budgets=self.budgets,
        )

    def counters(self) -> list[Counter]:
        return self.all(Counter)

    def store(self, wallet: Wallet) -> None:
        changed, gone = wallet.changed_pages()
        self.operations = self.operations_of(wallet)
        for id_ in gone:
            del self.items[id_]
        for page in changed:
            self._put(page.id, page)
        for id_, thing in self._changed_items(wallet).items():
            self._put(id_, thing)
        self._put("head", wallet.head)

    def _changed_items(self, wallet: Wallet) -> dict[str, msgspec.Struct]:
        things: dict[str, msgspec.Struct] = {
            **wallet.holds,
            **wallet.leases,
            **wallet.counters,
            **{f"g:{id_}": record for id_, record in wallet.grant_records.items()},
            **wallet.takings_pages,
            **{record.id: record for record in wallet.refunds.values()},
            **wallet.drawn_periods,
            **{transfer.id: transfer for transfer in wallet.transfers},
            **{cut.id: cut for cut in wallet.cuts},
        }
        return {id_: thing for id_, thing in things.items() if self.find(type(thing), id_) is not thing}

    def _put(self, id_: str, thing: msgspec.Struct) -> None:
        self.items[id_] = _stored(thing)

    def find(self, kind: type[S], id_: str) -> S | None:
        stored = self.items.get(id_)
        return None if stored is None else _decoded(stored[1], kind)

    def all(self, kind: type[S]) -> list[S]:
        return [_decoded(text, kind) for of, text in self.items.values() if of is kind]

    # What tests ask

    @property
    def head(self) -> Head:
        return self.find(Head, "head") or Head()

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


@lru_cache(maxsize=20_000)
def _decoded(text: bytes, kind: type[S]) -> S:
    """Everything is immutable, so it is read once."""
    return msgspec.json.decode(text, type=kind)


def _stored(thing: msgspec.Struct) -> tuple[type[Any], bytes]:
    return type(thing), msgspec.json.encode(thing)
