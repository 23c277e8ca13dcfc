"""Tax currencies: the rate at which a document says its tax in the currency of a tax office."""

from datetime import datetime
from decimal import Decimal

from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.tax_currency import TaxCurrency
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.taxes import Taxes
from shared.services.provider_costs.exchange_rates import ExchangeRateBook


class TaxCurrencies:
    """An invoice has the rate of its issue, and a credit note that of the invoice which it corrects."""

    def __init__(
        self, clock: Clock, taxes: Taxes, exchange_rates: ExchangeRateBook, documents: BillingDocuments
    ) -> None:
        self._clock = clock
        self._taxes = taxes
        self._exchange_rates = exchange_rates
        self._documents = documents

    async def check(self, organization: Organization, currency: str | None) -> None:
        """Raises `ValidationError` where no exchange rate is in force for a tax currency."""
        if currency is not None and await self._rate(organization.currency, currency, self._clock.now()) is None:
            pair = f"{organization.currency} to {currency}"
            raise ValidationError.at("/tax_currency", f"needs an exchange rate from {pair}: PUT /exchange-rates")

    async def on_invoice(self, organization: Organization, invoice: Invoice, now: datetime) -> Invoice:
        """The invoice with its tax in the tax currency, where the organization has one.

        Raises `ConflictError` where no exchange rate is in force for it.
        """
        stated = await self._stated(organization, invoice, now)
        return invoice if stated is None else invoice.changed(tax_currency=stated)

    async def on_note(self, organization: Organization, note: CreditNote, now: datetime) -> CreditNote:
        """The note at the rate of the invoice that it corrects. Raises as `on_invoice`."""
        corrected = None
        if note.invoice_id is not None:
            corrected = await self._documents.find_invoice(organization.id, note.invoice_id)
        if corrected is not None and (kept := corrected.tax_currency) is not None:
            return note.changed(tax_currency=TaxCurrency.at(kept.currency, kept.rate, note.tax_lines))
        stated = await self._stated(organization, note, now)
        return note if stated is None else note.changed(tax_currency=stated)

    async def _stated(
        self, organization: Organization, document: Invoice | CreditNote, now: datetime
    ) -> TaxCurrency | None:
        if not document.tax_lines:
            return None
        settings = await self._taxes.terms(organization.id)
        terms = None if settings is None else settings.entity.terms.at(now)
        if terms is None or terms.tax_currency in (None, organization.currency):
            return None
        rate = await self._rate(organization.currency, terms.tax_currency, now)
        if rate is None:
            pair = f"{organization.currency} to {terms.tax_currency}"
            raise ConflictError(f"The tax currency needs an exchange rate from {pair}: PUT /exchange-rates")
        return TaxCurrency.at(terms.tax_currency, rate, document.tax_lines)

    async def _rate(self, source: str, target: str, at: datetime) -> Decimal | None:
        if source == target:
            return Decimal(1)
        return (await self._exchange_rates.rates()).rate(source, target, at)
