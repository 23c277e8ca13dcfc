"""Electronic invoices keep the schema and the rules of EN 16931, and say what the API says."""

import io
import os
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Any

import pikepdf
import pytest
from lxml import etree
from pypdf import PdfReader

from shared.adapters.e_invoices.writer import FILE_NAME, embed, write_xml
from shared.adapters.typst.printer import print_document
from shared.domain.billing.e_invoice_fields import check_agreed, check_fields
from shared.domain.billing.e_invoices import EInvoice, of_credit_note, of_invoice
from shared.domain.billing.operator_profile import Contact
from shared.domain.billing.printing import DocumentPrinter
from shared.domain.billing.tax_currency import TaxCurrency
from shared.domain.kernel.errors import ValidationError
from shared.domain.pricing.lines import Line, LineDiscount
from shared.domain.tenancy.billing_details import PostalAddress
from tests.doubles.worlds.e_invoice_rules import Syntax, broken_rules, broken_rules_of, further_rules
from tests.doubles.worlds.issued_documents import (
    BUYER,
    CONTAINED,
    EXEMPT,
    REDUCED,
    REVERSED,
    SELLER,
    STANDARD,
    credit_note,
    details,
    invoice,
    line,
    printed,
)

CENT = Decimal("0.01")
NAMESPACES = {
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
}
CII_TERMS = {
    "BT-106": "LineTotalAmount",
    "BT-109": "TaxBasisTotalAmount",
    "BT-110": "TaxTotalAmount",
    "BT-112": "GrandTotalAmount",
    "BT-113": "TotalPrepaidAmount",
    "BT-115": "DuePayableAmount",
}
UBL_TERMS = {
    "BT-106": "cac:LegalMonetaryTotal/cbc:LineExtensionAmount",
    "BT-109": "cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount",
    "BT-110": "cac:TaxTotal/cbc:TaxAmount",
    "BT-112": "cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount",
    "BT-113": "cac:LegalMonetaryTotal/cbc:PrepaidAmount",
    "BT-115": "cac:LegalMonetaryTotal/cbc:PayableAmount",
}
UNTAXED_SELLER = SELLER.model_copy(update={"tax_ids": ()})

SAMPLES: dict[str, Sequence[Line]] = {
    "one rate": [line(1, "3", "12.50"), line(2, "1000", "0.0075")],
    "two rates": [line(1, "3", "12.50"), line(2, "7", "1.13", REDUCED)],
    "a quantity that does not come to the amount": [line(1, "1700", None, amount="26.35"), line(2, "0.5", "0.01")],
    "a negative line": [line(1, "3", "50.00"), line(2, "1", "-20.00"), line(3, "10", None, amount="-5.55")],
    "contained tax": [line(1, "3", "11.90", CONTAINED), line(2, "1", "9.99", CONTAINED)],
    "reverse charge": [line(1, "3", "12.50", REVERSED)],
    "exempt": [line(1, "3", "12.50", EXEMPT)],
    "no tax set": [line(1, "3", "12.50", None), line(2, "2", "0.333", None)],
    "nothing to pay": [line(1, "0", "12.50")],
    "signs of markup": [line(1, "3", "12.50", description="<b>&amp; ]]> {{ 7 }} \x0b\ufffe 😀")],
}


def made(lines: Sequence[Line], applied: str = "0", currency: str = "EUR") -> EInvoice:
    issued, with_tax = invoice(lines, currency=currency, applied=applied)
    return of_invoice(issued, with_tax, details())


def written(e_invoice: EInvoice, syntax: Syntax) -> bytes:
    return write_xml(e_invoice, "factur-x" if syntax == "cii" else "peppol")


def term(xml: bytes, syntax: Syntax, name: str) -> str:
    root = etree.fromstring(xml)
    if syntax == "cii":
        return str(
            root.xpath(
                f"//ram:SpecifiedTradeSettlementHeaderMonetarySummation/ram:{CII_TERMS[name]}/text()",
                namespaces=NAMESPACES,
            )[0]
        )
    return str(root.xpath(f"/*/{UBL_TERMS[name]}/text()", namespaces=NAMESPACES)[0])


@pytest.mark.parametrize("syntax", ["cii", "ubl"])
@pytest.mark.parametrize("name", SAMPLES)
def test_samples_keep_the_rules_and_have_the_totals_of_the_invoice(name: str, syntax: Syntax) -> None:
    issued, with_tax = invoice(SAMPLES[name])
    e_invoice = of_invoice(issued, with_tax, details())
    xml = written(e_invoice, syntax)
    assert broken_rules(xml, syntax) == []
    tax = sum((each.amount for each in issued.tax_lines), Decimal("0.00"))
    shown = {term_name: term(xml, syntax, term_name) for term_name in CII_TERMS}
    assert shown == {
        "BT-106": str(issued.total - tax),
        "BT-109": str(issued.total - tax),
        "BT-110": str(tax),
        "BT-112": str(issued.total),
        "BT-113": "0.00",
        "BT-115": str(issued.amount_due),
    }


@pytest.mark.parametrize("syntax", ["cii", "ubl"])
def test_a_coupon_is_an_allowance_of_its_line(syntax: Syntax) -> None:
    full = line(1, "3", "12.50")
    off = full.model_copy(
        update={
            "key": f"{full.key}#red_1",
            "type": "discount",
            "discount": LineDiscount(redemption_id="red_1", name="Ten off <b>"),
            "amount": Decimal("-10.00"),
            "quantity": Decimal(1),
            "unit_amount": None,
        }
    )
    e_invoice = made([full, line(2, "1", "5.00"), off])
    first, second = e_invoice.lines
    assert (first.quantity * first.price, first.allowances) == (Decimal("37.50"), (("Ten off <b>", Decimal("10.00")),))
    assert (first.amount, second.amount, e_invoice.net) == (Decimal("27.50"), Decimal("5.00"), Decimal("32.50"))
    assert broken_rules(written(e_invoice, syntax), syntax) == []
    alone = made([line(2, "1", "15.00"), off])
    assert [each.amount for each in alone.lines] == [Decimal("15.00"), Decimal("-10.00")]
    assert broken_rules(written(alone, syntax), syntax) == []


@pytest.mark.parametrize("syntax", ["cii", "ubl"])
def test_the_tax_of_another_tax_office_is_said_in_its_currency(syntax: Syntax) -> None:
    issued, with_tax = invoice([line(1, "3", "12.50")])
    stated = TaxCurrency.at("SEK", Decimal("11.5"), issued.tax_lines)
    abroad = issued.changed(tax_currency=stated)
    xml = written(of_invoice(abroad, with_tax, details()), syntax)
    assert broken_rules(xml, syntax) == []
    # By hand: 7.13 x 11.5 = 81.995.
    assert b'currencyID="SEK">82.00<' in xml
    printed_totals = DocumentPrinter(details(), "UTC", None).invoice(abroad, with_tax).totals
    assert (printed_totals[-1].label, printed_totals[-1].amount) == ("Tax in SEK at 11.5", "82.00\u00a0SEK")


@pytest.mark.parametrize("syntax", ["cii", "ubl"])
def test_what_the_balance_paid_is_prepaid(syntax: Syntax) -> None:
    xml = written(made([line(1, "3", "12.50")], applied="4.61"), syntax)
    assert broken_rules(xml, syntax) == []
    assert [term(xml, syntax, name) for name in ("BT-112", "BT-113", "BT-115")] == ["44.63", "4.61", "40.02"]


@pytest.mark.parametrize("syntax", ["cii", "ubl"])
def test_a_credit_note_has_every_sign_flipped(syntax: Syntax) -> None:
    note, with_tax = credit_note(
        [line(1, "3", None, amount="-12.50"), line(2, "1", None, amount="-3.00", treatment=REDUCED)]
    )
    corrected, _ = invoice([line(1, "3", "12.50")])
    e_invoice = of_credit_note(note, with_tax, details(), corrected, "UTC")
    xml = written(e_invoice, syntax)
    assert broken_rules(xml, syntax) == []
    # By hand: 12.50 and 3.00, with 19 % and 7 %: 2.38 and 0.21.
    assert [term(xml, syntax, name) for name in ("BT-106", "BT-110", "BT-112")] == ["15.50", "2.59", "18.09"]
    assert e_invoice.type_code == "381"
    assert all(each.amount > 0 and each.price >= 0 for each in e_invoice.lines)
    assert b"INV-ACME-2026-000042" in xml


@pytest.mark.parametrize("seed", range(int(os.environ.get("XYRA_E_INVOICES", "6"))))
def test_random_invoices_keep_the_rules_and_each_tax_to_the_cent(seed: int) -> None:
    random = Random(seed)
    treatments = random.choice([(STANDARD,), (STANDARD, REDUCED), (STANDARD, EXEMPT), (REVERSED,), (None,)])
    lines = [
        line(
            number,
            str(random.randint(0, 99999)),
            str(Decimal(random.randint(-300, 9999)) / random.choice((100, 10000))),
            random.choice(treatments),
        )
        for number in range(random.randint(1, 12))
    ]
    lines.append(line(99, "1", "99999.99", treatments[0]))
    if sum((each.amount for each in lines), Decimal(0)) < 0:
        lines.append(line(100, "1", "9999999.99", treatments[0]))
    e_invoice = made(lines)
    syntax: Syntax = random.choice(("cii", "ubl"))
    assert broken_rules(written(e_invoice, syntax), syntax) == []
    for tax in e_invoice.taxes:
        due = (tax.taxable * (tax.percent or 0) / 100).quantize(CENT, ROUND_HALF_UP)
        assert tax.amount == due
    for each in e_invoice.lines:
        assert (each.quantity * each.price).quantize(CENT, ROUND_HALF_UP) == each.amount
        assert each.price >= 0


RULES = os.environ.get("XYRA_E_INVOICE_RULES", "")
"""A folder with `xrechnung.xsl` (KoSIT) and `peppol.xsl` (OpenPeppol), each compiled from its Schematron."""


@pytest.mark.skipif(not RULES, reason="XYRA_E_INVOICE_RULES names no folder with their rules")
@pytest.mark.parametrize("wanted", ["xrechnung", "peppol"])
def test_the_rules_of_xrechnung_and_peppol_are_kept_too(wanted: Any) -> None:
    rules = further_rules(Path(RULES) / f"{wanted}.xsl")
    for name, lines in SAMPLES.items():
        assert broken_rules_of(rules, write_xml(made(lines), wanted)) == [], name
    note, with_tax = credit_note([line(1, "3", None, amount="-12.50")])
    corrected, _ = invoice([line(1, "3", "12.50")])
    given = of_credit_note(note, with_tax, details(), corrected, "UTC")
    assert broken_rules_of(rules, write_xml(given, wanted)) == []


def test_each_format_says_which_rules_it_keeps() -> None:
    e_invoice = made([line(1, "3", "12.50", None)])
    assert b"urn:cen.eu:en16931:2017</ram:ID>" in write_xml(e_invoice, "factur-x")
    german, european = write_xml(e_invoice, "xrechnung"), write_xml(e_invoice, "peppol")
    assert b"urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0</ram:ID>" in german
    assert b"<ram:RateApplicablePercent>0</ram:RateApplicablePercent>" in german
    assert b"#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0</cbc:CustomizationID>" in european
    for xml in (german, european):
        assert b"urn:fdc:peppol.eu:2017:poacc:billing:01:1.0<" in xml


SPOILT = {
    "a cent in the total": (b"<ram:GrandTotalAmount>44.63", b"<ram:GrandTotalAmount>44.64"),
    "a cent in what is to pay": (b"<ram:DuePayableAmount>44.63", b"<ram:DuePayableAmount>44.62"),
    "the sum of the lines": (
        b"<ram:LineTotalAmount>37.50</ram:LineTotalAmount>\n        <ram:TaxBasis",
        b"<ram:LineTotalAmount>37.51</ram:LineTotalAmount>\n        <ram:TaxBasis",
    ),
    "the sign of a price": (b"<ram:ChargeAmount>12.5", b"<ram:ChargeAmount>-12.5"),
    "three decimal places": (b"<ram:BasisAmount>37.50", b"<ram:BasisAmount>37.501"),
    "no country of the seller": (b"<ram:CountryID>DE</ram:CountryID>", b""),
    "no country of the buyer": (b"<ram:CountryID>FR</ram:CountryID>", b""),
    "no VAT number": (b'<ram:ID schemeID="VA">DE136695976</ram:ID>', b'<ram:ID schemeID="XX">1</ram:ID>'),
    "an unknown category": (b"<ram:CategoryCode>S", b"<ram:CategoryCode>Q"),
    "a tax of nothing": (b"<ram:CalculatedAmount>7.13", b"<ram:CalculatedAmount>0.00"),
    "an unknown currency": (b"<ram:InvoiceCurrencyCode>EUR", b"<ram:InvoiceCurrencyCode>EUX"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_documents_are_refused(name: str) -> None:
    xml = written(made([line(1, "3", "12.50")]), "cii")
    right, wrong = SPOILT[name]
    assert right in xml
    assert broken_rules(xml.replace(right, wrong), "cii")


def hybrid(lines: Sequence[Line]) -> tuple[bytes, bytes]:
    e_invoice = made(lines)
    xml = written(e_invoice, "cii")
    pdf = print_document(printed(lines))
    return embed(pdf, xml, e_invoice, f"Invoice {e_invoice.number}"), xml


def test_the_pdf_has_its_xml_inside_and_says_so() -> None:
    pdf, xml = hybrid([line(1, "3", "12.50")])
    assert PdfReader(io.BytesIO(pdf)).attachments == {FILE_NAME: [xml]}
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        (specification,) = opened.Root.AF
        assert (specification.AFRelationship, str(specification.UF)) == ("/Alternative", FILE_NAME)
        assert specification.EF.F.Subtype == "/text/xml"
        (intent,) = opened.Root.OutputIntents
        assert intent.S == "/GTS_PDFA1"
        assert "/Filter" not in opened.Root.Metadata
        with opened.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "B")
        said = opened.Root.Metadata.read_bytes().decode()
    for part in ("<fx:ConformanceLevel>EN 16931<", "<fx:DocumentFileName>factur-x.xml<", "pdfaExtension:schemas"):
        assert part in said
    assert hybrid([line(1, "3", "12.50")])[0] == pdf, "the same file each time"


def test_a_name_that_xml_cannot_hold_is_replaced_in_all_of_the_file() -> None:
    lines = [line(1, "3", "12.50")]
    issued, with_tax = invoice(lines)
    named = SELLER.model_copy(update={"name": "Nordlicht\x0bGmbH\ufffe"})
    e_invoice = of_invoice(issued, with_tax, details(seller=named))
    pdf = embed(print_document(printed(lines)), write_xml(e_invoice, "factur-x"), e_invoice, "Invoice")
    reader = PdfReader(io.BytesIO(pdf))
    replaced = "Nordlicht\N{REPLACEMENT CHARACTER}GmbH\N{REPLACEMENT CHARACTER}"
    assert reader.metadata is not None
    assert reader.metadata.author == replaced
    with pikepdf.open(io.BytesIO(pdf)) as opened, opened.open_metadata() as metadata:
        assert metadata["dc:creator"] == [replaced]
    assert replaced in reader.attachments[FILE_NAME][0].decode()


def missing(wanted: Any, lines: Sequence[Line], **changed: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        check_fields(details(**changed), wanted, "EUR", lines, is_open=True)
    return {error.pointer: error.detail for error in caught.value.errors}


def test_what_is_missing_is_named() -> None:
    taxed = [line(1, "3", "12.50")]
    nowhere = BUYER.model_copy(update={"address": None, "electronic_address": None, "reference": None, "tax_ids": ()})
    bare = SELLER.model_copy(
        update={"address": PostalAddress(), "tax_ids": (), "contact": Contact(), "bank_account": None}
    )
    assert set(missing("factur-x", taxed, seller=None)) == {"/operator/profile"}
    assert set(missing("factur-x", taxed, seller=bare, buyer=nowhere)) == {
        "/operator/profile/address/country",
        "/operator/profile/tax_ids",
        "/organization/address/country",
    }
    assert set(missing("peppol", taxed, buyer=nowhere)) == {
        "/organization/address/country",
        "/organization/electronic_address",
    }
    assert set(missing("xrechnung", taxed, seller=bare, buyer=nowhere)) == {
        *(f"/operator/profile/address/{name}" for name in ("postal_code", "city", "country")),
        *(f"/operator/profile/contact/{name}" for name in ("name", "phone", "email")),
        "/operator/profile/tax_ids",
        "/operator/profile/bank_account",
        *(f"/organization/address/{name}" for name in ("postal_code", "city", "country")),
        "/organization/electronic_address",
        "/organization/buyer_reference",
    }
    assert set(
        missing("factur-x", [line(1, "1", "1", REVERSED)], buyer=nowhere.model_copy(update={"address": BUYER.address}))
    ) == {"/organization/tax/tax_ids"}
    mixed = [*taxed, line(2, "1", "1.00", None)]
    assert set(missing("factur-x", mixed)) == {"/organization/tax"}
    unregistered = SELLER.model_copy(update={"registration": None})
    assert set(missing("factur-x", [line(1, "1", "1", None)], seller=unregistered)) == {
        "/operator/profile/registration"
    }


def test_currencies_with_other_decimal_places_have_none() -> None:
    with pytest.raises(ValidationError) as caught:
        check_fields(details(), "factur-x", "JPY", [line(1, "3", "12")], is_open=True)
    assert "JPY" in caught.value.detail


def test_nothing_is_asked_where_none_is_agreed() -> None:
    check_agreed(details(seller=None), "JPY", [line(1, "3", "12")], is_open=True)
    with pytest.raises(ValidationError):
        check_agreed(details(seller=None, e_invoice="factur-x"), "EUR", [line(1, "3", "12")], is_open=True)
