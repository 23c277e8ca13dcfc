"""Payments of invoices by hand, and balance that is applied to them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from shared.containers import INVOICES
from shared.domain.billing.account import Movement
from shared.domain.billing.documents import Invoice
from shared.domain.billing.payments import (
    AlreadyPaidError,
    BalanceApplication,
    CancelledError,
    Payment,
    checked_amount,
    checked_time,
)
from shared.domain.kernel.errors import ConflictError, NotFoundError, ValidationError
from shared.domain.kernel.money import EXACT, round_half_up
from shared.domain.kernel.times import to_text
from shared.ports.clock import Clock
from shared.services.billing.accounts import Accounts, ReadAccount
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.dunning import Dunning
from shared.services.storage import (
    Between,
    Operation,
    Outbox,
    Owners,
    Page,
    Records,
    Store,
    Stored,
    creating,
    look_twice,
    putting,
    replacing,
    retry_lost_races,
)

_BUSY = ConflictError("The account is being changed by many at once; try again")
_MAYBE_STALE = (NotFoundError, ConflictError, ValidationError)
"""Refusals that an old version of the invoice or the account may be the reason of."""

T = TypeVar("T")

MAXIMUM_LISTED = 100
"""How many payments of one invoice its receipt names; earlier ones are one line of it."""


@dataclass(frozen=True, slots=True)
class PaymentByHand:
    """Money that came without a payment provider."""

    method: str
    amount: Decimal | None = None
    """None for what is due."""
    reference: str | None = None
    paid_at: datetime | None = None
    """None for now."""


class InvoicePayments:
    """The invoice, the payment and the account are written in one batch, under the ETags of invoice and account."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        owners: Owners,
        documents: BillingDocuments,
        accounts: Accounts,
        dunning: Dunning,
        outbox: Outbox,
    ) -> None:
        self._store = store
        self._clock = clock
        self._owners = owners
        self._documents = documents
        self._accounts = accounts
        self._dunning = dunning
        self._outbox = outbox
        self._payments = Records(store, INVOICES, Payment, prefix="pay")
        self._applications = Records(store, INVOICES, BalanceApplication)

    async def pay(self, organization_id: str, payment_id: str, invoice_id: str, by_hand: PaymentByHand) -> Payment:
        """Record a payment, once under its id: what is open of the invoice is paid, the rest is balance.

        Raises `NotFoundError`, `AlreadyPaidError`, `CancelledError`, `ConflictError` for a draft, `ValidationError`.
        """

        async def attempt() -> Payment:
            made = await self._payments.find(organization_id, payment_id)
            if made is not None:
                return made.entity
            invoice = await self._payable(organization_id, invoice_id)
            now, currency = self._clock.now(), invoice.entity.currency
            due = invoice.entity.amount_due
            received = due if by_hand.amount is None else checked_amount(by_hand.amount, currency, "/manual/amount")
            applied = min(received, due)
            payment = Payment(
                id=payment_id,
                organization_id=organization_id,
                invoice_id=invoice_id,
                method=by_hand.method,
                reference=by_hand.reference,
                currency=currency,
                received=received,
                applied=applied,
                unapplied=EXACT.subtract(received, applied),
                received_at=checked_time(by_hand.paid_at, now, "/manual/paid_at"),
                recorded_at=now,
            )
            read = await self._accounts.read(organization_id, now)
            movement = Movement("payment", received, payment_id)
            changed = invoice.entity.covered(now, paid=applied)
            await self._owners.note(payment_id, organization_id)
            await self._write(
                organization_id, invoice, changed, payment, read.writing([movement], payment.unapplied, now)
            )
            return payment

        return await _repeated(attempt)

    async def apply_balance(
        self, organization_id: str, application_id: str, invoice_id: str, amount: Decimal | None
    ) -> None:
        """Pay of an invoice from the balance, once under this id: so much, or what is due as far as it goes.

        Raises as `pay`, and `ValidationError` for more than is due or there.
        """

        async def attempt() -> None:
            if await self._applications.find(organization_id, application_id) is not None:
                return
            invoice = await self._payable(organization_id, invoice_id)
            now, currency = self._clock.now(), invoice.entity.currency
            read = await self._accounts.read(organization_id, now)
            applied = _to_apply(amount, invoice.entity, read)
            application = BalanceApplication(
                id=application_id,
                organization_id=organization_id,
                invoice_id=invoice_id,
                amount=round_half_up(applied, currency),
                applied_at=now,
            )
            changed = invoice.entity.covered(now, from_balance=applied)
            await self._write(organization_id, invoice, changed, application, read.writing([], -applied, now))

        await _repeated(attempt)

    async def get(self, organization_id: str, payment_id: str) -> Stored[Payment]:
        """Raises `NotFoundError`."""
        return await self._payments.get(organization_id, payment_id)

    async def page(
        self, organization_id: str, invoice_id: str | None, since: datetime | None, limit: int, cursor: str | None
    ) -> Page[Payment]:
        """By when they were received, newest first."""
        return await self._payments.page(
            organization_id,
            equals=None if invoice_id is None else {"invoice_id": invoice_id},
            between=None if since is None else Between("start", to_text(since)),
            order_by="start",
            descending=True,
            limit=limit,
            cursor=cursor,
        )

    async def of_invoice(self, organization_id: str, invoice_id: str) -> list[Payment]:
        """The payments for an invoice, by when they came: the last `MAXIMUM_LISTED` of them."""
        page = await self._payments.page(
            organization_id,
            equals={"invoice_id": invoice_id},
            order_by="start",
            descending=True,
            limit=MAXIMUM_LISTED,
        )
        return page.entities[::-1]

    async def _payable(self, organization_id: str, invoice_id: str) -> Stored[Invoice]:
        """An issued invoice of which something is due."""
        invoice = await self._documents.invoice(organization_id, invoice_id)
        if invoice.entity.status == "draft":
            raise ConflictError("The invoice is a draft, which nobody owes yet: finalize it first")
        if invoice.entity.status == "cancelled":
            raise CancelledError("The invoice is cancelled, so nothing of it is to be paid")
        if not invoice.entity.amount_due:
            raise AlreadyPaidError("Nothing of the invoice is due")
        return invoice

    async def _write(
        self,
        organization_id: str,
        invoice: Stored[Invoice],
        changed: Invoice,
        made: Payment | BalanceApplication,
        on_account: Sequence[Operation],
    ) -> None:
        entries = self._dunning.lowered_entries(invoice.entity, changed.amount_due)
        operations = [replacing(invoice, changed), creating(made), *on_account, *map(putting, entries)]
        await self._store.batch(INVOICES.name, organization_id, operations)
        for entry in entries:
            await self._outbox.attempt(INVOICES.name, organization_id, entry.id)


def _to_apply(amount: Decimal | None, invoice: Invoice, read: ReadAccount) -> Decimal:
    """What of the balance goes to the invoice. Raises `ValidationError`."""
    available, due = round_half_up(read.account.balance, invoice.currency), invoice.amount_due
    most = min(available, due)
    if amount is None and not most:
        raise ConflictError("The account has no balance that could be applied")
    wanted = most if amount is None else checked_amount(amount, invoice.currency, "/amount")
    if wanted > most:
        raise ValidationError.at("/amount", f"is more than {most}: {available} is available, {due} is due")
    return wanted


async def _repeated(attempt: Callable[[], Awaitable[T]]) -> T:
    """After lost races, and once more where it is refused by what may be an old version."""
    return await retry_lost_races(lambda: look_twice(attempt, errors=_MAYBE_STALE), _BUSY)
