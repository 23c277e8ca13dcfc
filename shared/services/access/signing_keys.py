"""The keys that sign access tokens: one secret in the vault with the whole set."""

from datetime import datetime, timedelta

import pydantic

from shared.domain.access.signing_keys import KeySet, SigningKey
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.kernel.times import to_text
from shared.ports.clock import Clock
from shared.ports.secrets import LONGEST_STALE, Secrets
from shared.services.storage.initial_secrets import value_or_first

SIGNING_KEYS = "token-signing-keys"


class SigningKeys:
    """The keys that sign access tokens, read from the vault at every use.

    So a rotation needs no restart; the vault's adapter caches them. A process that has not seen a rotation yet signs
    with the retired key for up to `LONGEST_STALE`, and its tokens live for `lifetime`. So a retired key is accepted for
    the sum of both, and there is no other rotation before: such a process would not know the key that becomes active
    then.
    """

    def __init__(self, secrets: Secrets, clock: Clock, lifetime: timedelta) -> None:
        self._secrets = secrets
        self._clock = clock
        self.grace = lifetime + LONGEST_STALE
        self._parsed: tuple[str, KeySet] | None = None

    async def current(self) -> KeySet:
        """The set, created at the first use where that is allowed. Raises `UnavailableError`."""
        text, _ = await value_or_first(self._secrets, SIGNING_KEYS, _first)
        return self._read(text)

    async def published(self) -> list[SigningKey]:
        """The public halves of all keys by which a token may be verified now, or soon. Raises `UnavailableError`."""
        return (await self.current()).published(self._clock.now(), self.grace)

    async def ensure(self) -> bool:
        """Create the set unless there is one. Whether it was created now. Raises `UnavailableError`."""
        text, created = await value_or_first(self._secrets, SIGNING_KEYS, _first)
        self._read(text)
        return created

    async def rotate(self, *, force: bool = False) -> KeySet:
        """Make the next key active, and retire the active one.

        Raises `NotFoundError` where there are none yet, `ConflictError` where another rotation is too recent (unless
        forced) or takes place at the same time, `UnavailableError`.
        """
        text = await self._secrets.get(SIGNING_KEYS)
        keys, now = self._read(text), self._clock.now()
        if not force:
            self._refuse_early(keys, now)
        rotated = keys.rotated(now, self.grace)
        await self._secrets.replace(SIGNING_KEYS, _written(rotated), expected=text)
        return rotated

    def _refuse_early(self, keys: KeySet, now: datetime) -> None:
        if keys.rotated_at is not None and now < keys.rotated_at + self.grace:
            raise ConflictError(
                f"The keys were rotated at {to_text(keys.rotated_at)}; before {to_text(keys.rotated_at + self.grace)} "
                "some processes might not know the key that would become active"
            )

    def _read(self, text: str) -> KeySet:
        if self._parsed is None or self._parsed[0] != text:
            try:
                self._parsed = text, KeySet.model_validate_json(text)
            except pydantic.ValidationError as error:
                raise UnavailableError(f"The secret {SIGNING_KEYS} is not a set of signing keys") from error
        return self._parsed[1]


def _first() -> str:
    return _written(KeySet.generate())


def _written(keys: KeySet) -> str:
    return keys.model_dump_json(exclude_none=True)
