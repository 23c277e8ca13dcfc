"""Models of `operator`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import (
    AddressRequest,
    ElectronicAddress,
    ElectronicAddressRequest,
    PostalAddress,
    TaxIdAnswer,
    TaxIdRequest,
)


class BankAccount(TypedDict):
    """Where customers pay to."""

    iban: str
    """Without spaces."""
    bic: NotRequired[str | None]
    """The bank's code."""
    holder: NotRequired[str | None]
    """Where it is another name than the operator's."""
    bank: NotRequired[str | None]
    """The bank's name."""


class BankAccountRequest(TypedDict):
    iban: str
    """Its check digits are checked."""
    bic: NotRequired[str | None]
    """The bank's code."""
    holder: NotRequired[str | None]
    """Where it is another name than yours."""
    bank: NotRequired[str | None]
    """The bank's name."""


class Colors(TypedDict):
    """The colours of documents."""

    accent: NotRequired[str]
    """Of titles and rules, as `#rrggbb`."""


class ColorsRequest(TypedDict):
    accent: NotRequired[str]
    """Of titles."""


class Contact(TypedDict):
    """Whom customers ask about a document."""

    name: NotRequired[str | None]
    """A person, or what the place is called."""
    email: NotRequired[str | None]
    """Where questions are answered."""
    phone: NotRequired[str | None]
    """As it is dialled."""


class ContactRequest(TypedDict):
    name: NotRequired[str | None]
    """A person, or what the place is called."""
    email: NotRequired[str | None]
    """Where questions are answered."""
    phone: NotRequired[str | None]
    """As it is dialled."""


class LogoAnswer(TypedDict):
    media_type: str
    """`image/png` or `image/svg+xml`."""
    data: str
    """The file in base64."""


class LogoRequest(TypedDict):
    """A picture. It brings all it shows with it: no links, no text, no scripts."""

    media_type: Literal["image/png", "image/svg+xml"]
    """`image/png` (at most 2,000 pixels on a side) or `image/svg+xml` (shapes and gradients)."""
    data: str
    """The file in base64: at most 40 KiB of it."""


class OperatorProfileAnswer(TypedDict):
    name: str
    """The legal name."""
    address: PostalAddress
    """Where the operator is."""
    tax_ids: Sequence[TaxIdAnswer]
    """As they are printed."""
    registration: str | None
    """In a public register."""
    electronic_address: ElectronicAddress | None
    """Where electronic messages about invoices are delivered."""
    contact: Contact
    """Whom customers ask."""
    bank_account: BankAccount | None
    """Where customers pay to."""
    logo: LogoAnswer | None
    """At the top of documents."""
    colors: Colors
    """Of documents."""
    changed_at: str
    """Documents that are finalized from then on have it."""


class OperatorProfileRequest(TypedDict):
    name: str
    """The legal name."""
    address: NotRequired[AddressRequest]
    """Where the operator is."""
    tax_ids: NotRequired[Sequence[TaxIdRequest]]
    """At most 10."""
    registration: NotRequired[str | None]
    """In a public register, such as `HRB 12345, Amtsgericht Berlin`."""
    electronic_address: NotRequired[ElectronicAddressRequest | None]
    """Where electronic messages about invoices are delivered."""
    contact: NotRequired[ContactRequest]
    """Whom customers ask."""
    bank_account: NotRequired[BankAccountRequest | None]
    """Where customers pay to."""
    logo: NotRequired[LogoRequest | None]
    """At the top of documents; null for none."""
    colors: NotRequired[ColorsRequest]
    """Of documents."""
