"""The vault's keys of the audit trail: one hashes the chain, one wraps the keys of people."""

import base64
import hmac
import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import pydantic
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, Field

from shared import json
from shared.domain.kernel.errors import UnavailableError
from shared.ports.secrets import Secrets
from shared.services.storage.audit.entries import AuditEntry, AuditHead
from shared.services.storage.initial_secrets import value_or_first

SECRET_NAME = "audit-keys"  # noqa: S105  its name
_KEY_BYTES = 32
_NONCE_BYTES = 12


class _StoredKey(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str
    key: str = Field(repr=False)
    """Base64."""


class _StoredKeys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: tuple[_StoredKey, ...] = Field(min_length=1)
    """The first one is used for what is new; all of them check what is stored."""


@dataclass(frozen=True, slots=True)
class Cipher:
    """AES-256-GCM under one key. The context is authenticated with what is sealed."""

    key: bytes

    def seal(self, plain: bytes, context: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + AESGCM(self.key).encrypt(nonce, plain, context.encode())).decode()

    def open(self, sealed: str, context: str) -> bytes:
        """Raises `ValueError` where it was sealed under another key or context, or was altered."""
        raw = base64.b64decode(sealed)
        try:
            return AESGCM(self.key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
        except InvalidTag:
            raise ValueError("This cannot be opened") from None


class AuditKey:
    """One key of the vault, from which a key for each purpose is derived."""

    def __init__(self, key_id: str, key: bytes) -> None:
        self.id = key_id
        self._chain = hmac.digest(key, b"xyra audit chain", sha256)
        self._people = hmac.digest(key, b"xyra keys of people", sha256)

    @cached_property
    def people(self) -> Cipher:
        """Wraps the keys of people."""
        return Cipher(self._people)

    def mac_of(self, entry: AuditEntry) -> str:
        return self._mac("entry", entry.content().decode())

    def hash_of(self, entry: AuditEntry) -> str:
        """Binds the entry to its place in its trail."""
        return self._mac("place", entry.trail, str(entry.number), entry.previous, entry.mac)

    def mac_of_head(self, trail: str, head: AuditHead) -> str:
        return self._mac("head", trail, str(head.count), head.hash)

    def _mac(self, *parts: str) -> str:
        return hmac.digest(self._chain, json.encode(parts), sha256).hex()


def same(one: str, other: str) -> bool:
    """Whether two keyed hashes are equal, in a time that does not tell how far."""
    return hmac.compare_digest(one, other)


class AuditKeys:
    """The vault's keys; `python -m cli setup` makes the first one, and `python -m cli audit rotate` another one.

    Processes learn of a rotation when the vault's value that they keep for a while is read again. One that does not
    know a key yet leaves entries in the outbox until it does.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._keys: dict[str, AuditKey] = {}
        self._active = ""
        self._text = ""

    async def active(self) -> AuditKey:
        """The one that hashes what is new. Raises `UnavailableError` where none is known and the vault is away."""
        try:
            await self._read_again()
        except UnavailableError:
            if not self._keys:
                raise
        return self._keys[self._active]

    async def named(self, key_id: str) -> AuditKey | None:
        """None for a key that the vault does not have. Raises `UnavailableError`."""
        if key_id not in self._keys:
            await self._read_again()
        return self._keys.get(key_id)

    async def ensure(self) -> bool:
        """Create the first key unless there is one. Whether it was created now. Raises `UnavailableError`."""
        return await self._read_again()

    async def rotate(self) -> str:
        """Hash what is new by another key, whose id this is; the earlier ones go on checking what is stored.

        Raises `NotFoundError` where there are none yet, `ConflictError` where another rotation takes place at the same
        time, `UnavailableError`.
        """
        text = await self._secrets.get(SECRET_NAME)
        self._read(text)
        fresh = _new_key()
        keys = (fresh, *_StoredKeys.model_validate_json(text).keys)
        await self._secrets.replace(SECRET_NAME, _StoredKeys(keys=keys).model_dump_json(), expected=text)
        return fresh.id

    async def _read_again(self) -> bool:
        """Whether the first key was created now."""
        text, created = await value_or_first(self._secrets, SECRET_NAME, _first)
        self._read(text)
        return created

    def _read(self, text: str) -> None:
        if text == self._text:
            return
        try:
            stored = _StoredKeys.model_validate_json(text)
            self._keys = {each.id: AuditKey(each.id, base64.b64decode(each.key)) for each in stored.keys}
        except (pydantic.ValidationError, ValueError) as error:
            raise UnavailableError(f"The secret {SECRET_NAME} is not a set of keys") from error
        self._active, self._text = stored.keys[0].id, text


def _new_key() -> _StoredKey:
    return _StoredKey(id=f"audk_{secrets.token_hex(4)}", key=base64.b64encode(os.urandom(_KEY_BYTES)).decode())


def _first() -> str:
    return _StoredKeys(keys=(_new_key(),)).model_dump_json()
