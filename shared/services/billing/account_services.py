"""The services of accounts, wired with each other."""

from collections.abc import Mapping

from shared.ports.clock import Clock
from shared.ports.printing import Printer
from shared.ports.queue import Queue
from shared.services.access.letters import Composer
from shared.services.billing.accounts import Accounts
from shared.services.billing.bills import Bills
from shared.services.billing.cancelling import Cancelling
from shared.services.billing.coupons import Coupons
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.draws import Draws
from shared.services.billing.dunning import OVERDUE_SETTLED, Dunning
from shared.services.billing.goodwill import Goodwill
from shared.services.billing.interims import Interims
from shared.services.billing.invoice_jobs import InvoiceJobs
from shared.services.billing.invoice_payments import InvoicePayments
from shared.services.billing.invoice_runs import InvoiceRuns
from shared.services.billing.issuing import Issuing
from shared.services.billing.manual_invoices import ManualInvoices
from shared.services.billing.operator_profiles import OperatorProfiles
from shared.services.billing.redemptions import COUPON_CLAIMED, Redemptions
from shared.services.billing.tax_currencies import TaxCurrencies
from shared.services.billing.taxes import Taxes
from shared.services.periods.periods import Periods
from shared.services.pricing.plans import Plans
from shared.services.provider_costs.exchange_rates import ExchangeRateBook
from shared.services.storage import Outbox, Owners, Store
from shared.services.storage.outbox import Receiver
from shared.services.tenancy.organizations import Organizations


class AccountServices:
    def __init__(  # noqa: PLR0913  what they need of the services below them
        self,
        store: Store,
        clock: Clock,
        owners: Owners,
        organizations: Organizations,
        periods: Periods,
        outbox: Outbox,
        printer: Printer,
        plans: Plans,
        exchange_rates: ExchangeRateBook,
    ) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._organizations = organizations
        self._periods = periods
        self.documents = documents = BillingDocuments(store, owners)
        self.accounts = accounts = Accounts(store)
        self.taxes = Taxes(store, clock, periods)
        self.profiles = profiles = OperatorProfiles(store, clock, self.taxes, printer)
        self.tax_currencies = TaxCurrencies(clock, self.taxes, exchange_rates, documents)
        self.coupons = Coupons(store, clock, plans)
        self.redemptions = Redemptions(store, clock, organizations, periods, self.coupons, outbox)
        self.dunning = dunning = Dunning(store, clock, organizations, outbox)
        self.payments = InvoicePayments(store, clock, owners, documents, accounts, dunning, outbox)
        self.manual_invoices = ManualInvoices(store, clock, documents, accounts, profiles, self.tax_currencies)
        self.goodwill = Goodwill(
            *(store, clock, periods, documents, accounts, dunning, outbox, profiles), self.tax_currencies
        )
        self.cancelling = Cancelling(store, clock, periods, documents, accounts, dunning, outbox)

    def issuing(self, bills: Bills, draws: Draws) -> Issuing:
        """What finalizes invoices onto these accounts."""
        return Issuing(
            *(self._store, self._clock, bills, self.documents, draws, self.accounts, self.dunning, self._outbox),
            *(self.profiles, self.tax_currencies),
        )

    def runs(self, queue: Queue, issuing: Issuing, interims: Interims) -> tuple[InvoiceJobs, InvoiceRuns]:
        """What invoices every organization, and reminds it of what is open."""
        jobs = InvoiceJobs(self._store, self._outbox)
        return jobs, InvoiceRuns(
            *(queue, self._clock, self._organizations, self._periods, issuing, jobs), self.dunning, interims
        )

    def receivers(self) -> Mapping[str, Receiver]:
        """What their effects do."""
        return {OVERDUE_SETTLED: self.dunning.lift, COUPON_CLAIMED: self.redemptions.complete}

    def composers(self) -> Mapping[str, Composer]:
        """What makes their letters."""
        return {"invoice_due": self.dunning.letter, "invoice_overdue": self.dunning.letter}
