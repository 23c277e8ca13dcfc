"""Pages of a list that is filtered while it is read."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from shared.services.storage import Place

EXAMINED = 2000
"""How many items one page examines at most, so that it ends although few of them are wanted."""

T = TypeVar("T")


async def filtered_page(
    items: AsyncIterator[T], is_wanted: Callable[[T], bool], place_of: Callable[[T], Place], limit: int
) -> tuple[list[T], Place | None]:
    """Up to `limit` wanted items, and the place after which the next page starts.

    The place is None at the end of the list. A page may be shorter than its limit, or empty, without being the last
    one.
    """
    page: list[T] = []
    place: Place | None = None
    examined = 0
    async for item in items:
        if len(page) == limit or examined == max(EXAMINED, limit):
            return page, place
        examined += 1
        place = place_of(item)
        if is_wanted(item):
            page.append(item)
    return page, None
