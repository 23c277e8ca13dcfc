"""Refresh tokens: made and recognized by a key in the vault, so that no item in the store holds one."""

import base64
import hashlib
import hmac
import re
import secrets as random_values
from dataclasses import dataclass

from shared.domain.kernel.errors import UnauthenticatedError
from shared.ports.secrets import Secrets
from shared.services.storage.initial_secrets import value_or_first

_NAME = "refresh-token-key"
_KEY_BYTES = 32
_MAXIMUM_LENGTH = 200
_FORM = re.compile(r"(usr_[0-9a-z]{1,40})\.(ses_[0-9a-z]{1,40})\.([1-9][0-9]{0,8}|0)\.([A-Za-z0-9_-]{43})")
_INVALID = "The refresh token is not valid"


@dataclass(frozen=True, slots=True)
class RefreshReference:
    """What a refresh token names: the session, and how often that was refreshed before."""

    user_id: str
    session_id: str
    number: int

    @property
    def text(self) -> str:
        return f"{self.user_id}.{self.session_id}.{self.number}"


class RefreshTokens:
    """A token is the reference and its HMAC-SHA-256. Whatever verifies was issued by us, and nothing else does."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def ensure(self) -> bool:
        """Create the key unless there is one. Whether it was created now. Raises `UnavailableError`."""
        _, is_new = await value_or_first(self._secrets, _NAME, _new_key)
        return is_new

    async def issue(self, reference: RefreshReference) -> str:
        """Raises `UnavailableError`."""
        return f"{reference.text}.{await self._signature(reference)}"

    async def read(self, token: str) -> RefreshReference:
        """Raises `UnauthenticatedError` for what was never issued, `UnavailableError`."""
        parts = _FORM.fullmatch(token) if len(token) <= _MAXIMUM_LENGTH else None
        if parts is None:
            raise UnauthenticatedError(_INVALID)
        reference = RefreshReference(parts[1], parts[2], int(parts[3]))
        if not hmac.compare_digest(await self._signature(reference), parts[4]):
            raise UnauthenticatedError(_INVALID)
        return reference

    async def _signature(self, reference: RefreshReference) -> str:
        return await signature_of(self._secrets, reference.text)


async def signature_of(secrets: Secrets, text: str) -> str:
    """The HMAC-SHA-256 of a text that names a session, in base64url. Raises `UnavailableError`."""
    key, _ = await value_or_first(secrets, _NAME, _new_key)
    digest = hmac.digest(key.encode(), text.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _new_key() -> str:
    return random_values.token_urlsafe(_KEY_BYTES)
