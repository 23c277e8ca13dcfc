"""Electronic invoices: their XML, and PDFs with it inside."""

from typing import Protocol

from shared.domain.billing.e_invoices import EInvoice
from shared.domain.tenancy.billing_details import EInvoiceFormat


class EInvoiceWriter(Protocol):
    """Writes documents in the syntaxes of EN 16931, the same for the same document."""

    async def xml(self, e_invoice: EInvoice, wanted: EInvoiceFormat) -> bytes:
        """CII for `factur-x` and `xrechnung`, UBL for `peppol`. Raises `UnavailableError` where much waits."""
        ...

    async def embedded(self, pdf: bytes, xml: bytes, e_invoice: EInvoice, title: str) -> bytes:
        """The PDF/A-3 with the XML inside, as `factur-x.xml`. Raises `UnavailableError` where much waits."""
        ...
