"""What documents say of a customer: address, language, and how it takes electronic invoices."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator

from shared.domain.kernel.merge_patch import merge_patch
from shared.domain.kernel.value import Value

Language = Literal["en", "de", "fr", "es"]
"""A language that documents are written in (ISO 639-1)."""

EInvoiceFormat = Literal["factur-x", "xrechnung", "peppol"]
"""`factur-x`: a PDF with its CII inside (also called ZUGFeRD). `xrechnung`: CII alone. `peppol`: UBL."""


class PostalAddress(Value):
    """Where a business is."""

    line1: str | None = None
    """Street and number."""
    line2: str | None = None
    """What else there is to say, such as a floor or a building."""
    postal_code: str | None = None
    """As the country writes it."""
    city: str | None = None
    """Town or city."""
    region: str | None = None
    """State or province."""
    country: str | None = None
    """ISO 3166-1, two capital letters."""


class ElectronicAddress(Value):
    """Where electronic invoices are delivered (BT-34, BT-49)."""

    scheme: str
    """The code of the list EAS, such as `0204`, `9930` or `EM` for e-mail."""
    id: str
    """The address in that scheme."""


class EInvoiceSettings(Value):
    """How an organization takes electronic invoices."""

    format: EInvoiceFormat
    """`factur-x`, `xrechnung` or `peppol`."""


def lines_of_text(value: object) -> object:
    """The address of a text, as addresses were before they had parts: its first line, and the others in a row."""
    if not isinstance(value, str):
        return value
    lines = [line.strip() for line in value.splitlines() if line.strip()]
    return {"line1": lines[0] if lines else None, "line2": ", ".join(lines[1:]) or None}


StoredAddress = Annotated[PostalAddress, BeforeValidator(lines_of_text, json_schema_input_type=PostalAddress)]
"""An address, or its text as it was kept before it had parts."""


class BillingDetails(BaseModel):
    """What documents say of an organization, as it is stored."""

    address: StoredAddress | None = None
    tax_id: str | None = None
    language: Language = "en"
    """Of its documents."""
    electronic_address: ElectronicAddress | None = None
    buyer_reference: str | None = None
    """What it asks to be written on its documents, such as a Leitweg-ID."""
    e_invoice: EInvoiceSettings | None = None
    """None where it takes no electronic invoices, and then nothing that they need is asked for."""

    def patched_details(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The changed ones of its fields that are objects, after a merge patch of them."""
        patched: dict[str, Any] = {}
        for name in _OBJECTS & set(changes):
            known = getattr(self, name)
            merged = merge_patch(None if known is None else known.model_dump(), changes[name])
            patched[name] = merged or None
        return patched


_OBJECTS = {"address", "electronic_address", "e_invoice"}
