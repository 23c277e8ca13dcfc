"""Accounts as they are stored: a head that every batch with money writes, and its entries.

The head lies beside the invoices, so its ETag guards what is applied and what is open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.containers import INVOICES
from shared.domain.billing.account import ACCOUNT, AccountEntry, BillingAccount, Movement, opened
from shared.domain.billing.documents import CreditedAmount, CreditNote, Invoice
from shared.domain.kernel.money import EXACT, ZERO, round_half_up
from shared.services.storage import Operation, Page, Records, StaleEtagError, Store, Stored, creating, replacing

MAXIMUM_LOWERED = 10
"""How many invoices one credit note lowers; what it credits beyond them is balance."""


@dataclass(frozen=True, slots=True)
class ReadAccount:
    """The account as it was read, to be written in the batch of what moves it."""

    account: BillingAccount
    stored: Stored[BillingAccount] | None
    opening: Sequence[AccountEntry] = ()
    """Of documents from before it was kept: written with the account itself."""

    def writing(self, movements: Sequence[Movement], balance: Decimal, now: datetime) -> list[Operation]:
        """The writes after these movements, as `BillingAccount.moved` says.

        Raises `StaleEtagError` where the account and what moves it do not belong together, as one was read too early.
        """
        try:
            after, entries = self.account.moved(movements, balance, now)
        except ValueError as error:
            raise StaleEtagError(str(error)) from error
        head = creating(after) if self.stored is None else replacing(self.stored, after)
        return [head, *(creating(entry) for entry in (*self.opening, *entries))]


@dataclass(frozen=True, slots=True)
class IssuedOnAccount:
    """Documents as they are after what the account does with them, and the writes of that."""

    invoice: Invoice | None
    credit_note: CreditNote | None
    writes: Sequence[Operation]
    settled: Sequence[str] = ()
    """The ids of invoices of which nothing is to be paid any more."""


class Accounts:
    def __init__(self, store: Store) -> None:
        self._accounts = Records(store, INVOICES, BillingAccount)
        self._entries = Records(store, INVOICES, AccountEntry)
        self._invoices = Records(store, INVOICES, Invoice)
        self._notes = Records(store, INVOICES, CreditNote)

    async def read(self, organization_id: str, now: datetime) -> ReadAccount:
        """The account; one that was never kept begins with the documents that are there."""
        return await self.of(organization_id, await self._accounts.find(organization_id, ACCOUNT), now)

    async def of(self, organization_id: str, stored: Stored[BillingAccount] | None, now: datetime) -> ReadAccount:
        """As `read`, of what was read with something else."""
        if stored is not None:
            return ReadAccount(stored.entity, stored)
        invoices = [
            stored.entity.total
            async for stored in self._invoices.all(organization_id)
            if stored.entity.status not in ("draft", "cancelled")
        ]
        notes = [stored.entity.total async for stored in self._notes.all(organization_id)]
        account, entries = opened(invoices, notes, now)
        return ReadAccount(account, None, entries)

    async def entries(self, organization_id: str, limit: int, cursor: str | None) -> Page[AccountEntry]:
        """Newest first."""
        return await self._entries.page(organization_id, descending=True, limit=limit, cursor=cursor)

    async def issuing(
        self,
        read: ReadAccount,
        invoice: Invoice | None,
        note: CreditNote | None,
        corrected: Sequence[str],
        now: datetime,
    ) -> IssuedOnAccount:
        """What issuing these moves: the note lowers the invoices that it corrects, the balance pays the new invoice.

        `corrected` are the ids of these invoices, the last one first. What the note credits beyond what is open of them
        is balance. Each changed invoice is written under the ETag that it was read with.
        """
        movements: list[Movement] = []
        writes: list[Operation] = []
        settled: list[str] = []
        balance = ZERO
        if note is not None:
            lowered = await self.lowered(note.organization_id, -note.total, corrected, now)
            note = lowered.noted_in(note)
            movements.append(Movement("credit_note", -note.total, note.id))
            balance = note.to_balance
            writes += lowered.writes
            settled += lowered.settled
        if invoice is not None:
            applied = min(EXACT.add(read.account.balance, balance), invoice.total)
            invoice = invoice.covered(now, from_balance=applied).changed(applied_when_issued=applied)
            movements.append(Movement("invoice", -invoice.total, invoice.id))
            balance = EXACT.subtract(balance, applied)
            settled += [] if invoice.amount_due else [invoice.id]
        if movements:
            writes += read.writing(movements, balance, now)
        return IssuedOnAccount(invoice, note, writes, settled)

    async def lowered(
        self, organization_id: str, amount: Decimal, invoice_ids: Sequence[str], now: datetime
    ) -> "LoweredInvoices":
        """So much credited on these invoices, in their order, to nothing open at most.

        The first one counts the note, whether or not anything of it is open.
        """
        wanted = invoice_ids[:MAXIMUM_LOWERED]
        stored = await self._invoices.get_many(organization_id, wanted)
        lowered: list[CreditedAmount] = []
        settled: list[str] = []
        writes: list[Operation] = []
        rest = amount
        for invoice in (stored[id_] for id_ in wanted if id_ in stored):
            credited = min(rest, invoice.entity.amount_due)
            if credited > 0:
                rest = EXACT.subtract(rest, credited)
                lowered.append(CreditedAmount(invoice_id=invoice.entity.id, amount=credited))
            if credited > 0 or not writes:
                covered = invoice.entity.covered(now, credited=credited, is_noted=True)
                writes.append(replacing(invoice, covered))
                settled += [covered.id] if credited > 0 and not covered.amount_due else []
        return LoweredInvoices(tuple(lowered), rest, writes, settled)


@dataclass(frozen=True, slots=True)
class LoweredInvoices:
    """What a credit covers of invoices, with the writes of them, and what is left of it."""

    lowered: tuple[CreditedAmount, ...]
    rest: Decimal
    writes: Sequence[Operation]
    settled: Sequence[str]
    """The ids of those of which nothing is to be paid any more."""

    def noted_in(self, note: CreditNote) -> CreditNote:
        return note.changed(lowered=self.lowered, to_balance=round_half_up(self.rest, note.currency))
