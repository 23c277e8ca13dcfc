"""Wallets as they are stored: read as far as commands need them, changed in one guarded batch.

Every batch changes the head. So what was read together with a head, also that something is not there, holds as long as
that head is the current one; a batch on another head fails.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.domain.credits.budgets import Budget
from shared.domain.credits.grant_pages import GrantPage
from shared.domain.credits.head import Cut
from shared.domain.credits.holds import Hold
from shared.domain.credits.leases import Lease
from shared.domain.credits.payments import GrantRecord
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from shared.ports.store import Operation, Position


@dataclass(frozen=True, slots=True)
class Wanted:
    """What commands need of a wallet beside its head and grant pages."""

    transactions: frozenset[str] = frozenset()
    """Those that may have been done already, and those that commands refer to."""
    holds: frozenset[str] = frozenset()
    leases: frozenset[str] = frozenset()
    counters: frozenset[str] = frozenset()
    grants: frozenset[str] = frozenset()
    refunded: frozenset[str] = frozenset()
    """Transactions that are to be refunded."""
    drawn_periods: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    """Organizations."""
    counted_usage: frozenset[str] = frozenset()
    takings_pages: frozenset[str] = frozenset()


@dataclass(slots=True)
class StoredWallet:
    """A wallet with the versions of what was read; nothing of it is changed in place."""

    wallet: Wallet
    transactions: dict[str, Transfer] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    """By the id of an item."""
    read: frozenset[str] = frozenset()
    """All ids that were asked for. Those without an ETag do not exist."""


class Wallets(Protocol):
    async def read(self, payer: str, wanted: Wanted, known: StoredWallet | None = None) -> StoredWallet:
        """The wallet with what is wanted; what is known already, under the same head, is not read again.

        Raises `UnavailableError`, also where reads are too stale to fit together.
        """
        ...

    def place(self, payer: str) -> tuple[str, str]:
        """Its container and partition, where an outbox entry beside its batches lies."""
        ...

    def operations(self, stored: StoredWallet, wallet: Wallet) -> int:
        """How many the batch has that `commit` would store; it may be more than a batch takes."""
        ...

    def size(self, stored: StoredWallet, wallet: Wallet) -> int:
        """How many bytes that batch has."""
        ...

    async def commit(self, stored: StoredWallet, wallet: Wallet, beside: Sequence[Operation] = ()) -> StoredWallet:
        """Store what commands made of the wallet that was read, all or nothing; the wallet as it is stored then.

        `beside` is stored in the same batch.

        Raises `AlreadyExistsError` or `StaleEtagError` where another host was faster, `UnavailableError` where it is
        not known whether it was stored.
        """
        ...

    async def due_holds(self, payer: str, before: datetime) -> Sequence[Hold]:
        """Open holds whose time is over, at most a hundred."""
        ...

    async def due_leases(self, payer: str, before: datetime) -> Sequence[Lease]:
        """Open leases whose credits return by then, at most a hundred."""
        ...

    async def leases(self, payer: str, status: str | None, limit: int, after: Position | None) -> Sequence[Lease]:
        """Newest first, behind the position of another one: its time and id.

        `status` is a state, or `unreported` for expired ones that are still counted in caps.
        """
        ...

    async def transfers(  # noqa: PLR0913  the parts of a query
        self,
        payer: str,
        *,
        archived: int | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        descending: bool = False,
        only_done: bool = False,
        limit: int = 100,
        after: Position | None = None,
    ) -> Sequence[Transfer]:
        """Transfers in the order of the ledger, of a time [start, end); refused ones, too, unless `only_done`.

        They come behind the position of another transfer: its time and id. `archived` names a range of the archive
        instead of the wallet itself.
        """
        ...

    async def note_drawn(self, payer: str, drawn_period_id: str) -> None:
        """Its period knows what was drawn until the close. Safe to repeat. Raises `StaleEtagError`."""
        ...

    async def cuts(self, payer: str, numbers: Collection[int]) -> dict[int, Cut]: ...

    async def close_top_up(self, payer: str, top_up_id: str) -> None:
        """It is not due any more."""
        ...

    async def grant_records(
        self, payer: str, limit: int, cursor: str | None
    ) -> tuple[Sequence[GrantRecord], str | None]:
        """Every grant that was given, with the newest first."""
        ...


__all__ = [
    "Budget",
    "GrantPage",
    "StoredWallet",
    "Wallets",
    "Wanted",
]
