"""Workloads that prove who they are by a signature, in place of a stored secret."""

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, JsonValue

from shared.domain.kernel.audit import FOLLOWS, Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import Instant

MAXIMUM_CLIENTS = 100
"""Of an owner."""
MAXIMUM_KEYS = 5
"""Of a client: the present one, the next one, and some more."""
LONGEST_ASSERTION: Final = timedelta(minutes=5)
"""From `iat` to `exp` of an assertion that a client signs by itself."""
CLOCKS_DIFFER: Final = timedelta(seconds=60)
"""How far the clock of a client may be ahead."""

_SMALLEST_RSA = 2048
_LATEST = 32_503_680_000
"""The year 3000, in seconds: what computing with times can bear."""
_ALGORITHMS: Mapping[tuple[str, str], str] = {
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
    ("OKP", "Ed25519"): "EdDSA",
}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "k", "oth")
_KEPT = ("kty", "crv", "x", "y", "n", "e")


class PublicKey(BaseModel):
    """A public key with the one algorithm that it is used with."""

    model_config = ConfigDict(frozen=True)

    kid: str | None
    algorithm: str
    jwk: dict[str, str]


class EntraWorkload(BaseModel):
    """A managed identity or application of Entra ID, by what its tokens say."""

    model_config = ConfigDict(frozen=True)

    tenant_id: str
    client_id: str
    """Of the application that asks: `azp`, or `appid` in tokens of version 1."""
    object_id: str
    """Of the managed identity or the service principal."""
    audience: str
    """Whom its tokens are for."""

    @property
    def issuers(self) -> tuple[str, str]:
        """Of tokens of version 2 and 1, as Entra ID calls itself in them."""
        return (
            f"https://login.microsoftonline.com/{self.tenant_id}/v2.0",
            f"https://sts.windows.net/{self.tenant_id}/",
        )


class WorkloadClient(Entity):
    """A client that gets tokens of a service account. It has public keys of its own, or an identity of Entra ID."""

    kind: ClassVar[str] = "workload_client"
    audit: ClassVar[Audit] = Audited(area="service_accounts", verb=lambda _, after: _verb(after))
    service_account: str
    organization_id: str | None
    keys: tuple[PublicKey, ...] = ()
    entra: EntraWorkload | None = None
    created_at: Instant
    created_by: str | None


class ClientCount(Entity):
    """How many clients an owner has, written in one batch with each that comes or goes."""

    kind: ClassVar[str] = "workload_client_count"
    audit: ClassVar[Audit] = FOLLOWS
    id: str = "workload_clients"
    number: int


class UsedAssertion(Entity):
    """That an assertion was used; it is kept until the assertion has expired."""

    kind: ClassVar[str] = "used_assertion"
    audit: ClassVar[Audit] = FOLLOWS
    id: str = "used_assertion"
    ttl: int


def _verb(after: object | None) -> str:
    return "add_client" if after is not None else "remove_client"


def used_assertion_partition(client_id: str, jti: str) -> str:
    return f"assertion:{fingerprint(f'{client_id} {jti}')}"


def public_keys(jwks: Mapping[str, JsonValue]) -> tuple[PublicKey, ...]:
    """The keys of a JSON Web Key Set (RFC 7517). Raises `ValidationError`."""
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAXIMUM_KEYS:
        raise ValidationError.at("/jwks/keys", f"is a list of 1 to {MAXIMUM_KEYS} public keys")
    read = tuple(_public_key(key, f"/jwks/keys/{index}") for index, key in enumerate(keys))
    kids = [key.kid for key in read]
    if len(read) > 1 and (None in kids or len(set(kids)) < len(kids)):
        raise ValidationError.at("/jwks/keys", "need a kid each, all different, as there are several")
    return read


def _public_key(key: JsonValue, pointer: str) -> PublicKey:
    if not isinstance(key, dict):
        raise ValidationError.at(pointer, "is a JSON Web Key")
    if any(name in key for name in _PRIVATE):
        raise ValidationError.at(pointer, "has its private half in it: keep that to yourself, and make another key")
    kid = key.get("kid")
    if kid is not None and (not isinstance(kid, str) or not 1 <= len(kid) <= 128):  # noqa: PLR2004  as ids of clients are
        raise ValidationError.at(f"{pointer}/kid", "has 1 to 128 characters")
    jwk = {name: value for name in _KEPT if isinstance(value := key.get(name), str)}
    algorithm = _algorithm(jwk, key.get("alg"), pointer)
    return PublicKey(kid=kid, algorithm=algorithm, jwk=jwk)


def _algorithm(jwk: Mapping[str, str], named: JsonValue, pointer: str) -> str:
    """The one that goes with the key. Raises `ValidationError`."""
    if jwk.get("kty") == "RSA":
        if _bits(jwk.get("n", "")) < _SMALLEST_RSA:
            raise ValidationError.at(f"{pointer}/n", f"has at least {_SMALLEST_RSA} bits")
        if named in (None, "RS256", "PS256"):
            return str(named or "RS256")
        raise ValidationError.at(f"{pointer}/alg", "is RS256 or PS256")
    algorithm = _ALGORITHMS.get((jwk.get("kty", ""), jwk.get("crv", "")))
    if algorithm is None:
        raise ValidationError.at(pointer, "is an RSA key, an EC key on P-256 or P-384, or an Ed25519 key")
    if named not in (None, algorithm):
        raise ValidationError.at(f"{pointer}/alg", f"is {algorithm} for this key")
    return algorithm


def _bits(modulus: str) -> int:
    try:
        return int.from_bytes(base64.urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4)), "big").bit_length()
    except ValueError:
        return 0


def check_times(claims: Mapping[str, Any], now: datetime) -> datetime:
    """When the assertion expires. Raises `ValueError`, which says what is wrong with its times."""
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    seconds = now.timestamp()
    if seconds >= expires:
        raise ValueError("it has expired")
    if issued > seconds + CLOCKS_DIFFER.total_seconds():
        raise ValueError("it is from the future")
    if expires - issued > LONGEST_ASSERTION.total_seconds():
        raise ValueError(f"it lives longer than {LONGEST_ASSERTION.seconds // 60} minutes")
    return datetime.fromtimestamp(expires, now.tzinfo)


def check_entra(claims: Mapping[str, Any], workload: EntraWorkload, now: datetime) -> timedelta:
    """For how long a token of Entra ID still holds. Raises `ValueError` unless it is the workload's, and in force."""
    if claims.get("iss") not in workload.issuers:
        raise ValueError("its iss is not Entra ID for the registered tenant")
    for name, registered in (("aud", workload.audience), ("tid", workload.tenant_id), ("oid", workload.object_id)):
        if claims.get(name) != registered:
            raise ValueError(f"its {name} is not the registered one")
    applications = [claims[name] for name in ("azp", "appid") if name in claims]
    if not applications or any(each != workload.client_id for each in applications):
        raise ValueError("its azp or appid is not the registered client_id")
    seconds = now.timestamp()
    expires, begins = _seconds(claims, "exp"), _seconds(claims, "nbf" if "nbf" in claims else "iat")
    if seconds >= expires:
        raise ValueError("it has expired")
    if begins > seconds + CLOCKS_DIFFER.total_seconds():
        raise ValueError("it is from the future")
    return timedelta(seconds=expires - seconds)


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < _LATEST:
        raise ValueError(f"{name} is needed, in seconds since 1970")
    return float(value)
