"""A process that receives from the queue `usage` of a file: `queue_process.py TASK PATH`."""

import asyncio
import os
import random
import sys
import time
from pathlib import Path

from shared.adapters.sqlite import Database
from shared.adapters.sqlite.queue import LocalQueue


async def consume(queue: LocalQueue) -> None:
    """Print "TIME SESSION BODY" for each completed message.

    Ends when nothing is left and a message in the queue `stop` came.
    """
    is_stopping = False
    while True:
        session = await queue.accept("usage", wait_seconds=0.01)
        if session is None:
            counts = await queue.counts("usage")
            if is_stopping and counts.active == counts.locked == 0:
                return
            is_stopping = is_stopping or await queue.accept("stop", wait_seconds=0) is not None
            continue
        while received := await queue.receive(session, max_messages=random.randint(1, 5), wait_seconds=0):
            at = time.monotonic_ns()
            if await queue.settle(session, completed=[each.sequence_number for each in received], abandoned=[]):
                for each in received:
                    sys.stdout.write(f"{at} {session.id} {each.message.body.decode()}\n")
        await queue.release(session)


async def vanish(queue: LocalQueue) -> None:
    """Receive, and exit without settling or closing anything."""
    session = await queue.accept("usage", wait_seconds=0)
    assert session is not None
    assert await queue.receive(session, max_messages=1, wait_seconds=0)
    os._exit(7)


async def main() -> None:
    task, path = sys.argv[1:]
    database = Database(Path(path))
    await {"consume": consume, "vanish": vanish}[task](LocalQueue(database, lock_seconds=5))
    database.close()


if __name__ == "__main__":
    asyncio.run(main())
