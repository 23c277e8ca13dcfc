"""What is printed of an invoice, a credit note and a receipt. Each says what held when it was finalized."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.domain.billing.document_details import DocumentDetails
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.operator_profile import DEFAULT_ACCENT
from shared.domain.billing.payments import Payment
from shared.domain.billing.printed_documents import (
    PrintedDocument,
    PrintedGroup,
    PrintedLine,
    PrintedLogo,
    PrintedTotal,
)
from shared.domain.billing.printed_lines import LinePrinter
from shared.domain.billing.printed_parties import buyer_lines, filled, footer_columns, payment_rows, sender_line
from shared.domain.billing.tax_settings import REVERSE_CHARGE_TEXT
from shared.domain.billing.taxes import TaxLine
from shared.domain.billing.words import WORDS
from shared.domain.billing.written_values import Writer
from shared.domain.kernel.money import EXACT, total
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line

Rows = tuple[tuple[str, str], ...]
_TRIAL = "TEST-"
"""What numbers of documents begin with that nobody has to pay."""


class DocumentPrinter:
    """Makes documents of one customer and language."""

    def __init__(self, details: DocumentDetails, timezone: str, logo: PrintedLogo | None) -> None:
        """`timezone` is in which days are told."""
        self._details = details
        self._seller = details.seller
        self._zone = ZoneInfo(timezone)
        self._logo = logo
        self._writer = Writer(details.language)

    def invoice(self, invoice: Invoice, lines: Sequence[Line]) -> PrintedDocument:
        """An issued one, with what was to be paid when it was issued."""
        writer, number = self._writer, invoice.number or ""
        printer = LinePrinter(writer, invoice.period, invoice.currency)
        applied = invoice.applied_when_issued
        to_pay = EXACT.subtract(invoice.total, applied)
        facts = [
            (writer.word("number"), number),
            (writer.word("date"), self._day(invoice.issued_at)),
            (writer.word("due"), self._day(invoice.payable_by) if to_pay else None),
            (writer.word("period"), printer.span(invoice.period.span)),
            (writer.word("purchase_order"), invoice.purchase_order),
            (writer.word("buyer_reference"), self._details.buyer.reference),
            (writer.word("reference"), invoice.reference),
            *invoice.custom_fields.items(),
        ]
        totals = self._totals(invoice.total, invoice.tax_lines, invoice.currency) + self._elsewhere(invoice)
        if applied:
            totals.append(PrintedTotal(writer.word("from_balance"), writer.amount(-applied)))
            totals.append(PrintedTotal(writer.word("to_pay"), writer.money(to_pay, invoice.currency), is_strong=True))
        payment = payment_rows(self._seller, number, writer)
        return self._document(
            ("invoice", number, invoice.issued_at),
            facts,
            self._heads(invoice.currency, lines),
            printer.groups(lines),
            totals,
            [*_tax_texts(invoice.tax_lines, writer), None if to_pay else writer.word("nothing_to_pay"), invoice.notes],
            payment if to_pay else (),
        )

    def credit_note(
        self, note: CreditNote, lines: Sequence[Line], corrected: Invoice | None, timezone: str
    ) -> PrintedDocument:
        """Its amounts are negative, as they are stored. `corrected` is the invoice that it lowers, if there is one."""
        writer = self._writer
        period = Period(start=note.start, end=note.end, timezone=timezone)
        printer = LinePrinter(writer, period, note.currency)
        facts = [
            (writer.word("number"), note.number),
            (writer.word("date"), self._day(note.issued_at)),
            (writer.word("for_credit"), None if corrected is None else corrected.number),
            (writer.word("period"), printer.span(period.span)),
            (writer.word("buyer_reference"), self._details.buyer.reference),
        ]
        reason = f"{writer.word('reason')}: {note.text}" if note.text else None
        return self._document(
            ("credit_note", note.number, note.issued_at),
            facts,
            self._heads(note.currency, lines),
            printer.groups(lines),
            self._totals(note.total, note.tax_lines, note.currency) + self._elsewhere(note),
            [*_tax_texts(note.tax_lines, writer), reason],
            (),
        )

    def receipt(self, invoice: Invoice, payments: Sequence[Payment], now: datetime) -> PrintedDocument:
        """What has come for an invoice by now: payments, balance and credit notes.

        What was paid by others than these payments is one line.
        """
        writer, currency = self._writer, invoice.currency
        received = [
            PrintedLine(
                description=writer.word("paid_by", method=self._method(payment.method)),
                amount=writer.amount(payment.applied),
                notes=tuple(filled([self._day(payment.received_at), payment.reference])),
            )
            for payment in payments
            if payment.applied
        ]
        others = EXACT.subtract(invoice.amount_paid, total(payment.applied for payment in payments))
        sums = {
            "other_payments": others,
            "from_balance": invoice.credits_applied,
            "credited": invoice.amount_credited,
        }
        for name, amount in sums.items():
            if amount > 0:
                received.append(PrintedLine(writer.word(name), writer.amount(amount)))
        come = total([invoice.amount_paid, invoice.credits_applied, invoice.amount_credited])
        totals = [PrintedTotal(writer.word("receipt_total"), writer.money(come, currency), is_strong=True)]
        if invoice.amount_due:
            totals.append(PrintedTotal(writer.word("open"), writer.amount(invoice.amount_due)))
        facts = [
            (writer.word("for_invoice"), invoice.number),
            (writer.word("invoice_total"), writer.money(invoice.total, currency)),
            (writer.word("date"), self._day(now)),
        ]
        heads = (writer.word("description"), "", "", "", f"{writer.word('amount')} ({currency})")
        group = (PrintedGroup(tuple(received)),)
        return self._document(("receipt", invoice.number or "", now), facts, heads, group, totals, [], ())

    def _document(  # noqa: PLR0913  the parts of a page
        self,
        name: tuple[str, str, datetime | None],
        facts: Sequence[tuple[str, str | None]],
        heads: tuple[str, ...],
        groups: tuple[PrintedGroup, ...],
        totals: Sequence[PrintedTotal],
        texts: Sequence[str | None],
        payment: Rows,
    ) -> PrintedDocument:
        writer, seller = self._writer, self._seller
        title, number, issued_at = name
        trial = writer.word("test_document") if number.startswith(_TRIAL) else None
        return PrintedDocument(
            language=self._details.language,
            title=writer.word(title),
            number=number,
            issued_at=issued_at or self._details.as_of,
            accent=DEFAULT_ACCENT if seller is None else seller.accent,
            logo=self._logo,
            seller_name="" if seller is None else seller.name,
            sender=sender_line(seller),
            buyer=buyer_lines(self._details.buyer, writer),
            facts=tuple((label, value) for label, value in facts if value),
            heads=heads,
            groups=groups,
            totals=tuple(totals),
            texts=tuple(filled([trial, *texts])),
            payment=() if trial else payment,
            payment_title=writer.word("pay_to"),
            footer=footer_columns(seller, writer),
            page_label=WORDS[self._details.language]["page"],
            subtotal_label=writer.word("subtotal"),
        )

    def _totals(self, whole: Decimal, tax_lines: Sequence[TaxLine], currency: str) -> list[PrintedTotal]:
        """What is added up to the total, and the taxes in it."""
        writer = self._writer
        added = total(tax.amount for tax in tax_lines if not tax.inclusive)
        rows = []
        if any(not tax.inclusive for tax in tax_lines):
            rows.append(PrintedTotal(writer.word("net"), writer.amount(EXACT.subtract(whole, added))))
        rows += [self._tax("on", tax) for tax in tax_lines if not tax.inclusive]
        rows.append(PrintedTotal(writer.word("total"), writer.money(whole, currency), is_strong=True))
        return rows + [self._tax("contained", tax) for tax in tax_lines if tax.inclusive]

    def _elsewhere(self, document: Invoice | CreditNote) -> list[PrintedTotal]:
        """The tax in the currency of a tax office, where it is another one."""
        stated, writer = document.tax_currency, self._writer
        if stated is None:
            return []
        label = writer.word("tax_in", currency=stated.currency, rate=writer.number(stated.rate))
        return [PrintedTotal(label, writer.money(stated.tax_total, stated.currency))]

    def _tax(self, word: str, tax: TaxLine) -> PrintedTotal:
        writer = self._writer
        percent, taxable = writer.percent(tax.percent), writer.amount(tax.taxable)
        label = writer.word(word, name=tax.name, percent=percent, amount=taxable)
        return PrintedTotal(label, writer.amount(tax.amount))

    def _heads(self, currency: str, lines: Sequence[Line]) -> tuple[str, ...]:
        word = self._writer.word
        has_prices = any(line.unit_amount is not None for line in lines)
        is_taxed = any(line.treatment is not None for line in lines)
        return (
            word("description"),
            word("quantity"),
            word("unit_price") if has_prices else "",
            word("tax") if is_taxed else "",
            f"{word('amount')} ({currency})",
        )

    def _method(self, method: str) -> str:
        known = ("bank_transfer", "cash", "check")
        return self._writer.word(f"method_{method}") if method in known else method

    def _day(self, instant: datetime | None) -> str | None:
        return None if instant is None else self._writer.day(instant.astimezone(self._zone).date())


def _tax_texts(tax_lines: Sequence[TaxLine], writer: Writer) -> list[str | None]:
    """What has to be said of taxes; the usual words of reverse charge in the customer's language, too."""
    return [writer.word("reverse_charge") if tax.text == REVERSE_CHARGE_TEXT else tax.text for tax in tax_lines]
