"""The services of accounts, wired with each other."""

from shared.ports.clock import Clock
from shared.services.billing.accounts import Accounts
from shared.services.billing.bills import Bills
from shared.services.billing.cancelling import Cancelling
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.draws import Draws
from shared.services.billing.invoice_payments import InvoicePayments
from shared.services.billing.issuing import Issuing
from shared.services.periods.periods import Periods
from shared.services.storage import Outbox, Owners, Store


class AccountServices:
    def __init__(self, store: Store, clock: Clock, owners: Owners, periods: Periods) -> None:
        self._store = store
        self._clock = clock
        self.documents = documents = BillingDocuments(store, owners)
        self.accounts = Accounts(store)
        self.payments = InvoicePayments(store, clock, owners, documents, self.accounts)
        self.cancelling = Cancelling(store, clock, periods, documents, self.accounts)

    def issuing(self, bills: Bills, draws: Draws, outbox: Outbox) -> Issuing:
        """What finalizes invoices onto these accounts."""
        return Issuing(self._store, self._clock, bills, self.documents, draws, self.accounts, outbox)
