"""Symmetric keys under which values are sealed: the active one, the next one, and earlier ones.

Every process knows the next key before anything is sealed under it, so processes need not learn of a rotation at the
same moment.
"""

import base64
import secrets
from datetime import datetime
from functools import cached_property
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, Field

from shared.domain.kernel.times import Instant

KEY_BYTES = 32
_NONCE_BYTES = 12
"""Drawn at random: under one key two of 2^32 values meet in the same one with a chance of 2^-33 (SP 800-38D)."""
_KEY_ID_BYTES = 9


class UnsealableError(ValueError):
    """The value was altered, was sealed for another place, or its key is gone."""


class _KeyModel(BaseModel):
    """An immutable model whose errors do not show its values."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SealingKey(_KeyModel):
    """A key of AES-256-GCM with a random id, which stands before all that is sealed under it."""

    id: str
    secret: str = Field(repr=False)
    """Base64url, without padding."""
    retired_at: Instant | None = None
    """When nothing was sealed under it any longer; None before that."""

    @classmethod
    def generate(cls) -> Self:
        return cls(id=to_text(secrets.token_bytes(_KEY_ID_BYTES)), secret=to_text(secrets.token_bytes(KEY_BYTES)))

    @cached_property
    def cipher(self) -> AESGCM:
        return AESGCM(to_bytes(self.secret))


class KeyRing(_KeyModel):
    """All keys that seal and unseal."""

    next: SealingKey
    active: SealingKey
    earlier: tuple[SealingKey, ...] = ()
    """Oldest first. They unseal only."""

    @classmethod
    def generate(cls) -> Self:
        return cls(next=SealingKey.generate(), active=SealingKey.generate())

    @property
    def rotated_at(self) -> datetime | None:
        """When keys were last rotated; None before the first time."""
        return self.earlier[-1].retired_at if self.earlier else None

    def rotated(self, now: datetime) -> Self:
        """The next key becomes the active one."""
        retired = self.active.model_copy(update={"retired_at": now})
        return type(self)(next=SealingKey.generate(), active=self.next, earlier=(*self.earlier, retired))

    def without_earlier(self) -> Self:
        """For when nothing is sealed under the earlier keys any longer."""
        return type(self)(next=self.next, active=self.active)

    def seal(self, plain: bytes, associated: bytes) -> str:
        """The value under the active key, as text. It can be unsealed with the same associated data only."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self.active.cipher.encrypt(nonce, plain, _bound(self.active.id, associated))
        return f"{self.active.id}.{to_text(nonce + sealed)}"

    def unseal(self, sealed: str, associated: bytes) -> bytes:
        """Raises `UnsealableError`."""
        key_id, _, text = sealed.partition(".")
        key = next((key for key in (self.active, self.next, *self.earlier) if key.id == key_id), None)
        if key is None:
            raise UnsealableError("its key is not in the ring")
        try:
            content = to_bytes(text)
            return key.cipher.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], _bound(key_id, associated))
        except (InvalidTag, ValueError) as error:
            raise UnsealableError("it was altered, or sealed for another place") from error

    def is_current(self, sealed: str) -> bool:
        """Whether it is sealed under the active key, or already under the next one."""
        return sealed.partition(".")[0] in (self.active.id, self.next.id)


def _bound(key_id: str, associated: bytes) -> bytes:
    return key_id.encode() + b"\0" + associated


def to_text(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def to_bytes(text: str) -> bytes:
    """Raises `ValueError` for what is not base64url."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
