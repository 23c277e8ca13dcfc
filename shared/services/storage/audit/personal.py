"""Personal values on the trail: sealed under a key for each person, so that destroying the key erases them all."""

import logging
import os
from datetime import datetime, timedelta
from typing import ClassVar

from cachetools import TTLCache

from shared.containers import DIRECTORY
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import UnavailableError
from shared.ports.clock import Clock
from shared.ports.store import AlreadyExistsError, Create, Store, Upsert
from shared.services.storage.audit.entries import Sealed
from shared.services.storage.audit.keys import AuditKeys, Cipher

CACHED = timedelta(minutes=10)
MAXIMUM_CACHED = 10_000
ERASED = "(erased)"
"""Shown in place of a value whose key was destroyed."""

_log = logging.getLogger(__name__)

_KEY = "personal_key"
_KEY_BYTES = 32


class PersonalKey(Entity):
    """The key of one subject: a user's id, or the hash of a value that names a person by itself."""

    kind: ClassVar[str] = "personal_key"
    audit: ClassVar[Audit] = BOOKKEEPING

    id: str = _KEY
    wrapped: str | None = None
    """Sealed under the vault's key; None once it was destroyed, so that no other one takes its place."""
    key_id: str = ""
    """The vault's key."""


class PersonalKeys:
    """A process knows a key for up to `CACHED` after it was destroyed elsewhere; nobody reads what it seals by it."""

    def __init__(self, store: Store, clock: Clock, keys: AuditKeys) -> None:
        self._store = store
        self._keys = keys
        self._cached = TTLCache[str, Cipher | None, datetime](MAXIMUM_CACHED, CACHED, timer=clock.now)

    async def seal(self, subject: str, text: str) -> Sealed | None:
        """None where the subject's key was destroyed. Raises `UnavailableError`."""
        cipher = await self._cipher(subject, make=True)
        return None if cipher is None else Sealed(subject=subject, text=cipher.seal(text.encode(), subject))

    async def open(self, sealed: Sealed) -> str:
        """The value, or `ERASED`. Raises `UnavailableError`."""
        cipher = await self._cipher(sealed.subject, make=False)
        if cipher is None:
            return ERASED
        try:
            return cipher.open(sealed.text, sealed.subject).decode()
        except ValueError:
            return ERASED

    async def destroy(self, subject: str) -> None:
        """Nothing that was sealed for the subject can be read from now on. Safe to repeat."""
        await self._store.batch(DIRECTORY.name, _partition(subject), [Upsert(PersonalKey().document())])
        self._cached.pop(subject, None)

    async def _cipher(self, subject: str, *, make: bool) -> Cipher | None:
        if subject in self._cached:
            return self._cached[subject]
        key = await self._read(subject)
        if key is None and make:
            key = await self._made(subject)
        if key is None:
            return None
        cipher = await self._unwrapped(subject, key)
        self._cached[subject] = cipher
        return cipher

    async def _read(self, subject: str) -> PersonalKey | None:
        item = await self._store.get(DIRECTORY.name, _partition(subject), _KEY)
        return None if item is None else PersonalKey.read(item.document)

    async def _made(self, subject: str) -> PersonalKey:
        """A new key, or the one of another process that was faster."""
        vaults = await self._keys.active()
        key = PersonalKey(wrapped=vaults.people.seal(os.urandom(_KEY_BYTES), subject), key_id=vaults.id)
        try:
            await self._store.batch(DIRECTORY.name, _partition(subject), [Create(key.document())])
        except AlreadyExistsError as error:
            existing = await self._read(subject)
            if existing is None:
                raise UnavailableError("The key of a person was made a moment ago and cannot be read yet") from error
            return existing
        return key

    async def _unwrapped(self, subject: str, key: PersonalKey) -> Cipher | None:
        vaults = await self._keys.named(key.key_id) if key.wrapped is not None else None
        if key.wrapped is None or vaults is None:
            return None
        try:
            return Cipher(vaults.people.open(key.wrapped, subject))
        except ValueError:
            _log.exception("the key of a person was altered in the store")
            return None


def _partition(subject: str) -> str:
    return f"personal:{subject}"
