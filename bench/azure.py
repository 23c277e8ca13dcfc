"""As on Azure, on protocol doubles: what the store is asked for, and what an outage of it costs."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bench.documented_costs import estimated_units
from bench.doubles import AzureDoubles
from bench.load import Load, Shape
from bench.server import Server
from bench.store_requests import StoreRequest, store_requests
from bench.visibility import Visibility

SHAPES = (
    Shape(organizations=1, agents=200, events_per_request=1000),
    Shape(organizations=20, agents=10, events_per_request=100),
)
"""One large customer whose collector sends full requests, and many small ones that send often. Each organization has
one shard. What its agents sent waits, so a delivery carries 64 messages where there are as many.
"""
VISIBILITY_SHAPE = Shape(organizations=1, agents=10, events_per_request=100)
EVENTS = 20_000
OUTAGE_SECONDS = 6.0

_LOOK_SECONDS = 0.1
_STORED_EVENTS = "ledgers"


@dataclass(slots=True)
class Cost:
    requests: int = 0
    units: float = 0.0
    """Estimated request units."""


@dataclass(slots=True)
class Metering:
    """What metering so many events asked of the store, from the host's start."""

    shape: Shape
    events: int
    per_second: float
    memory_mb: float
    costs: dict[tuple[str, str], Cost] = field(default_factory=lambda: defaultdict(Cost))
    """By container and purpose of the call."""
    bytes: int = 0
    """Of events and their totals, as they were sent."""

    def add(self, request: StoreRequest) -> None:
        cost = self.costs[request.container, request.purpose]
        cost.requests += request.requests
        cost.units += estimated_units(request)
        if request.container == _STORED_EVENTS:
            self.bytes += request.bytes

    @property
    def total(self) -> Cost:
        return Cost(sum(cost.requests for cost in self.costs.values()), sum(cost.units for cost in self.costs.values()))

    def per_thousand(self, count: float) -> float:
        return count * 1000 / self.events


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Events metered per second before and after an outage of the store.

    Also the seconds until its end was noticed.
    """

    before: float
    after: float
    pause: float
    """From the end of the outage to the first event metered."""
    after_pause: float


async def metering(doubles: AzureDoubles, data_dir: Path, shape: Shape) -> tuple[Load, Metering]:
    """Metering of what waits, by a host that has just started."""
    load = await _backlog(doubles, data_dir / "accepting", None, shape)
    async with Server(data_dir / "metering", metering=True, settings=doubles.settings, log_level="DEBUG") as server:
        await _until_idle(doubles)
        memory = server.peak_memory_mb()
    requests = list(store_requests(server.log))
    recorded = [request.at for request in requests if request.events]
    metered = Metering(shape, EVENTS, EVENTS / (recorded[-1] - recorded[0]).total_seconds(), memory)
    for request in requests:
        metered.add(request)
    return load, metered


async def catch_up(doubles: AzureDoubles, data_dir: Path, load: Load) -> CatchUp:
    """The store goes away when half of what waits has been metered, and comes back."""
    await _backlog(doubles, data_dir / "accepting", load, SHAPES[0])
    async with Server(data_dir / "outage", metering=True, settings=doubles.settings, log_level="DEBUG") as server:
        while _recorded(server.log) < EVENTS / 2:  # noqa: ASYNC110  another process
            await asyncio.sleep(_LOOK_SECONDS)
        lost_at = datetime.now()  # noqa: DTZ005  as the host's log has it
        await doubles.lose_store()
        await asyncio.sleep(OUTAGE_SECONDS)
        await doubles.restore_store()
        back_at = datetime.now()  # noqa: DTZ005  see above
        await _until_idle(doubles)
    recorded = [request for request in store_requests(server.log) if request.events]
    before = [request for request in recorded if request.at <= lost_at]
    after = [request for request in recorded if request.at > back_at]
    return CatchUp(
        before=_rate(before, before[0].at),
        after=_rate(after, back_at),
        pause=(after[0].at - back_at).total_seconds(),
        after_pause=_rate(after, after[0].at),
    )


async def visibility(doubles: AzureDoubles, data_dir: Path) -> tuple[Visibility, float]:
    """And the most memory that the host had, in MB. To be measured on an empty store: the double has no index, so that
    each query takes time for every document that is there.
    """
    async with Server(data_dir, metering=True, settings=doubles.settings) as server:
        load = await Load.prepared(server.base, VISIBILITY_SHAPE)
        found = await Visibility.at_half_of_maximum(load, seconds=1, probes=50)
        return found, server.peak_memory_mb()


async def _backlog(doubles: AzureDoubles, data_dir: Path, load: Load | None, shape: Shape) -> Load:
    """`EVENTS` events that wait."""
    async with Server(data_dir, metering=False, settings=doubles.settings) as server:
        load = load.at(server) if load is not None else await Load.prepared(server.base, shape)
        await load.send(EVENTS)
    return load


async def _until_idle(doubles: AzureDoubles) -> None:
    while not doubles.is_idle():  # noqa: ASYNC110  a thread of the broker's
        await asyncio.sleep(_LOOK_SECONDS)


def _recorded(log: Path) -> int:
    return sum(request.events for request in store_requests(log))


def _rate(requests: list[StoreRequest], start: datetime) -> float:
    return sum(request.events for request in requests) / (requests[-1].at - start).total_seconds()
