"""Invoices and credit notes as answers show them."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self
from zoneinfo import ZoneInfo

from functions.fields import SpanAnswer
from shared.domain.billing.discounts import DocumentDiscount
from shared.domain.billing.documents import (
    LINES_SHOWN,
    CreditedAmount,
    CreditNote,
    Invoice,
    InvoiceKind,
    InvoiceStatus,
)
from shared.domain.billing.tax_currency import TaxCurrency
from shared.domain.billing.taxes import TaxLine, tax_lines_of
from shared.domain.kernel.money import EXACT, ZERO, RoundedAmount, round_half_up
from shared.domain.kernel.money import total as sum_of
from shared.domain.pricing.lines import Line
from shared.http import Call, Schema
from shared.services.billing.bill import Bill


class CreditNoteAnswer(Schema):
    id: str | None
    """Null in a draft or preview."""
    number: str | None
    """Null in a draft or preview."""
    reason: str
    """Why it is issued: `correction` brings what was billed to what is due, `goodwill` is given by hand."""
    text: str | None
    """Why goodwill was given."""
    currency: str
    lines: list[Line]
    """The first 500."""
    tax_lines: list[TaxLine]
    """The taxes of the lines, by treatment."""
    tax_currency: TaxCurrency | None
    """Its taxes in the currency of a tax office, at the rate of the invoice; null without one, and in a draft."""
    total: RoundedAmount
    """The sum of the lines, with the tax that is added to them."""
    issued_at: datetime | None
    """Null in a draft or preview."""
    corrects: list[str]
    """The id of the last invoice of what it corrects; empty where there is none."""
    applied: list[CreditedAmount]
    """The invoices of which it covers what was open."""
    to_balance: RoundedAmount
    """What it credits beyond these: balance of the account."""

    @classmethod
    def of(cls, note: CreditNote, lines: Sequence[Line]) -> Self:
        return cls(
            id=note.id,
            number=note.number,
            reason=note.reason,
            text=note.text,
            currency=note.currency,
            lines=list(lines[:LINES_SHOWN]),
            tax_lines=list(note.tax_lines),
            tax_currency=note.tax_currency,
            total=note.total,
            issued_at=note.issued_at,
            corrects=[] if note.invoice_id is None else [note.invoice_id],
            applied=list(note.lowered),
            to_balance=round_half_up(note.to_balance, note.currency),
        )


class SubtotalAnswer(Schema):
    id: str | None
    """Null for lines of no agent, and of agents without a project or department."""
    name: str | None
    """Null where `id` is, and for what is gone."""
    lines: int
    """How many lines there are in it."""
    amount: RoundedAmount
    """The sum of their amounts."""


class InvoiceAnswer(Schema):
    id: str | None
    """Null in a preview, and where finalizing a draft left only a credit note."""
    number: str | None
    """Given when it is finalized."""
    organization_id: str
    payer_id: str
    """The organization that pays it."""
    kind: InvoiceKind
    """`period`; `interim`: what a change of subscriptions made due in advance; `manual`: entered by hand."""
    status: InvoiceStatus
    currency: str
    period: SpanAnswer
    """The billing period that is invoiced."""
    issued_at: datetime | None
    """Null for a draft."""
    issue_date: date | None
    """The local date on which it was issued, of a preview on which it would be; null for a draft."""
    due_at: datetime | None
    """When it has to be paid; null for a draft."""
    lines: list[Line]
    """The first 500; in a list none."""
    lines_url: str | None
    """Where all lines are; null where `id` is."""
    revision: int
    """Counts the invoices of the same period, from 1 on; 0 in a preview and of an interim one."""
    finalized_at: datetime | None
    """Null for a draft."""
    subtotal: RoundedAmount
    """The sum of the lines' amounts before discounts; they contain their tax where it is inclusive."""
    discounts: list[DocumentDiscount]
    """What coupons take off, by their redemption."""
    discount_total: RoundedAmount
    """The sum of `discounts`."""
    tax_total: RoundedAmount
    """All taxes, those that the amounts contain, too."""
    tax_lines: list[TaxLine]
    """The parts of `tax_total`, by treatment."""
    tax_currency: TaxCurrency | None
    """`tax_total` in the currency of a tax office, at the rate of the issue; null without one, and in a draft."""
    credits_applied: RoundedAmount
    """What was paid from the balance of the account; 0 for a draft."""
    total: RoundedAmount
    """After discounts and taxes."""
    amount_paid: RoundedAmount
    """By payments, of what was due."""
    amount_due: RoundedAmount
    """What is still to be paid: `total` less `credits_applied`, `amount_paid` and what credit notes cover of it.

    0 for a draft and a cancelled invoice.
    """
    credit_notes: list[CreditNoteAnswer]
    """In a list none."""
    subtotals: list[SubtotalAnswer] | None = None
    """By `group_by`, over all lines: they add up to `subtotal` less `discount_total`. Null without it."""
    purchase_order: str | None
    """The number of the customer's order."""
    reference: str | None
    """What the operator calls it."""
    notes: str | None
    """Printed on the invoice."""
    custom_fields: dict[str, str]
    """Labels with their texts."""
    metadata: dict[str, Any]
    """The caller's own data."""
    as_of: datetime | None
    """When the amounts of a draft or preview were computed; null once it is finalized, as they stay."""
    assumes_issued: list[SpanAnswer]
    """Earlier periods whose own invoices a draft or preview assumes to be issued before; in a list none."""
    later: list[Line]
    """In a preview, the lines of interim invoices that it assumes to be issued before, for what begins until then: the
    first 500.
    """

    @classmethod
    def of(
        cls,
        invoice: Invoice,
        total: Decimal,
        lines: Sequence[Line] = (),
        credit_notes: Sequence[CreditNoteAnswer] = (),
    ) -> Self:
        return cls(
            id=invoice.id,
            number=invoice.number,
            organization_id=invoice.organization_id,
            payer_id=invoice.organization_id,
            kind=invoice.invoice_kind,
            status=invoice.status,
            currency=invoice.currency,
            period=SpanAnswer(start=invoice.start, end=invoice.end),
            issued_at=invoice.issued_at,
            issue_date=None if invoice.issued_at is None else local_date(invoice, invoice.issued_at),
            due_at=invoice.payable_by,
            lines=list(lines[:LINES_SHOWN]),
            lines_url=f"/api/v1/invoices/{invoice.id}/lines",
            revision=invoice.revision,
            finalized_at=invoice.finalized_at,
            subtotal=sum_of([total, EXACT.minus(invoice.added_tax), invoice.discount_total]),
            discounts=list(invoice.discounts),
            discount_total=round_half_up(invoice.discount_total, invoice.currency),
            tax_total=round_half_up(sum_of(line.amount for line in invoice.tax_lines), invoice.currency),
            tax_lines=list(invoice.tax_lines),
            tax_currency=invoice.tax_currency,
            credits_applied=round_half_up(invoice.credits_applied, invoice.currency),
            total=total,
            amount_paid=round_half_up(invoice.amount_paid, invoice.currency),
            amount_due=invoice.amount_due,
            credit_notes=list(credit_notes),
            purchase_order=invoice.purchase_order,
            reference=invoice.reference,
            notes=invoice.notes,
            custom_fields=invoice.custom_fields,
            metadata=invoice.metadata,
            as_of=invoice.totals_as_of,
            assumes_issued=[],
            later=[],
        )

    @classmethod
    def of_bill(cls, draft: Invoice, bill: Bill, as_of: datetime) -> Self:
        """As finalizing would issue it now. Negative differences that nothing offsets become a credit note."""
        composed = bill.composed()
        totals = composed.totals(draft.currency)
        corrected = bill.last_invoice_for({line.period.start for line in composed.correction})
        note = CreditNoteAnswer(
            id=None,
            number=None,
            reason="correction",
            text=None,
            currency=draft.currency,
            lines=list(composed.correction[:LINES_SHOWN]),
            tax_lines=list(tax_lines_of(composed.correction, draft.currency)),
            tax_currency=None,
            total=totals.credit_note,
            issued_at=None,
            corrects=[] if corrected is None else [corrected],
            applied=[],
            to_balance=round_half_up(ZERO, draft.currency),
        )
        notes = [note] if composed.correction else []
        assumed = [SpanAnswer(start=period.start, end=period.end) for period in bill.issued_first]
        answer = cls.of(draft.refreshed(bill.lines, as_of), totals.invoice, composed.invoice, notes)
        later = [line for interim in bill.interims for line in interim.lines][:LINES_SHOWN]
        return answer.model_copy(update={"as_of": as_of, "assumes_issued": assumed, "later": later})


def local_date(invoice: Invoice, instant: datetime) -> date:
    return instant.astimezone(ZoneInfo(invoice.timezone)).date()


async def whole_invoice(call: Call[Any, Any, Any], invoice: Invoice) -> InvoiceAnswer:
    documents = call.services.billing_documents
    if invoice.is_computed:
        return InvoiceAnswer.of_bill(invoice, await bill_of_draft(call, invoice), call.now)
    lines = await documents.lines(invoice.organization_id, invoice, LINES_SHOWN)
    notes = await documents.credit_notes(invoice.organization_id, invoice.id)
    return InvoiceAnswer.of(invoice, invoice.total, lines, [await note_answer(call, note) for note in notes])


async def bill_of_draft(call: Call[Any, Any, Any], draft: Invoice) -> Bill:
    """What the draft would bill now, once earlier drafts are issued."""
    organization = await call.services.organizations.get(draft.organization_id)
    return await call.services.bills.of_draft(organization, draft.period)


async def note_answer(call: Call[Any, Any, Any], note: CreditNote) -> CreditNoteAnswer:
    lines = await call.services.billing_documents.lines(note.organization_id, note, LINES_SHOWN)
    return CreditNoteAnswer.of(note, lines)
