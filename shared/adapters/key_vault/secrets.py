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
"""Tags the versions that `set_if_absent` made. A rotation sets a version without it."""

_ATTEMPTS = 3
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0
_REQUEST_SECONDS = 5.0
_STALE_PAUSE_SECONDS = 15.0
"""After a failure, how long a stale value is used before the vault is asked again."""
_CLOCKS_DIFFER = timedelta(minutes=5)
_UNAUTHORIZED = (401, 403)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500

_log = logging.getLogger("xyra.key_vault")

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Cached:
    value: str
    read_at: float
    next_read_at: float


class KeyVaultSecrets:
    """Caches values for `fresh_seconds`: a rotation is seen that much later at most.

    While the vault fails, a cached value is used for up to `stale_seconds`.

    A vault cannot "create unless it exists": setting an existing secret adds a version. So `set_if_absent` adds a
    tagged version, waits for `settle_seconds` and takes the oldest tagged one, as do all that came at the same time.
    Versions are dated in whole seconds, so the oldest is certain only when its second is over; until then nobody uses
    it. A version without the tag was set on purpose and precedes all tagged ones; of several the newest is current,
    which is how a secret is rotated.
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
        self._cached: dict[str, _Cached] = {}
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
        """Needs the right to set secrets only where the secret is missing."""
        async with self._one_at_a_time[name]:
            current = await self._current(name)
            if current is None:
                await _request(name, lambda: self._client.set_secret(name, value, tags={FIRST_VALUE_TAG: "1"}))
                current = await self._current(name)
        if current is None:
            raise UnavailableError(f"The secret {name} was deleted as soon as it was set")
        return current

    async def replace(self, name: str, value: str, *, expected: str) -> None:
        """Store a new value if the present one is as expected.

        A vault cannot compare when it stores, so the current version is read before and after. Of two versions of the
        same second the greater id is the newer one; where that is the expected value, the new one is set again.
        """
        async with self._one_at_a_time[name]:
            if await self._read(name) != expected:
                raise ConflictError(f"The secret {name} was replaced meanwhile")
            self._cached.pop(name, None)
            current: str | None = expected
            for _ in range(_ATTEMPTS):
                await _request(name, lambda: self._client.set_secret(name, value))
                await asyncio.sleep(self._settle_seconds)
                current = await self._read(name)
                if current != expected:
                    break
        if current != value:
            raise ConflictError(f"The secret {name} was replaced by another at the same time")

    async def close(self) -> None:
        try:
            await self._client.close()
        finally:
            if self._credential is not None:
                await self._credential.close()

    async def _current(self, name: str) -> str | None:
        cached, now = self._cached.get(name), self._present()
        if cached is not None and now < cached.next_read_at:
            return cached.value
        try:
            value = await self._read(name)
        except UnavailableError:
            if cached is None or now - cached.read_at >= self._stale_seconds:
                raise
            cached.next_read_at = min(now + _STALE_PAUSE_SECONDS, cached.read_at + self._stale_seconds)
            _log.warning("secret %s cannot be read; its value of %d s ago is used", name, now - cached.read_at)
            return cached.value
        if value is None:
            self._cached.pop(name, None)
        else:
            self._cached[name] = _Cached(value, read_at=now, next_read_at=now + self._fresh_seconds)
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
        secret = await _request(name, lambda: self._client.get_secret(name, _current_version(usable).version))
        return None if secret is None else secret.value

    async def _versions(self, name: str) -> list[SecretProperties]:
        async def read() -> list[SecretProperties]:
            return [version async for version in self._client.list_properties_of_secret_versions(name)]

        return await _request(name, read) or []


def key_vault_client(
    vault_url: str,
    credential: AsyncTokenCredential,
    **options: Any,  # noqa: ANN401  options of the SDK, for test vaults
) -> SecretClient:
    """A client that never logs bodies and never retries: the SDK would wait as long as the vault asks for."""
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
    """Whether an older first value may still appear; allows for clocks that differ by minutes."""
    if not all(_is_first_value(version) for version in versions):
        return False
    created_at, _ = min(map(_age_key, versions))
    return created_at > datetime.now(UTC) - _CLOCKS_DIFFER


def _current_version(versions: list[SecretProperties]) -> SecretProperties:
    chosen = [version for version in versions if not _is_first_value(version)]
    return max(chosen, key=_age_key) if chosen else min(versions, key=_age_key)


async def _request(name: str, send: Callable[[], Awaitable[Answer]]) -> Answer | None:
    """The answer, or None for 404. Retries transient faults a few times. Raises `UnavailableError`."""
    for attempt in range(_ATTEMPTS):
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                return await send()
        except ResourceNotFoundError:
            return None
        except (AzureError, TimeoutError) as error:
            pause = _pause(error, attempt)
            if pause is None or pause > _LONGEST_PAUSE_SECONDS or attempt == _ATTEMPTS - 1:
                raise _unavailable(name, error, pause) from None
            await asyncio.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _pause(error: Exception, attempt: int) -> float | None:
    """Seconds before the next attempt; None where another attempt would fail the same way."""
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        if error.status_code != _TOO_MANY_REQUESTS and error.status_code < _SERVER_ERROR:
            return None
        headers: Mapping[str, str] = getattr(error.response, "headers", {})
        asked_for = headers.get("Retry-After", "")
        if asked_for.isdigit():
            return float(asked_for)
    return _FIRST_PAUSE_SECONDS * 2.0**attempt


def _unavailable(name: str, error: Exception, pause: float | None) -> UnavailableError:
    """Says the status only: the text of an answer could contain the secret."""
    status = getattr(error, "status_code", None)
    level = logging.ERROR if status in _UNAUTHORIZED or pause is None else logging.WARNING
    _log.log(level, "secret %s: the vault failed with %s %s", name, type(error).__name__, status or "")
    if status in _UNAUTHORIZED or isinstance(error, ClientAuthenticationError):
        return NotAllowedError(f"The vault refuses this identity the secret {name}", retry_after=30)
    return UnavailableError("The secrets cannot be read now", retry_after=30 if pause is None else max(pause, 1))
