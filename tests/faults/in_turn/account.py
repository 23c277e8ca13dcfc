"""Payments by hand, balance, and invoices that are cancelled."""

from datetime import UTC, date, datetime
from decimal import Decimal

from shared.bootstrap import Application
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.manual_invoices import ManualLine, Particulars
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.treatments import Restatement
from shared.services.billing.goodwill import GoodwillDraft
from shared.services.billing.invoice_payments import PaymentByHand
from shared.services.billing.invoice_runs import Task
from shared.services.billing.taxes import TaxRateDraft
from tests.doubles.worlds.invoiced_organization import (
    JANUARY,
    MARCH,
    NOW,
    ORGANIZATION,
    Documents,
    billed,
    issued,
    march,
)
from tests.faults.in_turn.path import Path, Result

BY_HAND, RATE = named_id("inv", "by hand"), named_id("tax", "faults")
PAYMENT, APPLICATION, NOTE = named_id("pay", "faults"), named_id("bal", "faults"), named_id("cn", "faults")


class AccountPath(Path):
    """What happens to January's invoice; then all months are closed, and the account adds up."""

    async def january(self) -> Invoice:
        page = await self.scene.host().billing_documents.invoices(ORGANIZATION, None, 200, None)
        return min(page.entities, key=lambda invoice: (invoice.start, invoice.revision))

    async def owed(self) -> Documents:
        """All documents but cancelled invoices."""
        documents = await issued(self.scene)
        return [(header, lines) for header, lines in documents if getattr(header, "status", "") != "cancelled"]

    async def result(self) -> Result:
        """What is billed by month, and what the account comes to. Which invoice takes the balance may differ."""
        await super().result()
        documents = await self.owed()
        host = self.scene.host()
        account = (await host.account.accounts.read(ORGANIZATION, self.scene.clock.now())).account
        payments = (await host.account.payments.page(ORGANIZATION, None, None, 200, None)).entities
        received = sum(payment.received for payment in payments)
        due = sum(header.amount_due for header, _ in documents if isinstance(header, Invoice))
        assert sum(header.total for header, _ in documents) == received - account.balance + account.open
        assert due == account.open
        entries = (await host.account.accounts.entries(ORGANIZATION, 200, None)).entities
        assert sum(entry.amount for entry in entries) == account.balance - account.open
        january = await self.january()
        kinds = sorted(entry.entry_kind for entry in entries)
        exact = (billed(documents), received, account.balance - account.open, january.amount_paid)
        return Result(exact, (kinds, january.status, account.balance))


class PayInvoice(AccountPath):
    """More comes than January's invoice has open."""

    async def walk(self, host: Application) -> None:
        try:
            by_hand = PaymentByHand("bank_transfer", Decimal("100.00"), "their reference")
            await host.account.payments.pay(ORGANIZATION, PAYMENT, (await self.january()).id, by_hand)
        except (ConflictError, NotFoundError) as error:
            raise UnavailableError("The client tries again") from error


class ApplyBalance(AccountPath):
    """Too much came for January, while March is open: part of it is applied there on request."""

    async def prepare(self) -> None:
        host = self.scene.host()
        await host.events.accept([march("m-open", 7)], partial=False)
        await self.scene.drain()
        self.scene.clock.set(datetime(2026, 4, 2, tzinfo=UTC))
        await host.invoice_runs.run(Task(organization_id=ORGANIZATION))
        by_hand = PaymentByHand("bank_transfer", Decimal("100.00"))
        await host.account.payments.pay(ORGANIZATION, PAYMENT, (await self.january()).id, by_hand)

    async def walk(self, host: Application) -> None:
        page = await self.scene.host().billing_documents.invoices(ORGANIZATION, None, 200, None)
        (in_march,) = [invoice for invoice in page.entities if invoice.start == MARCH]
        try:
            await host.account.payments.apply_balance(ORGANIZATION, APPLICATION, in_march.id, Decimal("2.00"))
        except (ConflictError, NotFoundError, ValidationError) as error:
            raise UnavailableError("The client tries again") from error


class GiveGoodwill(AccountPath):
    """Part of January is given back by hand."""

    async def walk(self, host: Application) -> None:
        organization = await host.organizations.made(ORGANIZATION)
        draft = GoodwillDraft("The outage", Decimal("5.00"))
        try:
            await host.account.goodwill.give(organization, NOTE, (await self.january()).id, draft)
        except (ConflictError, NotFoundError, ValidationError) as error:
            raise UnavailableError("The client tries again") from error

    async def result(self) -> Result:
        months = await super().result()
        (note,) = [note for note in await self.goodwill_notes() if note.id == NOTE]
        return Result((months.exact, note.total), months.undisturbed)

    async def goodwill_notes(self) -> list[CreditNote]:
        documents = await issued(self.scene)
        return [header for header, _ in documents if isinstance(header, CreditNote) and header.reason == "goodwill"]


class WaiveInvoice(AccountPath):
    """January's invoice is cancelled, and what it came to is waived."""

    async def walk(self, host: Application) -> None:
        try:
            await host.account.cancelling.cancel(ORGANIZATION, (await self.january()).id, waive=True)
        except (ConflictError, NotFoundError) as error:
            raise UnavailableError("The client tries again") from error


class BillByHand(AccountPath):
    """An operator drafts an invoice by hand, writes the order's number on it and finalizes it."""

    async def walk(self, host: Application) -> None:
        organization = await host.organizations.made(ORGANIZATION)
        manual = host.account.manual_invoices
        lines = [ManualLine("Onboarding", Decimal("2.5"), Decimal("180.00"))]
        await manual.create(organization, BY_HAND, lines, Particulars(reference="ours"))
        try:
            if (await host.billing_documents.invoice(ORGANIZATION, BY_HAND)).entity.status == "draft":
                await manual.change(ORGANIZATION, BY_HAND, {"purchase_order": "PO-4711"}, None, None)
            await manual.finalize(organization, BY_HAND, None)
        except (ConflictError, NotFoundError) as error:
            raise UnavailableError("The client tries again") from error

    async def result(self) -> Result:
        months = await super().result()
        invoice = (await self.scene.host().billing_documents.invoice(ORGANIZATION, BY_HAND)).entity
        return Result((months.exact, invoice.purchase_order, invoice.total), months.undisturbed)


class RestatePeriod(AccountPath):
    """January is taxed otherwise after its invoice: it is billed again."""

    async def prepare(self) -> None:
        host = self.scene.host()
        draft = TaxRateDraft("VAT", "DE", "S", inclusive=False, percent=Decimal(19), start=date(2020, 1, 1))
        await host.account.taxes.create_rate(RATE, draft)

    async def walk(self, host: Application) -> None:
        organization = await host.organizations.made(ORGANIZATION)
        restatement = Restatement(status="taxable", rate=RATE, reason="It was not exempt", restated_at=NOW)
        try:
            await host.account.taxes.restate(organization, JANUARY.date(), restatement)
        except (NotFoundError, ValidationError) as error:
            raise UnavailableError("The client tries again") from error

    async def result(self) -> Result:
        months = await super().result()
        taxes = [header.tax_lines for header, _ in await self.owed()]
        taxed = sum(line.amount for lines in taxes for line in lines)
        return Result((months.exact, taxed), months.undisturbed)


class Remind(AccountPath):
    """January's invoice is overdue for so long that the hourly run reminds of it and restricts the organization."""

    async def prepare(self) -> None:
        settings = {"restricted_after_days": 1, "reminder_days": [14]}
        changes = {"settings": settings, "billing_email": "billing@acme.example"}
        await self.scene.host().organizations.update(ORGANIZATION, changes, None)

    async def walk(self, host: Application) -> None:
        await host.account.dunning.run(await host.organizations.made(ORGANIZATION))

    async def result(self) -> Result:
        """After the next hour's run: what a stale read has missed is caught up."""
        host = self.scene.host()
        await host.account.dunning.run(await host.organizations.made(ORGANIZATION))
        await self.scene.drain()
        january = await self.january()
        assert (january.status, 14 in january.reminded) == ("overdue", True)
        told = {message.id for message in self.scene.post.sent}
        since = (await self.scene.host().organizations.get(ORGANIZATION)).restricted_since
        return Result(since is not None, len(told))


class CancelInvoice(AccountPath):
    """January's invoice is cancelled, and billed again with the next run."""

    async def walk(self, host: Application) -> None:
        try:
            await host.account.cancelling.cancel(ORGANIZATION, (await self.january()).id)
        except (ConflictError, NotFoundError) as error:
            raise UnavailableError("The client tries again") from error
