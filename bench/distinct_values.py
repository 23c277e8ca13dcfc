"""What a unique meter costs: the processor's time of a usage read, a preview and a summary by its distinct values, and
of an event that brings a new value, or one that is there already.

On the embedded store, through the services that answer: one organization for each number of values and scope.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from bench.invoices import MONTH, UNIQUE, Place

VALUES = (1_000, 200_000)
REPEATS = 3
NO_FILTERS = {"agent": None, "charge": None, "project": None, "department": None}


@dataclass(frozen=True)
class Cost:
    """Milliseconds of processor time of each read, and microseconds of each event."""

    scope: str
    values: int
    usage: float
    preview: float
    summary: float
    new_value: float
    known_value: float


async def costs(folder: Path) -> list[Cost]:
    place = Place(folder)
    return [await _cost(place, scope, values) for scope in ("agent", "organization") for values in VALUES]


async def _cost(place: Place, scope: str, values: int) -> Cost:
    organization, agents, version = await place.organization([UNIQUE | {"scope": scope}], agents=1)
    application = place.application
    new = await _processor_seconds(lambda: place.record(organization, agents, version, values, values))
    others, more, version_of_others = await place.organization([UNIQUE | {"scope": scope}], agents=2)
    await place.record(others, more[:1], version_of_others, 100, 100)
    known = await _processor_seconds(lambda: place.record(others, more[:1], version_of_others, 20_000, 100))
    agent = await application.summaries.agent(organization.id, agents[0])

    async def read_usage() -> None:
        (row,) = await application.usage_reports.rows(organization, MONTH, **NO_FILTERS)
        assert row.quantity == str(values)  # noqa: S101  what is measured has happened

    async def preview() -> None:
        await application.bills.preview(organization, MONTH)

    async def summarize() -> None:
        await application.summaries.of_agent(organization, agent, [MONTH])

    reads = [1000 * await _best(read) for read in (read_usage, preview, summarize)]
    return Cost(scope, values, *reads, 1e6 * new / values, 1e6 * known / 20_000)


async def _best(act: Callable[[], Awaitable[None]]) -> float:
    return min([await _processor_seconds(act) for _ in range(REPEATS)])


async def _processor_seconds(act: Callable[[], Awaitable[None]]) -> float:
    start = time.process_time()
    await act()
    return time.process_time() - start


def table_of(found: list[Cost]) -> Table:
    table = Table("scope", "distinct values", "usage ms", "preview ms", "summary ms", "new value µs", "known value µs")
    for cost in found:
        numbers = [cost.usage, cost.preview, cost.summary, cost.new_value, cost.known_value]
        table.add_row(cost.scope, f"{cost.values:,}", *(f"{number:,.1f}" for number in numbers))
    return table
