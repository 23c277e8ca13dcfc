"""Tokens of the cookie by which pages know who is signed in: each names a session, and opens nothing but pages."""

import hmac
import re

from shared.domain.kernel.errors import UnauthenticatedError
from shared.ports.secrets import Secrets
from shared.services.access.refresh_tokens import signature_of
from shared.services.access.tokens import Claims

_PURPOSE = "page"
"""Begins what is signed, so that no refresh token is taken for one of these, and none of these for a refresh token."""
_OPERATOR = "-"
_MAXIMUM_LENGTH = 250
_FORM = re.compile(r"(usr_[0-9a-z]{1,40})\.(ses_[0-9a-z]{1,40})\.(org_[0-9a-z]{1,40}|-)\.([A-Za-z0-9_-]{43})")
_INVALID = "The cookie is not valid: sign in again"


class PageTokens:
    """The session's item decides how long a token works; the token itself is only the session's name, signed."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def issue(self, user_id: str, session_id: str, organization_id: str | None) -> str:
        """Raises `UnavailableError`."""
        text = f"{user_id}.{session_id}.{organization_id or _OPERATOR}"
        return f"{text}.{await self._signature(text)}"

    async def read(self, token: str) -> Claims:
        """Whose session it names. Raises `UnauthenticatedError` for what was never issued, `UnavailableError`."""
        parts = _FORM.fullmatch(token) if len(token) <= _MAXIMUM_LENGTH else None
        if parts is None:
            raise UnauthenticatedError(_INVALID)
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(await self._signature(text), signature):
            raise UnauthenticatedError(_INVALID)
        organization_id = None if parts[3] == _OPERATOR else parts[3]
        return Claims(parts[1], organization_id, (), parts[2])

    async def _signature(self, text: str) -> str:
        return await signature_of(self._secrets, f"{_PURPOSE}.{text}")
