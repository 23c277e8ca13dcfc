"""The currency of a tax office, in which a document says its tax beside its own currency."""

from collections.abc import Iterable
from decimal import Decimal

from shared.domain.billing.taxes import TaxLine
from shared.domain.kernel.money import EXACT, ExactDecimal, RoundedAmount, round_half_up, total
from shared.domain.kernel.value import Value


class TaxCurrency(Value):
    """A document's tax in another currency, at a rate that it keeps."""

    currency: str
    """ISO 4217."""
    rate: ExactDecimal
    """What one unit of the document's currency is in it, by the operator's exchange rate at the invoice's issue."""
    tax_total: RoundedAmount
    """All taxes of the document at that rate, rounded half up."""

    @classmethod
    def at(cls, currency: str, rate: Decimal, taxes: Iterable[TaxLine]) -> "TaxCurrency":
        """What these taxes are in the currency."""
        amount = EXACT.multiply(total(tax.amount for tax in taxes), rate)
        return cls(currency=currency, rate=rate, tax_total=round_half_up(amount, currency))
