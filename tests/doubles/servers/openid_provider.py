"""An identity provider on this machine that speaks OpenID Connect, and lies where a test wants."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

Json = dict[str, Any]

CLIENT_ID, CLIENT_SECRET = "xyra", "the-secret-of-the-registration"
_KEYS: list[RSAPrivateKey] = []


def _key() -> RSAPrivateKey:
    """One for all: making it takes a while."""
    if not _KEYS:
        _KEYS.append(generate_private_key(65537, 2048))
    return _KEYS[0]


class OpenIdProvider:
    """`person` is who signs in there next; `claims`, `described` and `iss` replace what it would say."""

    def __init__(self) -> None:
        self.issuer = ""
        self.now = datetime.now().astimezone()
        self.person: Json = {}
        self.claims: Json = {}
        self.described: Json = {}
        self.iss: str | None = None
        self.key = _key()
        self.requests: list[str] = []
        self._codes: dict[str, Json] = {}

    def sign_in(self, url: str) -> str:
        """What the browser is sent back to, once the person has signed in at the authorization endpoint."""
        sent = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(f"{self.issuer}/authorize?")
        assert (sent["response_type"], sent["client_id"], sent["scope"]) == ("code", CLIENT_ID, "openid email profile")
        assert (sent["code_challenge_method"], len(sent["state"]) > 40, len(sent["nonce"]) > 40) == ("S256", True, True)
        code = uuid4().hex
        self._codes[code] = sent
        back = {"code": code, "state": sent["state"], "iss": self.iss or self.issuer, "session_state": "extra"}
        return f"{sent['redirect_uri']}?{urlencode(back)}"

    async def describe(self, _: web.Request) -> web.Response:
        self.requests.append("description")
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "response_types_supported": ["code"],
                "authorization_response_iss_parameter_supported": True,
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                **self.described,
            }
        )

    async def keys(self, _: web.Request) -> web.Response:
        self.requests.append("keys")
        public = RSAAlgorithm.to_jwk(_key().public_key(), as_dict=True)
        return web.json_response({"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]})

    async def token(self, request: web.Request) -> web.Response:
        self.requests.append("token")
        form = await request.post()
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        sent = self._codes.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            sent is None
            or request.headers.get("Authorization") != f"Basic {basic}"
            or sent["code_challenge"] != challenge
            or sent["redirect_uri"] != form["redirect_uri"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        said = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": int(self.now.timestamp()),
            "exp": int((self.now + timedelta(minutes=5)).timestamp()),
            "nonce": sent["nonce"],
            "email_verified": True,
            **self.person,
            **self.claims,
        }
        token = jwt.encode(said, self.key, algorithm="RS256", headers={"kid": "1"})
        return web.json_response({"access_token": "unused", "token_type": "Bearer", "id_token": token})

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["OpenIdProvider"]:
        provider = cls()
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", provider.describe)
        app.router.add_get("/jwks", provider.keys)
        app.router.add_post("/token", provider.token)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield provider
        finally:
            await runner.cleanup()
