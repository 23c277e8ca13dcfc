"""The account of an organization: what it owes, what it has paid beyond that, and how both came about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal

from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.money import EXACT, ZERO, RoundedAmount, add, total
from shared.domain.kernel.times import Instant

ACCOUNT = "account"
"""The id of the account in an organization's partition."""

EntryKind = Literal["opening", "invoice", "credit_note", "payment", "cancellation"]
"""Why an account moved. `opening`: documents that were issued before it was kept."""


class AccountEntry(Entity):
    """One movement of an account: it never changes."""

    kind: ClassVar[str] = "account_entry"
    audit: ClassVar[Audit] = FOLLOWS

    time: Instant
    entry_kind: EntryKind
    amount: RoundedAmount
    """Positive in favour of the organization: payments, notes, cancellations. Negative for invoices."""
    balance: RoundedAmount
    """The sum of this entry and all before it: what is paid beyond what is owed, negative where more is owed."""
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """What moves an account, in favour of the organization where positive."""

    entry_kind: EntryKind
    amount: Decimal
    document_id: str | None = None


class BillingAccount(Entity):
    """What an organization owes, and what it has paid beyond that.

    The sum of all entries is `balance - open`, always: documents are payments less the balance, plus what is open.
    """

    kind: ClassVar[str] = "billing_account"
    audit: ClassVar[Audit] = FOLLOWS

    id: str = ACCOUNT
    balance: RoundedAmount = ZERO
    """Paid or credited, and not yet applied to an invoice."""
    open: RoundedAmount = ZERO
    """What is still to be paid of issued invoices."""
    entries: int = 0

    def moved(
        self, movements: Sequence[Movement], balance: Decimal, now: datetime
    ) -> tuple["BillingAccount", list[AccountEntry]]:
        """The account after these movements, of which `balance` (or what is negative of it) goes into the balance.

        The rest changes what is open. Raises `ValueError` where balance or open would fall below zero.
        """
        running = EXACT.subtract(self.balance, self.open)
        entries: list[AccountEntry] = []
        for number, movement in enumerate(movements, self.entries + 1):
            running = add(running, movement.amount)
            entries.append(
                AccountEntry(
                    id=entry_id(number),
                    time=now,
                    entry_kind=movement.entry_kind,
                    amount=movement.amount,
                    balance=running,
                    document_id=movement.document_id,
                )
            )
        new_balance = add(self.balance, balance)
        new_open = EXACT.subtract(new_balance, running)
        if new_balance < 0 or new_open < 0:
            raise ValueError(f"an account would have a balance of {new_balance} and {new_open} open")
        return self.changed(balance=new_balance, open=new_open, entries=self.entries + len(entries)), entries

    def applicable(self, amount: Decimal) -> Decimal:
        """What of the balance an invoice with this much due takes."""
        return min(self.balance, amount)


def opened(
    totals: Sequence[Decimal], notes: Sequence[Decimal], now: datetime
) -> tuple[BillingAccount, list[AccountEntry]]:
    """The account of documents that were issued before accounts were kept.

    Totals are those of invoices, of which nothing was paid; notes are negative, and become the balance.
    """
    owed, credited = total(totals), -total(notes)
    if not owed and not credited:
        return BillingAccount(), []
    return BillingAccount().moved([Movement("opening", EXACT.subtract(credited, owed))], credited, now)


def entry_id(number: int) -> str:
    """So that ids are in the order of the entries."""
    return f"account:{number:012d}"
