"""What a document shows of both parties: a copy of the moment when it was finalized, which never changes."""

from datetime import datetime
from typing import Self

from shared.domain.billing.operator_profile import BankAccount, Contact, OperatorProfile
from shared.domain.billing.tax_settings import TaxId
from shared.domain.kernel.times import Instant
from shared.domain.kernel.value import Value
from shared.domain.tenancy.billing_details import EInvoiceFormat, ElectronicAddress, Language, PostalAddress
from shared.domain.tenancy.organizations import Organization


class Seller(Value):
    """The operator, as it was."""

    name: str
    address: PostalAddress
    tax_ids: tuple[TaxId, ...]
    registration: str | None
    electronic_address: ElectronicAddress | None
    contact: Contact
    bank_account: BankAccount | None
    logo_id: str | None
    accent: str

    @classmethod
    def of(cls, profile: OperatorProfile) -> Self:
        return cls(
            name=profile.name,
            address=profile.address,
            tax_ids=profile.tax_ids,
            registration=profile.registration,
            electronic_address=profile.electronic_address,
            contact=profile.contact,
            bank_account=profile.bank_account,
            logo_id=profile.logo_id,
            accent=profile.colors.accent,
        )


class Buyer(Value):
    """The organization, as it was."""

    name: str
    contact: str | None
    address: PostalAddress | None
    tax_ids: tuple[TaxId, ...]
    tax_id: str | None
    """Where there is none by type, what somebody once wrote as its tax id."""
    electronic_address: ElectronicAddress | None
    reference: str | None

    @classmethod
    def of(cls, organization: Organization, tax_ids: tuple[TaxId, ...]) -> Self:
        return cls(
            name=organization.name,
            contact=organization.contact,
            address=organization.address,
            tax_ids=tax_ids,
            tax_id=organization.tax_id,
            electronic_address=organization.electronic_address,
            reference=organization.buyer_reference,
        )


class DocumentDetails(Value):
    """Both parties, and the language they agreed on."""

    language: Language
    seller: Seller | None
    """None where the operator had written nothing about itself yet."""
    buyer: Buyer
    e_invoice: EInvoiceFormat | None
    """How the organization took electronic invoices."""
    as_of: Instant

    @classmethod
    def at(
        cls, now: datetime, organization: Organization, tax_ids: tuple[TaxId, ...], profile: OperatorProfile | None
    ) -> Self:
        return cls(
            language=organization.language,
            seller=None if profile is None else Seller.of(profile),
            buyer=Buyer.of(organization, tax_ids),
            e_invoice=None if organization.e_invoice is None else organization.e_invoice.format,
            as_of=now,
        )
