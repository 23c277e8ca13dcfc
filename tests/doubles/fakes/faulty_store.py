"""A store in front of another that fails at random, as a remote one does.

It fails before a write, after it or in the middle of a task, its reads lag behind, and other tasks run in between. All
of it comes from one seeded source.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from shared.domain.kernel.errors import UnavailableError
from shared.ports.clock import Clock
from shared.ports.store import Between, Delete, Item, ItemPage, Operation, Position, Store
from tests.doubles.fakes.batched_writes import BatchedWrites

LAG = timedelta(seconds=30)
"""A lagging read serves a version that was overwritten at most this long ago."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities of faults per call.

    `pauses` is how many turns the other tasks get at most around a call.
    """

    unavailable: float = 0.0
    """The call has no effect and says so."""
    unknown: float = 0.0
    """The write takes place and its answer is lost."""
    crash: float = 0.0
    """The calling task ends there, before or after the write."""
    lagging: float = 0.0
    """A read by id serves the version before the last; a query of totals may also miss new ones."""
    pauses: int = 0


QUIET = Faults()


class FaultyStore(BatchedWrites):
    def __init__(self, inner: Store, clock: Clock, chance: Random, faults: Faults = QUIET) -> None:
        self._inner = inner
        self._clock = clock
        self._chance = chance
        self.faults = faults
        self._overwritten: dict[tuple[str, str, str], tuple[datetime, Item | None]] = {}

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        await self._before()
        item = await self._inner.get(container, pk, id)
        return self._lagging(container, pk, id, item) or item

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        await self._before()
        found = await self._inner.get_many(container, pk, ids)
        return {id_: self._lagging(container, pk, id_, found[id_]) or found[id_] for id_ in sorted(found)}

    async def query(  # noqa: PLR0913  the parts of a query
        self,
        container: str,
        pk: str,
        kind: str,
        *,
        equals: Mapping[str, str] | None = None,
        between: Between | None = None,
        order_by: str = "id",
        descending: bool = False,
        limit: int = 100,
        cursor: str | Position | None = None,
    ) -> ItemPage:
        await self._before()
        page = await self._inner.query(
            container,
            pk,
            kind,
            equals=equals,
            between=between,
            order_by=order_by,
            descending=descending,
            limit=limit,
            cursor=cursor,
        )
        if kind != "total":
            return page
        lagging = [self._lagging(container, pk, item.document["id"], item) for item in page.items]
        return ItemPage([item for item in lagging if item is not None], page.cursor)

    async def due(self, container: str, before: str, *, limit: int = 100) -> list[tuple[str, Item]]:
        await self._before()
        return await self._inner.due(container, before, limit=limit)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        await self._before()
        ids = [each.id if isinstance(each, Delete) else each.document["id"] for each in operations]
        previous = await self._inner.get_many(container, pk, ids) if self.faults.lagging else {}
        etags = await self._inner.batch(container, pk, operations)
        now = self._clock.now()
        if self.faults.lagging:
            self._overwritten |= {(container, pk, id_): (now, previous.get(id_)) for id_ in ids}
        await self._after()
        return etags

    async def _before(self) -> None:
        await self._pause()
        if self._happens(self.faults.crash):
            raise asyncio.CancelledError
        if self._happens(self.faults.unavailable):
            raise UnavailableError("The store does not answer")

    async def _after(self) -> None:
        await self._pause()
        if self._happens(self.faults.crash):
            raise asyncio.CancelledError
        if self._happens(self.faults.unknown):
            raise UnavailableError("The store's answer was lost")

    async def _pause(self) -> None:
        for _ in range(self._chance.randint(0, self.faults.pauses)):
            await asyncio.sleep(0)

    def _lagging(self, container: str, pk: str, id_: str, item: Item | None) -> Item | None:
        """The item as it is or, by chance, as it was before its last change; None where it was not there."""
        written = self._overwritten.get((container, pk, id_))
        if written is None or not self._happens(self.faults.lagging) or self._clock.now() - written[0] > LAG:
            return item
        return written[1]

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._chance.random() < probability
