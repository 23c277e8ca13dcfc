"""Clients of service accounts: workloads that get tokens by assertions that they sign."""

from datetime import datetime
from typing import Annotated, Self

import azure.functions as func
from pydantic import Field, JsonValue, StringConstraints

from functions.access.service_accounts import AccountPath
from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.access.workload_clients import MAXIMUM_KEYS, WorkloadClient, public_keys
from shared.domain.kernel.validation import Length
from shared.http import Call, IfMatch, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint

blueprint = func.Blueprint()

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


class WorkloadClientRequest(Schema):
    organization_id: str | None = Field(default=None, max_length=256)
    """Whose tokens it gets; only operators need it."""
    jwks: JsonWebKeySet
    """The public keys that it signs its assertions with."""


class WorkloadClientAnswer(Schema):
    client_id: str
    """The `iss` and `sub` of its assertions."""
    service_account: str
    """Whose tokens it gets."""
    organization_id: str | None
    """Null for the operator's own."""
    kids: list[str | None]
    """The names of its keys; null for one without a name."""
    created_at: datetime
    created_by: str | None
    """The user who registered it; null where a key did."""

    @classmethod
    def of(cls, client: WorkloadClient) -> Self:
        return cls.showing(client, client_id=client.id, kids=[key.kid for key in client.keys])


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
    jwks: dict[str, JsonValue] = call.body.jwks.model_dump(mode="json", exclude_none=True)
    client = WorkloadClient(
        id=call.new_id("sac"),
        service_account=call.path.name,
        organization_id=owner,
        keys=public_keys(jwks),
        created_at=call.now,
        created_by=call.principal.user_id,
    )
    return Reply(WorkloadClientAnswer.of(await call.services.workload_clients.add(client, call.principal)))


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
