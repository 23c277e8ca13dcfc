"""Secrets of tenants, sealed by AES-GCM under a key of the vault.

To keep a secret of an organization, store the text that `seal` gives in a field of an entity, and read it with
`unseal`, naming the same organization and field:

    sealed = await sealed_values.seal("whsec_1", organization_id="org_1", field="webhook_endpoints.secret:whe_1")
    secret = await sealed_values.unseal(sealed, organization_id="org_1", field="webhook_endpoints.secret:whe_1")

Organization and field are bound into the seal: copied into another organization or another field, the text opens
nothing. Begin the field with kind and name, and end it with the id of the entity where a copy into another entity must
not open either. A person's secret that belongs to no organization names the user's id in place of the organization's.

Who stores sealed values says how to seal them again: `register` a function that goes over all of them, calls `resealed`
on each, and stores what is not None under the entity's ETag.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import pydantic

from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.kernel.key_rings import KeyRing, UnsealableError
from shared.domain.kernel.times import to_text
from shared.ports.clock import Clock
from shared.ports.secrets import LONGEST_STALE, Secrets
from shared.services.storage.initial_secrets import value_or_first

SEALING_KEYS = "sealing-keys"

Resealing = Callable[[], Awaitable[int]]
"""Seals all values of one kind again that are not current, and says how many. Has to be safe to repeat."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """The ids of the keys after a rotation."""

    active: str
    next: str
    earlier: tuple[str, ...]


class SealedValues:
    """A process seals under the key that it knows as active, for up to `LONGEST_STALE` after a rotation, too.

    So there is no other rotation within that time, and the earlier keys are forgotten only after it.
    """

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock
        self._parsed: tuple[str, KeyRing] | None = None
        self._resealings: dict[str, Resealing] = {}

    async def seal(self, plain: str, *, organization_id: str, field: str) -> str:
        """The sealed text: key id, a dot, nonce and ciphertext in base64url. Raises `UnavailableError`."""
        return (await self._ring()).seal(plain.encode(), _associated(organization_id, field))

    async def unseal(self, sealed: str, *, organization_id: str, field: str) -> str:
        """The value. Raises `UnsealableError` where it was altered or sealed for another place, `UnavailableError`."""
        return (await self._ring()).unseal(sealed, _associated(organization_id, field)).decode()

    async def resealed(self, sealed: str, *, organization_id: str, field: str) -> str | None:
        """The same value under the active key; None where it is under that already. Raises as `unseal`."""
        ring = await self._ring()
        if ring.is_current(sealed):
            return None
        associated = _associated(organization_id, field)
        return ring.seal(ring.unseal(sealed, associated), associated)

    def register(self, name: str, resealing: Resealing) -> None:
        """Say how to seal the values of one kind again; `name` names them to the operator."""
        self._resealings[name] = resealing

    async def ensure(self) -> bool:
        """Create the keys unless there are some. Whether they were created now. Raises `UnavailableError`."""
        text, created = await value_or_first(self._secrets, SEALING_KEYS, _first)
        self._read(text)
        return created

    async def rotate(self, *, force: bool = False) -> Rotation:
        """Seal under the next key from now on.

        Raises `NotFoundError` where there are no keys yet, `ConflictError` where another rotation is too recent (unless
        forced) or takes place at the same time, `UnavailableError`.
        """
        text = await self._secrets.get(SEALING_KEYS)
        ring, now = self._read(text), self._clock.now()
        if not force:
            _refuse_early(ring, now)
        rotated = ring.rotated(now)
        await self._secrets.replace(SEALING_KEYS, _written(rotated), expected=text)
        return _told(rotated)

    async def reseal(self) -> dict[str, int]:
        """Seal all that is registered again, and forget the earlier keys. How many values that were, by name.

        Raises `ConflictError` within `LONGEST_STALE` of a rotation: a process may still seal under an earlier key.
        """
        text = await self._secrets.get(SEALING_KEYS)
        ring = self._read(text)
        _refuse_early(ring, self._clock.now())
        counts = {name: await resealing() for name, resealing in self._resealings.items()}
        if ring.earlier:
            await self._secrets.replace(SEALING_KEYS, _written(ring.without_earlier()), expected=text)
        return counts

    async def _ring(self) -> KeyRing:
        text, _ = await value_or_first(self._secrets, SEALING_KEYS, _first)
        return self._read(text)

    def _read(self, text: str) -> KeyRing:
        if self._parsed is None or self._parsed[0] != text:
            try:
                self._parsed = text, KeyRing.model_validate_json(text)
            except pydantic.ValidationError as error:
                raise UnavailableError(f"The secret {SEALING_KEYS} is not a ring of sealing keys") from error
        return self._parsed[1]


def _associated(organization_id: str, field: str) -> bytes:
    """One text for one pair: a JSON array keeps the two apart."""
    return msgspec.json.encode((organization_id, field))


def _refuse_early(ring: KeyRing, now: datetime) -> None:
    settled_at = None if ring.rotated_at is None else ring.rotated_at + LONGEST_STALE + timedelta(minutes=5)
    if settled_at is not None and now < settled_at:
        raise ConflictError(f"Before {to_text(settled_at)} some processes may not have seen the last rotation")


def _told(ring: KeyRing) -> Rotation:
    return Rotation(ring.active.id, ring.next.id, tuple(key.id for key in ring.earlier))


def _first() -> str:
    return _written(KeyRing.generate())


def _written(ring: KeyRing) -> str:
    return ring.model_dump_json(exclude_none=True)


__all__ = ["Resealing", "Rotation", "SealedValues", "UnsealableError"]
