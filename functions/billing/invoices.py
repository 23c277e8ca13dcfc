"""Invoices: previewed, listed, read and finalized."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

import azure.functions as func

from functions.fields import Listed, Month, SpanAnswer
from shared.domain.access.identity import Permission
from shared.domain.billing.documents import LINES_SHOWN, CreditNote, Invoice, InvoiceKind, InvoiceStatus
from shared.domain.kernel.money import ZERO, RoundedAmount, round_half_up
from shared.domain.pricing.lines import Line
from shared.http import Call, IfMatch, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint, window
from shared.services.billing.bill import Bill

blueprint = func.Blueprint()


class InvoicePath(PathValues):
    invoice_id: Annotated[str, ThingId("inv")]
    """The invoice's id, not its number."""


class CreditNoteAnswer(Schema):
    id: str | None
    """Null in a draft or preview."""
    number: str | None
    """Null in a draft or preview."""
    reason: str
    """Why it is issued."""
    currency: str
    lines: list[Line]
    """The first 500."""
    total: RoundedAmount
    """The sum of the lines."""
    issued_at: datetime | None
    """Null in a draft or preview."""

    @classmethod
    def of(cls, note: CreditNote, lines: Sequence[Line]) -> Self:
        return cls(
            id=note.id,
            number=note.number,
            reason=note.reason,
            currency=note.currency,
            lines=list(lines[:LINES_SHOWN]),
            total=note.total,
            issued_at=note.issued_at,
        )


class InvoiceAnswer(Schema):
    id: str | None
    """Null in a preview, and where finalizing a draft left only a credit note."""
    number: str | None
    """Given when it is finalized."""
    organization_id: str
    kind: InvoiceKind
    """`period`, or `interim`: what a change of subscriptions made due in advance."""
    status: InvoiceStatus
    currency: str
    period: SpanAnswer
    """The billing period that is invoiced."""
    issued_at: datetime | None
    """Null for a draft."""
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
    """The sum of the lines' amounts."""
    discount_total: RoundedAmount
    """What discounts take off."""
    tax_total: RoundedAmount
    """What taxes add."""
    tax_lines: list[Line] = []
    """The parts of `tax_total`."""
    credits_applied: RoundedAmount
    """What was paid by credits."""
    total: RoundedAmount
    """After discounts and taxes."""
    amount_paid: RoundedAmount
    """By payments."""
    amount_due: RoundedAmount
    """What is still to be paid; 0 for a draft."""
    credit_notes: list[CreditNoteAnswer]
    """In a list none."""
    metadata: dict[str, Any]
    """The caller's own data."""
    as_of: datetime | None
    """When the amounts of a draft or preview were computed; null once it is finalized, as they stay."""
    assumes_issued: list[SpanAnswer]
    """Earlier periods whose own invoices a draft or preview assumes to be issued before; in a list none."""

    @classmethod
    def of(
        cls,
        invoice: Invoice,
        total: Decimal,
        lines: Sequence[Line] = (),
        credit_notes: Sequence[CreditNoteAnswer] = (),
    ) -> Self:
        zero = round_half_up(ZERO, invoice.currency)
        return cls(
            id=invoice.id,
            number=invoice.number,
            organization_id=invoice.organization_id,
            kind=invoice.invoice_kind,
            status=invoice.status,
            currency=invoice.currency,
            period=SpanAnswer(start=invoice.start, end=invoice.end),
            issued_at=invoice.issued_at,
            due_at=invoice.payable_by,
            lines=list(lines[:LINES_SHOWN]),
            lines_url=f"/api/v1/invoices/{invoice.id}/lines",
            revision=invoice.revision,
            finalized_at=invoice.finalized_at,
            subtotal=total,
            discount_total=zero,
            tax_total=zero,
            credits_applied=zero,
            total=total,
            amount_paid=zero,
            amount_due=zero if invoice.status == "draft" else total,
            credit_notes=list(credit_notes),
            metadata=invoice.metadata,
            as_of=invoice.totals_as_of,
            assumes_issued=[],
        )

    @classmethod
    def of_bill(cls, draft: Invoice, bill: Bill, as_of: datetime) -> Self:
        """As finalizing would issue it now. Negative differences that nothing offsets become a credit note."""
        composed = bill.composed()
        totals = composed.totals(draft.currency)
        note = CreditNoteAnswer(
            id=None,
            number=None,
            reason="correction",
            currency=draft.currency,
            lines=list(composed.correction[:LINES_SHOWN]),
            total=totals.credit_note,
            issued_at=None,
        )
        notes = [note] if composed.correction else []
        assumed = [SpanAnswer(start=period.start, end=period.end) for period in bill.issued_first]
        answer = cls.of(draft, totals.invoice, composed.invoice, notes)
        return answer.model_copy(update={"as_of": as_of, "assumes_issued": assumed})


class InvoiceListQuery(ListQuery):
    status: InvoiceStatus | None = None
    """Only invoices in this state."""


class PreviewQuery(Query):
    period: Month | None = None
    """A month such as 2026-10 that has begun; by default the open period."""


class InvoiceLinesAnswer(Listed[Line]):
    as_of: datetime | None
    """When the lines of a draft were computed; null once it is finalized, as they stay."""


async def _whole(call: Call[Any, Any, Any], invoice: Invoice) -> InvoiceAnswer:
    documents = call.services.billing_documents
    if invoice.status == "draft":
        return InvoiceAnswer.of_bill(invoice, await _bill_of_draft(call, invoice), call.now)
    lines = await documents.lines(invoice.organization_id, invoice, LINES_SHOWN)
    notes = await documents.credit_notes(invoice.organization_id, invoice.id)
    return InvoiceAnswer.of(invoice, invoice.total, lines, [await _note(call, note) for note in notes])


async def _bill_of_draft(call: Call[Any, Any, Any], draft: Invoice) -> Bill:
    """What the draft would bill now, once earlier drafts are issued."""
    organization = await call.services.organizations.get(draft.organization_id)
    return await call.services.bills.of_draft(organization, draft.period)


async def _note(call: Call[Any, Any, Any], note: CreditNote) -> CreditNoteAnswer:
    lines = await call.services.billing_documents.lines(note.organization_id, note, LINES_SHOWN)
    return CreditNoteAnswer.of(note, lines)


@endpoint(
    blueprint,
    "GET",
    "invoices/preview",
    summary="The invoice of a period as it would be issued now; by default of the open period",
    access=Permission.INVOICES_READ,
    query=PreviewQuery,
    answers={200: InvoiceAnswer},
)
async def preview_invoice(call: Call[NoBody, PreviewQuery]) -> Reply:
    organization = await call.organization()
    period = await call.services.periods.to_preview(organization, call.query.period, call.now)
    bill = await call.services.bills.preview(organization, period)
    draft = Invoice.drafted(organization, period, bill.lines, revision=0, now=call.now)
    answer = InvoiceAnswer.of_bill(draft, bill, call.now)
    return Reply(answer.model_copy(update={"id": None, "lines_url": None, "amount_due": answer.total}))


@endpoint(
    blueprint,
    "GET",
    "invoices",
    summary="Invoices, newest period first; drafts with the total that was computed at `as_of`",
    access=Permission.INVOICES_READ,
    query=InvoiceListQuery,
    answers={200: Listed[InvoiceAnswer]},
)
async def list_invoices(call: Call[NoBody, InvoiceListQuery]) -> Reply:
    documents = call.services.billing_documents
    page = await documents.invoices(
        await call.organization_id(), call.query.status, call.query.limit, call.query.cursor
    )
    data = [InvoiceAnswer.of(invoice, await documents.shown_total(invoice)) for invoice in page.entities]
    return Reply(Listed(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "invoices/{invoice_id}",
    summary="One invoice; a draft as it would be issued now",
    access=Permission.INVOICES_READ,
    path_values=InvoicePath,
    answers={200: InvoiceAnswer},
)
async def get_invoice(call: Call[NoBody, Query, InvoicePath]) -> Reply:
    invoice_id = call.path.invoice_id
    organization_id = await call.organization_id_of(invoice_id)
    invoice, etag = await call.services.billing_documents.invoice(organization_id, invoice_id)
    return Reply(await _whole(call, invoice), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "invoices/{invoice_id}/lines",
    summary="All lines of an invoice, in their order; of a draft those that would be issued now",
    access=Permission.INVOICES_READ,
    path_values=InvoicePath,
    query=ListQuery,
    answers={200: InvoiceLinesAnswer},
)
async def list_invoice_lines(call: Call[NoBody, ListQuery, InvoicePath]) -> Reply:
    invoice_id = call.path.invoice_id
    documents = call.services.billing_documents
    invoice, _ = await documents.invoice(await call.organization_id_of(invoice_id), invoice_id)
    if invoice.status == "draft":
        drafted = (await _bill_of_draft(call, invoice)).composed().invoice
        shown, next_cursor = window(len(drafted), call.query.limit, call.query.cursor)
        return Reply(InvoiceLinesAnswer(data=list(drafted[shown]), next_cursor=next_cursor, as_of=call.now))
    shown, next_cursor = window(invoice.line_count, call.query.limit, call.query.cursor)
    lines = await documents.lines(invoice.organization_id, invoice, shown.stop)
    return Reply(InvoiceLinesAnswer(data=lines[shown], next_cursor=next_cursor, as_of=None))


@endpoint(
    blueprint,
    "POST",
    "invoices/{invoice_id}/finalize",
    summary="Finalize a draft: compute its lines again and number it. A finalized invoice stays as it is",
    access=Permission.INVOICES_WRITE,
    path_values=InvoicePath,
    answers={200: InvoiceAnswer, 204: None},
    if_match=IfMatch.HONOURED,
)
async def finalize_invoice(call: Call[NoBody, Query, InvoicePath]) -> Reply:
    """Finalize a draft.

    Answers 204 where nothing is left to bill, and with the credit note alone where only that is issued.
    """
    invoice_id = call.path.invoice_id
    organization = await call.organization_of(invoice_id)
    documents = call.services.billing_documents
    draft, _ = await documents.invoice(organization.id, invoice_id)
    issued = await call.services.issuing.finalize(organization, invoice_id, call.if_match)
    if issued.invoice is not None:
        invoice, etag = await documents.invoice(organization.id, issued.invoice.id)
        return Reply(await _whole(call, invoice), etag=etag)
    if issued.credit_note is None:
        return Reply(status=204)
    note = await _note(call, issued.credit_note)
    nothing = InvoiceAnswer.of(draft, round_half_up(ZERO, draft.currency), credit_notes=[note])
    return Reply(nothing.model_copy(update={"id": None, "lines_url": None, "as_of": None}))
