"""`make bench`: what Xyra takes in and meters per second, beside a floor.

The floor is measured in the same run. On protocol doubles of Azure's services it also counts what Xyra asks of its
store. The floor decodes the same bytes and inserts the same rows into SQLite with the same number of commits, and does
nothing in between. Machines differ and are noisy: compare ratios, not figures.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import agent_summaries, azure, distinct_values, embedded, invoices, kinds, tables
from bench.doubles import azure_doubles, is_installed


async def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else tables.WIDTH)
    with tempfile.TemporaryDirectory(prefix="xyra-bench-") as folder:
        data_dir = Path(folder)
        accepted = await embedded.accepting(data_dir)
        console.print(tables.of_accepting(accepted))
        metered = await embedded.metering(data_dir)
        console.print(tables.of_metering(metered, accepted))
        by_kind, by_route = await kinds.by_kind(data_dir / "kinds"), await kinds.by_route(data_dir / "routes")
        console.print(*kinds.tables_of(by_kind, by_route))
        await invoices.main(console, data_dir)
        console.print(agent_summaries.table_of(await agent_summaries.costs(data_dir / "summaries")))
        console.print(distinct_values.table_of(await distinct_values.costs(data_dir / "distinct")))
        if not is_installed():
            console.print("On Azure's services: left out, as the double of Cosmos DB is not installed: make npm-tools")
            return 0
        await _on_azure(data_dir, console)
    return 0


async def _on_azure(data_dir: Path, console: Console) -> None:
    large, *others = azure.SHAPES
    async with azure_doubles() as doubles:
        load, first = await azure.metering(doubles, data_dir / "large", large)
        catch_up = await azure.catch_up(doubles, data_dir / "large", load)
    async with azure_doubles() as doubles:
        visibility, memory = await azure.visibility(doubles, data_dir / "visibility")
    metered = [first]
    for number, shape in enumerate(others):
        async with azure_doubles() as doubles:
            metered.append((await azure.metering(doubles, data_dir / f"other-{number}", shape))[1])
    console.print(tables.of_store_requests(metered))
    console.print(tables.of_azure(metered, catch_up, visibility, memory))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
