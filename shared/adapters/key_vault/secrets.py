"""Secrets in Azure Key Vault."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity.aio import DefaultAzureCredential
from azure.keyvault.secrets import SecretProperties
from azure.keyvault.secrets.aio import SecretClient

from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.ports.secrets import LONGEST_STALE, NotAllowedError

FIRST_VALUE_TAG = "xyra-first-value"
"""Marks the versions that `set_if_absent` made. Whoever rotates a secret sets a version without it."""

_ATTEMPTS = 3
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0
_REQUEST_SECONDS = 5.0
_STALE_PAUSE_SECONDS = 15.0
"""How long a stale value is used before a vault that failed is asked again."""
_CLOCKS_DIFFER = timedelta(minutes=5)
_UNAUTHORIZED = (401, 403)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500

_log = logging.getLogger("xyra.key_vault")

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Kept:
    value: str
    read_at: float
    next_question_at: float


class KeyVaultSecrets:
    """Values are kept for `fresh_seconds`, so a rotation is seen that much later at the latest; while the vault fails,
    for up to `stale_seconds`.

    A vault has no "create unless it exists": setting a secret that exists adds a version. So `set_if_absent` adds a
    version with a tag, lets `settle_seconds` pass, and takes the oldest of the tagged ones, like everybody else who
    came at the same time. Versions are dated in whole seconds: only after the second of the oldest is over, no older
    one can appear, and until then nobody uses it. A version without the tag was set on purpose and goes before all
    tagged ones; of several the newest holds, which is how a secret is rotated.
    """

    def __init__(  # noqa: PLR0913  the client with what belongs to it, and by name what tests change
        self,
        client: SecretClient,
        *,
        fresh_seconds: float = 600,
        stale_seconds: float = LONGEST_STALE.total_seconds(),
        settle_seconds: float = 3,
        credential: AsyncTokenCredential | None = None,
        present: Callable[[], float] = time.monotonic,
    ) -> None:
        """`credential` is closed together with the client."""
        self._client = client
        self._credential = credential
        self._fresh_seconds = fresh_seconds
        self._stale_seconds = stale_seconds
        self._settle_seconds = settle_seconds
        self._present = present
        self._kept: dict[str, _Kept] = {}
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    def under_managed_identity(cls, vault_url: str) -> Self:
        credential = DefaultAzureCredential()
        return cls(key_vault_client(vault_url, credential), credential=credential)

    async def get(self, name: str) -> str:
        async with self._one_at_a_time[name]:
            value = await self._current(name)
        if value is None:
            raise NotFoundError(f"There is no secret {name}")
        return value

    async def set_if_absent(self, name: str, value: str) -> str:
        """Needs the right to set secrets only where there is none."""
        async with self._one_at_a_time[name]:
            current = await self._current(name)
            if current is None:
                await _ask(name, lambda: self._client.set_secret(name, value, tags={FIRST_VALUE_TAG: "1"}))
                current = await self._current(name)
        if current is None:
            raise UnavailableError(f"The secret {name} was deleted as soon as it was set")
        return current

    async def replace(self, name: str, value: str, *, expected: str) -> None:
        """A vault compares nothing when it stores, so this looks before and after. Of two versions of one second the
        ids decide which is the newer: where it is the one before, this is set once more.
        """
        async with self._one_at_a_time[name]:
            if await self._read(name) != expected:
                raise ConflictError(f"The secret {name} was replaced meanwhile")
            self._kept.pop(name, None)
            holding: str | None = expected
            for _ in range(_ATTEMPTS):
                await _ask(name, lambda: self._client.set_secret(name, value))
                await asyncio.sleep(self._settle_seconds)
                holding = await self._read(name)
                if holding != expected:
                    break
        if holding != value:
            raise ConflictError(f"The secret {name} was replaced by another at the same time")

    async def close(self) -> None:
        try:
            await self._client.close()
        finally:
            if self._credential is not None:
                await self._credential.close()

    async def _current(self, name: str) -> str | None:
        kept, now = self._kept.get(name), self._present()
        if kept is not None and now < kept.next_question_at:
            return kept.value
        try:
            value = await self._read(name)
        except UnavailableError:
            if kept is None or now - kept.read_at >= self._stale_seconds:
                raise
            kept.next_question_at = min(now + _STALE_PAUSE_SECONDS, kept.read_at + self._stale_seconds)
            _log.warning("secret %s cannot be read; its value of %d s ago is used", name, now - kept.read_at)
            return kept.value
        if value is None:
            self._kept.pop(name, None)
        else:
            self._kept[name] = _Kept(value, read_at=now, next_question_at=now + self._fresh_seconds)
        return value

    async def _read(self, name: str) -> str | None:
        versions = await self._versions(name)
        if versions and _is_settling(versions):
            await asyncio.sleep(self._settle_seconds)
            versions = await self._versions(name)
        if not versions:
            return None
        usable = [version for version in versions if version.enabled]
        if not usable:
            raise UnavailableError(f"The secret {name} is disabled", retry_after=30)
        secret = await _ask(name, lambda: self._client.get_secret(name, _holding(usable).version))
        return None if secret is None else secret.value

    async def _versions(self, name: str) -> list[SecretProperties]:
        async def read() -> list[SecretProperties]:
            return [version async for version in self._client.list_properties_of_secret_versions(name)]

        return await _ask(name, read) or []


def key_vault_client(
    vault_url: str,
    credential: AsyncTokenCredential,
    **options: Any,  # noqa: ANN401  whatever the SDK takes, for vaults that are none of Azure's
) -> SecretClient:
    """Bodies are never logged, and nothing is repeated by the SDK, which would wait as long as it is told to."""
    return SecretClient(
        vault_url,
        credential,
        retry_total=0,
        logging_enable=False,
        **options,
    )


def _is_first_value(version: SecretProperties) -> bool:
    return FIRST_VALUE_TAG in (version.tags or {})


def _age_key(version: SecretProperties) -> tuple[datetime, str]:
    return version.created_on or datetime.max.replace(tzinfo=UTC), version.version or ""


def _is_settling(versions: list[SecretProperties]) -> bool:
    """Whether an older first value may still appear. Long after, clocks need not agree."""
    if not all(_is_first_value(version) for version in versions):
        return False
    created_at, _ = min(map(_age_key, versions))
    return created_at > datetime.now(UTC) - _CLOCKS_DIFFER


def _holding(versions: list[SecretProperties]) -> SecretProperties:
    chosen = [version for version in versions if not _is_first_value(version)]
    return max(chosen, key=_age_key) if chosen else min(versions, key=_age_key)


async def _ask(name: str, request: Callable[[], Awaitable[Answer]]) -> Answer | None:
    """None where there is no such thing. Repeats what may pass, a little. Raises `UnavailableError`."""
    for attempt in range(_ATTEMPTS):
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                return await request()
        except ResourceNotFoundError:
            return None
        except (AzureError, TimeoutError) as error:
            pause = _pause(error, attempt)
            if pause is None or pause > _LONGEST_PAUSE_SECONDS or attempt == _ATTEMPTS - 1:
                raise _unavailable(name, error, pause) from error
            await asyncio.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _pause(error: Exception, attempt: int) -> float | None:
    """Before the next attempt; None where there is no use in one."""
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        if error.status_code != _TOO_MANY_REQUESTS and error.status_code < _SERVER_ERROR:
            return None
        headers: Mapping[str, str] = getattr(error.response, "headers", {})
        asked_for = headers.get("Retry-After", "")
        if asked_for.isdigit():
            return float(asked_for)
    return _FIRST_PAUSE_SECONDS * 2.0**attempt


def _unavailable(name: str, error: Exception, pause: float | None) -> UnavailableError:
    """With the status only: the text of an answer could repeat what was sent."""
    status = getattr(error, "status_code", None)
    level = logging.ERROR if status in _UNAUTHORIZED or pause is None else logging.WARNING
    _log.log(level, "secret %s: the vault failed with %s %s", name, type(error).__name__, status or "")
    if status in _UNAUTHORIZED or isinstance(error, ClientAuthenticationError):
        return NotAllowedError(f"The vault refuses this identity the secret {name}", retry_after=30)
    return UnavailableError("The secrets cannot be read now", retry_after=30 if pause is None else max(pause, 1))
