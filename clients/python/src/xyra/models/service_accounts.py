"""Models of `service_accounts`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import Permission


class EntraIdentity(TypedDict):
    """A managed identity or application of Entra ID, by what its tokens say."""

    tenant_id: str
    """Its directory: `tid`."""
    client_id: str
    """The application's id: `azp`, or `appid` in tokens of version 1."""
    object_id: str
    """The id of the managed identity or service principal: `oid`."""
    audience: str
    """Whom its tokens are for, as `aud` says: an application's id, or `api://...`."""


class JsonWebKey(TypedDict):
    """A public key (RFC 7517): RSA of at least 2,048 bits, EC on P-256 or P-384, or Ed25519."""

    kty: str
    """The kind of key."""
    kid: NotRequired[str | None]
    """Names the key in the header of an assertion; needed where there are several."""
    alg: NotRequired[str | None]
    """The one algorithm that it is used with."""
    use: NotRequired[str | None]
    """Ignored."""
    crv: NotRequired[str | None]
    """The curve of an EC or Ed25519 key."""
    x: NotRequired[str | None]
    """Of an EC or Ed25519 key."""
    y: NotRequired[str | None]
    """Of an EC key."""
    n: NotRequired[str | None]
    """The modulus of an RSA key."""
    e: NotRequired[str | None]
    """The exponent of an RSA key."""


class JsonWebKeySet(TypedDict):
    keys: Sequence[JsonWebKey]
    """The public keys that the client signs with."""


class NewServiceAccountTokenAnswer(TypedDict):
    id: str
    """Its id."""
    service_account: str
    """Whose token it is."""
    organization_id: str | None
    """Null for the operator's own."""
    scopes: Sequence[str]
    """Its permissions."""
    reason: str
    """Why it was issued."""
    status: Literal["active", "expired", "revoked"]
    """The state that it is in."""
    created_at: str
    """When it was created."""
    created_by: str | None
    """The user who issued it; null where a workload proved who it is."""
    root_id: str
    """The first key or client of the line that it descends from; its own id without one."""
    expires_at: str
    """When it ends at the latest."""
    revoked_at: str | None
    """When it was revoked; null where it was not."""
    revoked_reason: str | None
    """Why it was revoked."""
    token: str
    """Sent as `Authorization: Bearer`. It is shown this once."""
    reused: Literal[False]
    """It was made now."""


class ReusedServiceAccountTokenAnswer(TypedDict):
    id: str
    """Its id."""
    service_account: str
    """Whose token it is."""
    organization_id: str | None
    """Null for the operator's own."""
    scopes: Sequence[str]
    """Its permissions."""
    reason: str
    """Why it was issued."""
    status: Literal["active", "expired", "revoked"]
    """The state that it is in."""
    created_at: str
    """When it was created."""
    created_by: str | None
    """The user who issued it; null where a workload proved who it is."""
    root_id: str
    """The first key or client of the line that it descends from; its own id without one."""
    expires_at: str
    """When it ends at the latest."""
    revoked_at: str | None
    """When it was revoked; null where it was not."""
    revoked_reason: str | None
    """Why it was revoked."""
    reused: Literal[True]
    """An equal token is active. It was shown when it was made, and is never shown again."""


class ServiceAccountAnswer(TypedDict):
    name: str
    """Its name, for people."""
    scopes: Sequence[str]
    """The permissions that its tokens may have."""
    default_minutes: int
    """How long a token lives that asks for nothing else."""
    maximum_minutes: int
    """The longest that a token may live."""
    tenant_bound: bool
    """Whether its tokens belong to an organization; else they are the operator's own."""
    created_at: str
    """When it was created."""


class ServiceAccountList(TypedDict):
    data: Sequence[ServiceAccountAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class ServiceAccountRequest(TypedDict):
    scopes: Sequence[Permission]
    """The permissions that its tokens may have."""
    default_minutes: NotRequired[int]
    """How long a token lives that asks for nothing else."""
    maximum_minutes: NotRequired[int]
    """The longest that a token may live."""
    tenant_bound: NotRequired[bool]
    """Whether its tokens belong to an organization; else they are the operator's own."""


class ServiceAccountTokenAnswer(TypedDict):
    id: str
    """Its id."""
    service_account: str
    """Whose token it is."""
    organization_id: str | None
    """Null for the operator's own."""
    scopes: Sequence[str]
    """Its permissions."""
    reason: str
    """Why it was issued."""
    status: Literal["active", "expired", "revoked"]
    """The state that it is in."""
    created_at: str
    """When it was created."""
    created_by: str | None
    """The user who issued it; null where a workload proved who it is."""
    root_id: str
    """The first key or client of the line that it descends from; its own id without one."""
    expires_at: str
    """When it ends at the latest."""
    revoked_at: str | None
    """When it was revoked; null where it was not."""
    revoked_reason: str | None
    """Why it was revoked."""


class ServiceAccountTokenList(TypedDict):
    data: Sequence[ServiceAccountTokenAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class ServiceAccountTokenRequest(TypedDict):
    scopes: NotRequired[Sequence[Permission] | None]
    """The permissions of the token, of those in the catalog; all of these by default."""
    lifetime_minutes: NotRequired[int | None]
    """How long it lives; the catalog says the default and the longest."""
    reason: str
    """Why; it stays with the token and stands in the audit trail."""
    force: NotRequired[bool]
    """Whether to make another one where an equal token is active."""
    organization_id: NotRequired[str | None]
    """Whose token it is; only operators need it."""


class ServiceAccountTokenRevocation(TypedDict):
    reason: str
    """Why; it stays with the token."""


class WorkloadClientAnswer(TypedDict):
    client_id: str
    """The `iss` and `sub` of the assertions that it signs; with a token of Entra ID it is sent as `client_id`."""
    service_account: str
    """Whose tokens it gets."""
    organization_id: str | None
    """Null for the operator's own."""
    kids: Sequence[str | None]
    """The names of its keys; null for one without a name."""
    entra: EntraIdentity | None
    """Its identity in Entra ID; null where it has keys."""
    created_at: str
    """When it was created."""
    created_by: str | None
    """The user who registered it; null where a key did."""


class WorkloadClientList(TypedDict):
    data: Sequence[WorkloadClientAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class WorkloadClientRequest(TypedDict):
    """With one of `jwks` and `entra`."""

    organization_id: NotRequired[str | None]
    """Whose tokens it gets; only operators need it."""
    jwks: NotRequired[JsonWebKeySet | None]
    """The public keys that it signs its assertions with."""
    entra: NotRequired[EntraIdentity | None]
    """Its identity in Entra ID, in place of keys."""
