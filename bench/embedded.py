"""The default: SQLite in one file, beside the floor."""

from dataclasses import dataclass
from pathlib import Path

from bench import floor
from bench.load import BATCHES, CONNECTIONS, Load, batch_of
from bench.server import Server
from bench.visibility import Visibility

SECONDS = 3.0
BACKLOG = 60_000
PROBES = 200


@dataclass(frozen=True, slots=True)
class Accepted:
    """Events per second; the floor's are those of one that only decodes and inserts."""

    events_per_request: int
    connections: int
    per_second: float
    floor: float


@dataclass(frozen=True, slots=True)
class Accepting:
    rows: list[Accepted]
    memory_mb: float
    """The most that the host had."""


@dataclass(frozen=True, slots=True)
class Metered:
    """Events per second; latencies in seconds."""

    per_second: float
    floor: float
    idle_p50: float
    idle_p99: float
    loaded: Visibility
    memory_mb: float


async def accepting(data_dir: Path) -> Accepting:
    rows: list[Accepted] = []
    async with Server(data_dir / "accepting", metering=False) as server:
        load = await Load.prepared(server.base)
        for size in BATCHES:
            bottom = floor.accepted_per_second(data_dir / "floor.db", batch_of(size, "floor"), size, SECONDS / 2)
            rows += [
                Accepted(size, connections, await load.accept(size, connections, SECONDS), bottom)
                for connections in CONNECTIONS
            ]
        return Accepting(rows, server.peak_memory_mb())


async def metering(data_dir: Path) -> Metered:
    async with Server(data_dir / "metering", metering=False) as server:
        load = await Load.prepared(server.base)
        await load.send(BACKLOG)
    async with Server(data_dir / "metering", metering=True) as server:
        load.at(server)
        per_second = await load.drained()
        bottom = floor.rated_per_second(data_dir / "floor.db", BACKLOG)
        p50, p99 = await load.latencies(PROBES)
        loaded = await Visibility.at_half_of_maximum(load, seconds=SECONDS, probes=PROBES)
        return Metered(per_second, bottom, p50, p99, loaded, server.peak_memory_mb())
