"""Links to an invoice: its page for whoever has one, and mails with it."""

from datetime import datetime
from typing import Any

import azure.functions as func

from functions.billing.document_files import as_file
from functions.billing.invoices import InvoicePath
from shared.domain.access.identity import Permission
from shared.domain.access.rate_limits import INVOICE_PAGES
from shared.domain.billing.payments import CancelledError
from shared.domain.billing.written_values import Writer
from shared.domain.kernel.errors import InvalidTokenError, UnavailableError
from shared.http import (
    Access,
    Call,
    NoBody,
    PathText,
    PathValues,
    Query,
    Reply,
    Schema,
    TextFile,
    document_pages,
    endpoint,
    pages,
)

blueprint = func.Blueprint()


class LinkPath(PathValues):
    token: PathText
    """As the link has it."""


class InvoiceLinkAnswer(Schema):
    url: str | None
    """Where whoever has it sees the invoice. It is shown this once: null where the request is repeated."""
    expires_at: datetime
    """90 days from now."""


class SentAnswer(Schema):
    recipients: int
    """To how many addresses it goes: the organization's `billing_email` and its `billing_contacts`."""


_PAGES: dict[str, Any] = {
    "access": Access.PUBLIC,
    "path_values": LinkPath,
    "answers": {200: TextFile},
    "error_format": pages.PageErrors(),
    "errors": (InvalidTokenError, UnavailableError),
    "rate_limits": (INVOICE_PAGES,),
}


@endpoint(
    blueprint,
    "POST",
    "invoices/{invoice_id}/link",
    summary="Make a link under which anybody who has it sees the invoice, for 90 days",
    access=Permission.BILLING_WRITE,
    path_values=InvoicePath,
    secret_answer=True,
    answers={201: InvoiceLinkAnswer},
)
async def create_invoice_link(call: Call[NoBody, Query, InvoicePath]) -> Reply:
    invoice_id = call.path.invoice_id
    invoice, _ = await call.services.billing_documents.invoice(await call.organization_id_of(invoice_id), invoice_id)
    link = await call.services.documents.links.issue(invoice, call.new_id("lnk"), call.now)
    hidden = Reply(InvoiceLinkAnswer(url=None, expires_at=link.expires_at))
    return Reply(InvoiceLinkAnswer(url=link.url, expires_at=link.expires_at), when_repeated=hidden)


@endpoint(
    blueprint,
    "POST",
    "invoices/{invoice_id}/send",
    summary="Mail the invoice to its organization, with its PDF and a link to its page",
    access=Permission.BILLING_WRITE,
    path_values=InvoicePath,
    answers={202: SentAnswer},
    errors=(CancelledError,),
)
async def send_invoice(call: Call[NoBody, Query, InvoicePath]) -> Reply:
    invoice_id = call.path.invoice_id
    organization = await call.organization_of(invoice_id)
    invoice, _ = await call.services.billing_documents.invoice(organization.id, invoice_id)
    return Reply(
        SentAnswer(recipients=await call.services.documents.mails.send(organization, invoice, call.new_id("snd")))
    )


@endpoint(
    blueprint,
    "GET",
    "/pay/{token}",
    summary="The page of an invoice, for whoever has its link",
    media_type=pages.MEDIA_TYPE,
    headers=document_pages.headers(),
    **_PAGES,
)
async def show_invoice(call: Call[NoBody, Query, LinkPath]) -> Reply:
    invoice = await call.services.documents.links.invoice(call.path.token)
    document = await call.services.documents.printing.invoice(invoice)
    writer = Writer(document.language)
    is_moved = invoice.amount_due != invoice.total and invoice.status != "cancelled"
    standing = ((writer.word("open"), writer.money(invoice.amount_due, invoice.currency)),) if is_moved else ()
    file = f"/pay/{call.path.token}/pdf"
    return Reply(document_pages.document_page(document, invoice.status, standing, file))


@endpoint(
    blueprint,
    "GET",
    "/pay/{token}/pdf",
    summary="The PDF of an invoice, for whoever has its link",
    media_type="application/pdf",
    headers=document_pages.headers(),
    **_PAGES,
)
async def download_invoice(call: Call[NoBody, Query, LinkPath]) -> Reply:
    invoice = await call.services.documents.links.invoice(call.path.token)
    return as_file(await call.services.documents.printing.invoice_file(invoice))
