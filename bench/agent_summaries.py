"""What an agent's summary costs: flat by the number of its events, as it reads totals and never events; rising with the
distinct values of a unique meter, which are read one by one. And what figures cost that need no bill, so no values.

On the embedded store, through the services that answer. Each row is a fresh organization in one file; the store's calls
are counted.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.documented_costs import estimated_units
from bench.invoices import MONTH, NOW, REPEATS, UNIQUE, Place, summed
from bench.store_requests import StoreRequest
from shared.adapters.sqlite import SqliteStore
from shared.ports.store import Item, ItemPage

EVENTS = (10, 1_000, 100_000)
DISTINCT = (10, 1_000, 20_000)
CALLS = 20
"""Reads in one measurement."""


@dataclass(frozen=True)
class Cost:
    """Of reading it once: seconds, the best of a few; reads of the store, documents read, and what they would cost."""

    what: str
    size: int
    seconds: float
    reads: int
    documents: int
    units: float


class CountingStore(SqliteStore):
    """It notes what is read of it."""

    def __init__(self, *how: Any) -> None:  # noqa: ANN401  the store's own
        super().__init__(*how)
        self.seen: list[StoreRequest] = []

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the port's signature
        self._note("get", container, 1)
        return await super().get(container, pk, id)

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        found = await super().get_many(container, pk, ids)
        self._note("get_many", container, len(found))
        return found

    async def query(self, container: str, pk: str, kind: str, **how: Any) -> ItemPage:  # noqa: ANN401  the port's signature
        page = await super().query(container, pk, kind, **how)
        self._note("query", container, len(page.items))
        return page

    def _note(self, purpose: str, container: str, documents: int) -> None:
        self.seen.append(
            StoreRequest(
                at=NOW,
                purpose=purpose,
                container=container,
                is_ok=True,
                requests=1,
                documents=documents,
                writes=Counter(),
                bytes=0,
                indexed_terms=0,
            )
        )


async def costs(folder: Path) -> list[Cost]:
    place = Place(folder, CountingStore)
    found = [await _of_summary(place, "its events", events, [summed()], events, distinct=1) for events in EVENTS]
    for distinct in DISTINCT:
        what = "distinct values, in 20,000 events"
        found.append(await _of_summary(place, what, distinct, [UNIQUE], 20_000, distinct))
    return found + [await _of_statistics(place, distinct) for distinct in DISTINCT]


async def _of_summary(  # noqa: PLR0913  what an organization may differ in
    place: Place, what: str, size: int, charges: list[dict[str, Any]], events: int, distinct: int
) -> Cost:
    summaries = place.application.summaries
    organization, agents, version = await place.organization(charges, agents=1)
    await place.record(organization, agents, version, events, distinct)
    agent = await summaries.agent(organization.id, agents[0])

    async def summarize() -> None:
        (summary,) = await summaries.of_agent(organization, agent, [MONTH])
        assert summary.figures.billed_amount, "nothing is billed"  # noqa: S101  what is measured has happened

    return await _cost(place, what, size, summarize)


async def _of_statistics(place: Place, distinct: int) -> Cost:
    organization, agents, version = await place.organization([UNIQUE], agents=1)
    await place.record(organization, agents, version, 20_000, distinct)

    async def count() -> None:
        await place.application.outcomes.statistics(organization, None, MONTH)

    return await _cost(place, "the same, statistics of outcomes", distinct, count)


async def _cost(place: Place, what: str, size: int, act: Callable[[], Awaitable[None]]) -> Cost:
    store = place.store
    assert isinstance(store, CountingStore)  # noqa: S101  it was asked for
    await act()  # the caches of a running host are warm
    store.seen = []
    await act()
    seen, store.seen = store.seen, []
    seconds = min([await _seconds(act) for _ in range(REPEATS)])
    documents = sum(request.documents for request in seen)
    return Cost(what, size, seconds, len(seen), documents, sum(estimated_units(request) for request in seen))


async def _seconds(act: Callable[[], Awaitable[None]]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        await act()
    return (time.perf_counter() - start) / CALLS


def table_of(costs: list[Cost]) -> Table:
    table = Table(title="An agent's summary (embedded store)")
    table.add_column("by")
    for column in ("size", "milliseconds", "reads", "documents read", "estimated RU"):
        table.add_column(column, justify="right")
    for cost in costs:
        milliseconds = f"{cost.seconds * 1000:.2f}"
        table.add_row(
            cost.what, f"{cost.size:,}", milliseconds, str(cost.reads), f"{cost.documents:,}", f"{cost.units:,.0f}"
        )
    return table
