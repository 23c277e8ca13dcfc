"""Idempotency keys: the same key and request give the first answer again."""

import asyncio
import base64
import zlib
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel

from shared import json
from shared.containers import TENANTS
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import IdempotencyConflictError, UnavailableError, XyraError
from shared.domain.kernel.ids import named_id
from shared.ports.store import AlreadyExistsError, StaleEtagError, Store
from shared.services.storage.owners import OPERATOR
from shared.services.storage.records import Records
from shared.services.storage.retrying import poll, retry_lost_races
from shared.services.storage.stored import Stored

KEPT_SECONDS = 48 * 3600
PACKED_FROM_BYTES = 64 * 1024
"""Larger answers are kept compressed."""
MAXIMUM_KEPT = 1_500_000
"""Characters of an answer as it is kept; stores take items of 2 MiB."""


class Answer(msgspec.Struct, frozen=True):
    """A finished response."""

    status: int
    headers: dict[str, str]
    media_type: str
    body: bytes
    kept: "Answer | None" = None
    """What repetitions are answered with, where this answer shows a credential: that is never kept."""


class StoredAnswer(BaseModel):
    """A finished response as text."""

    status: int
    headers: dict[str, str]
    media_type: str
    body: str
    packed: bool = False
    """Whether the body is compressed, and in Base64."""


class IdempotencyRecord(Entity):
    """A key with the request that it is used for, and its answer.

    There is no answer until the work is done. Expires after 48 hours.
    """

    kind: ClassVar[str] = "idempotency"
    audit: ClassVar[Audit] = BOOKKEEPING
    request: str
    answer: StoredAnswer | None = None

    def document(self) -> dict[str, Any]:
        fields = {name: value for name, value in super().document().items() if name != "answer" or value is not None}
        return {**fields, "ttl": KEPT_SECONDS}

    def check_request(self, request: str) -> None:
        """Raises `IdempotencyConflictError`."""
        if self.request != request:
            raise IdempotencyConflictError(
                "This Idempotency-Key was used for another request, or by another user or key; it goes with one route "
                "and body, and with who used it first"
            )


@dataclass(frozen=True, slots=True)
class _Claim:
    """The right to act under a key, as long as nobody takes it over."""

    record: Stored[IdempotencyRecord]
    is_first: bool
    """True when this call has created the record, so that nobody can have acted on it before."""


class Idempotency:
    """Does the work of a request once, and answers its repetitions alike.

    A record is created before the work and gets the answer after it; the first answer stored is everybody's. Reads may
    be stale, so only guarded writes decide. Work whose outcome is unknown, because it was cut short or a service did
    not answer, leaves its record: the same request takes it over and does the work again, any other is refused. The ids
    created under a key and request are always the same, so nothing is created twice. A refusal frees the key, unless
    another call may have acted under it.
    """

    def __init__(self, store: Store) -> None:
        self._records = Records(store, TENANTS, IdempotencyRecord)

    async def forget(self, owner: str, names: Collection[str]) -> None:
        """Delete the kept answers of an owner that have one of these texts. Their keys are free again."""
        async for record in self._records.all(owner):
            answer = record.entity.answer
            if answer is not None and await _names_one(answer, names):
                await self._records.remove(owner, record.entity.id)

    async def once(
        self,
        *,
        owner: str | None,
        key: str,
        request_hash: str,
        act: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        """The answer of `act`, or the one that was kept; `request_hash` says what has to be equal for that.

        Raises `IdempotencyConflictError`; `UnavailableError` where it does not become clear who has the key.
        """
        partition = owner or OPERATOR
        claim = await self._claim(partition, named_id("idem", partition, key), request_hash)
        if isinstance(claim, StoredAnswer):
            return await _read(claim)
        try:
            answer = await act()
        except UnavailableError:
            raise  # what was done is unknown: the claim stands
        except XyraError:
            other = None if await self._is_freed(partition, claim) else await self._answer_of_other(partition, claim)
            if other is None:
                raise
            return await _read(other)
        ours = await _written(answer.kept or answer)
        if len(ours.body) > MAXIMUM_KEPT:
            return answer  # no store takes it: a repetition takes the record over and does the same again
        first = await self._store(partition, claim.record, ours)
        return answer if first == ours else await _read(first)

    async def _claim(self, partition: str, record_id: str, request: str) -> _Claim | StoredAnswer:
        """Or the answer of the call that was first, waited for a moment.

        The record of another request is waited for, too, while it has no answer: its call may be refused, or have been
        refused long since and the read be stale.
        """
        seen: Stored[IdempotencyRecord] | None = None

        async def look() -> _Claim | StoredAnswer | None:
            nonlocal seen
            if seen is None:
                with suppress(AlreadyExistsError):
                    created = IdempotencyRecord(id=record_id, request=request)
                    return _Claim(await self._records.write(partition, None, created), is_first=True)
            seen = await self._records.find(partition, record_id)
            if seen is None or seen.entity.answer is None:
                return None
            seen.entity.check_request(request)
            return seen.entity.answer

        claim: _Claim | StoredAnswer | None = await poll(look)
        if claim is not None:
            return claim
        if seen is None:
            raise UnavailableError("What the Idempotency-Key was used for cannot be seen yet")
        seen.entity.check_request(request)
        return await self._take_over(partition, seen)

    async def _take_over(self, partition: str, record: Stored[IdempotencyRecord]) -> _Claim:
        """Take the record over from a call that was cut short, or takes its time.

        From now on that call cannot free the key.
        """
        try:
            return _Claim(await self._records.write(partition, record, record.entity), is_first=False)
        except StaleEtagError as error:
            raise UnavailableError("Another call with this Idempotency-Key is under way") from error

    async def _is_freed(self, partition: str, claim: _Claim) -> bool:
        """False where another call may have acted under the key."""
        if not claim.is_first:
            return False
        try:
            await self._records.erase(partition, claim.record)
        except StaleEtagError:
            return False
        return True

    async def _answer_of_other(self, partition: str, claim: _Claim) -> StoredAnswer | None:
        """What another call with this request was answered; it stays the answer to this one."""
        other = await self._records.find(partition, claim.record.entity.id)
        return None if other is None else other.entity.answer

    async def _store(self, partition: str, claimed: Stored[IdempotencyRecord], answer: StoredAnswer) -> StoredAnswer:
        """The answer that stands: this one, or that of another call which was faster. Raises `UnavailableError`."""
        current = claimed

        async def attempt() -> StoredAnswer:
            nonlocal current
            if current.entity.answer is not None:
                return current.entity.answer
            try:
                await self._records.write(partition, current, claimed.entity.changed(answer=answer))
            except StaleEtagError:
                current = await self._records.find(partition, claimed.entity.id) or current
                raise
            return answer

        return await retry_lost_races(
            attempt, UnavailableError("The answer cannot be stored under its Idempotency-Key now")
        )


async def _written(answer: Answer) -> StoredAnswer:
    packed = len(answer.body) > PACKED_FROM_BYTES
    body = base64.b64encode(await asyncio.to_thread(zlib.compress, answer.body)) if packed else answer.body
    return StoredAnswer(
        status=answer.status, headers=answer.headers, media_type=answer.media_type, body=body.decode(), packed=packed
    )


async def _names_one(stored: StoredAnswer, names: Collection[str]) -> bool:
    text = (await _read(stored)).body.decode(errors="replace")
    return any(name in text or json.encode(name).decode()[1:-1] in text for name in names)


async def _read(stored: StoredAnswer) -> Answer:
    body = stored.body.encode()
    if stored.packed:
        body = await asyncio.to_thread(zlib.decompress, base64.b64decode(body))
    return Answer(stored.status, stored.headers, stored.media_type, body)
