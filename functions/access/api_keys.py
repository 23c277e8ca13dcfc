"""API keys: created, listed, revoked."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
from pydantic import Field

from functions.fields import Listed, Name
from shared.domain.access.identity import Permission
from shared.domain.kernel.validation import Length
from shared.http import Call, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, ZonedTime, endpoint

blueprint = func.Blueprint()


class ApiKeyPath(PathValues):
    key_id: Annotated[str, ThingId("key")]
    """The key's id, not its token."""


class ApiKeyRequest(Schema):
    name: Name
    scopes: Annotated[tuple[Permission, ...], Length(1, 50)]
    """The permissions of the key. Its creator must have them, too."""
    expires_at: ZonedTime | None = None
    """By default the key is valid until it is revoked."""
    organization_id: str | None = Field(default=None, max_length=256)
    """The organization's id, slug or external id. Operators who name none create a key of their own."""


class ApiKeyAnswer(Schema):
    id: str
    name: str
    scopes: list[str]
    """The permissions of the key."""
    key_prefix: str
    """The first characters of the token."""
    organization_id: str | None
    """Null for an operator's own key."""
    created_at: datetime
    expires_at: datetime | None
    """Null for a key that is valid until it is revoked."""


class NewApiKeyAnswer(ApiKeyAnswer):
    token: str
    """The key itself, shown this once."""


@endpoint(
    blueprint,
    "POST",
    "api-keys",
    summary="Create an API key. Its token is shown only in this answer",
    access=Permission.API_KEYS_WRITE,
    body=ApiKeyRequest,
    answers={201: NewApiKeyAnswer},
    secret_answer=True,
    example={"name": "Agents in production", "scopes": ["events:write"]},
)
async def create_api_key(call: Call[ApiKeyRequest]) -> Reply:
    key, token = await call.services.api_keys.create(
        call.new_id("key"),
        organization_id=await call.organization_id_or_operator(call.body.organization_id),
        name=call.body.name,
        scopes=call.body.scopes,
        expires_at=call.body.expires_at,
        creator=call.principal,
    )
    return Reply(NewApiKeyAnswer.showing(key, token=token), headers={"Cache-Control": "no-store"})


@endpoint(
    blueprint,
    "GET",
    "api-keys",
    summary="API keys, without their tokens",
    access=Permission.API_KEYS_READ,
    query=ListQuery,
    answers={200: Listed[ApiKeyAnswer]},
)
async def list_api_keys(call: Call[NoBody, ListQuery]) -> Reply:
    organization_id = await call.organization_id_or_operator()
    page = await call.services.api_keys.page(organization_id, call.query.limit, call.query.cursor)
    return Reply(page)


@endpoint(
    blueprint,
    "DELETE",
    "api-keys/{key_id}",
    summary="Revoke an API key",
    access=Permission.API_KEYS_WRITE,
    path_values=ApiKeyPath,
    answers={204: None},
)
async def delete_api_key(call: Call[NoBody, Query, ApiKeyPath]) -> Reply:
    key_id = call.path.key_id
    await call.services.api_keys.delete(await call.organization_id_of(key_id), key_id, call.if_match)
    return Reply()
