"""Who the operator is on documents: name, address, tax ids, bank account, logo and colour."""

import re
from collections.abc import Callable
from typing import ClassVar, Literal

from stdnum import bic as standard_bic
from stdnum import iban as standard_iban
from stdnum.exceptions import ValidationError as StandardNumberError

from shared.domain.billing.tax_settings import TaxId
from shared.domain.kernel.audit import FOLLOWS, Audit, Audited, by_value
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.times import Instant
from shared.domain.kernel.value import Value
from shared.domain.tenancy.billing_details import ElectronicAddress, PostalAddress

PROFILE = "operator_profile"
"""The id of the one profile, and its partition."""
DEFAULT_ACCENT = "#1f3a5f"
LogoType = Literal["image/png", "image/svg+xml"]
_SPACES = re.compile(r"\s+")


class Contact(Value):
    """Whom customers ask about a document."""

    name: str | None = None
    """A person, or what the place is called."""
    email: str | None = None
    """Where questions are answered."""
    phone: str | None = None
    """As it is dialled."""


class BankAccount(Value):
    """Where customers pay to."""

    iban: str
    """Without spaces."""
    bic: str | None = None
    """The bank's code."""
    holder: str | None = None
    """Where it is another name than the operator's."""
    bank: str | None = None
    """The bank's name."""


class Colors(Value):
    """The colours of documents."""

    accent: str = DEFAULT_ACCENT
    """Of titles and rules, as `#rrggbb`."""


class OperatorProfile(Entity):
    """What documents say of the operator. Each issued one keeps what it was when it was finalized."""

    kind: ClassVar[str] = "operator_profile"
    audit: ClassVar[Audit] = Audited(
        area="operator_profile",
        personal={"contact.name": by_value, "contact.email": by_value, "contact.phone": by_value},
    )

    id: str = PROFILE
    name: str
    address: PostalAddress = PostalAddress()
    tax_ids: tuple[TaxId, ...] = ()
    registration: str | None = None
    """In a public register, such as `HRB 12345, Amtsgericht Berlin`."""
    electronic_address: ElectronicAddress | None = None
    contact: Contact = Contact()
    bank_account: BankAccount | None = None
    logo_id: str | None = None
    """Of the stored logo."""
    colors: Colors = Colors()
    changed_at: Instant


class Logo(Entity):
    """A picture, found by the hash of its content. It is never changed or removed: issued documents show it."""

    kind: ClassVar[str] = "logo"
    audit: ClassVar[Audit] = FOLLOWS

    media_type: LogoType
    data: str
    """In base64."""


def checked_bank_account(account: BankAccount, pointer: str) -> BankAccount:
    """The account with its numbers in compact form. Raises `ValidationError` where their check digits are wrong."""
    checked = {"iban": _checked(standard_iban.validate, account.iban, f"{pointer}/iban", "IBAN")}
    if account.bic is not None:
        checked["bic"] = _checked(standard_bic.validate, account.bic, f"{pointer}/bic", "BIC")
    return account.model_copy(update=checked)


def _checked(validate: Callable[[str], str], value: str, pointer: str, called: str) -> str:
    try:
        return str(validate(_SPACES.sub("", value)))
    except StandardNumberError:
        raise ValidationError.at(pointer, f"is no valid {called}") from None
