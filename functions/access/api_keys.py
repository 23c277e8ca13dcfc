"""API keys: created, listed, changed, revoked."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

import azure.functions as func
import msgspec
from pydantic import Field

from functions.access.api_key_fields import ReportingAnswer, ReportingFields, checked, shown
from functions.fields import Listed, Name, Reference
from functions.limit_warnings import WithLimitWarnings, limit_warnings
from shared.domain.access.api_keys import ApiKey
from shared.domain.access.identity import Permission
from shared.domain.access.project_access import MAXIMUM_GRANTS
from shared.domain.access.reporting import Reporting
from shared.domain.kernel.errors import LimitExceededError, NotFoundError
from shared.domain.kernel.validation import Length
from shared.http import (
    Call,
    ListQuery,
    MergePatch,
    NoBody,
    PathValues,
    Projects,
    Query,
    Reply,
    ThingId,
    ZonedTime,
    endpoint,
)
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.storage import OPERATOR

blueprint = func.Blueprint()


class ApiKeyPath(PathValues):
    key_id: Annotated[str, ThingId("key")]
    """The key's id, not its token."""


class ApiKeyRequest(ReportingFields):
    name: Name
    scopes: Annotated[tuple[Permission, ...], Length(1, 50)]
    """The permissions of the key. Its creator must have them, too."""
    expires_at: ZonedTime | None = None
    """By default the key is valid until it is revoked; one that was made by a key, as long as that at most."""
    organization_id: str | None = Field(default=None, max_length=256)
    """The organization's id, slug or external id. Operators who name none create a key of their own."""
    projects: Annotated[tuple[Reference, ...], Length(1, MAXIMUM_GRANTS)] | None = None
    """Ids of the projects that it is limited to: their agents, runs, threads, events, usage, outcomes and keys. By
    default those that its creator is limited to.
    """
    force: bool = False
    """Make another key also where an equal one works: one of the same maker with all the same fields."""


class ApiKeyPatch(MergePatch, ReportingFields):
    """JSON Merge Patch. Scopes and expiry never change: make another key."""

    name: Name = "-"


class ApiKeyAnswer(ReportingAnswer):
    id: str
    name: str
    scopes: list[str]
    """The permissions of the key."""
    key_prefix: str
    """The first characters of the token."""
    organization_id: str | None
    """Null for an operator's own key."""
    root_id: str
    """The first key of the line that it descends from; its own id where no key made it."""
    parent_id: str | None
    """The key that made it, with which it ends; null where a person made it."""
    projects: list[str] | None
    """The projects that it is limited to; null without a limit."""
    created_by: str | None
    """The user who made it, or the first key of its line."""
    adopted_by: str | None
    """The owner who adopted it: it stops with this member, and no longer with its creator."""
    is_active: bool
    """Whether nobody has deactivated it."""
    created_at: datetime
    expires_at: datetime | None
    """Null for a key that is valid until it is revoked."""
    last_used_at: datetime | None
    """When it was last used, up to an hour ago; null for a key that was not."""

    @classmethod
    def of(cls, key: ApiKey, last_used_at: datetime | None, **fields: Any) -> Self:  # noqa: ANN401  what a subclass adds
        adopted_by = key.maker if key.maker != key.created_by else None
        return cls.showing(key, adopted_by=adopted_by, last_used_at=last_used_at, **shown(key), **fields)


class NewApiKeyAnswer(ApiKeyAnswer, WithLimitWarnings):
    token: str
    """The key itself, shown this once."""


class ReusedApiKeyAnswer(ApiKeyAnswer):
    reused: Literal[True]
    """The request was answered before, or an equal key works. Its token was shown then, and is never shown again."""


async def _last_used(call: Call[Any, Any, Any], owner: str, keys: Sequence[ApiKey]) -> Mapping[str, datetime]:
    return await call.services.key_uses.of(owner, [key.id for key in keys])


async def _shown(call: Call[Any, Any, Any], stored: tuple[ApiKey, str]) -> Reply:
    """A key without its token, with its ETag."""
    key, etag = stored
    uses = await _last_used(call, key.organization_id or OPERATOR, [key])
    return Reply(ApiKeyAnswer.of(key, uses.get(key.id)), etag=etag)


async def _owner(call: Call[Any, Any, ApiKeyPath]) -> str:
    """Whose key the path names. Raises `NotFoundError` for a key of other projects than the caller's."""
    owner = await call.organization_id_of(call.path.key_id)
    if call.projects is not None:
        key, _ = await call.services.api_keys.get(owner, call.path.key_id)
        if not call.sees_all(key.projects):
            raise NotFoundError("There is no such API key in your projects")
    return owner


@endpoint(
    blueprint,
    "POST",
    "api-keys",
    summary="Create an API key. Its token is shown only in this answer",
    access=Permission.API_KEYS_WRITE,
    projects=Projects.CHECKED,
    body=ApiKeyRequest,
    answers={201: NewApiKeyAnswer, 200: ReusedApiKeyAnswer},
    errors=(LimitExceededError,),
    secret_answer=True,
    example={"name": "Agents in production", "scopes": ["events:write"]},
    adds_costs=True,
)
async def create_api_key(call: Call[ApiKeyRequest]) -> Reply:
    owner = await call.organization_id_or_operator(call.body.organization_id)
    projects = call.body.projects
    reporting = await checked(call, owner, call.body.model_dump(include=set(Reporting.model_fields)), projects)
    draft = ApiKeyDraft(
        name=call.body.name,
        scopes=call.body.scopes,
        expires_at=call.body.expires_at,
        reporting=Reporting.model_validate(reporting),
        projects=projects,
    )
    (key, etag), token = await call.services.api_keys.create(
        call.new_id("key"), owner, draft, call.principal, force=call.body.force
    )
    if token is None:
        uses = await _last_used(call, key.organization_id or OPERATOR, [key])
        reused = Reply(ReusedApiKeyAnswer.of(key, uses.get(key.id), reused=True), status=200, etag=etag)
        return msgspec.structs.replace(reused, when_repeated=reused)
    return Reply(
        NewApiKeyAnswer.of(key, None, token=token, warnings=await limit_warnings(call, owner, "api_keys")),
        etag=etag,
        headers={"Cache-Control": "no-store"},
        when_repeated=Reply(ReusedApiKeyAnswer.of(key, None, reused=True), status=200, etag=etag),
    )


@endpoint(
    blueprint,
    "GET",
    "api-keys",
    summary="API keys, without their tokens",
    access=Permission.API_KEYS_READ,
    projects=Projects.FILTERED,
    query=ListQuery,
    answers={200: Listed[ApiKeyAnswer]},
)
async def list_api_keys(call: Call[NoBody, ListQuery]) -> Reply:
    organization_id = await call.organization_id_or_operator()
    page = await call.services.api_keys.page(organization_id, call.query.limit, call.query.cursor)
    page = page.where(lambda key: call.sees_all(key.projects))
    uses = await _last_used(call, organization_id or OPERATOR, page.entities)
    answers = [ApiKeyAnswer.of(key, uses.get(key.id)) for key in page.entities]
    return Reply(Listed(data=answers, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "api-keys/{key_id}",
    summary="One API key, without its token",
    access=Permission.API_KEYS_READ,
    projects=Projects.CHECKED,
    path_values=ApiKeyPath,
    answers={200: ApiKeyAnswer},
)
async def get_api_key(call: Call[NoBody, Query, ApiKeyPath]) -> Reply:
    return await _shown(call, await call.services.api_keys.get(await _owner(call), call.path.key_id))


@endpoint(
    blueprint,
    "PATCH",
    "api-keys/{key_id}",
    summary="Change an API key's name, and how what it reports is read",
    access=Permission.API_KEYS_WRITE,
    projects=Projects.CHECKED,
    path_values=ApiKeyPath,
    body=ApiKeyPatch,
    answers={200: ApiKeyAnswer},
    errors=(LimitExceededError,),
    example={"name": "Agents in production"},
)
async def update_api_key(call: Call[ApiKeyPatch, Query, ApiKeyPath]) -> Reply:
    key_id, owner = call.path.key_id, await _owner(call)
    before, _ = await call.services.api_keys.get(owner, key_id)
    sent = call.body.model_dump(exclude_unset=True)
    changes = await checked(call, None if owner == OPERATOR else owner, sent, before.projects)
    return await _shown(
        call, await call.services.api_keys.update(owner, key_id, changes, call.principal, call.if_match)
    )


@endpoint(
    blueprint,
    "DELETE",
    "api-keys/{key_id}",
    summary="Revoke an API key, and with it all keys that descend from it",
    access=Permission.API_KEYS_WRITE,
    projects=Projects.CHECKED,
    path_values=ApiKeyPath,
    answers={204: None},
)
async def delete_api_key(call: Call[NoBody, Query, ApiKeyPath]) -> Reply:
    await call.services.api_keys.delete(await _owner(call), call.path.key_id, call.if_match)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "api-keys/{key_id}/deactivate",
    summary="Stop an API key for good, and with it all keys that descend from it. It stays listed",
    access=Permission.API_KEYS_WRITE,
    projects=Projects.CHECKED,
    path_values=ApiKeyPath,
    answers={200: ApiKeyAnswer},
)
async def deactivate_api_key(call: Call[NoBody, Query, ApiKeyPath]) -> Reply:
    return await _shown(call, await call.services.api_keys.deactivate(await _owner(call), call.path.key_id))


@endpoint(
    blueprint,
    "POST",
    "api-keys/{key_id}/adopt",
    summary="Let an API key go on whose maker was removed or may do less: it stops with you from then on",
    access=Permission.OWNERS_WRITE,
    path_values=ApiKeyPath,
    answers={200: ApiKeyAnswer},
)
async def adopt_api_key(call: Call[NoBody, Query, ApiKeyPath]) -> Reply:
    return await _shown(call, await call.services.api_keys.adopt(await _owner(call), call.path.key_id, call.principal))
