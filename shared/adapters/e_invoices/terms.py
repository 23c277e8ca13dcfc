"""A document as the dict of business terms that `facturx` writes XML of."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from shared.domain.billing.document_details import Buyer, Seller
from shared.domain.billing.e_invoices import CREDIT_NOTE, EInvoice, EInvoiceLine, EInvoiceTax, vat_number
from shared.domain.kernel.money import as_written, plain
from shared.domain.tenancy.billing_details import ElectronicAddress, PostalAddress

UNIT = "C62"
"""One, of UN/ECE Recommendation 20: our units have no codes there."""
CREDIT_TRANSFER, SEPA_CREDIT_TRANSFER = "30", "58"
UNDEFINED, CLEARING = "1", "97"
"""How a document is paid where no account is named, and a credit note, which the account of the customer takes
(UNTDID 4461).
"""
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can hold (XML 1.0, 2.2)."""


def terms(e_invoice: EInvoice) -> dict[str, Any]:
    """The business terms by their numbers. What is None or empty is left out."""
    seller, bank = e_invoice.seller, e_invoice.seller.bank_account
    is_note = e_invoice.type_code == CREDIT_NOTE
    found: dict[str, Any] = {
        "BT-1": e_invoice.number,
        "BT-2": e_invoice.issued_on,
        "BT-3": e_invoice.type_code,
        "BT-5": e_invoice.currency,
        "BT-9": e_invoice.due_on,
        "BT-10": _text(e_invoice.buyer.reference),
        "BT-13": _text(e_invoice.purchase_order),
        "BT-72": e_invoice.last_day,
        "BT-73": e_invoice.first_day,
        "BT-74": e_invoice.last_day,
        "BT-81": CLEARING if is_note else UNDEFINED,
        "BG-1": [{"BT-22": _text(e_invoice.notes)}] if e_invoice.notes else None,
        "BG-3": [_preceding(*e_invoice.corrects)] if e_invoice.corrects is not None else None,
        "BG-4": _seller(seller, has_vat=e_invoice.is_taxed),
        "BG-7": _buyer(e_invoice.buyer, has_vat=e_invoice.is_taxed),
        "BG-23": [_tax(tax) for tax in e_invoice.taxes],
        "BG-25": [_line(line, number) for number, line in enumerate(e_invoice.lines, 1)],
        "BT-106": as_written(e_invoice.net),
        "BT-109": as_written(e_invoice.net),
        "BT-110": as_written(e_invoice.tax),
        "BT-112": as_written(e_invoice.gross),
        "BT-113": as_written(e_invoice.prepaid),
        "BT-115": as_written(e_invoice.due),
    }
    if e_invoice.tax_elsewhere is not None:
        currency, tax = e_invoice.tax_elsewhere
        found |= {"BT-6": currency, "BT-111": as_written(tax)}
    if bank is not None and not is_note:
        found |= {
            "BT-81": SEPA_CREDIT_TRANSFER if e_invoice.currency == "EUR" else CREDIT_TRANSFER,
            "BT-83": e_invoice.number,
            "BT-84": bank.iban,
            "BT-85": _text(bank.holder or seller.name),
            "BT-86": bank.bic,
        }
    return _without_empty(found)


def _line(line: EInvoiceLine, number: int) -> dict[str, Any]:
    return _without_empty(
        {
            "BT-126": str(number),
            "BT-127-00": [{"BT-127": _text(line.note)}] if line.note else None,
            "BT-129": plain(line.quantity),
            "BT-130": UNIT,
            "BT-131": as_written(line.amount),
            "BT-134": line.first_day,
            "BT-135": line.last_day,
            "BT-146": plain(line.price),
            "BT-151": line.category,
            "BT-152": _percent(line.percent),
            "BT-153": _text(line.name),
            "BG-27": [{"amount": as_written(amount), "reason": _text(name)} for name, amount in line.allowances]
            or None,
        }
    )


def _tax(tax: EInvoiceTax) -> dict[str, Any]:
    return _without_empty(
        {
            "BT-116": as_written(tax.taxable),
            "BT-117": as_written(tax.amount),
            "BT-118": tax.category,
            "BT-119": _percent(tax.percent),
            "BT-120": _text(tax.reason),
            "BT-121": tax.reason_code,
        }
    )


def _preceding(number: str, issued_on: date) -> dict[str, Any]:
    return {"BT-25": number, "BT-26": issued_on}


def _seller(seller: Seller, *, has_vat: bool) -> dict[str, Any]:
    contact = _without_empty(
        {
            "name": _text(seller.contact.name),
            "phone": _text(seller.contact.phone),
            "email": _text(seller.contact.email),
        }
    )
    return _without_empty(
        {
            "name": _text(seller.name),
            "legal_identifier": _text(seller.registration),
            "vat_identifier": vat_number(seller.tax_ids) if has_vat else None,
            "contacts": [contact] if contact else None,
            **_address(seller.address),
            **_electronic(seller.electronic_address),
        }
    )


def _buyer(buyer: Buyer, *, has_vat: bool) -> dict[str, Any]:
    return _without_empty(
        {
            "name": _text(buyer.name),
            "vat_identifier": vat_number(buyer.tax_ids) if has_vat else None,
            "contacts": [{"name": _text(buyer.contact)}] if buyer.contact else None,
            **_address(buyer.address),
            **_electronic(buyer.electronic_address),
        }
    )


def _address(address: PostalAddress | None) -> dict[str, Any]:
    if address is None:
        return {}
    return {
        "addr_l1": _text(address.line1),
        "addr_l2": _text(address.line2),
        "postcode": _text(address.postal_code),
        "city": _text(address.city),
        "country_subdivision": _text(address.region),
        "country_code": address.country,
    }


def _electronic(address: ElectronicAddress | None) -> dict[str, Any]:
    if address is None:
        return {}
    return {"einvoicing_addr": _text(address.id), "einvoicing_addr_schemeid": address.scheme}


def _percent(percent: Decimal | None) -> str | None:
    return None if percent is None else plain(percent)


def legal_text(text: str) -> str:
    """The text without what XML cannot hold."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _text(text: str | None) -> str | None:
    return None if text is None else legal_text(text)


def _without_empty(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}
