"""Once per idempotency key: the same key and request give the first answer again."""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from cryptography.fernet import Fernet

from shared.containers import TENANTS
from shared.domain.kernel.errors import IdempotencyConflictError, UnavailableError, XyraError
from shared.domain.kernel.ids import named_id
from shared.ports.secrets import Secrets
from shared.ports.store import AlreadyExistsError, Document, Item, StaleEtagError, Store
from shared.services.storage.initial_secrets import value_or_first

KEPT_SECONDS = 48 * 3600
_LOOKS = 20
_LOOK_SECONDS = 0.1
_SECRET = "idempotency-secret"  # noqa: S105  the secret's name
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished response."""

    status: int
    headers: dict[str, str]
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Claim:
    """The right to act under a key, as long as nobody takes it over."""

    etag: str
    is_first: bool
    """Nobody can have acted on the record before: this call has made it."""


class Idempotency:
    """Answers are kept for 48 hours beside the organization's other data.

    A record is made before the work and filled after it; the answer that it was filled with first is everybody's.
    Reads may lag behind, so only guarded writes decide. Work whose outcome is unknown, as it was cut short or a service
    did not answer, leaves its record: the same request takes it over and does the work again, any other is refused. As
    the ids made under a key and request are always the same, nothing is made twice. A refusal frees the key, where
    nobody else can have acted under it.
    """

    def __init__(self, store: Store, secrets: Secrets) -> None:
        self._store = store
        self._secrets = secrets

    async def ensure_secret(self) -> bool:
        """Whether it was made now. Raises `UnavailableError`."""
        _, made = await value_or_first(self._secrets, _SECRET, _first_secret)
        return made

    async def once(
        self,
        *,
        owner: str | None,
        key: str,
        request_hash: str,
        act: Callable[[], Awaitable[Answer]],
        secret: bool = False,
    ) -> Answer:
        """`secret`: the answer shows something only once; it is kept encrypted.

        Raises `IdempotencyConflictError`; `UnavailableError` where it does not become clear who has the key.
        """
        partition = owner or OPERATOR
        record: Document = {
            "id": named_id("idem", partition, key),
            "kind": "idempotency",
            "request": request_hash,
            "ttl": KEPT_SECONDS,
        }
        claim = await self._claim(partition, record)
        if not isinstance(claim, _Claim):
            return await self._read(claim, key, secret=secret)
        try:
            answer = await act()
        except UnavailableError:
            raise  # what was done is unknown: the claim stands
        except XyraError:
            if await self._freed(partition, record, claim):
                raise
            # Now the record stays this request's, so what it says is said to this one.
            other = await self._store.get(TENANTS.name, partition, record["id"])
            if other is None or "answer" not in other.document:
                raise
            return await self._read(other.document["answer"], key, secret=secret)
        written = await self._written(answer, key, secret=secret)
        standing = await self._keep(partition, record, written, claim.etag)
        return answer if standing is written else await self._read(standing, key, secret=secret)

    async def _claim(self, partition: str, record: Document) -> _Claim | Document:
        """Or the answer of the call that was first, waited for a moment.

        Another request's record is waited for too, while it has no answer: its call may be refused, or have been
        refused long since and the read lag behind.
        """
        kept: Item | None = None
        for _ in range(_LOOKS):
            if kept is None:
                with suppress(AlreadyExistsError):
                    return _Claim(await self._store.create(TENANTS.name, partition, record), is_first=True)
            kept = await self._store.get(TENANTS.name, partition, record["id"])
            if kept is not None and "answer" in kept.document:
                _check_request(kept, record)
                answer: Document = kept.document["answer"]
                return answer
            await asyncio.sleep(_LOOK_SECONDS)
        if kept is None:
            raise UnavailableError("What the Idempotency-Key was used for cannot be seen yet")
        _check_request(kept, record)
        return await self._take_over(partition, record, kept.etag)

    async def _take_over(self, partition: str, record: Document, etag: str) -> _Claim:
        """The call that was first was cut short, or takes its time; now it cannot free the key any more."""
        try:
            return _Claim(await self._store.replace(TENANTS.name, partition, record, etag), is_first=False)
        except StaleEtagError as error:
            raise UnavailableError("Another call with this Idempotency-Key is under way") from error

    async def _freed(self, partition: str, record: Document, claim: _Claim) -> bool:
        """False where another call may have acted under the key."""
        if not claim.is_first:
            return False
        try:
            await self._store.delete(TENANTS.name, partition, record["id"], claim.etag)
        except StaleEtagError:
            return False
        return True

    async def _keep(self, partition: str, record: Document, written: Document, etag: str) -> Document:
        """The answer that stands: this one, or that of another call which was faster. Raises `UnavailableError`."""
        for _ in range(_LOOKS):
            try:
                await self._store.replace(TENANTS.name, partition, {**record, "answer": written}, etag)
            except StaleEtagError:
                kept = await self._store.get(TENANTS.name, partition, record["id"])
            else:
                return written
            if kept is not None:
                etag = kept.etag
                if "answer" in kept.document:
                    answer: Document = kept.document["answer"]
                    return answer
            await asyncio.sleep(_LOOK_SECONDS)
        raise UnavailableError("The answer cannot be kept under its Idempotency-Key now")

    async def _written(self, answer: Answer, key: str, *, secret: bool) -> Document:
        body = (await self._cipher(key)).encrypt(answer.body) if secret else answer.body
        return {
            "status": answer.status,
            "headers": answer.headers,
            "media_type": answer.media_type,
            "body": body.decode(),
        }

    async def _read(self, kept: Document, key: str, *, secret: bool) -> Answer:
        body = kept["body"].encode()
        if secret:
            body = (await self._cipher(key)).decrypt(body)
        return Answer(kept["status"], kept["headers"], kept["media_type"], body)

    async def _cipher(self, key: str) -> Fernet:
        secret, _ = await value_or_first(self._secrets, _SECRET, _first_secret)
        return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"{secret}:{key}".encode()).digest()))


def _check_request(kept: Item, record: Document) -> None:
    """Raises `IdempotencyConflictError`."""
    if kept.document["request"] != record["request"]:
        raise IdempotencyConflictError(
            "This Idempotency-Key was used for another request; it goes with one route and body"
        )


def _first_secret() -> str:
    return Fernet.generate_key().decode()
