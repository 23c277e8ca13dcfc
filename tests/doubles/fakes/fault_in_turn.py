"""Counts the calls to the store and the queue, and lets exactly one of them fail in a chosen way.

Nothing is left to chance.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from shared.domain.kernel.errors import UnavailableError
from shared.ports.clock import Clock
from shared.ports.queue import Message, Pending, Queue
from shared.ports.store import Create, Delete, Item, ItemPage, Operation, Replace
from tests.doubles.fakes.batched_writes import BatchedWrites
from tests.doubles.fakes.memory_store import MemoryStore

LAG = timedelta(seconds=30)
"""A stale read serves a version that was overwritten at most this long ago."""


class Fault(Enum):
    BEFORE = "503 or connection lost, nothing was done"
    THROTTLED = "429, nothing was done"
    AFTER = "time-out or 503, and it was done"
    PARTLY = "some of the messages were accepted, the answer was lost"
    TWICE = "the messages were accepted twice"
    DIES_BEFORE = "the process dies before the call"
    DIES_AFTER = "the process dies after the call"
    TAKEN = "409 and 424: another did exactly this first"
    MOVED = "412: another has written the guarded items"
    STALE = "the read serves each item as it was before its last write"
    STALE_BY_ONE = "the read serves the partition as it was before the last write to it"
    STALE_BY_ALL = "the read serves the partition as it was half a minute ago"
    SAME_MEANWHILE = "another host does the whole of it meanwhile"
    OTHER_MEANWHILE = "another host does something else to the same items meanwhile"


ANYWHERE = frozenset(
    {
        Fault.BEFORE,
        Fault.THROTTLED,
        Fault.DIES_BEFORE,
        Fault.SAME_MEANWHILE,
        Fault.OTHER_MEANWHILE,
    }
)
STALENESS = (Fault.STALE, Fault.STALE_BY_ONE, Fault.STALE_BY_ALL)
WRITE = ANYWHERE | {Fault.AFTER, Fault.DIES_AFTER}
SEND = WRITE | {Fault.PARTLY, Fault.TWICE}


@dataclass(slots=True)
class Script:
    """Which call fails, counted from 1, and how; 0 is none."""

    at: int = 0
    fault: Fault | None = None
    meanwhile: Callable[[Fault], Awaitable[None]] | None = None
    calls: list[tuple[str, frozenset[Fault]]] = field(default_factory=list)
    """Each call, and the faults that were possible there."""

    @property
    def minds_next_call(self) -> bool:
        """False where the faults that are possible at the next call need not be found out."""
        return self.fault is None or len(self.calls) + 1 == self.at

    async def turn(self, name: str, possible: frozenset[Fault]) -> Fault | None:
        """Count a call, and say which fault the rest of it has to show.

        Those before it have been shown.
        """
        self.calls.append((name, possible))
        if len(self.calls) != self.at or self.fault not in possible:
            return None
        match self.fault:
            case Fault.BEFORE:
                raise UnavailableError("The connection was lost")
            case Fault.THROTTLED:
                raise UnavailableError("Too many requests", retry_after=7)
            case Fault.DIES_BEFORE:
                raise asyncio.CancelledError
            case Fault.SAME_MEANWHILE | Fault.OTHER_MEANWHILE if self.meanwhile is not None:
                await self.meanwhile(self.fault)
        return self.fault


def _after(fault: Fault | None) -> None:
    if fault in (Fault.AFTER, Fault.PARTLY):
        raise UnavailableError("The answer was lost")
    if fault is Fault.DIES_AFTER:
        raise asyncio.CancelledError


Partition = tuple[str, str]
Items = dict[str, Any]


class RememberingStore(MemoryStore):
    """A store that remembers what was overwritten, for stale reads."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._before: dict[Partition, list[tuple[datetime, Items]]] = {}
        """Each partition as it was before each write to it."""

    def copy(self, clock: Clock) -> "RememberingStore":
        made = RememberingStore(clock)
        made._partitions = {place: dict(items) for place, items in self._partitions.items()}
        made._writes = self._writes
        made._before = {place: list(versions) for place, versions in self._before.items()}
        return made

    def contents(self) -> frozenset[tuple[Partition, str, str]]:
        """Every item as text, with its partition and id."""
        return frozenset(
            (place, id_, kept.text) for place, items in self._partitions.items() for id_, kept in items.items()
        )

    def items_of(self, container: str, pk: str) -> list[Item]:
        return [kept.item() for kept in self._partition(container, pk).values()]

    def partitions_of(self, container: str) -> list[str]:
        return [pk for name, pk in self._partitions if name == container]

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        before = dict(self._partition(container, pk))
        etags = await super().batch(container, pk, operations)
        self._before.setdefault((container, pk), []).append((self._clock.now(), before))
        return etags

    def staleness(self, container: str, pk: str | None) -> frozenset[Fault]:
        """In which ways a read of the partition, or of all, can be stale.

        They differ from each other and from now.
        """
        places = [place for place in self._partitions if place[0] == container and pk in (None, place[1])]
        seen = [[self._partitions[place] for place in places]]
        different: set[Fault] = set()
        for how in STALENESS:
            served = [self._served(place, how) for place in places]
            if served not in seen:
                seen.append(served)
                different.add(how)
        return frozenset(different)

    def replica(self, how: Fault) -> MemoryStore:
        """A copy that lags behind in this way."""
        made = MemoryStore()
        made._partitions = {place: self._served(place, how) for place in self._partitions}
        return made

    def _served(self, place: Partition, how: Fault) -> Items:
        now = self._clock.now()
        recent = [before for at, before in self._before.get(place, []) if now - at <= LAG]
        if not recent:
            return self._partitions[place]
        if how is not Fault.STALE:
            return recent[-1 if how is Fault.STALE_BY_ONE else 0]
        served: Items = {}
        versions = [*recent, self._partitions[place]]
        for id_ in {id_ for version in versions for id_ in version}:
            kept = _before_last_change([version.get(id_) for version in versions])
            if kept is not None:
                served[id_] = kept
        return served


def _before_last_change(versions: Sequence[Any]) -> Any:
    """The version before the last change, of versions given oldest first; the last one where nothing changed."""
    return next((version for version in reversed(versions) if version != versions[-1]), versions[-1])


class FaultInTurnStore(BatchedWrites):
    def __init__(self, inner: RememberingStore, script: Script) -> None:
        self._inner = inner
        self._script = script

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        return await (await self._source("get", container, pk)).get(container, pk, id)

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        return await (await self._source("get many", container, pk)).get_many(container, pk, ids)

    async def query(self, container: str, pk: str, kind: str, **how: Any) -> ItemPage:
        return await (await self._source("query", container, pk)).query(container, pk, kind, **how)

    async def due(self, container: str, before: str, *, limit: int = 100) -> list[tuple[str, Item]]:
        return await (await self._source("due", container, None)).due(container, before, limit=limit)

    async def _source(self, name: str, container: str, pk: str | None) -> MemoryStore:
        """The store that answers the read."""
        stale = self._inner.staleness(container, pk) if self._script.minds_next_call else frozenset()
        fault = await self._script.turn(f"{name} {container}", ANYWHERE | stale)
        return self._inner.replica(fault) if fault in STALENESS else self._inner

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        guarded = [_id(each) for each in operations if isinstance(each, Replace | Delete) and each.etag is not None]
        creates = any(isinstance(each, Create) for each in operations)
        possible = WRITE | ({Fault.MOVED} if guarded else set()) | ({Fault.TAKEN} if creates or guarded else set())
        fault = await self._script.turn(f"write {container}", possible)
        if fault is Fault.TAKEN:
            await self._inner.batch(container, pk, operations)
        if fault is Fault.MOVED:
            for item in (await self._inner.get_many(container, pk, guarded)).values():
                await self._inner.upsert(container, pk, item.document)
        etags = await self._inner.batch(container, pk, operations)
        _after(fault)
        return etags


def _id(operation: Replace | Delete) -> str:
    return operation.id if isinstance(operation, Delete) else str(operation.document["id"])


class FaultInTurnQueue:
    def __init__(self, inner: Queue, script: Script) -> None:
        self._inner = inner
        self._script = script

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        fault = await self._script.turn(f"send {queue}", SEND)
        await self._inner.send(queue, messages[: len(messages) // 2] if fault is Fault.PARTLY else messages)
        if fault is Fault.TWICE:
            await self._inner.send(queue, messages)
        _after(fault)

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:
        return await self._inner.pending(queue, session_ids)

    async def waiting_since(self, queue: str, session_ids: Collection[str]) -> Pending:
        return await self._inner.waiting_since(queue, session_ids)
