"""API keys."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
from pydantic import Field, StringConstraints

from shared.domain.access.accounts import ApiKey
from shared.domain.access.identity import Permission
from shared.http import Call, ListQuery, NoBody, Query, Reply, Schema, ZonedTime, endpoint

blueprint = func.Blueprint()


class ApiKeyRequest(Schema):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    scopes: Annotated[tuple[Permission, ...], Field(min_length=1, max_length=50)]
    expires_at: ZonedTime | None = None
    organization_id: str | None = Field(default=None, max_length=256)


class ApiKeyAnswer(Schema):
    id: str
    name: str
    scopes: list[str]
    key_prefix: str
    organization_id: str | None
    created_at: datetime
    expires_at: datetime | None


class NewApiKeyAnswer(ApiKeyAnswer):
    token: str


class ApiKeyList(Schema):
    data: list[ApiKeyAnswer]
    next_cursor: str | None


def _answer(key: ApiKey) -> ApiKeyAnswer:
    return ApiKeyAnswer.model_validate(key)


@endpoint(
    blueprint,
    "POST",
    "api-keys",
    summary="Make an API key; its token is shown this once. An operator who names no organization makes their own",
    access=Permission.API_KEYS_WRITE,
    body=ApiKeyRequest,
    answers={201: NewApiKeyAnswer},
    secret_answer=True,
    example={"name": "Agents in production", "scopes": ["events:write"]},
)
async def create_api_key(call: Call[ApiKeyRequest, Query]) -> Reply:
    key, token = await call.services.api_keys.create(
        call.new_id("key"),
        organization_id=await call.organization_id_or_operator(call.body.organization_id),
        name=call.body.name,
        scopes=call.body.scopes,
        expires_at=call.body.expires_at,
        creator=call.principal,
    )
    answer = NewApiKeyAnswer(**_answer(key).model_dump(), token=token)
    return Reply(answer, status=201, headers={"Cache-Control": "no-store"})


@endpoint(
    blueprint,
    "GET",
    "api-keys",
    summary="API keys, without their tokens",
    access=Permission.API_KEYS_READ,
    query=ListQuery,
    answers={200: ApiKeyList},
)
async def list_api_keys(call: Call[NoBody, ListQuery]) -> Reply:
    organization_id = await call.organization_id_or_operator()
    page = await call.services.api_keys.page(organization_id, call.query.limit, call.query.cursor)
    keys = [_answer(key) for key in page.entities]
    return Reply(ApiKeyList(data=keys, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "DELETE",
    "api-keys/{key_id}",
    summary="Revoke an API key",
    access=Permission.API_KEYS_WRITE,
    answers={204: None},
)
async def delete_api_key(call: Call[NoBody, Query]) -> Reply:
    key_id = call.path["key_id"]
    await call.services.api_keys.delete(await call.organization_id_of(key_id), key_id, call.if_match)
    return Reply(status=204)
