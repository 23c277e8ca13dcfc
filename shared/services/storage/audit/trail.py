"""Trails: entries arrive at an organization's trail, and are numbered and chained there, once each."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache

from shared import json
from shared.containers import TENANTS
from shared.domain.kernel.errors import UnavailableError, XyraError
from shared.ports.store import (
    MAXIMUM_BATCH_BYTES,
    MAXIMUM_BATCH_OPERATIONS,
    Create,
    Delete,
    Operation,
    Replace,
    Store,
)
from shared.services.storage.audit.entries import HEAD, AuditEntry, AuditHead
from shared.services.storage.audit.keys import AuditKey, AuditKeys, same
from shared.services.storage.outbox import OutboxEntry
from shared.services.storage.retrying import retry_lost_races
from shared.services.storage.stored import Stored

AUDITED = "audited"
"""The effect of a change: its entries arrive at their trails."""
_CHAINED_AT_ONCE = MAXIMUM_BATCH_OPERATIONS // 2 - 1
"""Each arrival may clear its outbox entry in the same batch, beside the head."""
_BYTES_AT_ONCE = MAXIMUM_BATCH_BYTES // 2
_MAXIMUM_HEADS = 10_000

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Arrival:
    """Entries of one change, and what clears the outbox of them where that is in the partition of the trail."""

    entries: Sequence[AuditEntry]
    clearing: Delete | None = None
    is_cleared: bool = False
    is_chained: bool = False

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries)


@dataclass(slots=True)
class _Line:
    """What arrives at one trail in this process at this time: whoever is first chains it all in one batch."""

    waiting: list[_Arrival] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Trail:
    """A head for each organization, and one for the operator, guards the chain.

    The batch of a change stores its entries in the outbox, so the change never waits for a head. They are chained right
    after it; what fails then is left for the sweep.
    """

    def __init__(self, store: Store, keys: AuditKeys) -> None:
        self._store = store
        self._keys = keys
        self._lines: dict[str, _Line] = {}
        self._heads = LRUCache[str, Stored[AuditHead]](_MAXIMUM_HEADS)
        """As this process saw them last. One that is outdated loses its guard and is read again."""

    async def receive(self, entries: str) -> None:
        """What happens for `AUDITED`. Raises `UnavailableError`, also for entries that the vault's key did not make."""
        for trail, some in _parts(entries):
            await self._check(some)
            await self._chain(trail, _Arrival(some))

    async def arrive(self, container: str, partition: str, pending: Stored[OutboxEntry]) -> None:
        """Chain what was stored with a change just now. What fails is left for the sweep."""
        entry, etag = pending
        parts = _parts(entry.payload["entries"])
        try:
            is_cleared = False
            for trail, entries in parts:
                is_last = len(parts) == 1 and (container, partition) == (TENANTS.name, trail)
                arrival = _Arrival(entries, Delete(entry.id, etag) if is_last else None)
                await self._chain(trail, arrival)
                is_cleared = arrival.is_cleared
            if not is_cleared:
                await self._store.delete(container, partition, entry.id)
        except XyraError:
            _log.warning("entries of the audit trail are left for the sweep", extra={"entry": entry.id}, exc_info=True)

    async def _check(self, entries: Sequence[AuditEntry]) -> None:
        """An entry that somebody wrote into the outbox without the key must not become part of the chain."""
        for entry in entries:
            key = await self._key(entry.key_id)
            if not same(key.mac_of(entry), entry.mac):
                raise UnavailableError(f"The audit entry {entry.id} in the outbox was altered, or is not ours")

    async def _chain(self, trail: str, arrival: _Arrival) -> None:
        line = self._lines.setdefault(trail, _Line())
        line.waiting.append(arrival)
        try:
            async with line.lock:
                if not arrival.is_chained:
                    await self._chain_waiting(trail, _at_once(arrival, line.waiting))
        finally:
            line.waiting.remove(arrival)
            if not line.waiting:
                self._lines.pop(trail, None)

    async def _chain_waiting(self, trail: str, arrivals: Sequence[_Arrival]) -> None:
        is_first_try = True

        async def attempt() -> None:
            nonlocal is_first_try
            head = self._heads.pop(trail, None) if is_first_try else None
            if head is None:
                head = await self._read_head(trail)
            known = frozenset[str]() if is_first_try else await self._known(trail, arrivals)
            clearings = [each.clearing for each in arrivals if each.clearing is not None] if is_first_try else []
            is_first_try = False
            new = [entry for each in arrivals for entry in each.entries if entry.id not in known]
            if new:
                self._heads[trail] = await self._commit(trail, head, new, clearings)
            for each in arrivals:
                each.is_chained, each.is_cleared = True, bool(clearings) and each.clearing is not None

        await retry_lost_races(attempt, UnavailableError("The audit trail is being written by many at once"))

    async def _commit(
        self,
        trail: str,
        before: Stored[AuditHead] | None,
        new: Sequence[AuditEntry],
        clearings: Sequence[Delete],
    ) -> Stored[AuditHead]:
        """Raises `StaleEtagError` or `AlreadyExistsError` where the head has moved, or an entry has arrived before."""
        head = AuditHead() if before is None else before.entity
        chained = [entry async for entry in self._chained(head, new)]
        key = await self._keys.active()
        head = head.changed(count=chained[-1].number, hash=chained[-1].hash, key_id=key.id)
        head = head.changed(mac=key.mac_of_head(trail, head))
        operations: list[Operation] = [
            Create(head.document()) if before is None else Replace(head.document(), before.etag),
            *(Create(entry.document()) for entry in chained),
            *clearings,
        ]
        etags = await self._store.batch(TENANTS.name, trail, operations)
        return Stored(head, etags[0])

    async def _chained(self, head: AuditHead, new: Sequence[AuditEntry]) -> AsyncIterator[AuditEntry]:
        """The new entries behind the head, each hashed by the key that made its `mac`."""
        number, previous = head.count, head.hash
        for entry in new:
            number += 1
            placed = entry.changed(number=number, previous=previous)
            placed = placed.changed(hash=(await self._key(entry.key_id)).hash_of(placed))
            previous = placed.hash
            yield placed

    async def _read_head(self, trail: str) -> Stored[AuditHead] | None:
        """Raises `UnavailableError` for one that was altered: to go on from there would sign what somebody else wrote.

        Entries stay in the outbox then, and `python -m cli audit verify` names the head.
        """
        item = await self._store.get(TENANTS.name, trail, HEAD)
        if item is None:
            return None
        head = AuditHead.read(item.document)
        if not same((await self._key(head.key_id)).mac_of_head(trail, head), head.mac):
            raise UnavailableError(f"The head of the audit trail of {trail} was altered")
        return Stored(head, item.etag)

    async def _key(self, key_id: str) -> AuditKey:
        key = await self._keys.named(key_id)
        if key is None:
            raise UnavailableError(f"The vault has no audit key {key_id}")
        return key

    async def _known(self, trail: str, arrivals: Sequence[_Arrival]) -> frozenset[str]:
        ids = [entry.id for each in arrivals for entry in each.entries]
        return frozenset(await self._store.get_many(TENANTS.name, trail, ids))


def _at_once(first: _Arrival, waiting: Sequence[_Arrival]) -> list[_Arrival]:
    """As many of those that wait as one batch takes, with the first one among them."""
    taken, count, size = [first], len(first.entries), first.size
    for each in waiting:
        count, size = count + len(each.entries), size + each.size
        if each is first or each.is_chained:
            continue
        if count > _CHAINED_AT_ONCE or size > _BYTES_AT_ONCE:
            break
        taken.append(each)
    return taken


def _parts(text: str) -> list[tuple[str, Sequence[AuditEntry]]]:
    """Entries as `entries_text` wrote them, by their trails, as many as are chained at once."""
    by_trail: dict[str, list[AuditEntry]] = {}
    for document in json.decode(text):
        entry = AuditEntry.read(document)
        by_trail.setdefault(entry.trail, []).append(entry)
    return [
        (trail, entries[start : start + _CHAINED_AT_ONCE])
        for trail, entries in by_trail.items()
        for start in range(0, len(entries), _CHAINED_AT_ONCE)
    ]


def entries_text(entries: Sequence[AuditEntry]) -> str:
    """Entries in the form in which the outbox carries them."""
    return json.encode([entry.document() for entry in entries]).decode()
