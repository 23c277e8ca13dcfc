"""Invoices: generated, previewed, listed, finalized."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import azure.functions as func
from pydantic import Field

from functions.fields import Month, SpanAnswer
from shared.domain.access.identity import Permission
from shared.domain.billing.invoicing import LINES_SHOWN, Composed, CreditNote, Invoice, compose, total_of
from shared.domain.kernel.money import RoundedAmount, round_half_up
from shared.domain.pricing.lines import Line
from shared.http import Call, IfMatch, ListQuery, NoBody, Query, Reply, Schema, endpoint, window
from shared.services.billing.invoice_runs import JobPart

blueprint = func.Blueprint()

ZERO = Decimal(0)


class CreditNoteAnswer(Schema):
    """Without an id while it is only what would be issued."""

    id: str | None
    number: str | None
    reason: str
    currency: str
    lines: list[Line]
    total: RoundedAmount
    issued_at: datetime | None


class InvoiceAnswer(Schema):
    """The first 500 lines; `lines_url` has all. `subtotal` is the sum of the lines' amounts."""

    id: str | None
    number: str | None
    organization_id: str
    status: Literal["draft", "pending", "paying", "paid", "overdue", "cancelled"]
    currency: str
    period: SpanAnswer
    issued_at: datetime | None
    due_at: datetime | None
    lines: list[Line]
    lines_url: str | None
    revision: int
    finalized_at: datetime | None
    subtotal: RoundedAmount
    discount_total: RoundedAmount
    tax_total: RoundedAmount
    tax_lines: list[Line] = []
    credits_applied: RoundedAmount
    total: RoundedAmount
    amount_paid: RoundedAmount
    amount_due: RoundedAmount
    credit_notes: list[CreditNoteAnswer]
    metadata: dict[str, Any]


class InvoiceList(Schema):
    data: list[InvoiceAnswer]
    next_cursor: str | None


class LineList(Schema):
    data: list[Line]
    next_cursor: str | None


class GenerateRequest(Schema):
    """`organization_id` null: every organization."""

    organization_id: str | None = Field(default=None, max_length=256)
    period: Month
    finalize: bool = False


class JobPartAnswer(Schema):
    organization_id: str
    status: str
    invoice_id: str | None
    detail: str | None


class JobAnswer(Schema):
    """A run over organizations; `organizations` shows at most 200 of them."""

    id: str
    status: Literal["running", "done"]
    done: bool
    period: str
    finalize: bool
    created_at: datetime
    invoices: list[str]
    organizations: list[JobPartAnswer]


class InvoiceListQuery(ListQuery):
    status: Literal["draft", "pending", "paying", "paid", "overdue", "cancelled"] | None = None


class PreviewQuery(Query):
    period: Month | None = None


def _answer(invoice: Invoice, lines: list[Line], notes: list[CreditNoteAnswer]) -> InvoiceAnswer:
    zero = round_half_up(ZERO, invoice.currency)
    return InvoiceAnswer(
        id=invoice.id,
        number=invoice.number,
        organization_id=invoice.organization_id,
        status=invoice.status,
        currency=invoice.currency,
        period=SpanAnswer(start=invoice.start, end=invoice.end),
        issued_at=invoice.issued_at,
        due_at=invoice.payable_by,
        lines=lines[:LINES_SHOWN],
        lines_url=f"/api/v1/invoices/{invoice.id}/lines",
        revision=invoice.revision,
        finalized_at=invoice.finalized_at,
        subtotal=invoice.total,
        discount_total=zero,
        tax_total=zero,
        credits_applied=zero,
        total=invoice.total,
        amount_paid=zero,
        amount_due=zero if invoice.status == "draft" else invoice.total,
        credit_notes=notes,
        metadata=invoice.metadata,
    )


async def _shown(call: Call[Any, Any], invoice: Invoice) -> InvoiceAnswer:
    invoices = call.services.invoices
    lines = await invoices.lines(invoice.organization_id, invoice.id, invoice.lines_hash, invoice.line_count)
    if invoice.status == "draft":
        return _as_issued(invoice, compose(lines))
    notes = [await _note(call, note) for note in await invoices.credit_notes(invoice.organization_id, invoice.id)]
    return _answer(invoice, lines, notes)


def _as_issued(invoice: Invoice, composed: Composed) -> InvoiceAnswer:
    """What finalizing would make of a draft or a preview: negative differences without an offset are a credit note."""
    note = CreditNoteAnswer(
        id=None,
        number=None,
        reason="correction",
        currency=invoice.currency,
        lines=list(composed.correction[:LINES_SHOWN]),
        total=total_of(composed.correction, invoice.currency),
        issued_at=None,
    )
    total = total_of(composed.invoice, invoice.currency)
    return _answer(invoice.changed(total=total), list(composed.invoice), [note] if composed.correction else [])


async def _note(call: Call[Any, Any], note: CreditNote) -> CreditNoteAnswer:
    lines = await call.services.invoices.lines(note.organization_id, note.id, note.lines_hash, note.line_count)
    return CreditNoteAnswer(
        id=note.id,
        number=note.number,
        reason=note.reason,
        currency=note.currency,
        lines=lines[:LINES_SHOWN],
        total=note.total,
        issued_at=note.issued_at,
    )


async def _job(call: Call[Any, Any], job_id: str) -> JobAnswer:
    job, done, page = await call.services.invoice_runs.job(job_id)
    parts = [JobPart.read(item.document) for item in page.items]
    return JobAnswer(
        id=job.id,
        status="done" if done else "running",
        done=done,
        period=job.period,
        finalize=job.finalize,
        created_at=job.created_at,
        invoices=[part.invoice_id for part in parts if part.invoice_id is not None],
        organizations=[JobPartAnswer.model_validate(part) for part in parts],
    )


@endpoint(
    blueprint,
    "POST",
    "invoices/generate/monthly",
    summary="Invoice a month that has ended, for one organization or all; answers with a job",
    access=Permission.INVOICES_WRITE,
    body=GenerateRequest,
    answers={202: JobAnswer},
    example={"organization_id": None, "period": "2026-10", "finalize": False},
)
async def generate_invoices(call: Call[GenerateRequest, Query]) -> Reply:
    named = call.body.organization_id or call.query.organization_id
    organization_id = await call.organization_id(named) if named is not None else None
    job = await call.services.invoice_runs.request(
        call.new_id("job"), organization_id, call.body.period, finalize=call.body.finalize
    )
    return Reply(await _job(call, job.id), status=202, headers={"Location": f"/api/v1/invoices/jobs/{job.id}"})


@endpoint(
    blueprint,
    "GET",
    "invoices/jobs/{job_id}",
    summary="How far a run has come, and its invoices",
    access=Permission.INVOICES_WRITE,
    answers={200: JobAnswer},
)
async def get_invoice_job(call: Call[NoBody, Query]) -> Reply:
    return Reply(await _job(call, call.path["job_id"]))


@endpoint(
    blueprint,
    "GET",
    "invoices/preview",
    summary="The invoice that the close would issue if nothing more were reported; without `period` of the open one",
    access=Permission.INVOICES_READ,
    query=PreviewQuery,
    answers={200: InvoiceAnswer},
)
async def preview_invoice(call: Call[NoBody, PreviewQuery]) -> Reply:
    organization = await call.organization()
    own = await call.services.periods.of_month(organization, call.query.period, call.now)
    composed = (await call.services.invoices.preview(organization, own)).composed()
    previewed = Invoice(
        id="preview",
        organization_id=organization.id,
        status="draft",
        currency=organization.currency,
        start=own.start,
        end=own.end,
        timezone=own.timezone,
        revision=0,
        lines_hash="",
        line_count=len(composed.invoice),
        total=total_of(composed.invoice, organization.currency),
        created_at=call.now,
        finalize_at=call.now,
    )
    return Reply(
        _as_issued(previewed, composed).model_copy(
            update={"id": None, "lines_url": None, "amount_due": previewed.total}
        )
    )


@endpoint(
    blueprint,
    "GET",
    "invoices",
    summary="Invoices, newest period first",
    access=Permission.INVOICES_READ,
    query=InvoiceListQuery,
    answers={200: InvoiceList},
)
async def list_invoices(call: Call[NoBody, InvoiceListQuery]) -> Reply:
    page = await call.services.invoices.page(
        await call.organization_id(), call.query.status, call.query.limit, call.query.cursor
    )
    data = [await _shown(call, Invoice.read(item.document)) for item in page.items]
    return Reply(InvoiceList(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "invoices/{invoice_id}",
    summary="One invoice",
    access=Permission.INVOICES_READ,
    answers={200: InvoiceAnswer},
)
async def get_invoice(call: Call[NoBody, Query]) -> Reply:
    invoice_id = call.path["invoice_id"]
    invoice, etag = await call.services.invoices.get_item(await call.organization_id_of(invoice_id), invoice_id)
    return Reply(await _shown(call, invoice), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "invoices/{invoice_id}/lines",
    summary="All lines of an invoice, in their order",
    access=Permission.INVOICES_READ,
    query=ListQuery,
    answers={200: LineList},
)
async def list_invoice_lines(call: Call[NoBody, ListQuery]) -> Reply:
    invoice_id = call.path["invoice_id"]
    invoice, _ = await call.services.invoices.get_item(await call.organization_id_of(invoice_id), invoice_id)
    lines = await call.services.invoices.lines(
        invoice.organization_id, invoice.id, invoice.lines_hash, invoice.line_count
    )
    shown, next_cursor = window(len(lines), call.query.limit, call.query.cursor)
    return Reply(LineList(data=lines[shown], next_cursor=next_cursor))


@endpoint(
    blueprint,
    "POST",
    "invoices/{invoice_id}/finalize",
    summary="Number a draft, with its lines computed again; what was finalized before stays as it is",
    access=Permission.INVOICES_WRITE,
    answers={200: InvoiceAnswer, 204: None},
    if_match=IfMatch.HONOURED,
)
async def finalize_invoice(call: Call[NoBody, Query]) -> Reply:
    """The draft is gone where there was nothing left to bill, 204, or only a credit note, which is shown alone."""
    invoice_id = call.path["invoice_id"]
    organization_id = await call.organization_id_of(invoice_id)
    draft, _ = await call.services.invoices.get_item(organization_id, invoice_id)
    issued = await call.services.invoices.finalize(organization_id, invoice_id, call.if_match)
    if issued.invoice is None and issued.credit_note is None:
        return Reply(status=204)
    if issued.invoice is None:
        note = await _note(call, issued.credit_note)
        nothing = _answer(draft.changed(total=round_half_up(ZERO, draft.currency)), [], [note])
        return Reply(nothing.model_copy(update={"id": None, "lines_url": None}))
    invoice, etag = await call.services.invoices.get_item(organization_id, issued.invoice.id)
    return Reply(await _shown(call, invoice), etag=etag)
