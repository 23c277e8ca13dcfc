"""The signing keys of access tokens: the active one, the next one, and retired ones.

Every process knows the next key before it signs anything, so processes need not rotate at the same moment. Retired keys
verify tokens until those have expired.
"""

import base64
import hashlib
import json
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field

from shared.domain.kernel.times import Instant


class _KeyModel(BaseModel):
    """An immutable model whose errors do not show its values."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SigningKey(_KeyModel):
    """An Ed25519 key as a JSON Web Key (RFC 8037)."""

    kid: str
    """The thumbprint of the public key (RFC 7638)."""
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    x: str
    """The public key, base64url."""
    d: str | None = Field(default=None, repr=False)
    """The private key, base64url; None in a retired key."""

    @classmethod
    def generate(cls) -> Self:
        private = Ed25519PrivateKey.generate()
        x = _to_text(private.public_key().public_bytes_raw())
        return cls(kid=_thumbprint(x), x=x, d=_to_text(private.private_bytes_raw()))

    @cached_property
    def public(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(_to_bytes(self.x))

    @cached_property
    def private(self) -> Ed25519PrivateKey:
        if self.d is None:
            raise ValueError("a retired key signs nothing")
        return Ed25519PrivateKey.from_private_bytes(_to_bytes(self.d))

    def public_only(self) -> Self:
        return type(self)(kid=self.kid, x=self.x)


class RetiredKey(_KeyModel):
    """A key that signs no more; its private key is gone."""

    key: SigningKey
    retired_at: Instant


class KeySet(_KeyModel):
    """All keys that sign or verify access tokens."""

    next: SigningKey
    active: SigningKey
    retired: tuple[RetiredKey, ...] = ()
    """Oldest first."""

    @classmethod
    def generate(cls) -> Self:
        return cls(next=SigningKey.generate(), active=SigningKey.generate())

    @property
    def rotated_at(self) -> datetime | None:
        """When keys were last rotated; None before the first time."""
        return self.retired[-1].retired_at if self.retired else None

    def rotated(self, now: datetime, grace: timedelta) -> Self:
        """The key set after a rotation: the next key becomes the active one, which retires.

        `grace` is how long tokens of a retired key are accepted.
        """
        retired = RetiredKey(key=self.active.public_only(), retired_at=now)
        return type(self)(
            next=SigningKey.generate(), active=self.next, retired=(*self._verifying_retired(now, grace), retired)
        )

    def verification_key(self, kid: str, now: datetime, grace: timedelta) -> Ed25519PublicKey | None:
        """The public key to verify a token by.

        None for an unknown key, and for one that retired too long ago. The next key counts, too: another process may
        have rotated already.
        """
        retired = (retired.key for retired in self._verifying_retired(now, grace))
        return next((key.public for key in (self.active, self.next, *retired) if key.kid == kid), None)

    def published(self, now: datetime, grace: timedelta) -> list[SigningKey]:
        """The public halves of all keys that verify tokens: the active one, the next one, the retired ones."""
        retired = [retired.key for retired in self._verifying_retired(now, grace)]
        return [key.public_only() for key in (self.active, self.next, *retired)]

    def _verifying_retired(self, now: datetime, grace: timedelta) -> list[RetiredKey]:
        return [retired for retired in self.retired if now < retired.retired_at + grace]


def _thumbprint(x: str) -> str:
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"), sort_keys=True)
    return _to_text(hashlib.sha256(members.encode()).digest())


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _to_bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
