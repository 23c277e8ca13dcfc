"""An organization that reads an agent of its own over and over, in a process of its own.

What an attack costs whoever sends it, like packing a body, is no part of what its neighbour waits for.
"""

import asyncio
import time
from dataclasses import dataclass

import aiohttp

READS_PER_SECOND = 50
READERS = 64
"""Reads on their way at once, at most."""


@dataclass(frozen=True, slots=True)
class Reader:
    base: str
    agent_id: str
    key: str

    def read_for(self, seconds: float) -> list[float]:
        """How long each read took, in seconds from the moment at which it was due.

        So a host that stands still is seen by every read of that time. Raises `RuntimeError` for another answer than
        200, which would be quick for another reason.
        """
        return asyncio.run(self._read_for(seconds))

    async def _read_for(self, seconds: float) -> list[float]:
        took: list[float] = []
        connector = aiohttp.TCPConnector(limit=READERS)
        headers = {"X-API-Key": self.key}
        async with aiohttp.ClientSession(f"{self.base}/api/v1/", headers=headers, connector=connector) as session:

            async def read(due: float) -> None:
                try:
                    async with session.get(f"agents/{self.agent_id}") as answer:
                        await answer.read()
                        if answer.status != 200:  # noqa: PLR2004  see above
                            raise RuntimeError(f"a read was answered with {answer.status}")
                finally:  # also where the time is over before the answer: it took at least so long
                    took.append(time.perf_counter() - due)

            reads = []
            start = time.perf_counter()
            for number in range(int(seconds * READS_PER_SECOND)):
                due = start + number / READS_PER_SECOND
                await asyncio.sleep(due - time.perf_counter())
                reads.append(asyncio.create_task(read(due)))
            await asyncio.wait(reads, timeout=seconds)
            for task in reads:
                task.cancel()
            for result in await asyncio.gather(*reads, return_exceptions=True):
                if isinstance(result, RuntimeError):
                    raise result
        return took
