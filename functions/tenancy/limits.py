"""Limits of an organization: read by its own, set by the operator."""

from typing import Annotated, Any

import azure.functions as func
from pydantic import Field

from functions.fields import OrganizationPath
from shared.domain.access.identity import Permission
from shared.domain.tenancy.limits import DEFAULT_QUOTAS, OrganizationLimits
from shared.http import Call, Query, Reply, Schema, endpoint
from shared.services.access.limits import LimitsInForce

blueprint = func.Blueprint()

Number = Annotated[int, Field(ge=0, le=10_000_000, strict=True)]
Bytes = Annotated[int, Field(ge=0, le=15 * 1024**3, strict=True)]
Rate = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]


class LimitsRequest(Schema):
    """All limits at once; what is null or not sent has its default."""

    agents: Number | None = None
    """Agents that are not deleted."""
    api_keys: Number | None = None
    """The organization's API keys, inactive and expired ones too."""
    threads: Number | None = None
    """Threads."""
    billing_models: Number | None = None
    """Billing models of its own, archived ones too."""
    stored_bytes: Bytes | None = None
    """Bytes of agents, API keys, threads, projects, departments and billing models."""
    key_requests_per_minute: Rate | None = None
    """Requests of each API key in any minute; by default any number."""
    requests_per_minute: Rate | None = None
    """Requests of all API keys and members together in any minute; by default any number."""


class QuotaAnswer(Schema):
    limit: int
    """The most that there may be."""
    used: int
    """What there is now."""


class QuotasAnswer(Schema):
    agents: QuotaAnswer
    """Agents that are not deleted."""
    api_keys: QuotaAnswer
    """The organization's API keys, inactive and expired ones too."""
    threads: QuotaAnswer
    """Threads."""
    billing_models: QuotaAnswer
    """Billing models of its own, archived ones too."""
    stored_bytes: QuotaAnswer
    """Bytes of agents, API keys, threads, projects, departments and billing models."""


class LimitsAnswer(Schema):
    organization_id: str
    quotas: QuotasAnswer
    """How much there may be of each thing."""
    key_requests_per_minute: int | None
    """Requests of each API key in any minute; null for any number."""
    requests_per_minute: int | None
    """Requests of all API keys and members together in any minute; null for any number."""


def _reply(organization_id: str, found: LimitsInForce) -> Reply:
    quotas = {name: QuotaAnswer(limit=found.limits.quota(name), used=found.use.of(name)) for name in DEFAULT_QUOTAS}
    answer: dict[str, Any] = {
        "organization_id": organization_id,
        "quotas": quotas,
        "key_requests_per_minute": found.limits.key_requests_per_minute,
        "requests_per_minute": found.limits.requests_per_minute,
    }
    return Reply(answer, etag=found.etag)


@endpoint(
    blueprint,
    "GET",
    "limits",
    summary="The limits of the organization, and how much of them it uses",
    access=Permission.ORGANIZATIONS_READ,
    answers={200: LimitsAnswer},
)
async def get_limits(call: Call) -> Reply:
    organization_id = await call.organization_id()
    return _reply(organization_id, await call.services.limits.of(organization_id))


@endpoint(
    blueprint,
    "PUT",
    "organizations/{organization_id}/limits",
    summary="Set the limits of an organization",
    access=Permission.ORGANIZATIONS_CREATE,
    path_values=OrganizationPath,
    body=LimitsRequest,
    answers={200: LimitsAnswer},
    example={"agents": 500, "key_requests_per_minute": 600, "requests_per_minute": 6000},
)
async def put_limits(call: Call[LimitsRequest, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    wanted = OrganizationLimits(
        quotas=call.body.model_dump(include=set(DEFAULT_QUOTAS), exclude_none=True),
        key_requests_per_minute=call.body.key_requests_per_minute,
        requests_per_minute=call.body.requests_per_minute,
    )
    return _reply(organization_id, await call.services.limits.put(organization_id, wanted, call.if_match))
