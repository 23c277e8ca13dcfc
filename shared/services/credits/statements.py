"""Transactions and statements: what moved credits, in the order of the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

from shared.domain.credits.accounts import available, posted
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.errors import NotFoundError, ValidationError
from shared.domain.kernel.money import EXACT
from shared.ports.wallets import TransferPage, Wallets, Wanted
from shared.services.storage import look_twice

MAXIMUM_LINES = 10_000
_READ_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class StatementLine:
    transfer: Transfer
    change: Decimal
    """Of the available credits."""
    available: Decimal
    """After it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What happened to one kind of credits in [start, end)."""

    opening: Decimal
    lines: Sequence[StatementLine]
    closing: Decimal


class Statements:
    def __init__(self, wallets: Wallets) -> None:
        self._wallets = wallets

    async def page(self, payer: str, limit: int, cursor: str | None) -> TransferPage:
        """Transfers that moved credits, newest first."""
        return await self._wallets.transfers(payer, descending=True, only_done=True, limit=limit, cursor=cursor)

    async def get(self, payer: str, transaction_id: str) -> Transfer:
        """Raises `NotFoundError`, also for one that was refused."""

        async def look() -> Transfer:
            stored = await self._wallets.read(payer, Wanted(transactions=frozenset({transaction_id})))
            transfer = stored.transactions.get(transaction_id)
            if transfer is None or transfer.is_refused:
                raise NotFoundError("There is no such transaction")
            return transfer

        return await look_twice(look, errors=(NotFoundError,))

    async def of(self, payer: str, kind: str, start: datetime, end: datetime) -> Statement:
        """Raises `ValidationError` for more than `MAXIMUM_LINES` transfers since the last cut before `start`."""
        head = (await self._wallets.read(payer, Wanted())).wallet.head
        cuts = await self._wallets.cuts(payer, range(max(1, head.cuts - 200), head.cuts + 1))
        before = max((cut for cut in cuts.values() if cut.time <= start), key=lambda cut: cut.number, default=None)
        accounts = {} if before is None else dict(before.accounts)
        lines: list[StatementLine] = []
        opening = available(accounts.get(kind, {}))
        cursor: str | None = None
        count = 0
        while True:
            page = await self._wallets.transfers(
                payer,
                start=None if before is None else before.time,
                end=end,
                only_done=True,
                limit=_READ_AT_ONCE,
                cursor=cursor,
            )
            count += len(page.transfers)
            if count > MAXIMUM_LINES:
                raise ValidationError.at("?to", f"the time has more than {MAXIMUM_LINES} transfers: ask for less")
            for transfer in page.transfers:
                previous = available(accounts.get(kind, {}))
                with localcontext(EXACT):
                    accounts = posted(accounts, transfer.lines)
                    after = available(accounts.get(kind, {}))
                    change = after - previous
                if transfer.time < start:
                    opening = after
                elif any(line.kind == kind for line in transfer.lines):
                    lines.append(StatementLine(transfer, change, after))
            cursor = page.cursor
            if cursor is None:
                return Statement(opening, lines, lines[-1].available if lines else opening)
