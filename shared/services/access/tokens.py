"""Access tokens: EdDSA-signed JWTs, checked against our clock."""

from dataclasses import dataclass
from datetime import timedelta

import jwt

from shared.domain.kernel.errors import UnauthenticatedError
from shared.domain.kernel.ids import new_id
from shared.ports.clock import Clock
from shared.ports.secrets import Secrets
from shared.services.access.signing_keys import SigningKeys
from shared.settings import Settings

AUDIENCE = "xyra-api"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says about its holder.

    Without an organization it is for the operator's side.
    """

    user_id: str
    organization_id: str | None
    roles: tuple[str, ...]
    session_id: str


class Tokens:
    def __init__(self, secrets: Secrets, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self.keys = SigningKeys(secrets, clock, self.lifetime)

    @property
    def lifetime(self) -> timedelta:
        """Of an access token."""
        return timedelta(minutes=self._settings.access_token_minutes)

    async def issue(self, claims: Claims) -> str:
        """A token signed with the active key. Raises `UnavailableError`."""
        key = (await self.keys.current()).active
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
        return jwt.encode(payload, key.private, algorithm="EdDSA", headers={"kid": key.kid})

    async def read(self, token: str) -> Claims:
        """What a token says. Raises `UnauthenticatedError` unless it is one of ours that is in force now."""
        keys = await self.keys.current()
        try:
            key = keys.verification_key(
                jwt.get_unverified_header(token).get("kid", ""), self._clock.now(), self.keys.grace
            )
            if key is None:
                raise UnauthenticatedError("The access token is signed with a key that is not in use")
            payload = jwt.decode(
                token,
                key,
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
