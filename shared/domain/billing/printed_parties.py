"""Both parties of a document as they are printed."""

from collections.abc import Iterable, Sequence

from shared.domain.billing.document_details import Buyer, Seller
from shared.domain.billing.tax_settings import TaxId
from shared.domain.billing.written_values import Writer
from shared.domain.tenancy.billing_details import PostalAddress

_IBAN_GROUP = 4


def sender_line(seller: Seller | None) -> str:
    """The seller in one line, as it stands in the window of an envelope."""
    return "" if seller is None else " · ".join(filled([seller.name, *address_lines(seller.address)]))


def buyer_lines(buyer: Buyer, writer: Writer) -> tuple[str, ...]:
    """Name, contact, address and tax ids."""
    attention = f"{writer.word('attention')} {buyer.contact}" if buyer.contact else None
    ids = _tax_ids(buyer.tax_ids, writer)
    if not ids and buyer.tax_id:
        ids = [f"{writer.word('tax_id')}: {buyer.tax_id}"]
    return tuple(filled([buyer.name, attention, *address_lines(buyer.address), *ids]))


def footer_columns(seller: Seller | None, writer: Writer) -> tuple[tuple[str, ...], ...]:
    """Who the seller is: address, contact, bank account, registration and tax ids."""
    if seller is None:
        return ()
    contact, bank = seller.contact, seller.bank_account
    account = [] if bank is None else [bank.bank, f"IBAN {spaced_iban(bank.iban)}", bank.bic and f"BIC {bank.bic}"]
    columns = (
        [seller.name, *address_lines(seller.address)],
        [contact.name, contact.email, contact.phone],
        account,
        [seller.registration, *_tax_ids(seller.tax_ids, writer)],
    )
    return tuple(tuple(column) for column in (filled(column) for column in columns) if column)


def payment_rows(seller: Seller | None, number: str, writer: Writer) -> tuple[tuple[str, str], ...]:
    """Labels and values of where to pay; nothing where the operator has no account."""
    if seller is None or seller.bank_account is None:
        return ()
    bank = seller.bank_account
    return (
        (writer.word("holder"), bank.holder or seller.name),
        ("IBAN", spaced_iban(bank.iban)),
        *((("BIC", bank.bic),) if bank.bic else ()),
        (writer.word("payment_reference"), number),
    )


def address_lines(address: PostalAddress | None) -> list[str]:
    """Street, then postal code and city, region, and the country by its letters."""
    if address is None:
        return []
    place = " ".join(filled([address.postal_code, address.city]))
    region = ", ".join(filled([address.region, address.country]))
    return filled([address.line1, address.line2, place, region])


def spaced_iban(iban: str) -> str:
    """In groups of four, as people read it."""
    return " ".join(iban[place : place + _IBAN_GROUP] for place in range(0, len(iban), _IBAN_GROUP))


def filled(parts: Iterable[str | None]) -> list[str]:
    return [part for part in parts if part]


def _tax_ids(tax_ids: Sequence[TaxId], writer: Writer) -> list[str]:
    return [f"{writer.word(_called(tax_id))}: {tax_id.value}" for tax_id in tax_ids]


def _called(tax_id: TaxId) -> str:
    return "vat_id" if tax_id.type.endswith("_vat") else "tax_id"
