"""Identity providers by their own description (OpenID Connect Discovery), through the outbound client."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from authlib.oauth2.auth import encode_client_secret_basic
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import EmailStr, TypeAdapter

from shared.ports.openid import BrowserSecrets, IdentityRefusedError, ProvenIdentity, ProviderAnswer, ProviderClient
from shared.ports.outbound import Outbound, OutboundAnswer

_DESCRIPTION = "/.well-known/openid-configuration"
_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
"""Those with a public key. What an ID token says of its own algorithm decides nothing beyond these."""
_LEEWAY = timedelta(seconds=60)
_OK = 200
_LONGEST = 256
_ADDRESS = TypeAdapter(EmailStr)


class DescribedProviders:
    """Nothing is kept: a description or a key that has changed is seen with the next sign-in."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def check(self, issuer: str) -> None:
        description = await self._description(issuer)
        await self._keys(description)

    async def authorization_url(self, client: ProviderClient, secrets: BrowserSecrets) -> str:
        description = await self._description(client.issuer)
        return str(
            prepare_grant_uri(
                _url(description, "authorization_endpoint"),
                client.client_id,
                "code",
                redirect_uri=client.redirect_uri,
                scope="openid email profile",
                state=secrets.state,
                nonce=secrets.nonce,
                code_challenge=create_s256_code_challenge(secrets.verifier),
                code_challenge_method="S256",
            )
        )

    async def identity(
        self, client: ProviderClient, secrets: BrowserSecrets, answer: ProviderAnswer, now: datetime
    ) -> ProvenIdentity:
        description = await self._description(client.issuer)
        says_issuer = description.get("authorization_response_iss_parameter_supported") is True
        if answer.issuer != client.issuer and (answer.issuer is not None or says_issuer):
            raise IdentityRefusedError("the answer is of another issuer")
        token = await self._id_token(description, client, secrets, answer.code)
        claims = await self._claims(description, client, secrets, token, now)
        return _identity(claims)

    async def signed_claims(self, issuer: str, token: str) -> Mapping[str, Any]:
        keys = await self._keys(await self._description(issuer))
        try:
            return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise IdentityRefusedError(f"its token is refused: {error}") from error

    async def _description(self, issuer: str) -> Mapping[str, Any]:
        description = _json(await self._outbound.get(issuer.rstrip("/") + _DESCRIPTION), "its description")
        if description.get("issuer") != issuer:
            raise IdentityRefusedError("its description is of another issuer")
        return description

    async def _keys(self, description: Mapping[str, Any]) -> KeySet:
        answer = _json(await self._outbound.get(_url(description, "jwks_uri")), "its keys")
        try:
            return KeySet.import_key_set({"keys": answer["keys"]})
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise IdentityRefusedError("its keys cannot be read") from error

    async def _id_token(
        self, description: Mapping[str, Any], client: ProviderClient, secrets: BrowserSecrets, code: str
    ) -> str:
        headers: dict[str, str] = {}
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": secrets.verifier,
        }
        methods = description.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if isinstance(methods, list) and "client_secret_basic" in methods:
            encode_client_secret_basic(client, "POST", "", headers, "")
        else:
            form |= {"client_id": client.client_id, "client_secret": client.client_secret}
        answered = await self._outbound.post_form(_url(description, "token_endpoint"), form, headers)
        token = _json(answered, "the code").get("id_token")
        if not isinstance(token, str):
            raise IdentityRefusedError("it answers the code without an ID token")
        return token

    async def _claims(
        self,
        description: Mapping[str, Any],
        client: ProviderClient,
        secrets: BrowserSecrets,
        token: str,
        now: datetime,
    ) -> Mapping[str, Any]:
        keys = await self._keys(description)
        try:
            decoded = jwt.decode(token, keys, algorithms=list(_ALGORITHMS))
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": client.issuer},
                    "aud": {"essential": True, "value": client.client_id},
                    "nonce": {"essential": True, "value": secrets.nonce},
                },
                params={"nonce": secrets.nonce, "client_id": client.client_id},
            )
            claims.validate(now=int(now.timestamp()), leeway=int(_LEEWAY.total_seconds()))
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise IdentityRefusedError(f"its ID token is refused: {error}") from error
        return dict(claims)


def _url(description: Mapping[str, Any], name: str) -> str:
    url = description.get(name)
    if not isinstance(url, str) or not _is_http(url):
        raise IdentityRefusedError(f"its description has no {name}")
    return url


def _is_http(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("https", "http")
    except ValueError:  # brackets without an address
        return False


def _json(answer: OutboundAnswer, what: str) -> Mapping[str, Any]:
    if answer.status != _OK:
        raise IdentityRefusedError(f"it answers {answer.status} for {what}")
    try:
        read = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise IdentityRefusedError(f"it answers no JSON for {what}") from error
    if not isinstance(read, dict):
        raise IdentityRefusedError(f"it answers no JSON object for {what}")
    return read


def _is_address(email: str) -> bool:
    """As at a sign-up: mail goes to it, and a list of addresses would be several people's."""
    try:
        return bool(_ADDRESS.validate_python(email))
    except ValueError:
        return False


def _identity(claims: Mapping[str, Any]) -> ProvenIdentity:
    subject, email = claims.get("sub"), claims.get("email")
    if not isinstance(subject, str) or not 1 <= len(subject) <= _LONGEST:
        raise IdentityRefusedError("its ID token names nobody")
    if not isinstance(email, str) or not 1 <= len(email) <= _LONGEST:
        raise IdentityRefusedError("its ID token has no email: let the provider send it")
    if not _is_address(email):
        raise IdentityRefusedError("its ID token has an email that is no address")
    # Entra ID says by `xms_edov` what others say by `email_verified`.
    verified = claims.get("email_verified", claims.get("xms_edov"))
    name = claims.get("name")
    return ProvenIdentity(
        subject=subject,
        email=email,
        is_email_verified=verified in (True, 1, "true", "1"),
        name=name if isinstance(name, str) and 1 <= len(name) <= _LONGEST else email.partition("@")[0],
    )
