"""Another process that receives from the queue `usage` of a file. Run as `queue_process.py TASK PATH`."""

import asyncio
import os
import random
import sys
import time
from pathlib import Path

from shared.adapters.sqlite import Database
from shared.adapters.sqlite.queue import LocalQueue


async def consume(queue: LocalQueue) -> None:
    """Print "TIME SESSION BODY" for each message completed, until nothing is left and one in the queue `stop` came."""
    is_stopping = False
    while True:
        delivery = await queue.receive("usage", max_messages=random.randint(1, 5), lock_seconds=30)
        if delivery is None:
            counts = await queue.counts("usage")
            if is_stopping and counts.active == counts.locked == 0:
                return
            is_stopping = is_stopping or await queue.receive("stop", max_messages=1, lock_seconds=60) is not None
            await queue.wait("usage", 0.01)
            continue
        at = time.monotonic_ns()
        if await queue.settle(delivery, completed=[each.sequence_number for each in delivery.messages], abandoned=[]):
            for each in delivery.messages:
                sys.stdout.write(f"{at} {delivery.session_id} {each.message.body.decode()}\n")


async def vanish(queue: LocalQueue) -> None:
    """Receive and go without settling or closing anything."""
    assert await queue.receive("usage", max_messages=1, lock_seconds=0.5) is not None
    os._exit(7)


async def main() -> None:
    task, path = sys.argv[1:]
    database = Database(Path(path))
    await {"consume": consume, "vanish": vanish}[task](LocalQueue(database))
    database.close()


if __name__ == "__main__":
    asyncio.run(main())
