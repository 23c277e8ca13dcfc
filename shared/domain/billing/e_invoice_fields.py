"""Which fields electronic invoices need, by EN 16931, XRechnung (BR-DE) and Peppol, and which of them are missing."""

from collections.abc import Iterator, Sequence

from shared.domain.billing.document_details import Buyer, DocumentDetails, Seller
from shared.domain.billing.e_invoices import vat_number
from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.money import exponent_of
from shared.domain.pricing.lines import Line
from shared.domain.tenancy.billing_details import EInvoiceFormat, PostalAddress

PLACES = 2
"""Decimal places of the amounts of EN 16931."""
_PROFILE = "/operator/profile"
_ORGANIZATION = "/organization"


def check_agreed(details: DocumentDetails, currency: str, lines: Sequence[Line], *, is_open: bool) -> None:
    """As `check_fields`, for the format that the organization takes; nothing is asked where it takes none."""
    if details.e_invoice is not None:
        check_fields(details, details.e_invoice, currency, lines, is_open=is_open)


def check_fields(
    details: DocumentDetails, wanted: EInvoiceFormat, currency: str, lines: Sequence[Line], *, is_open: bool
) -> None:
    """Raises `ValidationError` with all that is missing, by pointers that begin with the thing that it belongs to.

    `is_open` is whether something is to be paid.
    """
    if exponent_of(currency) != PLACES:
        raise ValidationError.at(
            f"{_ORGANIZATION}/currency", f"is {currency}: electronic invoices have 2 decimal places, and it has others"
        )
    missing = tuple(_missing(details, wanted, lines, is_open=is_open))
    if missing:
        said = "; ".join(f"{error.pointer} {error.detail}" for error in missing)
        raise ValidationError(f"The electronic invoice ({wanted}) lacks: {said}", errors=missing)


def _missing(
    details: DocumentDetails, wanted: EInvoiceFormat, lines: Sequence[Line], *, is_open: bool
) -> Iterator[FieldError]:
    categories = {"O" if line.treatment is None else line.treatment.category for line in lines}
    seller, buyer = details.seller, details.buyer
    if seller is None:
        yield FieldError(_PROFILE, "is needed: PUT /api/v1/operator/profile")
    else:
        yield from _missing_of_seller(seller, wanted, categories, is_open=is_open)
    yield from _missing_of_buyer(buyer, wanted)
    if "AE" in categories and vat_number(buyer.tax_ids) is None:
        yield FieldError(f"{_ORGANIZATION}/tax/tax_ids", "need a VAT number, as the tax is the recipient's (BT-48)")
    if "O" in categories and len(categories) > 1:
        yield FieldError(f"{_ORGANIZATION}/tax", "leaves some lines without a tax, which stand alone on a document")


def _missing_of_seller(
    seller: Seller, wanted: EInvoiceFormat, categories: set[str], *, is_open: bool
) -> Iterator[FieldError]:
    yield from _missing_of_address(seller.address, _PROFILE, wanted)
    if categories - {"O"} and vat_number(seller.tax_ids) is None:
        yield FieldError(f"{_PROFILE}/tax_ids", "need a VAT number (BT-31)")
    if categories == {"O"} and not seller.registration:
        yield FieldError(f"{_PROFILE}/registration", "is needed where no VAT number may stand (BT-30)")
    if wanted == "xrechnung":
        for name, term in (("name", "BT-41"), ("phone", "BT-42"), ("email", "BT-43")):
            if not getattr(seller.contact, name):
                yield FieldError(f"{_PROFILE}/contact/{name}", f"is needed ({term})")
        if is_open and seller.bank_account is None:
            yield FieldError(f"{_PROFILE}/bank_account", "is needed (BT-84)")
    if wanted != "factur-x" and seller.electronic_address is None:
        yield FieldError(f"{_PROFILE}/electronic_address", "is needed (BT-34)")


def _missing_of_buyer(buyer: Buyer, wanted: EInvoiceFormat) -> Iterator[FieldError]:
    yield from _missing_of_address(buyer.address, _ORGANIZATION, wanted)
    if wanted != "factur-x" and buyer.electronic_address is None:
        yield FieldError(f"{_ORGANIZATION}/electronic_address", "is needed (BT-49)")
    if wanted == "xrechnung" and not buyer.reference:
        yield FieldError(f"{_ORGANIZATION}/buyer_reference", "is needed, such as a Leitweg-ID (BT-10)")


def _missing_of_address(address: PostalAddress | None, whose: str, wanted: EInvoiceFormat) -> Iterator[FieldError]:
    needed = ("country",) if wanted != "xrechnung" else ("postal_code", "city", "country")
    for name in needed:
        if address is None or not getattr(address, name):
            yield FieldError(f"{whose}/address/{name}", "is needed")
