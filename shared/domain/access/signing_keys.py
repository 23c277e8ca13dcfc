"""The keys of access tokens: one that signs, the one that will sign next, and those whose tokens may still be in force.

Every process knows the next key before it signs anything, so a rotation is no moment at which all must agree.
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


class _PublicKeyPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SigningKey(_PublicKeyPart):
    """An Ed25519 key as a JSON Web Key (RFC 8037)."""

    kid: str
    """The key's thumbprint (RFC 7638)."""
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    x: str
    """The public half."""
    d: str | None = Field(default=None, repr=False)
    """The private half; a retired key has none."""

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

    def without_private_half(self) -> Self:
        return type(self)(kid=self.kid, x=self.x)


class RetiredKey(_PublicKeyPart):
    key: SigningKey
    retired_at: Instant


class KeySet(_PublicKeyPart):
    next: SigningKey
    active: SigningKey
    retired: tuple[RetiredKey, ...] = ()
    """Oldest first."""

    @classmethod
    def first(cls) -> Self:
        return cls(next=SigningKey.generate(), active=SigningKey.generate())

    @property
    def rotated_at(self) -> datetime | None:
        """The last time; None before the first."""
        return self.retired[-1].retired_at if self.retired else None

    def rotated(self, now: datetime, grace: timedelta) -> Self:
        """`grace` is how long tokens of a retired key may be in force."""
        retired = RetiredKey(key=self.active.without_private_half(), retired_at=now)
        kept = (each for each in self.retired if now < each.retired_at + grace)
        return type(self)(next=SigningKey.generate(), active=self.next, retired=(*kept, retired))

    def verifying(self, kid: str, now: datetime, grace: timedelta) -> Ed25519PublicKey | None:
        """The key of that name, where its tokens may be in force; the next one's, too: another process may know already
        that it is the active one.
        """
        retired = (each.key for each in self.retired if now < each.retired_at + grace)
        return next((key.public for key in (self.active, self.next, *retired) if key.kid == kid), None)


def _thumbprint(x: str) -> str:
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"), sort_keys=True)
    return _to_text(hashlib.sha256(members.encode()).digest())


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _to_bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
