"""Organizations: tenants and billed customers."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import azure.functions as func
from pydantic import EmailStr, Field, StringConstraints

from functions.billing_details import Address, AddressLine, EInvoiceRequest, ElectronicAddressRequest, Language
from functions.fields import Listed, Name, OrganizationAnswer, OrganizationPath, Reference, Text
from functions.limit_warnings import LimitWarning, WithLimitWarnings, seat_warnings
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import ForbiddenError, LimitExceededError, PreconditionRequiredError
from shared.domain.kernel.money import Currency, NonNegativeAmount
from shared.domain.kernel.validation_messages import Expected
from shared.domain.periods.periods import Timezone
from shared.domain.periods.settlements import BillingMode, CreditValues
from shared.domain.tenancy.organization_names import SLUG_PATTERN
from shared.domain.tenancy.organization_settings import Flags, OrganizationSettings
from shared.domain.tenancy.organizations import MAXIMUM_SEATS, Organization
from shared.http import Call, ListQuery, MergePatch, NoBody, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.tenancy.organizations import OrganizationDraft

blueprint = func.Blueprint()

ShardCount = Literal[1, 2, 4, 8, 16, 32, 64]
Slug = Annotated[
    str,
    StringConstraints(pattern=SLUG_PATTERN),
    Expected("1 to 40 small letters, digits and hyphens, with no hyphen at an end"),
]
Seats = Annotated[int, Field(ge=0, le=MAXIMUM_SEATS, strict=True)]


class OrganizationRequest(Schema):
    name: Name
    currency: Currency
    """ISO 4217. It can never be changed."""
    timezone: Timezone = "UTC"
    """IANA name. Billing periods are calendar months there."""
    slug: Slug | None = None
    """Short name, unique among all organizations; by default made from the name."""
    external_id: Reference | None = None
    """The caller's own id for it, unique among all organizations."""
    description: Text | None = None
    billing_mode: BillingMode = "postpaid"
    """`postpaid`: usage is invoiced after each period. `prepaid`: it is drawn from the credits as it happens."""
    credit_value: NonNegativeAmount | None = None
    """What one credit is worth, in the organization's currency. `prepaid` needs it."""
    credit_values: CreditValues = {}
    """What one credit of other kinds than `default` is worth, by kind."""
    billing_email: EmailStr | None = None
    """The address that invoices are sent to."""
    contact: Text | None = None
    """The person to contact."""
    address: Address | None = None
    """As invoices show it."""
    tax_id: Annotated[str, StringConstraints(max_length=100)] | None = None
    """As invoices show it."""
    language: Language = "en"
    """Of its invoices, credit notes, and the mails with them."""
    electronic_address: ElectronicAddressRequest | None = None
    """Where electronic invoices are delivered."""
    buyer_reference: AddressLine | None = None
    """What it asks to be written on its invoices, such as a Leitweg-ID."""
    e_invoice: EInvoiceRequest | None = None
    """How it takes electronic invoices; null where it takes none."""
    due_days: int | None = Field(default=None, ge=0, le=365)
    """Days from the issue of an invoice until it is due; by default the operator's setting."""
    grace_hours: int | None = Field(default=None, ge=0, le=720)
    """Hours from a period's end until its invoice is issued; by default the operator's setting."""
    late_window_days: int | None = Field(default=None, ge=1, le=365)
    """Days after which an event is too old to be accepted; by default the operator's setting."""
    shard_count: ShardCount | None = None
    """The number of store partitions for its usage; by default the operator's setting."""
    seats: Seats = 0
    """The number of seats that seat charges bill."""
    settings: OrganizationSettings = OrganizationSettings()
    """What the operator allows the organization."""
    livemode: bool = True
    """False to try Xyra out: documents are numbered TEST-..., and no sum over organizations has them. It stays."""


class SettingsPatch(MergePatch):
    """Settings to change; null resets one to its default."""

    self_managed_pricing: bool | None = None
    """Whether the organization writes billing models of its own."""
    reported_llm_costs: bool | None = None
    """Whether the cost that an LLM call reports is its cost, where neither an override nor the price list has one."""
    reported_llm_terms: bool | None = None
    """Whether the organization's credentials may report LLM calls with the customer's own key (`byok`), and with other
    service tiers than the standard one; else those calls cost the standard price.
    """
    paid_usage: bool | None = None
    """Whether events may name with `paid_with` what credits have paid for, and then cost only what goes beyond that."""
    unverified_may_write: bool | None = None
    """Whether members whose e-mail address is not verified may change things, as if it were."""
    overdraft: NonNegativeAmount | None = None
    """How far below zero the available credits of the default kind may fall by uses and holds."""
    flags: Flags | None = None
    """All feature flags. They take the place of those that were there."""


class OrganizationPatch(MergePatch):
    """JSON Merge Patch. The currency cannot be changed."""

    name: Name = Field(default="")
    timezone: Timezone = Field(default="UTC")
    """IANA name. A new one applies from the end of the last billing period that exists."""
    description: Text | None = None
    billing_mode: BillingMode = "postpaid"
    """A new one applies from the end of the last billing period that exists."""
    credit_value: NonNegativeAmount | None = None
    """What one credit is worth. A new one applies from the end of the last billing period that exists."""
    credit_values: CreditValues = {}
    """What one credit of other kinds than `default` is worth, by kind: all of them, from the same time on."""
    billing_email: EmailStr | None = None
    """The address that invoices are sent to."""
    contact: Text | None = None
    """The person to contact."""
    address: Address | None = None
    """As invoices show it: the parts to change; null in it removes one."""
    tax_id: Annotated[str, StringConstraints(max_length=100)] | None = None
    """As invoices show it."""
    language: Language = Field(default="en")
    """Of its invoices, credit notes, and the mails with them."""
    electronic_address: ElectronicAddressRequest | None = None
    """Where electronic invoices are delivered."""
    buyer_reference: AddressLine | None = None
    """What it asks to be written on its invoices, such as a Leitweg-ID."""
    e_invoice: EInvoiceRequest | None = None
    """How it takes electronic invoices. While it is set, what they need and is missing stops finalizing."""
    due_days: int = Field(default=0, ge=0, le=365)
    """Days from the issue of an invoice until it is due."""
    grace_hours: int = Field(default=0, ge=0, le=720)
    """Hours from a period's end until its invoice is issued."""
    late_window_days: int = Field(default=1, ge=1, le=365)
    """Days after which an event is too old to be accepted."""
    shard_count: ShardCount = 1
    """The number of store partitions for its usage. It can only grow."""
    seats: Seats = 0
    """The number of seats that seat charges bill from `seats_from` on, in place of a number that has not begun.

    The number in force withdraws what has not begun.
    """
    seats_from: ZonedTime | None = None
    """When new seats take effect: in 10 minutes (the default) or later."""
    settings: SettingsPatch | None = None
    """Needs the header If-Match."""


class ChangedOrganizationAnswer(OrganizationAnswer, WithLimitWarnings):
    @classmethod
    def of(cls, organization: Organization, warnings: Sequence[LimitWarning]) -> Self:
        names = [str(field.validation_alias or name) for name, field in OrganizationAnswer.model_fields.items()]
        return cls.model_validate({**{name: getattr(organization, name) for name in names}, "warnings": warnings})


OPERATORS_FIELDS = frozenset(
    {
        *("settings", "shard_count", "late_window_days", "grace_hours", "due_days"),
        *("billing_mode", "credit_value", "credit_values"),
    }
)
"""Fields that only operators change."""


@endpoint(
    blueprint,
    "POST",
    "organizations",
    summary="Create an organization",
    access=Permission.ORGANIZATIONS_CREATE,
    body=OrganizationRequest,
    answers={201: OrganizationAnswer},
    example={"name": "Acme", "slug": "acme", "currency": "USD", "timezone": "America/New_York"},
)
async def create_organization(call: Call[OrganizationRequest]) -> Reply:
    call.refuse_organization("this makes a new one")
    draft = OrganizationDraft.model_validate(call.body.model_dump())
    organization = await call.services.organizations.create(call.new_id("org"), draft)
    _, etag = await call.services.organizations.get_stored(organization.id)
    return Reply(organization, etag=etag)


@endpoint(
    blueprint,
    "GET",
    "organizations",
    summary="The organizations that the credential can see, in no particular order",
    access=Permission.ORGANIZATIONS_READ,
    query=ListQuery,
    answers={200: Listed[OrganizationAnswer]},
)
async def list_organizations(call: Call[NoBody, ListQuery]) -> Reply:
    if not call.principal.is_operator or call.query.organization_id is not None:
        return Reply(Listed(data=[await call.organization()], next_cursor=None))
    organizations, cursor = await call.services.organizations.list(call.query.limit, call.query.cursor)
    return Reply(Listed(data=organizations, next_cursor=cursor))


@endpoint(
    blueprint,
    "GET",
    "organizations/{organization_id}",
    summary="One organization",
    access=Permission.ORGANIZATIONS_READ,
    path_values=OrganizationPath,
    answers={200: OrganizationAnswer},
)
async def get_organization(call: Call[NoBody, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    organization, etag = await call.services.organizations.get_stored(organization_id)
    return Reply(organization, etag=etag)


@endpoint(
    blueprint,
    "PATCH",
    "organizations/{organization_id}",
    summary="Change an organization",
    access=Permission.ORGANIZATIONS_WRITE,
    path_values=OrganizationPath,
    body=OrganizationPatch,
    answers={200: ChangedOrganizationAnswer},
    errors=(PreconditionRequiredError, LimitExceededError),
    example={"description": "Makes everything"},
)
async def update_organization(call: Call[OrganizationPatch, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    changes = call.body.model_dump(exclude_unset=True)
    if not call.principal.is_operator and (beyond := sorted(OPERATORS_FIELDS & set(changes))):
        raise ForbiddenError(f"Only the operator changes {', '.join(beyond)}")
    if "settings" in changes and call.if_match is None:
        raise PreconditionRequiredError("Send If-Match with the ETag of the settings that you read")
    organization, etag = await call.services.organizations.update(organization_id, changes, call.if_match)
    warnings = await seat_warnings(call, organization_id) if "seats" in changes else []
    return Reply(ChangedOrganizationAnswer.of(organization, warnings), etag=etag)


@endpoint(
    blueprint,
    "DELETE",
    "organizations/{organization_id}",
    summary="End an organization. Its usage is still invoiced, and nothing is erased",
    access=Permission.ORGANIZATIONS_CREATE,
    path_values=OrganizationPath,
    answers={204: None},
)
async def delete_organization(call: Call[NoBody, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    await call.services.organizations.delete(organization_id, call.if_match)
    return Reply()
