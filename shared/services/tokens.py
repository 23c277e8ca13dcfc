"""Access tokens: EdDSA-signed JWTs, checked against our clock."""

from dataclasses import dataclass
from datetime import timedelta

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.domain.errors import UnauthenticatedError
from shared.domain.ids import fingerprint, new_id
from shared.ports.clock import Clock
from shared.ports.secrets import Secrets
from shared.settings import Settings

AUDIENCE = "xyra-api"
_SIGNING_KEY = "token-signing-key"


@dataclass(frozen=True, slots=True)
class Claims:
    user_id: str
    organization_id: str | None
    roles: tuple[str, ...]
    session_id: str


class Tokens:
    def __init__(self, secrets: Secrets, clock: Clock, settings: Settings) -> None:
        self._secrets = secrets
        self._clock = clock
        self._settings = settings
        self._key: Ed25519PrivateKey | None = None

    @property
    def lifetime(self) -> timedelta:
        return timedelta(minutes=self._settings.access_token_minutes)

    async def issue(self, claims: Claims) -> str:
        key = await self._signing_key()
        now = self._clock.now()
        payload = {
            "iss": self._settings.token_issuer,
            "aud": AUDIENCE,
            "sub": claims.user_id,
            "org": claims.organization_id,
            "roles": list(claims.roles),
            "sid": claims.session_id,
            "jti": new_id("tok"),
            "iat": int(now.timestamp()),
            "exp": int((now + self.lifetime).timestamp()),
        }
        return jwt.encode(payload, key, algorithm="EdDSA", headers={"kid": _key_id(key)})

    async def read(self, token: str) -> Claims:
        """Raises `UnauthenticatedError` for anything but a token of ours that is in force now."""
        key = await self._signing_key()
        try:
            payload = jwt.decode(
                token,
                key.public_key(),
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=self._settings.token_issuer,
                options={"require": ["exp", "sub", "sid"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise UnauthenticatedError("The access token is not valid") from error
        if self._clock.now().timestamp() >= payload["exp"]:
            raise UnauthenticatedError("The access token has expired")
        return Claims(payload["sub"], payload["org"], tuple(payload["roles"]), payload["sid"])

    async def _signing_key(self) -> Ed25519PrivateKey:
        if self._key is None:
            fresh = Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            kept = await self._secrets.set_if_absent(_SIGNING_KEY, fresh.decode())
            key = serialization.load_pem_private_key(kept.encode(), password=None)
            if not isinstance(key, Ed25519PrivateKey):
                raise TypeError("the token signing key is not an Ed25519 key")
            self._key = key
        return self._key


def _key_id(key: Ed25519PrivateKey) -> str:
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return fingerprint(public)[:16]
