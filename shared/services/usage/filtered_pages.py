"""Pages of a list that is filtered while it is read."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from shared.services.storage import Position

EXAMINED = 2000
"""How many items one page examines at most, so that it ends although few of them are wanted."""

T = TypeVar("T")


async def filtered_page(
    items: AsyncIterator[T], is_wanted: Callable[[T], bool], position_of: Callable[[T], Position], limit: int
) -> tuple[list[T], Position | None]:
    """Up to `limit` wanted items, and the place after which the next page starts.

    The position is None at the end of the list. A page may be shorter than its limit, or empty, without being the last
    one.
    """
    page: list[T] = []
    position: Position | None = None
    examined = 0
    async for item in items:
        if len(page) == limit or examined == max(EXAMINED, limit):
            return page, position
        examined += 1
        position = position_of(item)
        if is_wanted(item):
            page.append(item)
    return page, None
