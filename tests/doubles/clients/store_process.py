"""A process that writes to the file of a store: `store_process.py TASK PATH`."""

import asyncio
import sys
from pathlib import Path

from shared.adapters.clock.system_clock import SystemClock
from shared.adapters.sqlite import Database, SqliteStore
from shared.ports.store import Create, StaleEtagError, Store

CONTAINER = "invoices"
PK = "org_1"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def write(store: Store) -> None:
    """Write documents and batches until killed; print each id when it was acknowledged."""

    async def singles(writer: int) -> None:
        for number in range(1_000_000):
            id_ = f"single:{writer}:{number}"
            await store.create(CONTAINER, PK, {"id": id_, "kind": "thing"})
            say(id_)

    async def batches(writer: int) -> None:
        for number in range(1_000_000):
            ids = [f"batch:{writer}:{number}:{part}" for part in range(10)]
            await store.batch(CONTAINER, PK, [Create({"id": id_, "kind": "thing"}) for id_ in ids])
            say("\n".join(ids))

    await asyncio.gather(*(singles(writer) for writer in range(4)), *(batches(writer) for writer in range(4)))


async def increment(store: Store) -> None:
    """When told to, count a total up 20 times under its ETag."""
    sys.stdin.readline()
    done = 0
    while done < 20:
        item = await store.get(CONTAINER, PK, "total")
        assert item is not None
        try:
            await store.replace(CONTAINER, PK, {**item.document, "n": item.document["n"] + 1}, item.etag)
        except StaleEtagError:
            continue
        done += 1


async def main() -> None:
    task, path = sys.argv[1:]
    database = Database(Path(path))
    try:
        await {"write": write, "increment": increment}[task](SqliteStore(database, SystemClock()))
    finally:
        database.close()


if __name__ == "__main__":
    asyncio.run(main())
