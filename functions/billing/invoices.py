"""Invoices: previewed, listed, read and finalized."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import azure.functions as func

from functions.billing.invoice_answers import (
    InvoiceAnswer,
    SubtotalAnswer,
    bill_of_draft,
    local_date,
    note_answer,
    whole_invoice,
)
from functions.fields import Listed, Month
from shared.domain.access.identity import Permission
from shared.domain.billing.documents import Invoice, InvoiceStatus
from shared.domain.kernel.money import EXACT, ZERO, round_half_up
from shared.domain.pricing.lines import Line
from shared.http import Call, IfMatch, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint, window
from shared.services.billing.subtotals import Grouping

blueprint = func.Blueprint()


class InvoicePath(PathValues):
    invoice_id: Annotated[str, ThingId("inv")]
    """The invoice's id, not its number."""


class CancelInvoiceRequest(Schema):
    waive: bool = False
    """Whether what the invoice came to is not billed again."""


class InvoiceQuery(Query):
    group_by: Grouping | None = None
    """`agent`, or the `project` or `department` that its agent is in now, or `organization`: adds `subtotals`."""


class InvoiceListQuery(ListQuery):
    status: InvoiceStatus | None = None
    """Only invoices in this state."""


class PreviewQuery(Query):
    period: Month | None = None
    """A month such as 2026-10 that has begun; by default the open period."""


async def find_invoice(call: Call[Any, Any, InvoicePath]) -> None:
    """Raises `NotFoundError`."""
    invoice_id = call.path.invoice_id
    await call.services.billing_documents.invoice(await call.organization_id_of(invoice_id), invoice_id)


class InvoiceLinesAnswer(Listed[Line]):
    as_of: datetime | None
    """When the lines of a draft were computed; null once it is finalized, as they stay."""


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
    read = await call.services.account.accounts.read(organization.id, call.now)
    applied = round_half_up(read.account.applicable(answer.total), organization.currency)
    issue_date = local_date(draft, max(call.now, draft.finalize_at))
    covered = {"credits_applied": applied, "amount_due": EXACT.subtract(answer.total, applied)}
    return Reply(answer.model_copy(update={"id": None, "lines_url": None, "issue_date": issue_date, **covered}))


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
    query=InvoiceQuery,
    answers={200: InvoiceAnswer},
)
async def get_invoice(call: Call[NoBody, InvoiceQuery, InvoicePath]) -> Reply:
    invoice_id = call.path.invoice_id
    organization_id = await call.organization_id_of(invoice_id)
    invoice, etag = await call.services.billing_documents.invoice(organization_id, invoice_id)
    answer = await whole_invoice(call, invoice)
    if call.query.group_by is None:
        return Reply(answer, etag=etag)
    organization, lines = await call.services.organizations.get(organization_id), await _all_lines(call, invoice)
    subtotals = await call.services.summaries.subtotals.of(organization, lines, call.query.group_by)
    shown = [SubtotalAnswer.showing(subtotal) for subtotal in subtotals]
    return Reply(answer.model_copy(update={"subtotals": shown}), etag=etag)


async def _all_lines(call: Call[Any, Any, Any], invoice: Invoice) -> Sequence[Line]:
    if invoice.is_computed:
        return (await bill_of_draft(call, invoice)).composed().invoice
    return await call.services.billing_documents.lines(invoice.organization_id, invoice)


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
    if invoice.is_computed:
        drafted = (await bill_of_draft(call, invoice)).composed().invoice
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
    if draft.invoice_kind == "manual":
        await call.services.account.manual_invoices.finalize(organization, invoice_id, call.if_match)
        invoice, etag = await documents.invoice(organization.id, invoice_id)
        return Reply(await whole_invoice(call, invoice), etag=etag)
    issued = await call.services.issuing.finalize(organization, invoice_id, call.if_match)
    if issued.invoice is not None:
        invoice, etag = await documents.invoice(organization.id, issued.invoice.id)
        return Reply(await whole_invoice(call, invoice), etag=etag)
    if issued.credit_note is None:
        return Reply(status=204)
    note = await note_answer(call, issued.credit_note)
    nothing = InvoiceAnswer.of(draft, round_half_up(ZERO, draft.currency), credit_notes=[note])
    return Reply(nothing.model_copy(update={"id": None, "lines_url": None, "as_of": None}))


@endpoint(
    blueprint,
    "POST",
    "invoices/{invoice_id}/cancel",
    summary="Cancel an issued invoice. Its periods are billed again, less what is waived",
    access=Permission.INVOICES_WRITE,
    path_values=InvoicePath,
    body=CancelInvoiceRequest,
    answers={200: InvoiceAnswer},
    example={"waive": False},
)
async def cancel_invoice(call: Call[CancelInvoiceRequest, Query, InvoicePath]) -> Reply:
    """Cancel an issued invoice. One with payments or credit notes is 409; one that is cancelled already stays so."""
    invoice_id = call.path.invoice_id
    organization_id = await call.organization_id_of(invoice_id)
    await call.services.account.cancelling.cancel(organization_id, invoice_id, waive=call.body.waive)
    invoice, etag = await call.services.billing_documents.invoice(organization_id, invoice_id)
    return Reply(await whole_invoice(call, invoice), etag=etag)
