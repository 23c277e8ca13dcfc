"""Transactions and statements: what moved credits, in the order of the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.domain.credits.accounts import DEBT, FREE
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.money import EXACT, ZERO
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.transfer_history import TransferHistory
from shared.services.storage import Position, look_twice
from shared.services.storage.cursors import cursor_to, position_after, shape_of

MAXIMUM_LINES = 10_000
_READ_AT_ONCE = 1_000
_MAXIMUM_READS = 20
"""For one page of a statement: where other kinds of credits move much more, a page has fewer lines."""


@dataclass(frozen=True, slots=True)
class StatementLine:
    transfer: Transfer
    change: Decimal
    """Of the available credits."""
    available: Decimal
    """After it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A page of what happened to one kind of credits in [start, end)."""

    opening: Decimal
    lines: Sequence[StatementLine]
    closing: Decimal
    next_cursor: str | None


class Statements:
    def __init__(self, wallets: Wallets, history: TransferHistory) -> None:
        self._wallets = wallets
        self._history = history

    async def page(self, payer: str, limit: int, cursor: str | None) -> tuple[Sequence[Transfer], str | None]:
        """Transfers that moved credits, newest first. Raises `MalformedError` for a cursor of another list."""
        shape = shape_of("transactions")
        after = None if cursor is None else position_after(cursor, shape)
        page = await self._history.page(payer, descending=True, only_done=True, limit=limit, after=after)
        return page.transfers, None if page.following is None else cursor_to(page.following, shape)

    async def get(self, organization_id: str, transaction_id: str, payers: Sequence[str] = ()) -> Transfer:
        """One of its own wallet, or one that it made in the wallets of these payers.

        Raises `NotFoundError`, also for one that was refused.
        """

        async def look() -> Transfer:
            for payer in dict.fromkeys((organization_id, *payers)):
                stored = await self._wallets.read(payer, Wanted(transactions=frozenset({transaction_id})))
                transfer = stored.transactions.get(transaction_id)
                is_own = transfer is not None and organization_id in (payer, transfer.organization_id)
                if transfer is not None and is_own and not transfer.is_refused:
                    return transfer
            raise NotFoundError("There is no such transaction")

        return await look_twice(look, errors=(NotFoundError,))

    async def of(  # noqa: PLR0913  what a statement is about, and which page of it
        self, payer: str, kind: str, start: datetime, end: datetime, limit: int, cursor: str | None
    ) -> Statement:
        """Each transfer has the balances after it, so a page begins anywhere.

        Raises `MalformedError` for a cursor of another statement.
        """
        shape = shape_of("statement", kind, start, end)
        after = None if cursor is None else position_after(cursor, shape)
        opening = closing = await self._available_before(payer, kind, start, after)
        lines: list[StatementLine] = []
        for _ in range(_MAXIMUM_READS):
            page = await self._history.page(
                payer, start=start, end=end, only_done=True, limit=min(_READ_AT_ONCE, limit - len(lines)), after=after
            )
            for transfer in page.transfers:
                if any(line.kind == kind for line in transfer.lines):
                    closing = transfer.available_after.get(kind, ZERO)
                    lines.append(StatementLine(transfer, _change(transfer, kind), closing))
            after = page.following
            if after is None or len(lines) == limit:
                break
        return Statement(opening, lines, closing, None if after is None else cursor_to(after, shape))

    async def _available_before(self, payer: str, kind: str, start: datetime, after: Position | None) -> Decimal:
        """The balance where a page begins: after the last transfer that comes before it."""
        if after is not None:
            last: Transfer | None = await self.get(payer, after.id)
        else:
            before = await self._history.page(payer, end=start, descending=True, limit=1)
            last = before.transfers[0] if before.transfers else None
        return ZERO if last is None else last.available_after.get(kind, ZERO)


def _change(transfer: Transfer, kind: str) -> Decimal:
    moved = ZERO
    for line in transfer.lines:
        if line.kind == kind and line.account in (FREE, DEBT):
            moved = EXACT.add(moved, line.amount)
    return moved
