"""Aliases of LLM models: made, listed, deleted; and the calls under their names priced late."""

from typing import Annotated

import azure.functions as func
from pydantic import Field

from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.money import ExactDecimal
from shared.domain.kernel.times import Instant
from shared.domain.provider_costs.model_names import LowerCaseName
from shared.http import (
    Call,
    IfMatch,
    ListQuery,
    NoBody,
    PathValues,
    Query,
    Reply,
    Schema,
    ThingId,
    ZonedTime,
    endpoint,
    window,
)

blueprint = func.Blueprint()


class LlmAliasPath(PathValues):
    alias_id: Annotated[str, ThingId("lla")]
    """The id of the alias."""


class LlmAliasRequest(Schema):
    provider: LowerCaseName
    """As calls name it, such as `azure`."""
    name: LowerCaseName
    """What calls have in place of the model, such as the name of a deployment."""
    model: LowerCaseName
    """Whose price holds, as the price list or an override names it: at the provider, else anywhere."""
    effective_from: ZonedTime = Field(alias="from")
    """The time of the first calls that it is for. It may be in the past."""
    organization_id: str | None = Field(default=None, max_length=256)
    """Only for calls of this organization: id, slug or external id; null for all."""


class LlmAliasAnswer(Schema):
    id: str
    provider: str
    """In lower case, as the names."""
    name: str
    """What calls have in place of the model."""
    model: str
    """Whose price holds."""
    effective_from: Instant = Field(serialization_alias="from")
    """The time of the first calls that it is for."""
    organization_id: str | None
    """Null where it is for all organizations."""


class PriceCallsRequest(Schema):
    dry_run: bool = False
    """Whether to say only what would be priced."""
    organization_id: str | None = Field(default=None, max_length=256)
    """Only calls of this organization: id, slug or external id; null for all that the alias is for."""
    cursor: Annotated[str, Field(max_length=2048)] | None = None
    """The `next_cursor` of the answer before, with the same request."""


class PricedCallsAnswer(Schema):
    calls: int
    """How many calls got a cost, or would get one."""
    cost: ExactDecimal
    """What they cost together."""
    currency: str | None
    """That of their organizations; those with another one follow with the cursor. Null without calls of any."""
    unpriced: int
    """How many calls under the name have no price even so."""
    next_cursor: str | None
    """Not null where the request did not get to the end: send it again with this cursor."""


@endpoint(
    blueprint,
    "POST",
    "llm-prices/aliases",
    summary="Say which model a name in calls stands for, such as that of a deployment",
    access=Permission.PRICES_WRITE,
    body=LlmAliasRequest,
    answers={201: LlmAliasAnswer},
    example={"provider": "azure", "name": "helpdesk-gpt5", "model": "gpt-5", "from": "2026-11-01T00:00:00Z"},
)
async def create_llm_alias(call: Call[LlmAliasRequest]) -> Reply:
    call.refuse_organization("`organization_id` in the body says whose calls it is for")
    asked = call.body
    organization_id = await call.organization_id_or_operator(asked.organization_id)
    alias, etag = await call.services.model_aliases.create(
        asked.provider, asked.name, asked.model, asked.effective_from, organization_id
    )
    return Reply(LlmAliasAnswer.showing(alias), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "llm-prices/aliases",
    summary="The aliases for all organizations and those of one's own; for the operator, those of all",
    access=Permission.PRICES_READ,
    query=ListQuery,
    answers={200: Listed[LlmAliasAnswer]},
)
async def list_llm_aliases(call: Call[NoBody, ListQuery]) -> Reply:
    aliases = await call.services.model_aliases.seen_by(await call.organization_id_or_operator())
    shown, next_cursor = window(len(aliases), call.query.limit, call.query.cursor)
    return Reply(Listed(data=[LlmAliasAnswer.showing(alias) for alias in aliases[shown]], next_cursor=next_cursor))


@endpoint(
    blueprint,
    "GET",
    "llm-prices/aliases/{alias_id}",
    summary="One alias",
    access=Permission.PRICES_READ,
    path_values=LlmAliasPath,
    answers={200: LlmAliasAnswer},
)
async def get_llm_alias(call: Call[NoBody, Query, LlmAliasPath]) -> Reply:
    seen_by = await call.organization_id_or_operator()
    alias, etag = await call.services.model_aliases.get(call.path.alias_id, seen_by)
    return Reply(LlmAliasAnswer.showing(alias), etag=etag)


@endpoint(
    blueprint,
    "DELETE",
    "llm-prices/aliases/{alias_id}",
    summary="Delete an alias; calls that have a cost keep it",
    access=Permission.PRICES_WRITE,
    path_values=LlmAliasPath,
    answers={204: None},
    if_match=IfMatch.HONOURED,
)
async def delete_llm_alias(call: Call[NoBody, Query, LlmAliasPath]) -> Reply:
    call.refuse_organization("the alias itself says whose calls it is for")
    await call.services.model_aliases.delete(call.path.alias_id, call.if_match)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "llm-prices/aliases/{alias_id}/price",
    summary="Price the calls of the late window that have no price yet and now get one by the alias",
    access=Permission.PRICES_WRITE,
    path_values=LlmAliasPath,
    body=PriceCallsRequest,
    answers={200: PricedCallsAnswer},
    example={"dry_run": True},
)
async def price_aliased_calls(call: Call[PriceCallsRequest, Query, LlmAliasPath]) -> Reply:
    alias, _ = await call.services.model_aliases.get(call.path.alias_id, None)
    named = call.body.organization_id or call.query.organization_id
    organization_id = alias.organization_id if named is None else await call.organization_id(named)
    if alias.organization_id not in (None, organization_id):
        raise NotFoundError("There is no such alias")
    organization = None if organization_id is None else await call.services.organizations.get(organization_id)
    priced = await call.services.late_pricing.price(alias, organization, call.body.cursor, dry_run=call.body.dry_run)
    return Reply(PricedCallsAnswer.showing(priced, next_cursor=priced.cursor))
