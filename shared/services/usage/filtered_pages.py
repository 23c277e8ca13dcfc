"""Pages of a list that is filtered while it is read."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from shared.services.storage import Place

EXAMINED = 2000
"""How many things one page examines at most, so that a page that finds few of them ends all the same."""

T = TypeVar("T")


async def filtered_page(
    things: AsyncIterator[T], is_wanted: Callable[[T], bool], place_of: Callable[[T], Place], limit: int
) -> tuple[list[T], Place | None]:
    """Up to `limit` wanted things, and the place after which the next page starts; None at the end of the list.

    A page may be shorter than its limit, or empty, without being the last one.
    """
    page: list[T] = []
    place: Place | None = None
    examined = 0
    async for thing in things:
        if len(page) == limit or examined == max(EXAMINED, limit):
            return page, place
        examined += 1
        place = place_of(thing)
        if is_wanted(thing):
            page.append(thing)
    return page, None
