"""Links under which an invoice is shown without a sign-in, and mails with them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from shared.containers import INVOICES
from shared.domain.billing.documents import Invoice
from shared.domain.billing.payments import CancelledError
from shared.domain.billing.printed_documents import PrintedDocument
from shared.domain.billing.written_values import Writer
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import ConflictError, InvalidTokenError, UnavailableError, ValidationError
from shared.domain.kernel.times import from_text, to_text
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.mail import Attachment
from shared.services.access.letters import ACCESS_MAIL, Letter
from shared.services.access.mailed_links import IssuedLink, LinkRequest, MailedLinks
from shared.services.billing.document_printing import DocumentPrinting
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.dunning import recipient_name, recipients
from shared.services.storage import Outbox, Store, noting, putting
from shared.services.tenancy.organizations import Organizations
from shared.templates.rendering import plain_name

LARGEST_ATTACHMENT = 5_000_000
"""Bytes of a file that is attached; a larger one is behind the link alone. Mail servers take about 10 MB in all."""
_SEPARATOR = ":"


class InvoiceLinks:
    """Whoever has a link sees its invoice, as it stands then, until the link expires."""

    def __init__(self, links: MailedLinks, documents: BillingDocuments) -> None:
        self._links = links
        self._documents = documents

    async def issue(self, invoice: Invoice, link_id: str, asked_at: datetime) -> IssuedLink:
        """The link with this id; repeating it gives the same one. Raises `ConflictError` for a draft, and as below."""
        check_shown(invoice)
        request = LinkRequest(
            purpose="invoice",
            request_id=f"{invoice.id}{_SEPARATOR}{link_id}",
            holder_id=invoice.organization_id,
            address_fingerprint="",
            asked_at=asked_at,
        )
        link = await self._links.issue(request)
        if link is None:
            raise UnavailableError("The link would have expired by now")
        return link

    async def invoice(self, token: str) -> Invoice:
        """Whose link it is. Raises `InvalidTokenError`, the same for unknown and expired ones."""
        link = await self._links.find("invoice", token)
        invoice_id = link.request_id.partition(_SEPARATOR)[0]
        invoice = await self._documents.find_invoice(link.holder_id, invoice_id)
        if invoice is None:
            raise InvalidTokenError
        return invoice


class InvoiceMails:
    """Mails an invoice to the addresses of its organization: entries of the outbox, which name no address."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        outbox: Outbox,
        organizations: Organizations,
        documents: BillingDocuments,
        printing: DocumentPrinting,
        links: InvoiceLinks,
    ) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._sender = outbox.sender(ACCESS_MAIL)
        self._organizations = organizations
        self._documents = documents
        self._printing = printing
        self._links = links

    async def send(self, organization: Organization, invoice: Invoice, sending_id: str) -> int:
        """To how many addresses it goes. Repeating it with the same id sends it once.

        Raises `ConflictError` for a draft or a cancelled invoice, `ValidationError` where there is no address.
        """
        check_shown(invoice)
        if invoice.status == "cancelled":
            raise CancelledError("The invoice is cancelled, so nobody is asked to pay it")
        names = [recipient_name(address) for address in recipients(organization)]
        if not names:
            raise ValidationError.at("/billing_email", "is not set, and the organization has no billing contacts")
        entries = [
            self._sender.entry(
                f"{ACCESS_MAIL}:{sending_id}:{name}",
                template="invoice",
                request_id=f"{sending_id}{_SEPARATOR}{name}",
                organization_id=organization.id,
                invoice_id=invoice.id,
                recipient=name,
                decided_at=to_text(self._clock.now()),
            )
            for name in names
        ]
        said = {"recipients": len(names)}
        note = noting("invoices.send", Target("invoice", invoice.id), [organization.id], details=said)
        await self._store.batch(INVOICES.name, organization.id, [*map(putting, entries), note])
        for entry in entries:
            await self._outbox.attempt(INVOICES.name, organization.id, entry.id)
        return len(names)

    async def letter(
        self, *, request_id: str, organization_id: str, invoice_id: str, recipient: str, decided_at: str
    ) -> Letter | None:
        """The mail with the invoice; None where the address is no contact any longer, or the invoice is cancelled."""
        organization = await self._organizations.made(organization_id)
        invoice = await self._documents.find_invoice(organization_id, invoice_id)
        if invoice is None:
            raise UnavailableError("The invoice cannot be read yet")
        address = next((to for to in recipients(organization) if recipient_name(to) == recipient), None)
        if address is None or invoice.status == "cancelled":
            return None
        link = await self._links.issue(invoice, request_id, from_text(decided_at))
        document = await self._printing.invoice(invoice)
        file = await self._printing.invoice_file(invoice)
        is_attached = len(file.content) <= LARGEST_ATTACHMENT
        return Letter(
            address,
            from_text(decided_at),
            link=link,
            figures=_said(document, invoice, link, is_attached=is_attached),
            attachments=(Attachment(file.name, "application/pdf", file.content),) if is_attached else (),
        )


def check_shown(invoice: Invoice) -> None:
    """Raises `ConflictError` for a draft."""
    if invoice.number is None:
        raise ConflictError("The invoice is a draft, which nobody else sees: finalize it first")


def _said(document: PrintedDocument, invoice: Invoice, link: IssuedLink, *, is_attached: bool) -> dict[str, str]:
    """What the mail says, in the customer's language."""
    writer, zone = Writer(document.language), ZoneInfo(invoice.timezone)
    seller, number = plain_name(document.seller_name), document.number
    due = invoice.payable_by or invoice.created_at
    values = {"number": number, "seller": seller, "amount": writer.money(invoice.total, invoice.currency)}
    expires = writer.day(link.expires_at.astimezone(zone).date())
    return {
        "language": document.language,
        "subject": writer.word("mail_subject" if seller else "mail_subject_unnamed", **values),
        "seller": seller or number,
        "greeting": writer.word("mail_greeting"),
        "text": writer.word("mail_text", **values, due=writer.day(due.astimezone(zone).date())),
        "where": writer.word("mail_attached" if is_attached else "mail_linked", expires=expires),
        "action": writer.word("mail_action"),
        "footer": writer.word("mail_footer"),
    }
