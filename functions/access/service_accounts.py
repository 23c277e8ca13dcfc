"""Service accounts: the operator's catalog, and tokens that are issued with a reason."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

import azure.functions as func
from pydantic import AfterValidator, Field, StringConstraints

from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.access.service_accounts import (
    LONGEST_MINUTES,
    ServiceAccount,
    ServiceAccountToken,
    TokenStatus,
    checked_account_name,
)
from shared.domain.kernel.errors import ForbiddenError
from shared.domain.kernel.validation import Length
from shared.http import Call, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint
from shared.services.access.service_accounts import TokenRequest

blueprint = func.Blueprint()

AccountName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$"), AfterValidator(checked_account_name)
]
Scopes = Annotated[tuple[Permission, ...], Length(1, len(Permission))]
Minutes = Annotated[int, Field(ge=1, le=LONGEST_MINUTES)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class AccountPath(PathValues):
    name: AccountName
    """The name of the service account."""


class TokenPath(PathValues):
    token_id: Annotated[str, ThingId("sat")]
    """The token's id."""


class ServiceAccountRequest(Schema):
    scopes: Scopes
    """The permissions that its tokens may have."""
    default_minutes: Minutes = 60
    """How long a token lives that asks for nothing else."""
    maximum_minutes: Minutes = 12 * 60
    """The longest that a token may live."""
    tenant_bound: bool = True
    """Whether its tokens belong to an organization; else they are the operator's own."""


class ServiceAccountAnswer(Schema):
    name: str
    scopes: list[str]
    """The permissions that its tokens may have."""
    default_minutes: int
    """How long a token lives that asks for nothing else."""
    maximum_minutes: int
    """The longest that a token may live."""
    tenant_bound: bool
    """Whether its tokens belong to an organization; else they are the operator's own."""
    created_at: datetime

    @classmethod
    def of(cls, account: ServiceAccount) -> Self:
        return cls.showing(account, name=account.id)


class ServiceAccountTokenRequest(Schema):
    scopes: Scopes | None = None
    """The permissions of the token, of those in the catalog; all of these by default."""
    lifetime_minutes: Minutes | None = None
    """How long it lives; the catalog says the default and the longest."""
    reason: Reason
    """Why; it stays with the token and stands in the audit trail."""
    force: bool = False
    """Whether to make another one where an equal token is active."""
    organization_id: str | None = Field(default=None, max_length=256)
    """Whose token it is; only operators need it."""


class ServiceAccountTokenRevocation(Schema):
    reason: Reason
    """Why; it stays with the token."""


class ServiceAccountTokenAnswer(Schema):
    id: str
    service_account: str
    """Whose token it is."""
    organization_id: str | None
    """Null for the operator's own."""
    scopes: list[str]
    """Its permissions."""
    reason: str
    """Why it was issued."""
    status: TokenStatus
    created_at: datetime
    created_by: str | None
    """The user who issued it; null where a workload proved who it is."""
    root_id: str
    """The first key or client of the line that it descends from; its own id without one."""
    expires_at: datetime
    """When it ends at the latest."""
    revoked_at: datetime | None
    """When it was revoked; null where it was not."""
    revoked_reason: str | None
    """Why it was revoked."""

    @classmethod
    def of(cls, listed: ServiceAccountToken, now: datetime, **fields: Any) -> Self:  # noqa: ANN401  what a subclass adds
        return cls.showing(listed, status=listed.status_at(now), **fields)


class NewServiceAccountTokenAnswer(ServiceAccountTokenAnswer):
    token: str
    """Sent as `Authorization: Bearer`. It is shown this once."""
    reused: Literal[False] = False
    """It was made now."""


class ReusedServiceAccountTokenAnswer(ServiceAccountTokenAnswer):
    reused: Literal[True] = True
    """An equal token is active. It was shown when it was made, and is never shown again."""


class TokensQuery(ListQuery):
    status: TokenStatus | None = None
    """Only those in this state."""


@endpoint(
    blueprint,
    "GET",
    "service-accounts",
    summary="The catalog of service accounts. There are at most 200",
    access=Permission.SERVICE_ACCOUNTS_WRITE,
    answers={200: Listed[ServiceAccountAnswer]},
)
async def list_service_accounts(call: Call) -> Reply:
    accounts = await call.services.service_accounts.all()
    return Reply({"data": [ServiceAccountAnswer.of(account) for account in accounts], "next_cursor": None})


@endpoint(
    blueprint,
    "GET",
    "service-accounts/tokens",
    summary="Tokens of service accounts, without their secrets; those that expired for 30 days",
    access=Permission.SERVICE_ACCOUNTS_WRITE,
    query=TokensQuery,
    answers={200: Listed[ServiceAccountTokenAnswer]},
)
async def list_service_account_tokens(call: Call[NoBody, TokensQuery]) -> Reply:
    owner = await call.organization_id_or_operator()
    query = call.query
    page = await call.services.service_accounts.page(owner, query.status, query.limit, query.cursor)
    return Reply(
        {"data": [ServiceAccountTokenAnswer.of(each, call.now) for each in page.entities], "next_cursor": page.cursor}
    )


async def _by_operator(call: Call[Any, Any, Any]) -> None:
    if not call.principal.is_operator:
        raise ForbiddenError("The catalog is written by the operator")
    call.refuse_organization("the catalog is the operator's")


@endpoint(
    blueprint,
    "PUT",
    "service-accounts/{name}",
    summary="Write what the catalog says of a service account",
    access=Permission.SERVICE_ACCOUNTS_WRITE,
    authorize=_by_operator,
    path_values=AccountPath,
    body=ServiceAccountRequest,
    answers={200: ServiceAccountAnswer},
    example={"scopes": ["events:write", "agents:read"], "default_minutes": 60, "maximum_minutes": 720},
)
async def put_service_account(call: Call[ServiceAccountRequest, Query, AccountPath]) -> Reply:
    account = ServiceAccount(id=call.path.name, created_at=call.now, **call.body.model_dump())
    stored = await call.services.service_accounts.put(account, call.if_match)
    return Reply(ServiceAccountAnswer.of(stored.entity), etag=stored.etag)


@endpoint(
    blueprint,
    "POST",
    "service-accounts/{name}/tokens",
    summary="Issue a token of a service account, or get the record of an equal one that is active",
    access=Permission.SERVICE_ACCOUNTS_WRITE,
    path_values=AccountPath,
    body=ServiceAccountTokenRequest,
    idempotent=False,
    answers={201: NewServiceAccountTokenAnswer, 200: ReusedServiceAccountTokenAnswer},
    example={"scopes": ["events:write"], "lifetime_minutes": 60, "reason": "Deployment of the reporting job"},
)
async def issue_service_account_token(call: Call[ServiceAccountTokenRequest, Query, AccountPath]) -> Reply:
    owner = await call.organization_id_or_operator(call.body.organization_id)
    wanted = TokenRequest(call.body.scopes, call.body.lifetime_minutes, call.body.reason, call.body.force)
    issued = await call.services.service_accounts.issue(call.path.name, owner, wanted, call.principal)
    if issued.token is None:
        return Reply(ReusedServiceAccountTokenAnswer.of(issued.listed, call.now, reused=True), status=200)
    answer = NewServiceAccountTokenAnswer.of(issued.listed, call.now, token=issued.token, reused=False)
    return Reply(answer, headers={"Cache-Control": "no-store"})


@endpoint(
    blueprint,
    "POST",
    "service-accounts/tokens/{token_id}/revoke",
    summary="Stop a token of a service account for good. It stays listed",
    access=Permission.SERVICE_ACCOUNTS_WRITE,
    path_values=TokenPath,
    body=ServiceAccountTokenRevocation,
    answers={200: ServiceAccountTokenAnswer},
    example={"reason": "The job was retired"},
)
async def revoke_service_account_token(call: Call[ServiceAccountTokenRevocation, Query, TokenPath]) -> Reply:
    owner = await call.organization_id_of(call.path.token_id)
    revoked = await call.services.service_accounts.revoke(owner, call.path.token_id, call.body.reason)
    return Reply(ServiceAccountTokenAnswer.of(revoked, call.now))
