"""Organizations: tenants and billed customers."""

from typing import Annotated, Literal

import azure.functions as func
from pydantic import EmailStr, Field, StringConstraints, field_validator

from functions.fields import OrganizationAnswer
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import ForbiddenError, PreconditionRequiredError
from shared.domain.kernel.money import Currency
from shared.domain.periods.periods import Timezone
from shared.domain.tenancy.organizations import MAXIMUM_SEATS, SLUG_PATTERN, OrganizationSettings
from shared.http import Call, ListQuery, MergePatch, NoBody, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.tenancy.organizations import OrganizationDraft

blueprint = func.Blueprint()

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=2000)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=256)]
ShardCount = Literal[1, 2, 4, 8, 16, 32, 64]
Seats = Annotated[int, Field(ge=0, le=MAXIMUM_SEATS, strict=True)]


class OrganizationRequest(Schema):
    name: Name
    currency: Currency
    timezone: Timezone = "UTC"
    slug: Annotated[str, StringConstraints(pattern=SLUG_PATTERN)] | None = None
    external_id: ExternalId | None = None
    description: Text | None = None
    billing_mode: Literal["postpaid", "prepaid"] = "postpaid"
    billing_email: EmailStr | None = None
    contact: Text | None = None
    address: Text | None = None
    tax_id: Annotated[str, StringConstraints(max_length=100)] | None = None
    due_days: int | None = Field(default=None, ge=0, le=365)
    grace_hours: int | None = Field(default=None, ge=0, le=720)
    late_window_days: int | None = Field(default=None, ge=1, le=365)
    shard_count: ShardCount | None = None
    seats: Seats = 0
    settings: OrganizationSettings = OrganizationSettings()

    @field_validator("billing_mode")
    @classmethod
    def _settled_by_invoice(cls, mode: str) -> str:
        if mode == "prepaid":
            raise ValueError("prepaid settlement needs a credit value, which the organization does not have")
        return mode


class SettingsPatch(MergePatch):
    """What is null takes its default again."""

    self_managed_pricing: bool | None = None


class OrganizationPatch(MergePatch):
    """JSON Merge Patch. The currency cannot be changed; a new timezone holds from the end of the last period laid, new
    seats from `seats_from` on, 10 minutes ahead or later.
    """

    name: Name = Field(default="")
    timezone: Timezone = Field(default="UTC")
    description: Text | None = None
    billing_email: EmailStr | None = None
    contact: Text | None = None
    address: Text | None = None
    tax_id: Annotated[str, StringConstraints(max_length=100)] | None = None
    due_days: int = Field(default=0, ge=0, le=365)
    grace_hours: int = Field(default=0, ge=0, le=720)
    late_window_days: int = Field(default=1, ge=1, le=365)
    shard_count: ShardCount = 1
    seats: Seats = 0
    seats_from: ZonedTime | None = None
    settings: SettingsPatch | None = None


OPERATORS_FIELDS = frozenset({"settings", "shard_count", "late_window_days", "grace_hours", "due_days"})
"""What an organization cannot change about itself."""


class OrganizationList(Schema):
    data: list[OrganizationAnswer]
    next_cursor: str | None


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
async def create_organization(call: Call[OrganizationRequest, Query]) -> Reply:
    draft = OrganizationDraft.model_validate(call.body.model_dump(exclude={"billing_mode"}))
    organization = await call.services.organizations.create(call.new_id("org"), draft)
    _, etag = await call.services.organizations.get_item(organization.id)
    return Reply(OrganizationAnswer.of(organization), status=201, etag=etag)


@endpoint(
    blueprint,
    "GET",
    "organizations",
    summary="The organizations that the credential can see, in no order of time",
    access=Permission.ORGANIZATIONS_READ,
    query=ListQuery,
    answers={200: OrganizationList},
)
async def list_organizations(call: Call[NoBody, ListQuery]) -> Reply:
    own = call.principal.organization_id
    if own is not None:
        organization = await call.organization()
        return Reply(OrganizationList(data=[OrganizationAnswer.of(organization)], next_cursor=None))
    organizations, cursor = await call.services.organizations.list(call.query.limit, call.query.cursor)
    return Reply(OrganizationList(data=[OrganizationAnswer.of(each) for each in organizations], next_cursor=cursor))


@endpoint(
    blueprint,
    "GET",
    "organizations/{organization_id}",
    summary="One organization",
    access=Permission.ORGANIZATIONS_READ,
    answers={200: OrganizationAnswer},
)
async def get_organization(call: Call[NoBody, Query]) -> Reply:
    organization_id = await call.organization_id(call.path["organization_id"])
    organization, etag = await call.services.organizations.get_item(organization_id)
    return Reply(OrganizationAnswer.of(organization), etag=etag)


@endpoint(
    blueprint,
    "PATCH",
    "organizations/{organization_id}",
    summary="Change an organization",
    access=Permission.ORGANIZATIONS_WRITE,
    body=OrganizationPatch,
    answers={200: OrganizationAnswer},
    example={"description": "Makes everything"},
)
async def update_organization(call: Call[OrganizationPatch, Query]) -> Reply:
    organization_id = await call.organization_id(call.path["organization_id"])
    changes = call.body.model_dump(exclude_unset=True)
    if not call.principal.is_operator and (beyond := sorted(OPERATORS_FIELDS & set(changes))):
        raise ForbiddenError(f"Only the operator changes {', '.join(beyond)}")
    if "settings" in changes and call.if_match is None:
        raise PreconditionRequiredError("Send If-Match with the ETag of the settings that you read")
    organization, etag = await call.services.organizations.update(organization_id, changes, call.if_match)
    return Reply(OrganizationAnswer.of(organization), etag=etag)


@endpoint(
    blueprint,
    "DELETE",
    "organizations/{organization_id}",
    summary="End an organization: what it used is still invoiced, nothing is erased",
    access=Permission.ORGANIZATIONS_CREATE,
    answers={204: None},
)
async def delete_organization(call: Call[NoBody, Query]) -> Reply:
    organization_id = await call.organization_id(call.path["organization_id"])
    await call.services.organizations.delete(organization_id, call.if_match)
    return Reply(status=204)
