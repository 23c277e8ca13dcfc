"""Invoices, credit notes and receipts as PDF files."""

from typing import Annotated, Any

import azure.functions as func

from functions.billing.invoices import InvoicePath
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.tenancy.billing_details import EInvoiceFormat
from shared.http import Call, NoBody, PathValues, Query, Reply, TextFile, ThingId, endpoint
from shared.services.billing.document_printing import DocumentFile

blueprint = func.Blueprint()


class CreditNotePath(PathValues):
    credit_note_id: Annotated[str, ThingId("cn")]
    """The credit note's id, not its number."""


class EInvoiceQuery(Query):
    format: EInvoiceFormat | None = None
    """`factur-x`: a PDF with its XML inside; `xrechnung`: CII; `peppol`: UBL. Left out: as the organization has it."""


_FILE: dict[str, Any] = {
    "access": Permission.INVOICES_READ,
    "answers": {200: TextFile},
    "media_type": "application/pdf",
    "errors": (ConflictError, UnavailableError),
}


@endpoint(
    blueprint,
    "GET",
    "invoices/{invoice_id}/pdf",
    summary="An issued invoice as a PDF, as it was when it was finalized",
    path_values=InvoicePath,
    **_FILE,
)
async def get_invoice_pdf(call: Call[NoBody, Query, InvoicePath]) -> Reply:
    invoice_id = call.path.invoice_id
    invoice, _ = await call.services.billing_documents.invoice(await call.organization_id_of(invoice_id), invoice_id)
    return as_file(await call.services.documents.printing.invoice_file(invoice))


@endpoint(
    blueprint,
    "GET",
    "invoices/{invoice_id}/receipt",
    summary="What has come for an invoice by now, as a PDF",
    path_values=InvoicePath,
    **_FILE,
)
async def get_receipt(call: Call[NoBody, Query, InvoicePath]) -> Reply:
    invoice_id = call.path.invoice_id
    invoice, _ = await call.services.billing_documents.invoice(await call.organization_id_of(invoice_id), invoice_id)
    return as_file(await call.services.documents.printing.receipt_file(invoice))


@endpoint(
    blueprint,
    "GET",
    "credit-notes/{credit_note_id}/pdf",
    summary="A credit note as a PDF, as it was when it was issued",
    path_values=CreditNotePath,
    **_FILE,
)
async def get_credit_note_pdf(call: Call[NoBody, Query, CreditNotePath]) -> Reply:
    note_id = call.path.credit_note_id
    note = await call.services.billing_documents.credit_note(await call.organization_id_of(note_id), note_id)
    return as_file(await call.services.documents.printing.credit_note_file(note))


_E_INVOICE: dict[str, Any] = {
    **_FILE,
    "query": EInvoiceQuery,
    "media_type": "application/xml",
    "other_forms": {"application/pdf": TextFile},
}


@endpoint(
    blueprint,
    "GET",
    "invoices/{invoice_id}/e-invoice",
    summary="An issued invoice as an electronic invoice (EN 16931)",
    path_values=InvoicePath,
    **_E_INVOICE,
)
async def get_e_invoice(call: Call[NoBody, EInvoiceQuery, InvoicePath]) -> Reply:
    invoice_id = call.path.invoice_id
    invoice, _ = await call.services.billing_documents.invoice(await call.organization_id_of(invoice_id), invoice_id)
    return as_file(await call.services.documents.e_invoices.of_invoice(invoice, call.query.format))


@endpoint(
    blueprint,
    "GET",
    "credit-notes/{credit_note_id}/e-invoice",
    summary="A credit note as an electronic invoice (EN 16931)",
    path_values=CreditNotePath,
    **_E_INVOICE,
)
async def get_e_credit_note(call: Call[NoBody, EInvoiceQuery, CreditNotePath]) -> Reply:
    note_id = call.path.credit_note_id
    note = await call.services.billing_documents.credit_note(await call.organization_id_of(note_id), note_id)
    return as_file(await call.services.documents.e_invoices.of_credit_note(note, call.query.format))


def as_file(file: DocumentFile) -> Reply:
    """To be saved under its name."""
    disposition = f'attachment; filename="{file.name}"'
    return Reply(file.content, media_type=file.media_type, headers={"Content-Disposition": disposition})
