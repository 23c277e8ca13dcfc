"""Electronic invoices of issued documents: valid by the schema, and refused where a field is missing."""

from shared.domain.billing.document_details import DocumentDetails
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.e_invoice_fields import check_fields
from shared.domain.billing.e_invoices import EInvoice, of_credit_note, of_invoice
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.domain.tenancy.billing_details import EInvoiceFormat
from shared.ports.e_invoices import EInvoiceWriter
from shared.services.billing.document_printing import DocumentFile, DocumentPrinting
from shared.services.billing.documents import BillingDocuments


class EInvoices:
    def __init__(self, documents: BillingDocuments, printing: DocumentPrinting, writer: EInvoiceWriter) -> None:
        self._documents = documents
        self._printing = printing
        self._writer = writer

    async def of_invoice(self, invoice: Invoice, asked: EInvoiceFormat | None) -> DocumentFile:
        """In the format that is asked for, else that which the organization takes.

        Raises `ConflictError` for a draft, `ValidationError` with what is missing, `UnavailableError`.
        """
        if invoice.number is None:
            raise ConflictError("The invoice is a draft: finalize it first, as the file shows its number")
        details = await self._printing.details(invoice.organization_id, invoice.details)
        wanted = _wanted(details, asked)
        lines = await self._documents.lines(invoice.organization_id, invoice)
        check_fields(details, wanted, invoice.currency, lines, is_open=invoice.total > 0)
        e_invoice = await self._printing.written(len(lines), lambda: of_invoice(invoice, lines, details))
        if wanted != "factur-x":
            return await self._xml(e_invoice, wanted)
        return await self._hybrid(e_invoice, await self._printing.invoice_file(invoice))

    async def of_credit_note(self, note: CreditNote, asked: EInvoiceFormat | None) -> DocumentFile:
        """As `of_invoice`."""
        details = await self._printing.details(note.organization_id, note.details)
        wanted = _wanted(details, asked)
        lines = await self._documents.lines(note.organization_id, note)
        check_fields(details, wanted, note.currency, lines, is_open=False)
        corrected, timezone = await self._printing.corrected(note)
        e_invoice = await self._printing.written(
            len(lines), lambda: of_credit_note(note, lines, details, corrected, timezone)
        )
        if wanted != "factur-x":
            return await self._xml(e_invoice, wanted)
        return await self._hybrid(e_invoice, await self._printing.credit_note_file(note))

    async def _xml(self, e_invoice: EInvoice, wanted: EInvoiceFormat) -> DocumentFile:
        content = await self._writer.xml(e_invoice, wanted)
        return DocumentFile(f"{e_invoice.number}.xml", content, "application/xml")

    async def _hybrid(self, e_invoice: EInvoice, printed: DocumentFile) -> DocumentFile:
        xml = await self._writer.xml(e_invoice, "factur-x")
        return DocumentFile(printed.name, await self._writer.embedded(printed.content, xml, e_invoice, printed.title))


def _wanted(details: DocumentDetails, asked: EInvoiceFormat | None) -> EInvoiceFormat:
    wanted = asked or details.e_invoice
    if wanted is None:
        raise ValidationError.at(
            "?format", "is needed: factur-x, xrechnung or peppol, as the organization has set none"
        )
    return wanted
