"""Pages of a list that is filtered while it is read."""

from collections.abc import AsyncIterator

from shared.services.storage import Position
from shared.services.usage.filtered_pages import EXAMINED, filtered_page


async def numbers(start: int, end: int) -> AsyncIterator[int]:
    for number in range(start, end):
        yield number


async def page_of(start: int, end: int, every: int, limit: int) -> tuple[list[int], Position | None]:
    return await filtered_page(
        numbers(start, end), lambda number: number % every == 0, lambda number: Position(f"{number:06}", ""), limit
    )


async def test_a_page_has_the_first_wanted_items_and_ends_at_the_last_one_it_examined() -> None:
    assert await page_of(0, 100, every=3, limit=4) == ([0, 3, 6, 9], Position("000009", ""))


async def test_the_last_page_has_no_place_after_it() -> None:
    assert await page_of(0, 10, every=3, limit=4) == ([0, 3, 6, 9], None)
    assert await page_of(0, 0, every=3, limit=4) == ([], None)


async def test_a_page_ends_after_so_many_items_however_few_are_wanted() -> None:
    page, position = await page_of(1, 3 * EXAMINED, every=2 * EXAMINED, limit=4)
    assert (page, position) == ([], Position(f"{EXAMINED:06}", ""))


async def test_a_limit_above_that_can_still_be_reached() -> None:
    page, _ = await page_of(0, 3 * EXAMINED, every=1, limit=2 * EXAMINED)
    assert len(page) == 2 * EXAMINED


async def test_going_on_after_each_page_meets_every_wanted_item_once() -> None:
    found: list[int] = []
    start = 0
    while True:
        page, position = await page_of(start, 57, every=5, limit=3)
        found += page
        if position is None:
            break
        start = int(position.value) + 1
    assert found == list(range(0, 57, 5))
