"""Methods of `invoices`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from typing import Literal

from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Invoices:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def preview(self, *, organization_id: str | None = None, period: str | None = None) -> models.InvoiceAnswer:
        """The invoice of a period as it would be issued now; by default of the open period."""
        answer: models.InvoiceAnswer = self._connection.call(
            "GET", "/api/v1/invoices/preview", query={"organization_id": organization_id, "period": period}
        )
        return answer

    def list(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        status: Literal["draft", "pending", "paying", "paid", "overdue", "cancelled"] | None = None,
    ) -> Listing[models.InvoiceAnswer]:
        """Invoices, newest period first; drafts with the total that was computed at `as_of`."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/invoices",
            query={"organization_id": organization_id, "limit": limit, "status": status},
        )

    def create(
        self,
        body: models.ManualInvoiceRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.InvoiceAnswer:
        """Draft an invoice by hand; its amounts are computed from quantities and prices."""
        answer: models.InvoiceAnswer = self._connection.call(
            "POST",
            "/api/v1/invoices",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def get(
        self,
        invoice_id: str,
        *,
        organization_id: str | None = None,
        group_by: Literal["agent", "project", "department", "organization"] | None = None,
    ) -> models.InvoiceAnswer:
        """One invoice; a draft as it would be issued now."""
        answer: models.InvoiceAnswer = self._connection.call(
            "GET",
            f"/api/v1/invoices/{segment(invoice_id)}",
            query={"organization_id": organization_id, "group_by": group_by},
        )
        return answer

    def update(
        self,
        invoice_id: str,
        body: models.InvoicePatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.InvoiceAnswer:
        """Change what is written on a draft: order number, reference, notes, fields, and the lines of one by hand."""
        answer: models.InvoiceAnswer = self._connection.call(
            "PATCH",
            f"/api/v1/invoices/{segment(invoice_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def list_lines(
        self, invoice_id: str, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.Line]:
        """All lines of an invoice, in their order; of a draft those that would be issued now."""
        return Listing(
            self._connection,
            "GET",
            f"/api/v1/invoices/{segment(invoice_id)}/lines",
            query={"organization_id": organization_id, "limit": limit},
        )

    def finalize(
        self,
        invoice_id: str,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> models.InvoiceAnswer | None:
        """Finalize a draft: compute its lines again and number it. A finalized invoice stays as it is."""
        answer: models.InvoiceAnswer | None = self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/finalize",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
            if_match=if_match,
        )
        return answer

    def cancel(
        self,
        invoice_id: str,
        body: models.CancelInvoiceRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.InvoiceAnswer:
        """Cancel an issued invoice. Its periods are billed again, less what is waived."""
        answer: models.InvoiceAnswer = self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/cancel",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def create_credit_note(
        self,
        invoice_id: str,
        body: models.CreditNoteRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.CreditNoteAnswer:
        """Give back part of an issued invoice, or all of it."""
        answer: models.CreditNoteAnswer = self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/credit-notes",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def get_pdf(self, invoice_id: str, *, organization_id: str | None = None) -> bytes:
        """An issued invoice as a PDF, as it was when it was finalized."""
        answer: bytes = self._connection.call(
            "GET", f"/api/v1/invoices/{segment(invoice_id)}/pdf", query={"organization_id": organization_id}
        )
        return answer

    def get_receipt(self, invoice_id: str, *, organization_id: str | None = None) -> bytes:
        """What has come for an invoice by now, as a PDF."""
        answer: bytes = self._connection.call(
            "GET", f"/api/v1/invoices/{segment(invoice_id)}/receipt", query={"organization_id": organization_id}
        )
        return answer

    def get_e(
        self,
        invoice_id: str,
        *,
        organization_id: str | None = None,
        format: Literal["factur-x", "xrechnung", "peppol"] | None = None,
    ) -> bytes:
        """An issued invoice as an electronic invoice (EN 16931)."""
        answer: bytes = self._connection.call(
            "GET",
            f"/api/v1/invoices/{segment(invoice_id)}/e-invoice",
            query={"organization_id": organization_id, "format": format},
        )
        return answer

    def generate(
        self, body: models.GenerateRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.JobAnswer:
        """Invoice a month that has ended, for one organization or all; answers with a job."""
        answer: models.JobAnswer = self._connection.call(
            "POST",
            "/api/v1/invoices/generate/monthly",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def get_job(self, job_id: str, *, organization_id: str | None = None) -> models.JobAnswer:
        """How far a run has come, and its invoices."""
        answer: models.JobAnswer = self._connection.call(
            "GET", f"/api/v1/invoices/jobs/{segment(job_id)}", query={"organization_id": organization_id}
        )
        return answer

    def create_link(
        self, invoice_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.InvoiceLinkAnswer:
        """Make a link under which anybody who has it sees the invoice, for 90 days."""
        answer: models.InvoiceLinkAnswer = self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/link",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer

    def send(
        self, invoice_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.SentAnswer:
        """Mail the invoice to its organization, with its PDF and a link to its page."""
        answer: models.SentAnswer = self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/send",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer

    def pay(
        self,
        invoice_id: str,
        body: models.PayRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.PaidAnswer:
        """Record a payment that came for an invoice; what exceeds it is balance of the account."""
        answer: models.PaidAnswer = self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/pay",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def apply_balance(
        self,
        invoice_id: str,
        body: models.ApplyBalanceRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.InvoiceAnswer:
        """Pay of an invoice from the balance of the account."""
        answer: models.InvoiceAnswer = self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/apply-balance",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer


class AsyncInvoices:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def preview(self, *, organization_id: str | None = None, period: str | None = None) -> models.InvoiceAnswer:
        """The invoice of a period as it would be issued now; by default of the open period."""
        answer: models.InvoiceAnswer = await self._connection.call(
            "GET", "/api/v1/invoices/preview", query={"organization_id": organization_id, "period": period}
        )
        return answer

    def list(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        status: Literal["draft", "pending", "paying", "paid", "overdue", "cancelled"] | None = None,
    ) -> AsyncListing[models.InvoiceAnswer]:
        """Invoices, newest period first; drafts with the total that was computed at `as_of`."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/invoices",
            query={"organization_id": organization_id, "limit": limit, "status": status},
        )

    async def create(
        self,
        body: models.ManualInvoiceRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.InvoiceAnswer:
        """Draft an invoice by hand; its amounts are computed from quantities and prices."""
        answer: models.InvoiceAnswer = await self._connection.call(
            "POST",
            "/api/v1/invoices",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def get(
        self,
        invoice_id: str,
        *,
        organization_id: str | None = None,
        group_by: Literal["agent", "project", "department", "organization"] | None = None,
    ) -> models.InvoiceAnswer:
        """One invoice; a draft as it would be issued now."""
        answer: models.InvoiceAnswer = await self._connection.call(
            "GET",
            f"/api/v1/invoices/{segment(invoice_id)}",
            query={"organization_id": organization_id, "group_by": group_by},
        )
        return answer

    async def update(
        self,
        invoice_id: str,
        body: models.InvoicePatch,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.InvoiceAnswer:
        """Change what is written on a draft: order number, reference, notes, fields, and the lines of one by hand."""
        answer: models.InvoiceAnswer = await self._connection.call(
            "PATCH",
            f"/api/v1/invoices/{segment(invoice_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def list_lines(
        self, invoice_id: str, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.Line]:
        """All lines of an invoice, in their order; of a draft those that would be issued now."""
        return AsyncListing(
            self._connection,
            "GET",
            f"/api/v1/invoices/{segment(invoice_id)}/lines",
            query={"organization_id": organization_id, "limit": limit},
        )

    async def finalize(
        self,
        invoice_id: str,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> models.InvoiceAnswer | None:
        """Finalize a draft: compute its lines again and number it. A finalized invoice stays as it is."""
        answer: models.InvoiceAnswer | None = await self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/finalize",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
            if_match=if_match,
        )
        return answer

    async def cancel(
        self,
        invoice_id: str,
        body: models.CancelInvoiceRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.InvoiceAnswer:
        """Cancel an issued invoice. Its periods are billed again, less what is waived."""
        answer: models.InvoiceAnswer = await self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/cancel",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def create_credit_note(
        self,
        invoice_id: str,
        body: models.CreditNoteRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.CreditNoteAnswer:
        """Give back part of an issued invoice, or all of it."""
        answer: models.CreditNoteAnswer = await self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/credit-notes",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def get_pdf(self, invoice_id: str, *, organization_id: str | None = None) -> bytes:
        """An issued invoice as a PDF, as it was when it was finalized."""
        answer: bytes = await self._connection.call(
            "GET", f"/api/v1/invoices/{segment(invoice_id)}/pdf", query={"organization_id": organization_id}
        )
        return answer

    async def get_receipt(self, invoice_id: str, *, organization_id: str | None = None) -> bytes:
        """What has come for an invoice by now, as a PDF."""
        answer: bytes = await self._connection.call(
            "GET", f"/api/v1/invoices/{segment(invoice_id)}/receipt", query={"organization_id": organization_id}
        )
        return answer

    async def get_e(
        self,
        invoice_id: str,
        *,
        organization_id: str | None = None,
        format: Literal["factur-x", "xrechnung", "peppol"] | None = None,
    ) -> bytes:
        """An issued invoice as an electronic invoice (EN 16931)."""
        answer: bytes = await self._connection.call(
            "GET",
            f"/api/v1/invoices/{segment(invoice_id)}/e-invoice",
            query={"organization_id": organization_id, "format": format},
        )
        return answer

    async def generate(
        self, body: models.GenerateRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.JobAnswer:
        """Invoice a month that has ended, for one organization or all; answers with a job."""
        answer: models.JobAnswer = await self._connection.call(
            "POST",
            "/api/v1/invoices/generate/monthly",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def get_job(self, job_id: str, *, organization_id: str | None = None) -> models.JobAnswer:
        """How far a run has come, and its invoices."""
        answer: models.JobAnswer = await self._connection.call(
            "GET", f"/api/v1/invoices/jobs/{segment(job_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def create_link(
        self, invoice_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.InvoiceLinkAnswer:
        """Make a link under which anybody who has it sees the invoice, for 90 days."""
        answer: models.InvoiceLinkAnswer = await self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/link",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer

    async def send(
        self, invoice_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.SentAnswer:
        """Mail the invoice to its organization, with its PDF and a link to its page."""
        answer: models.SentAnswer = await self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/send",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer

    async def pay(
        self,
        invoice_id: str,
        body: models.PayRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.PaidAnswer:
        """Record a payment that came for an invoice; what exceeds it is balance of the account."""
        answer: models.PaidAnswer = await self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/pay",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def apply_balance(
        self,
        invoice_id: str,
        body: models.ApplyBalanceRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.InvoiceAnswer:
        """Pay of an invoice from the balance of the account."""
        answer: models.InvoiceAnswer = await self._connection.call(
            "POST",
            f"/api/v1/invoices/{segment(invoice_id)}/apply-balance",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer
