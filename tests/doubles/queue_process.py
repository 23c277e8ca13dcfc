"""Another process that receives from the queues of a file. Run as `queue_process.py PATH`.

Prints "TIME SESSION BODY" for each message completed, in the order of completion, until the queue is empty after
a message in the queue `stop` was received.
"""

import asyncio
import random
import sys
import time
from pathlib import Path

from shared.adapters.local_queue import LocalQueue
from shared.adapters.sqlite import Database


async def main() -> None:
    database = Database(Path(sys.argv[1]))
    queue = LocalQueue(database)
    is_stopping = False
    while True:
        delivery = await queue.receive("usage", max_messages=random.randint(1, 5), lock_seconds=30)
        if delivery is None:
            counts = await queue.counts("usage")
            if is_stopping and counts.active == counts.locked == 0:
                break
            is_stopping = is_stopping or await queue.receive("stop", max_messages=1, lock_seconds=60) is not None
            await queue.wait("usage", 0.01)
            continue
        at = time.monotonic_ns()
        if await queue.settle(delivery, completed=[each.sequence_number for each in delivery.messages], abandoned=[]):
            for each in delivery.messages:
                print(at, delivery.session_id, each.message.body.decode(), flush=True)
    database.close()


if __name__ == "__main__":
    asyncio.run(main())
