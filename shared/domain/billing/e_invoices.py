"""Electronic invoices by EN 16931: what an issued document says, in the terms of the standard.

A credit note (381) has every sign flipped. A negative line has a negative quantity and a positive price. What has no
tax set is category O, without VAT ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.domain.billing.document_details import Buyer, DocumentDetails, Seller
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.tax_currency import TaxCurrency
from shared.domain.billing.tax_settings import TaxId
from shared.domain.billing.taxes import TaxLine
from shared.domain.kernel.money import EXACT, ZERO, plain, round_half_up, total
from shared.domain.kernel.pauses import pause_if_over
from shared.domain.pricing.lines import Line

INVOICE, CREDIT_NOTE = "380", "381"
NOT_SUBJECT = "O"
"""The category of what has no tax set."""
_ONE = Decimal(1)
_INSTANT = timedelta(microseconds=1)
_PREFIXES = {"eu_vat": "", "ch_vat": "", "gb_vat": "GB", "no_vat": "NO"}
"""Types of VAT numbers, and what the compact form lacks of the country's letters."""
_REASONS = {NOT_SUBJECT: ("Not subject to VAT", "VATEX-EU-O"), "AE": ("Reverse charge", "VATEX-EU-AE")}
"""Texts and codes of categories without tax."""


@dataclass(frozen=True, slots=True)
class EInvoiceLine:
    """BG-25. `quantity` times `price`, rounded, less the allowances is `amount`."""

    name: str
    note: str | None
    quantity: Decimal
    price: Decimal
    amount: Decimal
    category: str
    percent: Decimal | None
    first_day: date
    last_day: date
    allowances: tuple[tuple[str, Decimal], ...] = ()
    """BG-27: what coupons take off it, by their names."""


@dataclass(frozen=True, slots=True)
class EInvoiceTax:
    """BG-23: all lines of one category and rate."""

    category: str
    percent: Decimal | None
    taxable: Decimal
    amount: Decimal
    reason: str | None
    reason_code: str | None


@dataclass(frozen=True, slots=True)
class EInvoice:
    """A document by the terms of the standard."""

    type_code: str
    number: str
    issued_on: date
    due_on: date | None
    currency: str
    first_day: date
    last_day: date
    seller: Seller
    buyer: Buyer
    lines: tuple[EInvoiceLine, ...]
    taxes: tuple[EInvoiceTax, ...]
    net: Decimal
    """BT-109."""
    tax: Decimal
    """BT-110."""
    gross: Decimal
    """BT-112."""
    prepaid: Decimal
    """BT-113: from the balance of the account."""
    due: Decimal
    """BT-115."""
    tax_elsewhere: tuple[str, Decimal] | None = None
    """BT-6 and BT-111: the currency of a tax office, and the tax in it."""
    purchase_order: str | None = None
    notes: str | None = None
    corrects: tuple[str, date] | None = None
    """Number and date of the invoice that a credit note lowers."""

    @property
    def is_taxed(self) -> bool:
        """Whether VAT ids may stand on it."""
        return all(tax.category != NOT_SUBJECT for tax in self.taxes)


def of_invoice(invoice: Invoice, lines: Sequence[Line], details: DocumentDetails) -> EInvoice:
    """An issued invoice. It needs a seller in its details."""
    zone = ZoneInfo(invoice.timezone)
    common = _Common(zone, invoice.currency, sign=1)
    issued_at, payable_by = invoice.issued_at or invoice.created_at, invoice.payable_by
    due = EXACT.subtract(invoice.total, invoice.applied_when_issued)
    taxes = common.taxes(invoice.tax_lines, lines)
    return EInvoice(
        type_code=INVOICE,
        number=invoice.number or "",
        issued_on=common.day(issued_at),
        due_on=common.day(payable_by) if payable_by is not None else None,
        currency=invoice.currency,
        first_day=common.day(invoice.start),
        last_day=common.day(invoice.end - _INSTANT),
        seller=_known(details),
        buyer=details.buyer,
        lines=common.lines(lines),
        taxes=taxes,
        net=common.net(lines),
        tax=common.rounded(total(tax.amount for tax in taxes)),
        gross=invoice.total,
        prepaid=invoice.applied_when_issued,
        due=common.rounded(due),
        tax_elsewhere=common.elsewhere(invoice.tax_currency),
        purchase_order=invoice.purchase_order,
        notes=invoice.notes,
    )


def of_credit_note(
    note: CreditNote, lines: Sequence[Line], details: DocumentDetails, corrected: Invoice | None, timezone: str
) -> EInvoice:
    """An issued credit note: what it gives back is positive."""
    common = _Common(ZoneInfo(timezone), note.currency, sign=-1)
    taxes = common.taxes(note.tax_lines, lines)
    issued_at = None if corrected is None else corrected.issued_at
    return EInvoice(
        type_code=CREDIT_NOTE,
        number=note.number,
        issued_on=common.day(note.issued_at),
        due_on=common.day(note.issued_at),
        currency=note.currency,
        first_day=common.day(note.start),
        last_day=common.day(note.end - _INSTANT),
        seller=_known(details),
        buyer=details.buyer,
        lines=common.lines(lines),
        taxes=taxes,
        net=common.net(lines),
        tax=common.rounded(total(tax.amount for tax in taxes)),
        gross=-note.total,
        prepaid=common.rounded(ZERO),
        due=-note.total,
        tax_elsewhere=common.elsewhere(note.tax_currency),
        notes=note.text,
        corrects=None
        if corrected is None or corrected.number is None or issued_at is None
        else (corrected.number, common.day(issued_at)),
    )


def vat_number(tax_ids: Sequence[TaxId]) -> str | None:
    """The first VAT number, with the letters of its country."""
    for tax_id in tax_ids:
        prefix = _PREFIXES.get(tax_id.type)
        if prefix is not None:
            return tax_id.value if tax_id.value.startswith(prefix) else f"{prefix}{tax_id.value}"
    return None


@dataclass(frozen=True, slots=True)
class _Common:
    """What the lines of one document share."""

    zone: ZoneInfo
    currency: str
    sign: int

    def day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def rounded(self, amount: Decimal) -> Decimal:
        return round_half_up(amount, self.currency)

    def net(self, lines: Sequence[Line]) -> Decimal:
        return self.rounded(total(self._net_of(line) for line in lines))

    def elsewhere(self, stated: TaxCurrency | None) -> tuple[str, Decimal] | None:
        return None if stated is None else (stated.currency, self.sign * stated.tax_total)

    def lines(self, lines: Sequence[Line]) -> tuple[EInvoiceLine, ...]:
        """With discounts as allowances of the lines that they are for, where these are there and cover them."""
        places: dict[tuple[object, ...], int] = {}
        made: list[EInvoiceLine] = []
        for line in lines:
            pause_if_over()
            key = (
                line.discounted_key,
                None if line.treatment is None else line.treatment.key,
                line.period,
                line.adjusts,
            )
            place, taken_off = places.get(key), -self._net_of(line)
            if line.discount is not None and place is not None and 0 <= taken_off <= made[place].amount:
                made[place] = _less(made[place], line.discount.name, taken_off)
                continue
            if line.discount is None:
                places[key] = len(made)
            made.append(self.line(line))
        return tuple(made)

    def line(self, line: Line) -> EInvoiceLine:
        """Quantity and price where they come to the amount, else one of it at that price, with the quantity as note."""
        amount, treatment = self._net_of(line), line.treatment
        quantity, price = self._quantity_and_price(line, amount)
        is_as_billed = abs(quantity) == abs(line.quantity) and price == line.unit_amount
        note = None if is_as_billed or not line.quantity else f"{plain(line.quantity)} {line.unit or 'x'}"
        span = line.covers or line.period
        return EInvoiceLine(
            name=line.description,
            note=note,
            quantity=quantity,
            price=price,
            amount=amount,
            category=NOT_SUBJECT if treatment is None else treatment.category,
            percent=None if treatment is None else treatment.percent,
            first_day=self.day(span.start),
            last_day=self.day(span.end - _INSTANT),
        )

    def taxes(self, tax_lines: Sequence[TaxLine], lines: Sequence[Line]) -> tuple[EInvoiceTax, ...]:
        """By category and rate, in the order of the document; with what has no tax, where there is any."""
        merged: dict[tuple[str, Decimal], list[TaxLine]] = {}
        for tax in tax_lines:
            merged.setdefault((tax.category, tax.percent), []).append(tax)
        taxes = [self._tax(category, percent, same) for (category, percent), same in merged.items()]
        untaxed = [self._net_of(line) for line in lines if line.treatment is None]
        if untaxed or not taxes:
            reason, code = _REASONS[NOT_SUBJECT]
            zero = self.rounded(ZERO)
            taxes.append(EInvoiceTax(NOT_SUBJECT, None, self.rounded(total(untaxed)), zero, reason, code))
        return tuple(taxes)

    def _tax(self, category: str, percent: Decimal, same: Sequence[TaxLine]) -> EInvoiceTax:
        usual, code = _REASONS.get(category, (None, None))
        said = next((tax.text for tax in same if tax.text), None)
        has_reason = category in ("AE", "E")
        return EInvoiceTax(
            category=category,
            percent=percent,
            taxable=self.rounded(self.sign * total(tax.taxable for tax in same)),
            amount=self.rounded(self.sign * total(tax.amount for tax in same)),
            reason=(said or usual) if has_reason else None,
            reason_code=code if has_reason else None,
        )

    def _net_of(self, line: Line) -> Decimal:
        return self.rounded(self.sign * line.without_contained_tax)

    def _quantity_and_price(self, line: Line, amount: Decimal) -> tuple[Decimal, Decimal]:
        price = line.unit_amount
        includes_tax = line.treatment is not None and line.treatment.inclusive
        if price is not None and not includes_tax:
            quantity = line.quantity if self.sign > 0 else -line.quantity
            if price < 0:
                quantity, price = -quantity, -price
            if self.rounded(EXACT.multiply(quantity, price)) == amount:
                return quantity, price
        return (_ONE, amount) if amount >= 0 else (-_ONE, -amount)


def _less(line: EInvoiceLine, name: str, amount: Decimal) -> EInvoiceLine:
    """The line after an allowance; one of nothing is none."""
    if not amount:
        return line
    return replace(line, amount=EXACT.subtract(line.amount, amount), allowances=(*line.allowances, (name, amount)))


def _known(details: DocumentDetails) -> Seller:
    if details.seller is None:
        raise ValueError("an electronic invoice needs a seller")
    return details.seller
