"""`make bench`: what Xyra takes in and rates per second, beside the floor measured in the same run.

The floor decodes the same bytes and inserts the same rows into SQLite with the same number of commits, and does
nothing in between. Machines differ and are noisy: compare ratios, not figures.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import floor
from bench.load import BATCHES, CONNECTIONS, Load, batch_of
from bench.server import Server

SECONDS = 3.0
BACKLOG = 60_000
LATENCIES = 200


async def main() -> int:
    console = Console()
    with tempfile.TemporaryDirectory(prefix="xyra-bench-") as folder:
        data_dir = Path(folder)
        accepting = Table(title="Events accepted per second (rating switched off)")
        for column in ("events per request", "connections", "Xyra", "floor", "ratio", "requests/s"):
            accepting.add_column(column, justify="right")
        async with Server(data_dir / "accepting", rating=False) as server:
            load = await Load.prepared(server.base)
            for size in BATCHES:
                body = batch_of(size, "floor")
                bottom = floor.accepted_per_second(data_dir / "floor.db", body, size, SECONDS / 2)
                for connections in CONNECTIONS:
                    per_second = await load.accept(size, connections, SECONDS)
                    accepting.add_row(
                        str(size),
                        str(connections),
                        f"{per_second:,.0f}",
                        f"{bottom:,.0f}",
                        f"{per_second / bottom:.3f}",
                        f"{per_second / size:,.0f}",
                    )
            accept_memory = server.peak_memory_mb()
        console.print(accepting)
        async with Server(data_dir / "rating", rating=False) as server:
            load = await Load.prepared(server.base)
            await load.send(BACKLOG)
        async with Server(data_dir / "rating", rating=True) as server:
            rated = await load.drained(server)
            bottom = floor.rated_per_second(data_dir / "floor.db", BACKLOG)
            memory = server.peak_memory_mb()
            p50, p99 = await load.latencies(server.base, LATENCIES)
        rating = Table(title="Rating and visibility")
        rating.add_column("what")
        rating.add_column("Xyra", justify="right")
        rating.add_column("floor", justify="right")
        rating.add_column("ratio", justify="right")
        rating.add_row(
            f"events rated/s ({BACKLOG:,} waiting)", f"{rated:,.0f}", f"{bottom:,.0f}", f"{rated / bottom:.3f}"
        )
        rating.add_row("acknowledged to visible, p50", f"{p50 * 1000:.1f} ms", "", "")
        rating.add_row("acknowledged to visible, p99", f"{p99 * 1000:.1f} ms", "", "")
        rating.add_row("peak memory accepting", f"{accept_memory:.0f} MB", "", "")
        rating.add_row("peak memory rating", f"{memory:.0f} MB", "", "")
        console.print(rating)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
