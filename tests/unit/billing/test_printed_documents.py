"""What stands on a printed document: read back from the PDF, as whoever gets it would."""

import io
import os
import socket
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from shared.adapters.typst import printer
from shared.adapters.typst.printable_text import FONTS, REPLACEMENT, printable
from shared.adapters.typst.printer import TypstPrinter, print_document
from shared.domain.billing.payments import Payment
from shared.domain.billing.printed_documents import PrintedLogo
from shared.domain.billing.printing import DocumentPrinter
from shared.domain.billing.words import WORDS
from tests.doubles.worlds.issued_documents import (
    BUYER,
    CONTAINED,
    ISSUED,
    NUMBER,
    REDUCED,
    REVERSED,
    SELLER,
    details,
    invoice,
    line,
    many_lines,
    printed,
)

HOSTILE = (
    '#import "@preview/cetz:0.3.4"',
    '#read("/etc/passwd") #image("logo.png") $x^2$ *bold* _it_ `raw` @ref <label>',
    "{{ 7 * 7 }} {% raw %} ${jndi:ldap://example.com/a}",
    "<script>alert(1)</script><img src=//example.com/a.png> &amp;",
    "https://example.com/login file:///etc/passwd",
    "\\u{41} \\ // comment /* */ \"quoted\" 'single'",
    "سارة العلي تدفع 12 دولارا",
    "שלום עולם",
    "नमस्ते दुनिया",
    "株式会社テスト 测试公司 한국 회사",
    "Ελλάδα Україна Čeština",
    "invoice \u202egnp.exe\u202c and \u2066isolates\u2069",
    "zero\u200bwidth soft\u00adhyphen",
    "😀 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪",
    "\ue000\U000f0000 \ufffe \U0001d11e 𓀀",
    "a\u0301\u0301\u0301\u0301 \u0915\u0301\u064b",
    "tab\there\x00\x07\x1b[31m",
    "line\nbreak\r\nhere",
    "x" * 2000,
)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def without_spaces(text: str) -> str:
    return "".join(text.split())


def test_each_amount_and_the_total_stand_once() -> None:
    lines = [line(number, str(number), "11.13", agent=f"Agent {number}") for number in range(3, 11)]
    document = printed(lines)
    text = text_of(print_document(document))
    amounts = [entry.amount for group in document.groups for entry in group.lines]
    assert len(set(amounts)) == len(lines)
    for amount in amounts:
        assert text.split().count(amount) == 1, amount
    # By hand: 52 x 11.13 = 578.76, and 19 % of it 109.96.
    assert [total.amount for total in document.totals] == ["578.76", "109.96", "688.72\u00a0EUR"]
    assert text.count("688.72") == 1


@pytest.mark.parametrize("language", WORDS)
def test_it_is_in_the_language_of_the_customer(language: Any) -> None:
    words = WORDS[language]
    text = text_of(print_document(printed(many_lines(8), details(language))))
    for name in ("invoice", "due", "description", "quantity", "unit_price", "total", "net", "pay_to", "period"):
        assert words[name] in text, name
    assert words["page"].format(page="1", pages="1") in text


def test_both_parties_numbers_and_references_are_on_it() -> None:
    text = " ".join(text_of(print_document(printed([line(1, "2", "10.00")]))).split())
    for said in (
        *("Nordlicht Agents GmbH", "Lange Straße 1", "10115 Berlin", "DE136695976", "HRB 12345"),
        *("Acme SARL", "Attn. Ada Lovelace", "12 rue de la Paix", "75002 Paris", "FR40303265045"),
        *(NUMBER, "2 November 2026", "17 November 2026", "1 October \u2013 31 October 2026", "PO-4711"),
        *("DE89 3704 0044 0532 0130 00", "COBADEFFXXX", "Thank you for your trust.", "04011000-12345-34"),
    ):
        assert said in text, said


def test_what_the_balance_has_paid_is_taken_off_what_is_to_pay() -> None:
    document = printed([line(1, "2", "10.00", None)], applied="5.00")
    shown = [(total.label, total.amount) for total in document.totals]
    assert shown == [("Total", "20.00\u00a0EUR"), ("Paid from your balance", "-5.00"), ("To pay", "15.00\u00a0EUR")]
    nothing = printed([line(1, "2", "10.00", None)], applied="20.00")
    assert nothing.payment == ()
    assert "There is nothing to pay." in nothing.texts


def test_taxes_are_said_by_treatment() -> None:
    document = printed([line(1, "1", "100.00"), line(2, "1", "50.00", REDUCED), line(3, "1", "10.00", REVERSED)])
    assert [(total.label, total.amount) for total in document.totals] == [
        ("Without tax", "160.00"),
        ("VAT 19% on 100.00", "19.00"),
        ("VAT 7% on 50.00", "3.50"),
        ("Reverse charge 0% on 10.00", "0.00"),
        ("Total", "182.50\u00a0EUR"),
    ]
    assert document.texts[0] == "Reverse charge: the recipient is liable for the tax"
    german = printed([line(1, "1", "10.00", REVERSED)], details("de"))
    assert german.texts[0].startswith("Steuerschuldnerschaft")
    contained = printed([line(1, "1", "119.00", CONTAINED)])
    assert [(total.label, total.amount) for total in contained.totals] == [
        ("Total", "119.00\u00a0EUR"),
        ("contains VAT 19% on 100.00", "19.00"),
    ]


def test_lines_are_grouped_by_agent_with_their_arithmetic() -> None:
    groups = printed([*many_lines(8), line(9, "1", "5.00", description="Platform")]).groups
    assert [(group.title, len(group.lines)) for group in groups] == [
        ("All agents", 1),
        ("Agent 0000", 4),
        ("Agent 0001", 4),
    ]
    assert groups[0].subtotal == ""
    tiered = groups[1].lines[3]
    said = "base fee = 15; tier 0-1,000: 1,000 x 0.01 = 10; tier above 1,000: 3 x 0.005 = 0.015"
    assert [note.replace("\u2013", "-").replace("\u00d7", "x") for note in tiered.notes] == [said]


def test_the_same_document_is_the_same_file() -> None:
    document = printed(many_lines(8))
    assert print_document(document) == print_document(document)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_whatever_a_text_says_it_is_printed_as_text(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", forbidden)
    buyer = BUYER.model_copy(update={"name": hostile[:200], "contact": hostile[:200]})
    lines = [line(1, "2", "10.00", agent=hostile[:200], description=hostile)]
    document = printed(lines, details(buyer=buyer))
    pdf = print_document(replace(document, texts=(hostile,)))
    reader = PdfReader(io.BytesIO(pdf))
    assert not [page for page in reader.pages if "/Annots" in page]
    if hostile.isascii() and hostile.isprintable():
        assert without_spaces(hostile) in without_spaces(text_of(pdf))


def forbidden(*_: object, **__: object) -> None:
    raise AssertionError("nothing is asked for over a network")


@settings(max_examples=int(os.environ.get("XYRA_PRINTED_TEXTS", "12")), deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_no_text_stops_a_document(texts: list[str]) -> None:
    pdf = print_document(replace(printed([line(1, "2", "10.00")]), texts=tuple(texts)))
    assert "23.80" in text_of(pdf)


def test_what_no_font_has_is_replaced_and_what_steers_is_left_out() -> None:
    assert printable("a😀b") == f"a{REPLACEMENT}b"
    assert printable("a\u202eb\u200bc\u00add\x00e\nf") == "abcd e\nf"
    assert printable("e\u0301") == "é"
    for kept in ("سارة", "שלום", "नमस्ते", "株式会社", "测试", "한국", "Ελλάδα", "Україна", "1 234,50 €"):
        assert REPLACEMENT not in printable(kept), kept


def test_long_words_break_before_they_reach_the_next_column() -> None:
    text = text_of(print_document(printed([line(1, "2", "10.00", description="Ж" * 300)])))
    assert max(len(word) for word in text.split() if set(word) == {"Ж"}) <= 60
    assert text.count("Ж") == 300
    assert "\u200b" not in text


def test_long_documents_are_printed_in_parts_with_one_count_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printer, "LINES_PER_PART", 40)
    document = printed(many_lines(130))
    pdf = print_document(document)
    pages = PdfReader(io.BytesIO(pdf)).pages
    count = len(pages)
    assert count > 4
    texts = [page.extract_text() for page in pages]
    for number, text in enumerate(texts, 1):
        assert f"Page {number} of {count}" in text
    words = " ".join(texts).split()
    for group in document.groups:
        assert words.count(group.title.split()[1]) == 1, "a group that goes on names its agent once"
    for total in document.totals:
        assert sum(text.count(total.label) for text in texts[:-1]) == 0
    check_archivable(pdf)


def check_archivable(pdf: bytes) -> None:
    """PDF/A-3b by what a reader sees: output intent, metadata, embedded fonts, no scripts."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        root = opened.Root
        (intent,) = root.OutputIntents
        assert intent.S == "/GTS_PDFA1"
        assert len(intent.DestOutputProfile.read_bytes()) > 100
        with opened.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "B")
        assert "/JavaScript" not in root.get("/Names", {})
        assert "/OpenAction" not in root
        for page in opened.pages:
            for font in page.Resources.get("/Font", {}).values():
                for descendant in font.DescendantFonts:
                    descriptor = descendant.FontDescriptor
                    assert "/FontFile2" in descriptor or "/FontFile3" in descriptor


def test_a_printed_document_is_archivable() -> None:
    check_archivable(print_document(printed(many_lines(8))))


async def test_a_logo_is_tried_before_it_is_kept() -> None:
    printing = TypstPrinter()
    square = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><path d="M0 0h10v10H0z"/></svg>'
    assert await printing.can_print("image/svg+xml", square)
    assert not await printing.can_print("image/svg+xml", b"no picture")
    assert not await printing.can_print("image/png", b"\x89PNG\r\n\x1a\n broken")
    printing.close()


def test_a_document_may_have_no_sender_yet_and_a_logo_in_place_of_its_name() -> None:
    without = print_document(printed([line(1, "2", "10.00")], details(seller=None)))
    assert "Acme SARL" in text_of(without)
    logo = PrintedLogo(
        "image/svg+xml",
        "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSI5IiBoZWlnaHQ9IjkiPjxwYXRoIGQ9Ik0wIDBoOXY5eiIvPjwvc3ZnPg==",
    )
    with_logo = text_of(print_document(replace(printed([line(1, "2", "10.00")]), logo=logo)))
    assert with_logo.count(SELLER.name) == 3, "in the line above the address, in the footer and for the account"


def test_fonts_are_under_a_free_licence_and_small() -> None:
    assert "SIL OPEN FONT LICENSE" in (FONTS / "OFL.txt").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in FONTS.iterdir()) < 12_000_000


def test_the_lines_of_a_receipt_add_up_where_not_all_payments_are_named() -> None:
    issued, _ = invoice([line(1, "10", "10.00")])
    payment = Payment(
        id="pay_1",
        organization_id="org_1",
        invoice_id=issued.id,
        method="cash",
        currency="EUR",
        received=Decimal("20.00"),
        applied=Decimal("20.00"),
        unapplied=Decimal("0.00"),
        received_at=ISSUED,
        recorded_at=ISSUED,
    )
    paid = issued.changed(amount_paid=Decimal("50.00"))
    receipt = DocumentPrinter(details(), "UTC", None).receipt(paid, [payment], ISSUED)
    (group,) = receipt.groups
    assert [(each.description, each.amount) for each in group.lines] == [
        ("Paid by cash", "20.00"),
        ("Other payments", "30.00"),
    ]
    assert receipt.totals[0].amount == "50.00\N{NO-BREAK SPACE}EUR"
