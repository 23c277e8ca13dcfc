"""Once per idempotency key: the same key and request give the first answer again."""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from cryptography.fernet import Fernet

from shared.containers import TENANTS
from shared.domain.errors import IdempotencyConflictError, XyraError
from shared.domain.ids import named_id
from shared.ports.secrets import Secrets
from shared.ports.store import AlreadyExistsError, Document, StaleEtagError, Store
from shared.services.first_values import value_or_first

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


class Idempotency:
    """Answers are kept for 48 hours beside the organization's other data.

    A record is made before the work and filled after it. Work that was cut short is done again by the next call with
    the same key: the ids made under a key are always the same, so nothing is made twice.
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
        """`secret`: the answer shows something only once; it is kept encrypted. Raises `IdempotencyConflictError`."""
        partition = owner or OPERATOR
        record: Document = {
            "id": named_id("idem", partition, key),
            "kind": "idempotency",
            "request": request_hash,
            "ttl": KEPT_SECONDS,
        }
        etag = await self._claim(partition, record)
        if etag is None:
            kept = await self._answered(partition, record)
            if kept is not None:
                return await self._read(kept, key, secret=secret)
        try:
            answer = await act()
        except XyraError:
            if etag is not None:
                with suppress(StaleEtagError):
                    await self._store.delete(TENANTS.name, partition, record["id"], etag)
            raise
        written = {**record, "answer": await self._written(answer, key, secret=secret)}
        await self._store.upsert(TENANTS.name, partition, written)
        return answer

    async def _claim(self, partition: str, record: Document) -> str | None:
        """The record's etag where this call has made it; None where another one has."""
        try:
            return await self._store.create(TENANTS.name, partition, record)
        except AlreadyExistsError:
            return None

    async def _answered(self, partition: str, record: Document) -> Document | None:
        """The answer of the call that was first, waited for a moment; None where that one was cut short.

        Raises `IdempotencyConflictError`.
        """
        for _ in range(_LOOKS):
            kept = await self._store.get(TENANTS.name, partition, record["id"])
            if kept is None:
                return None
            if kept.document["request"] != record["request"]:
                raise IdempotencyConflictError(
                    "This Idempotency-Key was used for another request; it goes with one route and body"
                )
            if "answer" in kept.document:
                answer: Document = kept.document["answer"]
                return answer
            await asyncio.sleep(_LOOK_SECONDS)
        return None

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


def _first_secret() -> str:
    return Fernet.generate_key().decode()
