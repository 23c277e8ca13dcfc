"""When API keys were last used, to the hour: written beside the requests, which never wait for it."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from contextvars import Context
from datetime import datetime, timedelta
from typing import ClassVar

from cachetools import LRUCache

from shared.containers import TENANTS
from shared.domain.access.api_keys import ApiKey
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import XyraError
from shared.domain.kernel.times import Instant
from shared.ports.clock import Clock
from shared.services.storage import OPERATOR, Records, Store

WRITTEN_EVERY = timedelta(hours=1)
"""How much older at most what is shown may be than the last use."""
_TRIED_AGAIN_AFTER = timedelta(minutes=1)
_MAXIMUM_REMEMBERED = 100_000
_MAXIMUM_WAITING = 1_000
"""Keys whose use waits to be written. Another one is noted with its next call."""
_WRITTEN_AT_ONCE = 8

_log = logging.getLogger(__name__)


class KeyUse(Entity):
    """Beside the key, and no part of it: a use changes no ETag of what people edit."""

    kind: ClassVar[str] = "api_key_use"
    audit: ClassVar[Audit] = BOOKKEEPING
    last_used_at: Instant


class KeyUses:
    """A process writes the use of a key once an hour, and only where no other one has."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._uses = Records(store, TENANTS, KeyUse)
        self._next = LRUCache[str, datetime](_MAXIMUM_REMEMBERED)
        """Key -> when its use is to be written again."""
        self._writing: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_WRITTEN_AT_ONCE)

    def note(self, key: ApiKey) -> None:
        """The key is used now. Returns at once."""
        now = self._clock.now()
        if now < self._next.get(key.id, now) or len(self._writing) >= _MAXIMUM_WAITING:
            return
        self._next[key.id] = now + WRITTEN_EVERY
        # Its own context: it belongs to no request, so it has no correlation id.
        task = asyncio.get_running_loop().create_task(self._write(_owner(key), key.id, now), context=Context())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def of(self, owner: str, key_ids: Collection[str]) -> Mapping[str, datetime]:
        """When they were last used, by id, up to an hour ago; those that never were are missing."""
        uses = await self._uses.get_many(owner, [_id(key_id) for key_id in key_ids])
        return {key_id: uses[_id(key_id)].entity.last_used_at for key_id in key_ids if _id(key_id) in uses}

    async def forget(self, owner: str, key_id: str) -> None:
        """Of a key that was deleted."""
        await self._uses.remove(owner, _id(key_id))

    async def close(self) -> None:
        """Wait until what was noted is written, or has failed."""
        await asyncio.gather(*self._writing)

    async def _write(self, owner: str, key_id: str, now: datetime) -> None:
        async with self._places:
            try:
                current = await self._uses.find(owner, _id(key_id))
                if current is None or current.entity.last_used_at <= now - WRITTEN_EVERY:
                    await self._uses.put(owner, KeyUse(id=_id(key_id), last_used_at=now))
            except XyraError as error:
                _log.info("the use of an API key is noted later", extra={"key_id": key_id, "cause": error.detail})
                self._next[key_id] = now + _TRIED_AGAIN_AFTER


def _owner(key: ApiKey) -> str:
    return key.organization_id or OPERATOR


def _id(key_id: str) -> str:
    return f"use:{key_id}"
