"""The public keys of access tokens, for whoever checks tokens without asking us."""

import hashlib
from typing import Literal

import azure.functions as func

from shared.http import Access, Call, Reply, Schema, endpoint

MAXIMUM_AGE_SECONDS = 300
"""A key is published long before it signs, so that a copy of this age knows every key in use."""

blueprint = func.Blueprint()


class PublicKeyAnswer(Schema):
    kid: str
    """Names the key in the header of a token."""
    kty: Literal["OKP"]
    """The kind of key (RFC 8037)."""
    crv: Literal["Ed25519"]
    """The curve."""
    x: str
    """The public key, base64url."""
    use: Literal["sig"] = "sig"
    """It verifies signatures."""
    alg: Literal["EdDSA"] = "EdDSA"
    """How tokens are signed."""


class KeySetAnswer(Schema):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[PublicKeyAnswer]
    """The one that signs, the next one, and those whose tokens may still be in use."""


@endpoint(
    blueprint,
    "GET",
    "/.well-known/jwks.json",
    summary="The public keys of access tokens, as a JSON Web Key Set",
    access=Access.PUBLIC,
    answers={200: KeySetAnswer, 304: None},
)
async def list_public_keys(call: Call) -> Reply:
    keys = await call.services.tokens.keys.published()
    etag = hashlib.sha256(" ".join(key.kid for key in keys).encode()).hexdigest()[:32]
    headers = {"Cache-Control": f"public, max-age={MAXIMUM_AGE_SECONDS}"}
    if _is_known(etag, call.headers.get("if-none-match", "")):
        return Reply(status=304, etag=etag, headers=headers)
    return Reply(
        {"keys": [PublicKeyAnswer.showing(key, use="sig", alg="EdDSA") for key in keys]}, etag=etag, headers=headers
    )


def _is_known(etag: str, if_none_match: str) -> bool:
    known = {entry.strip().removeprefix("W/").strip('"') for entry in if_none_match.split(",")}
    return etag in known or "*" in known
