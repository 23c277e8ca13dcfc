"""Organizations: tenants and billed customers."""

from typing import Annotated, Literal

import azure.functions as func
from pydantic import EmailStr, Field, StringConstraints, field_validator

from functions.fields import Listed, Name, OrganizationAnswer, OrganizationPath, Reference, Text
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import ForbiddenError, PreconditionRequiredError
from shared.domain.kernel.money import Currency
from shared.domain.periods.periods import Timezone
from shared.domain.tenancy.organizations import MAXIMUM_SEATS, SLUG_PATTERN, OrganizationSettings
from shared.http import Call, ListQuery, MergePatch, NoBody, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.tenancy.organizations import OrganizationDraft

blueprint = func.Blueprint()

ShardCount = Literal[1, 2, 4, 8, 16, 32, 64]
Seats = Annotated[int, Field(ge=0, le=MAXIMUM_SEATS, strict=True)]


class OrganizationRequest(Schema):
    name: Name
    currency: Currency
    """ISO 4217. It can never be changed."""
    timezone: Timezone = "UTC"
    """IANA name. Billing periods are calendar months there."""
    slug: Annotated[str, StringConstraints(pattern=SLUG_PATTERN)] | None = None
    """Short name, unique among all organizations; made from the name where it is left out."""
    external_id: Reference | None = None
    """The caller's own id for it, unique among all organizations."""
    description: Text | None = None
    billing_mode: Literal["postpaid", "prepaid"] = "postpaid"
    """`postpaid`: usage is invoiced after a period. `prepaid` is not there yet."""
    billing_email: EmailStr | None = None
    """Where invoices go."""
    contact: Text | None = None
    """Whom to turn to there."""
    address: Text | None = None
    """As invoices show it."""
    tax_id: Annotated[str, StringConstraints(max_length=100)] | None = None
    """As invoices show it."""
    due_days: int | None = Field(default=None, ge=0, le=365)
    """Days from the issue of an invoice until it is due; without it the operator's setting."""
    grace_hours: int | None = Field(default=None, ge=0, le=720)
    """Hours from a period's end until its invoice is issued; without it the operator's setting."""
    late_window_days: int | None = Field(default=None, ge=1, le=365)
    """Days after which an event is too old to be accepted; without it the operator's setting."""
    shard_count: ShardCount | None = None
    """How many partitions take its usage; without it the operator's setting."""
    seats: Seats = 0
    """How many seats are billed where a charge prices seats."""
    settings: OrganizationSettings = OrganizationSettings()
    """What the operator lets the organization do."""

    @field_validator("billing_mode")
    @classmethod
    def _settled_by_invoice(cls, mode: str) -> str:
        if mode == "prepaid":
            raise ValueError("prepaid settlement needs a credit value, which the organization does not have")
        return mode


class SettingsPatch(MergePatch):
    """What is null takes its default again."""

    self_managed_pricing: bool | None = None
    """Whether the organization writes billing models of its own."""


class OrganizationPatch(MergePatch):
    """JSON Merge Patch. The currency cannot be changed."""

    name: Name = Field(default="")
    timezone: Timezone = Field(default="UTC")
    """IANA name. A new one holds from the end of the last period that there is."""
    description: Text | None = None
    billing_email: EmailStr | None = None
    """Where invoices go."""
    contact: Text | None = None
    """Whom to turn to there."""
    address: Text | None = None
    """As invoices show it."""
    tax_id: Annotated[str, StringConstraints(max_length=100)] | None = None
    """As invoices show it."""
    due_days: int = Field(default=0, ge=0, le=365)
    """Days from the issue of an invoice until it is due."""
    grace_hours: int = Field(default=0, ge=0, le=720)
    """Hours from a period's end until its invoice is issued."""
    late_window_days: int = Field(default=1, ge=1, le=365)
    """Days after which an event is too old to be accepted."""
    shard_count: ShardCount = 1
    """How many partitions take its usage. It only grows."""
    seats: Seats = 0
    """How many seats are billed, from `seats_from` on."""
    seats_from: ZonedTime | None = None
    """10 minutes ahead or later; without it in 10 minutes."""
    settings: SettingsPatch | None = None
    """Needs the header If-Match."""


OPERATORS_FIELDS = frozenset({"settings", "shard_count", "late_window_days", "grace_hours", "due_days"})
"""What an organization cannot change about itself."""


@endpoint(
    blueprint,
    "POST",
    "organizations",
    summary="Make an organization",
    access=Permission.ORGANIZATIONS_CREATE,
    body=OrganizationRequest,
    answers={201: OrganizationAnswer},
    example={"name": "Acme", "slug": "acme", "currency": "USD", "timezone": "America/New_York"},
)
async def create_organization(call: Call[OrganizationRequest]) -> Reply:
    draft = OrganizationDraft.model_validate(call.body.model_dump(exclude={"billing_mode"}))
    organization = await call.services.organizations.create(call.new_id("org"), draft)
    _, etag = await call.services.organizations.get_stored(organization.id)
    return Reply(organization, etag=etag)


@endpoint(
    blueprint,
    "GET",
    "organizations",
    summary="The organizations that the credential can see, in no order of time",
    access=Permission.ORGANIZATIONS_READ,
    query=ListQuery,
    answers={200: Listed[OrganizationAnswer]},
)
async def list_organizations(call: Call[NoBody, ListQuery]) -> Reply:
    if not call.principal.is_operator:
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
    answers={200: OrganizationAnswer},
    errors=(PreconditionRequiredError,),
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
    return Reply(organization, etag=etag)


@endpoint(
    blueprint,
    "DELETE",
    "organizations/{organization_id}",
    summary="End an organization: what it used is still invoiced, nothing is erased",
    access=Permission.ORGANIZATIONS_CREATE,
    path_values=OrganizationPath,
    answers={204: None},
)
async def delete_organization(call: Call[NoBody, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    await call.services.organizations.delete(organization_id, call.if_match)
    return Reply()
