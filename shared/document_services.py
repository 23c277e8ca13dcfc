"""The services that print, show and mail issued documents, wired."""

from collections.abc import Mapping

from shared.one_at_a_time import OneAtATime
from shared.ports.clock import Clock
from shared.ports.e_invoices import EInvoiceWriter
from shared.ports.printing import Printer
from shared.services.access.letters import Composer
from shared.services.access.mailed_links import MailedLinks
from shared.services.billing.account_services import AccountServices
from shared.services.billing.document_printing import DocumentPrinting
from shared.services.billing.e_invoices import EInvoices
from shared.services.billing.invoice_links import InvoiceLinks, InvoiceMails
from shared.services.storage import Outbox, Store
from shared.services.tenancy.organizations import Organizations


class DocumentServices:
    def __init__(  # noqa: PLR0913  what they need of the services below them
        self,
        store: Store,
        clock: Clock,
        outbox: Outbox,
        account: AccountServices,
        organizations: Organizations,
        links: MailedLinks,
        printer: Printer,
        writer: EInvoiceWriter,
        calculations: OneAtATime,
    ) -> None:
        documents = account.documents
        self.profiles = account.profiles
        self.printing = DocumentPrinting(
            *(clock, documents, account.payments, account.profiles, organizations, printer, calculations)
        )
        self.e_invoices = EInvoices(documents, self.printing, writer)
        self.links = InvoiceLinks(links, documents)
        self.mails = InvoiceMails(store, clock, outbox, organizations, documents, self.printing, self.links)

    def composers(self) -> Mapping[str, Composer]:
        """What makes their letters."""
        return {"invoice": self.mails.letter}
