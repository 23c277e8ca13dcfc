"""Clients of service accounts: workloads that get tokens by assertions that they sign."""

from datetime import datetime
from typing import Annotated, Self

import azure.functions as func
from pydantic import Field, JsonValue, StringConstraints, model_validator

from functions.access.service_accounts import AccountPath
from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.access.workload_clients import (
    MAXIMUM_KEYS,
    EntraWorkload,
    PublicKey,
    WorkloadClient,
    public_keys,
)
from shared.domain.kernel.validation import Length
from shared.http import Call, IfMatch, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint

blueprint = func.Blueprint()

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
KeyValue = Annotated[str, StringConstraints(max_length=2048)]


class ClientPath(PathValues):
    client_id: Annotated[str, ThingId("sac")]
    """The client's id."""


class JsonWebKey(Schema):
    """A public key (RFC 7517): RSA of at least 2,048 bits, EC on P-256 or P-384, or Ed25519."""

    kty: KeyValue
    """The kind of key."""
    kid: KeyValue | None = None
    """Names the key in the header of an assertion; needed where there are several."""
    alg: KeyValue | None = None
    """The one algorithm that it is used with."""
    use: KeyValue | None = None
    """Ignored."""
    crv: KeyValue | None = None
    """The curve of an EC or Ed25519 key."""
    x: KeyValue | None = None
    """Of an EC or Ed25519 key."""
    y: KeyValue | None = None
    """Of an EC key."""
    n: KeyValue | None = None
    """The modulus of an RSA key."""
    e: KeyValue | None = None
    """The exponent of an RSA key."""


class JsonWebKeySet(Schema):
    keys: Annotated[tuple[JsonWebKey, ...], Length(1, MAXIMUM_KEYS)]
    """The public keys that the client signs with."""


class EntraIdentity(Schema):
    """A managed identity or application of Entra ID, by what its tokens say."""

    tenant_id: Guid
    """Its directory: `tid`."""
    client_id: Guid
    """The application's id: `azp`, or `appid` in tokens of version 1."""
    object_id: Guid
    """The id of the managed identity or service principal: `oid`."""
    audience: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """Whom its tokens are for, as `aud` says: an application's id, or `api://...`."""


class WorkloadClientRequest(Schema):
    """With one of `jwks` and `entra`."""

    organization_id: str | None = Field(default=None, max_length=256)
    """Whose tokens it gets; only operators need it."""
    jwks: JsonWebKeySet | None = None
    """The public keys that it signs its assertions with."""
    entra: EntraIdentity | None = None
    """Its identity in Entra ID, in place of keys."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.jwks is None) == (self.entra is None):
            raise ValueError("send one of jwks and entra")
        return self


class WorkloadClientAnswer(Schema):
    client_id: str
    """The `iss` and `sub` of the assertions that it signs; with a token of Entra ID it is sent as `client_id`."""
    service_account: str
    """Whose tokens it gets."""
    organization_id: str | None
    """Null for the operator's own."""
    kids: list[str | None]
    """The names of its keys; null for one without a name."""
    entra: EntraIdentity | None
    """Its identity in Entra ID; null where it has keys."""
    created_at: datetime
    created_by: str | None
    """The user who registered it; null where a key did."""

    @classmethod
    def of(cls, client: WorkloadClient) -> Self:
        entra = None if client.entra is None else EntraIdentity(**client.entra.model_dump())
        return cls.showing(client, client_id=client.id, kids=[key.kid for key in client.keys], entra=entra)


_EXAMPLE_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


@endpoint(
    blueprint,
    "POST",
    "service-accounts/{name}/clients",
    summary="Register a workload that gets tokens of a service account by assertions that it signs",
    access=Permission.SERVICE_ACCOUNTS_WRITE,
    path_values=AccountPath,
    body=WorkloadClientRequest,
    answers={201: WorkloadClientAnswer},
    example={"jwks": {"keys": [_EXAMPLE_KEY]}},
)
async def add_workload_client(call: Call[WorkloadClientRequest, Query, AccountPath]) -> Reply:
    owner = await call.organization_id_or_operator(call.body.organization_id)
    client = WorkloadClient(
        id=call.new_id("sac"),
        service_account=call.path.name,
        organization_id=owner,
        keys=_keys(call.body),
        entra=None if call.body.entra is None else EntraWorkload(**call.body.entra.model_dump()),
        created_at=call.now,
        created_by=call.principal.user_id,
    )
    return Reply(WorkloadClientAnswer.of(await call.services.workload_clients.add(client, call.principal)))


def _keys(body: WorkloadClientRequest) -> tuple[PublicKey, ...]:
    """Raises `ValidationError`."""
    if body.jwks is None:
        return ()
    jwks: dict[str, JsonValue] = body.jwks.model_dump(mode="json", exclude_none=True)
    return public_keys(jwks)


@endpoint(
    blueprint,
    "GET",
    "service-accounts/{name}/clients",
    summary="The clients of a service account",
    access=Permission.SERVICE_ACCOUNTS_WRITE,
    path_values=AccountPath,
    query=ListQuery,
    answers={200: Listed[WorkloadClientAnswer]},
)
async def list_workload_clients(call: Call[NoBody, ListQuery, AccountPath]) -> Reply:
    owner = await call.organization_id_or_operator()
    clients = call.services.workload_clients
    page = await clients.page(owner, call.path.name, call.query.limit, call.query.cursor)
    return Reply({"data": [WorkloadClientAnswer.of(each) for each in page.entities], "next_cursor": page.cursor})


@endpoint(
    blueprint,
    "DELETE",
    "service-accounts/clients/{client_id}",
    summary="Remove a client; its tokens stop",
    access=Permission.SERVICE_ACCOUNTS_WRITE,
    path_values=ClientPath,
    if_match=IfMatch.NONE,
    answers={204: None},
)
async def remove_workload_client(call: Call[NoBody, Query, ClientPath]) -> Reply:
    owner = await call.organization_id_of(call.path.client_id)
    await call.services.workload_clients.remove(owner, call.path.client_id)
    return Reply()
