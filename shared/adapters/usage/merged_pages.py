"""Merges ordered lists that are read page by page into one list."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from shared.ports.store import Document, ItemPage, Position

ReadPage = Callable[[str | Position | None], Awaitable[ItemPage]]
"""Reads the page after a cursor or place, latest first; the first page without one."""


@dataclass(slots=True)
class _List:
    """A list, with what was read of it and not taken yet.

    The latest is last, so that it is taken from the end.
    """

    read: ReadPage
    waiting: list[Document] = field(default_factory=list)
    cursor: str | None = None

    async def fill(self, after: str | Position | None) -> None:
        """Read the next page that is not empty: an empty one may have a cursor."""
        while True:
            page = await self.read(after)
            self.waiting = [item.document for item in reversed(page.items)]
            self.cursor = after = page.cursor
            if self.waiting or after is None:
                return


async def merged(lists: Sequence[ReadPage], order_by: str, after: Position | None) -> AsyncIterator[Document]:
    """The documents of all lists, latest first, after a position.

    They are read as they are taken. The position of a document does not depend on its list, so a reader who goes on
    after the last document misses none and meets none twice, even where documents or lists have been added meanwhile.
    """
    sources = [_List(read) for read in lists]
    await asyncio.gather(*(source.fill(after) for source in sources))
    heads = [_Head(position_of(source.waiting[-1], order_by), source) for source in sources if source.waiting]
    heapq.heapify(heads)
    while heads:
        source = heads[0].source
        yield source.waiting.pop()
        if not source.waiting and source.cursor is not None:
            await source.fill(source.cursor)
        if source.waiting:
            heapq.heapreplace(heads, _Head(position_of(source.waiting[-1], order_by), source))
        else:
            heapq.heappop(heads)


def position_of(document: Document, order_by: str) -> Position:
    return Position(document[order_by], document["id"])


@dataclass(frozen=True, slots=True)
class _Head:
    position: Position
    source: _List

    def __lt__(self, other: "_Head") -> bool:
        return (self.position.value, self.position.id) > (other.position.value, other.position.id)
