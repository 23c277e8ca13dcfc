"""Spends one budget together with other processes: `spend_budget.py JOURNAL CAP TASKS`.

Each task writes a line after a `use` was granted: only then it acts. On SIGTERM all leave the budget, and what the
spool still has is printed.
"""

import asyncio
import random
import signal
import sys
from pathlib import Path
from typing import TextIO

import xyra

SLICE = "25"
PAUSE = 0.02
AFTER_A_REFUSAL = 0.3


async def spend(budget: xyra.Budget, journal: TextIO, stops: asyncio.Event) -> None:
    while not stops.is_set():
        try:
            await budget.use_async(1)
        except xyra.BudgetExceeded as refusal:
            was_full = isinstance(refusal.__cause__, xyra.LimitExceeded)
            journal.write("refused\n" if was_full else "away\n")
            await asyncio.sleep(random.uniform(0, AFTER_A_REFUSAL))
        else:
            journal.write("act\n")
            await asyncio.sleep(random.uniform(0, PAUSE))


async def main(journal: Path, cap: str, tasks: int) -> None:
    stops = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stops.set)
    with journal.open("a", buffering=1) as written:
        async with xyra.budget("run-7", credits=cap, slice=SLICE) as budget:
            written.write("begins\n")
            await asyncio.gather(*(spend(budget, written, stops) for _ in range(tasks)))
    print(await asyncio.to_thread(xyra.flush, 60), xyra.stats())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
