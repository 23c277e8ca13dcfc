"""Fields of requests about who is on documents: the operator, and the organizations that are billed."""

from typing import Annotated

from pydantic import BeforeValidator, StringConstraints

from shared.domain.kernel.validation_messages import Expected
from shared.domain.tenancy.billing_details import EInvoiceFormat, Language, lines_of_text
from shared.http import Schema

AddressLine = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Country = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{2}$"), Expected("two capital letters of ISO 3166-1, such as DE")
]
Scheme = Annotated[
    str,
    StringConstraints(pattern=r"^([0-9]{4}|[A-Z]{2})$"),
    Expected("a code of the list EAS: four digits such as 0204, or EM for e-mail"),
]

__all__ = ["Address", "AddressLine", "Country", "EInvoiceRequest", "ElectronicAddressRequest", "Language"]


class AddressRequest(Schema):
    """Where a business is."""

    line1: AddressLine | None = None
    """Street and number."""
    line2: AddressLine | None = None
    """What else there is to say, such as a floor or a building."""
    postal_code: AddressLine | None = None
    """As the country writes it."""
    city: AddressLine | None = None
    """Town or city."""
    region: AddressLine | None = None
    """State or province."""
    country: Country | None = None
    """ISO 3166-1, two capital letters."""


Address = Annotated[AddressRequest, BeforeValidator(lines_of_text, json_schema_input_type=AddressRequest)]
"""An address by its parts. A text is taken, too: its first line and the others, as addresses were sent before."""


class ElectronicAddressRequest(Schema):
    """Where electronic invoices are delivered."""

    scheme: Scheme
    """A code of the list EAS, such as `0204` (Leitweg-ID), `9930` (German VAT number) or `EM` (e-mail)."""
    id: AddressLine
    """The address in that scheme."""


class EInvoiceRequest(Schema):
    """How an organization takes electronic invoices."""

    format: EInvoiceFormat
    """`factur-x` (ZUGFeRD): a PDF with its XML inside; `xrechnung`: XML in CII; `peppol`: XML in UBL."""
