"""Issued documents as PDF files: what is printed is read from what was stored when they were finalized."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from shared.domain.billing.document_details import DocumentDetails
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.printed_documents import PrintedDocument, PrintedLogo
from shared.domain.billing.printing import DocumentPrinter
from shared.domain.kernel.errors import ConflictError
from shared.one_at_a_time import OneAtATime
from shared.ports.clock import Clock
from shared.ports.printing import Printer
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.invoice_payments import InvoicePayments
from shared.services.billing.operator_profiles import OperatorProfiles
from shared.services.tenancy.organizations import Organizations

MOST_LINES_AT_ONCE = 100
"""Of a document whose texts are made in between other requests; those of a longer one are made in a thread."""

Written = TypeVar("Written")


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A file as it is downloaded."""

    name: str
    content: bytes
    media_type: str = "application/pdf"
    title: str = ""
    """As it stands on it."""


class DocumentPrinting:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        clock: Clock,
        documents: BillingDocuments,
        payments: InvoicePayments,
        profiles: OperatorProfiles,
        organizations: Organizations,
        printer: Printer,
        calculations: OneAtATime,
    ) -> None:
        self._clock = clock
        self._documents = documents
        self._payments = payments
        self._profiles = profiles
        self._organizations = organizations
        self._printer = printer
        self._calculations = calculations

    async def invoice(self, invoice: Invoice) -> PrintedDocument:
        """Every text of an issued invoice. Raises `ConflictError` for a draft, and as `written`."""
        if invoice.number is None:
            raise ConflictError("The invoice is a draft: finalize it first, as the file shows its number")
        printer = await self._document_printer(invoice.organization_id, invoice.details, invoice.timezone)
        lines = await self._documents.lines(invoice.organization_id, invoice)
        return await self.written(len(lines), lambda: printer.invoice(invoice, lines))

    async def written(self, line_count: int, write: Callable[[], Written]) -> Written:
        """What a function makes of so many lines. Others go on meanwhile: 20,000 of them take seconds.

        Raises `UnavailableError` where too much is being computed.
        """
        return write() if line_count <= MOST_LINES_AT_ONCE else await self._calculations.run(write)

    async def invoice_file(self, invoice: Invoice) -> DocumentFile:
        """As `invoice`, printed. Raises `UnavailableError` where too much is being printed."""
        return await self._file(await self.invoice(invoice), f"{invoice.number}.pdf")

    async def credit_note_file(self, note: CreditNote) -> DocumentFile:
        """A credit note as it was issued."""
        corrected, timezone = await self.corrected(note)
        printer = await self._document_printer(note.organization_id, note.details, timezone)
        lines = await self._documents.lines(note.organization_id, note)
        document = await self.written(len(lines), lambda: printer.credit_note(note, lines, corrected, timezone))
        return await self._file(document, f"{note.number}.pdf")

    async def corrected(self, note: CreditNote) -> tuple[Invoice | None, str]:
        """The invoice that a note lowers, where there is one, and the timezone of its days."""
        corrected = None
        if note.invoice_id is not None:
            corrected = await self._documents.find_invoice(note.organization_id, note.invoice_id)
        if corrected is not None:
            return corrected, corrected.timezone
        return None, (await self._organizations.get(note.organization_id)).timezone

    async def details(self, organization_id: str, kept: DocumentDetails | None) -> DocumentDetails:
        """What was kept. What was not, as nothing was known of it then, is what is known now."""
        if kept is not None and kept.seller is not None:
            return kept
        organization = await self._organizations.get(organization_id)
        known = await self._profiles.details(organization, self._clock.now())
        return known if kept is None else kept.model_copy(update={"seller": known.seller})

    async def receipt_file(self, invoice: Invoice) -> DocumentFile:
        """What has come for an invoice by now. Raises `ConflictError` where nothing has."""
        if invoice.status in ("draft", "cancelled"):
            raise ConflictError(f"The invoice is {invoice.status}, so nothing is paid of it")
        if not (invoice.amount_paid or invoice.credits_applied or invoice.amount_credited or not invoice.total):
            raise ConflictError("Nothing is paid of the invoice yet, so there is no receipt")
        printer = await self._document_printer(invoice.organization_id, invoice.details, invoice.timezone)
        payments = await self._payments.of_invoice(invoice.organization_id, invoice.id)
        document = printer.receipt(invoice, payments, self._clock.now())
        return await self._file(document, f"{invoice.number}-receipt.pdf")

    async def _file(self, document: PrintedDocument, name: str) -> DocumentFile:
        return DocumentFile(name, await self._printer.pdf(document), title=f"{document.title} {document.number}")

    async def _document_printer(
        self, organization_id: str, kept: DocumentDetails | None, timezone: str
    ) -> DocumentPrinter:
        details = await self.details(organization_id, kept)
        logo_id = None if details.seller is None else details.seller.logo_id
        logo = None if logo_id is None else await self._profiles.logo(logo_id)
        shown = None if logo is None else PrintedLogo(logo.media_type, logo.data)
        return DocumentPrinter(details, timezone, shown)
