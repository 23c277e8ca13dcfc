"""Who the operator is on invoices."""

from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from pydantic import EmailStr, StringConstraints

from functions.billing.taxes import MAXIMUM_IDS, TaxIdAnswer, TaxIdRequest
from functions.billing_details import Address, AddressLine, AddressRequest, ElectronicAddressRequest
from functions.fields import Name
from shared.domain.access.identity import Permission
from shared.domain.billing.operator_profile import (
    DEFAULT_ACCENT,
    BankAccount,
    Colors,
    Contact,
    LogoType,
    OperatorProfile,
)
from shared.domain.billing.tax_settings import TaxId
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.validation import Length
from shared.domain.kernel.validation_messages import Expected
from shared.domain.tenancy.billing_details import ElectronicAddress, PostalAddress
from shared.http import Call, IfMatch, NoBody, Query, Reply, Schema, endpoint

blueprint = func.Blueprint()

MAXIMUM_LOGO_TEXT = 56_000
Color = Annotated[
    str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$"), Expected("a colour as six hexadecimal digits: #1f3a5f")
]


class ContactRequest(Schema):
    name: AddressLine | None = None
    """A person, or what the place is called."""
    email: EmailStr | None = None
    """Where questions are answered."""
    phone: AddressLine | None = None
    """As it is dialled."""


class BankAccountRequest(Schema):
    iban: AddressLine
    """Its check digits are checked."""
    bic: AddressLine | None = None
    """The bank's code."""
    holder: AddressLine | None = None
    """Where it is another name than yours."""
    bank: AddressLine | None = None
    """The bank's name."""


class LogoRequest(Schema):
    """A picture. It brings all it shows with it: no links, no text, no scripts."""

    media_type: LogoType
    """`image/png` (at most 2,000 pixels on a side) or `image/svg+xml` (shapes and gradients)."""
    data: Annotated[str, StringConstraints(min_length=1, max_length=MAXIMUM_LOGO_TEXT)]
    """The file in base64: at most 40 KiB of it."""


class ColorsRequest(Schema):
    accent: Color = DEFAULT_ACCENT
    """Of titles."""


class OperatorProfileRequest(Schema):
    name: Name
    """The legal name."""
    address: Address = AddressRequest()
    """Where the operator is."""
    tax_ids: Annotated[tuple[TaxIdRequest, ...], Length(0, MAXIMUM_IDS)] = ()
    """At most 10."""
    registration: AddressLine | None = None
    """In a public register, such as `HRB 12345, Amtsgericht Berlin`."""
    electronic_address: ElectronicAddressRequest | None = None
    """Where electronic messages about invoices are delivered."""
    contact: ContactRequest = ContactRequest()
    """Whom customers ask."""
    bank_account: BankAccountRequest | None = None
    """Where customers pay to."""
    logo: LogoRequest | None = None
    """At the top of documents; null for none."""
    colors: ColorsRequest = ColorsRequest()
    """Of documents."""


class LogoAnswer(Schema):
    media_type: str
    """`image/png` or `image/svg+xml`."""
    data: str
    """The file in base64."""


class OperatorProfileAnswer(Schema):
    name: str
    """The legal name."""
    address: PostalAddress
    """Where the operator is."""
    tax_ids: list[TaxIdAnswer]
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
    changed_at: datetime
    """Documents that are finalized from then on have it."""


@endpoint(
    blueprint,
    "GET",
    "operator/profile",
    summary="Who the operator is on invoices",
    access=Permission.BILLING_READ,
    answers={200: OperatorProfileAnswer},
    errors=(NotFoundError,),
)
async def get_operator_profile(call: Call[NoBody]) -> Reply:
    await call.organization_id_or_operator()
    stored = await call.services.documents.profiles.find()
    if stored is None:
        raise NotFoundError("The operator has written nothing about itself yet: PUT /api/v1/operator/profile")
    return await _answer(call, stored.entity, stored.etag)


@endpoint(
    blueprint,
    "PUT",
    "operator/profile",
    summary="Say who the operator is on invoices that are finalized from now on",
    access=Permission.TAX_WRITE,
    body=OperatorProfileRequest,
    if_match=IfMatch.HONOURED,
    answers={200: OperatorProfileAnswer},
    example={
        "name": "Xyra Ltd",
        "address": {"line1": "1 High Street", "postal_code": "EC1A 1AA", "city": "London", "country": "GB"},
        "bank_account": {"iban": "GB33 BUKB 2020 1555 5555 55"},
    },
)
async def put_operator_profile(call: Call[OperatorProfileRequest, Query]) -> Reply:
    call.refuse_organization("the operator has one profile")
    body, profiles = call.body, call.services.documents.profiles
    logo_id = None if body.logo is None else await profiles.keep_logo(body.logo.media_type, body.logo.data)
    electronic = body.electronic_address
    profile = OperatorProfile(
        name=body.name,
        address=PostalAddress(**dict(body.address)),
        tax_ids=tuple(TaxId(**dict(tax_id)) for tax_id in body.tax_ids),
        registration=body.registration,
        electronic_address=None if electronic is None else ElectronicAddress(**dict(electronic)),
        contact=Contact(**dict(body.contact)),
        bank_account=None if body.bank_account is None else BankAccount(**dict(body.bank_account)),
        logo_id=logo_id,
        colors=Colors(accent=body.colors.accent.lower()),
        changed_at=call.now,
    )
    stored, etag = await profiles.put(profile, call.if_match)
    return await _answer(call, stored, etag)


async def _answer(call: Call[Any, Any], profile: OperatorProfile, etag: str) -> Reply:
    logo = None if profile.logo_id is None else await call.services.documents.profiles.logo(profile.logo_id)
    shown = None if logo is None else LogoAnswer.showing(logo)
    return Reply(OperatorProfileAnswer.showing(profile, logo=shown), etag=etag)
