"""The tokens of links in mails."""

import hashlib
import hmac
import secrets as random
from dataclasses import dataclass
from datetime import datetime

import msgspec

from shared.containers import DIRECTORY
from shared.domain.access.links import LIFETIMES, MailedLink, Purpose, path_of
from shared.domain.kernel.errors import InvalidTokenError, UnavailableError
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.key_rings import KEY_BYTES, to_bytes, to_text
from shared.ports.clock import Clock
from shared.ports.secrets import Secrets
from shared.services.storage import Records, Store
from shared.services.storage.initial_secrets import value_or_first

_NAME = "mailed-link-key"
_LINK = "link"


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """What a link is asked for."""

    purpose: Purpose
    request_id: str
    holder_id: str
    """The user or the organization that the request belongs to."""
    address_fingerprint: str
    """Of the address that the mail goes to."""
    asked_at: datetime

    @property
    def expires_at(self) -> datetime:
        return self.asked_at + LIFETIMES[self.purpose]


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A link as it stands in a mail."""

    url: str
    expires_at: datetime


class MailedLinks:
    """A token is an HMAC of the request's id under a key of the vault.

    So no item holds it, and a mail that is sent again has the same link. It is found by its hash.
    """

    def __init__(self, secrets: Secrets, store: Store, clock: Clock, public_url: str) -> None:
        self._secrets = secrets
        self._clock = clock
        self.public_url = public_url
        """What links begin with."""
        self._links = Records(store, DIRECTORY, MailedLink)

    async def issue(self, request: LinkRequest) -> IssuedLink | None:
        """The link of a request, which works from now on; None where it has expired. Safe to repeat.

        Raises `UnavailableError`.
        """
        remaining = request.expires_at - self._clock.now()
        if remaining.total_seconds() < 1:
            return None
        token = await self._token(request)
        link = MailedLink(
            id=_LINK,
            purpose=request.purpose,
            request_id=request.request_id,
            holder_id=request.holder_id,
            address_fingerprint=request.address_fingerprint,
            expires_at=request.expires_at,
        )
        await self._links.create(_partition(token), link, expires_in=remaining)
        return IssuedLink(f"{self.public_url}/{path_of(request.purpose, token)}", request.expires_at)

    async def find(self, purpose: Purpose, token: str) -> MailedLink:
        """What a link stands for. Raises `InvalidTokenError`, the same for unknown and for expired ones.

        Whether it was used is for the caller to decide, who raises the same error.
        """
        stored = await self._links.find(_partition(token), _LINK)
        if stored is None or stored.entity.purpose != purpose or self._clock.now() >= stored.entity.expires_at:
            raise InvalidTokenError
        return stored.entity

    async def ensure(self) -> bool:
        """Create the key unless there is one. Whether it was created now. Raises `UnavailableError`."""
        _, created = await value_or_first(self._secrets, _NAME, _new_key)
        return created

    async def _token(self, request: LinkRequest) -> str:
        text, _ = await value_or_first(self._secrets, _NAME, _new_key)
        try:
            key = to_bytes(text)
        except ValueError as error:
            raise UnavailableError(f"The secret {_NAME} is not a key") from error
        named = msgspec.json.encode((request.purpose, request.request_id))
        return to_text(hmac.digest(key, named, hashlib.sha256))


def _partition(token: str) -> str:
    return f"{_LINK}:{fingerprint(token)}"


def _new_key() -> str:
    return to_text(random.token_bytes(KEY_BYTES))
