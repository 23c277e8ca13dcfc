"""Settings of an organization: shown, and replaced as a whole."""

from typing import Annotated, Any, Self

import azure.functions as func
from pydantic import AfterValidator, EmailStr, StringConstraints, field_validator

from functions.fields import Metadata, OrganizationPath
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import ExactDecimal, NonNegativeAmount
from shared.domain.kernel.validation import Length
from shared.domain.tenancy.organization_settings import (
    DEFAULT_BALANCE_ALERTS,
    MAXIMUM_BALANCE_ALERTS,
    MAXIMUM_CONTACTS,
    MAXIMUM_URL,
    Flags,
    OrganizationSettings,
    ReminderDays,
    RestrictedAfterDays,
    SettingsChanger,
    TopUpSetting,
    checked_webhook_url,
)
from shared.domain.tenancy.organizations import Organization
from shared.http import Call, IfMatch, NoBody, Query, Reply, Schema, VerbatimObject, endpoint

blueprint = func.Blueprint()

WebhookUrl = Annotated[str, StringConstraints(max_length=MAXIMUM_URL), AfterValidator(checked_webhook_url)]


class SettingsRequest(Schema):
    """All of them: what is left out of the organization's own is reset to its default."""

    billing_contacts: Annotated[tuple[EmailStr, ...], Length(0, MAXIMUM_CONTACTS)] = ()
    """E-mail addresses that get what concerns billing, besides the organization's `billing_email`."""
    webhook_url: WebhookUrl | None = None
    """An https URL of the organization's own."""
    metadata: Metadata = "{}"
    mfa_required: bool | None = None
    """Whether members need a second factor; only an owner changes it. Left out it stays as it is."""
    top_up: TopUpSetting | None = None
    """When credits are bought by themselves; null for never."""
    balance_alerts: Annotated[tuple[NonNegativeAmount, ...], Length(0, MAXIMUM_BALANCE_ALERTS)] = DEFAULT_BALANCE_ALERTS
    """Balances of the default kind: each time one falls below such an amount, an alert is raised."""
    step_up_required: bool | None = None
    """Whether members show anew who they are, 10 minutes before at most, to change money or access; only an owner
    changes it. Left out it stays as it is.
    """
    self_managed_pricing: bool | None = None
    """The operator's. Left out it stays as it is."""
    reported_llm_costs: bool | None = None
    """The operator's. Left out it stays as it is."""
    reported_llm_terms: bool | None = None
    """The operator's. Left out it stays as it is."""
    paid_usage: bool | None = None
    """The operator's. Left out it stays as it is."""
    unverified_may_write: bool | None = None
    """The operator's. Left out it stays as it is."""
    reminder_days: ReminderDays | None = None
    """The operator's. Left out they stay as they are."""
    restricted_after_days: RestrictedAfterDays | None = None
    """The operator's. Left out it stays as it is; switched off by `PATCH /organizations/{id}`."""
    flags: Flags | None = None
    """The operator's. Left out they stay as they are."""

    @field_validator("billing_contacts")
    @classmethod
    def _each_once(cls, contacts: tuple[str, ...]) -> tuple[str, ...]:
        if len({contact.lower() for contact in contacts}) < len(contacts):
            raise ValueError("names an address twice")
        return contacts


class SettingsAnswer(OrganizationSettings, Schema):
    """The operator's settings of an organization, and its own."""

    billing_contacts: list[str]
    """E-mail addresses that get what concerns billing, besides the organization's `billing_email`."""
    webhook_url: str | None
    """An https URL of the organization's own."""
    metadata: VerbatimObject
    """Data of the organization's own."""
    mfa_required: bool
    """Whether members need a second factor."""
    top_up: TopUpSetting | None
    """When credits are bought by themselves; null for never."""
    balance_alerts: list[ExactDecimal]
    """Balances of the default kind: each time one falls below such an amount, an alert is raised."""
    step_up_required: bool
    """Whether members show anew who they are to change money or access."""

    @classmethod
    def of(cls, organization: Organization) -> Self:
        return cls.model_validate({**dict(organization.settings), **dict(organization.own_settings)})


@endpoint(
    blueprint,
    "GET",
    "organizations/{organization_id}/settings",
    summary="The settings of an organization: its own, and those of the operator",
    access=Permission.ORGANIZATIONS_READ,
    path_values=OrganizationPath,
    answers={200: SettingsAnswer},
)
async def get_organization_settings(call: Call[NoBody, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    organization, etag = await call.services.organizations.get_stored(organization_id)
    return Reply(SettingsAnswer.of(organization), etag=etag)


@endpoint(
    blueprint,
    "PUT",
    "organizations/{organization_id}/settings",
    summary="Replace the settings of an organization",
    access=Permission.ORGANIZATIONS_WRITE,
    path_values=OrganizationPath,
    body=SettingsRequest,
    if_match=IfMatch.REQUIRED,
    answers={200: SettingsAnswer},
    example={"billing_contacts": ["billing@example.com"], "metadata": {"cost_center": "4711"}},
)
async def replace_organization_settings(call: Call[SettingsRequest, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    sent: dict[str, Any] = {name: value for name, value in dict(call.body).items() if value is not None}
    operators = {name: sent.pop(name) for name in OrganizationSettings.model_fields if name in sent}
    changer = SettingsChanger(
        is_operator=call.principal.is_operator, may_require_factors=call.principal.may(Permission.OWNERS_WRITE)
    )
    organization, etag = await call.services.organizations.replace_settings(
        organization_id, sent, operators, changer, call.if_match
    )
    return Reply(SettingsAnswer.of(organization), etag=etag)
