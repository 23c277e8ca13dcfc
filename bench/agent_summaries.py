"""What an agent's summary costs by the number of its events: flat, as it reads totals and never events.

On the embedded store, through the service that answers. Each row is a fresh organization in one file; the store's calls
are counted.
"""

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.invoices import MONTH, REPEATS, Place, summed
from shared.adapters.sqlite import SqliteStore
from shared.domain.agents import Agent
from shared.domain.organizations import Organization
from shared.ports.store import Item, Page

EVENTS = (10, 1_000, 100_000)
CALLS = 20
"""Summaries in one measurement."""


@dataclass(frozen=True)
class Cost:
    """Of one summary: seconds, the best of a few; reads of the store, and documents read."""

    events: int
    seconds: float
    reads: int
    documents: int


class CountingStore(SqliteStore):
    """It counts what is read of it."""

    reads = 0
    documents = 0

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the port's signature
        self._count(1)
        return await super().get(container, pk, id)

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        found = await super().get_many(container, pk, ids)
        self._count(len(found))
        return found

    async def query(self, container: str, pk: str, kind: str, **how: Any) -> Page:  # noqa: ANN401  the port's signature
        page = await super().query(container, pk, kind, **how)
        self._count(len(page.items))
        return page

    def _count(self, documents: int) -> None:
        self.reads += 1
        self.documents += documents


async def costs(folder: Path) -> list[Cost]:
    place = Place(folder, CountingStore)
    store, summaries = place.store, place.application.agent_summaries
    assert isinstance(store, CountingStore)  # noqa: S101  it was asked for
    found = []
    for events in EVENTS:
        organization, agents, version = await place.organization([summed()], agents=1)
        await place.record(organization, agents, version, events, distinct=1)
        agent = await summaries.agent(organization.id, agents[0])

        async def summarize(organization: Organization = organization, agent: Agent = agent) -> None:
            (summary,) = await summaries.of_agent(organization, agent, [MONTH])
            assert summary.figures.billed_amount, "nothing is billed"  # noqa: S101  what is measured has happened

        await summarize()  # the caches of a running host are warm
        store.reads = store.documents = 0
        await summarize()
        reads, documents = store.reads, store.documents
        seconds = min([await _seconds(summarize) for _ in range(REPEATS)])
        found.append(Cost(events, seconds, reads, documents))
    return found


async def _seconds(act: Callable[[], Awaitable[None]]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        await act()
    return (time.perf_counter() - start) / CALLS


def table_of(costs: list[Cost]) -> Table:
    table = Table(title="An agent's summary by its events (embedded store)")
    for column in ("events", "milliseconds", "reads", "documents read"):
        table.add_column(column, justify="right")
    for cost in costs:
        table.add_row(f"{cost.events:,}", f"{cost.seconds * 1000:.2f}", str(cost.reads), str(cost.documents))
    return table
