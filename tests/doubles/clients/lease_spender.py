"""`python -m tests.doubles.clients.lease_spender`: spenders with leases, in a process that may be killed at any moment.

Each writes a line into its journal before each act, so what is really spent is known whoever dies. They keep the rules
for clients of leases: they count from the first sending, repeat what had no answer with the same key, and report
totals. On SIGTERM they end their leases and stop.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

import aiohttp

Json = dict[str, Any]

LIFETIME_SECONDS = 3600
_PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Pace:
    """How much spenders do by themselves between two requests."""

    slice: int
    """What a lease has."""
    longest_pause: float
    """Seconds between two acts."""

    @property
    def reported_every(self) -> int:
        """Acts, until a total is reported."""
        return 3 * self.slice // 8

    @property
    def denied_at_once(self) -> int:
        """Attempts that are denied by itself before a spender asks for a lease again."""
        return 5 * self.slice // 8


@dataclass
class Lease:
    id: str
    left: int
    until: float
    """By this process's clock."""
    spent: int = 0


@dataclass
class Spender:
    session: aiohttp.ClientSession
    hosts: Path
    """A file with the addresses of the hosts that run."""
    key: str
    journal: TextIO
    pace: Pace
    lease: Lease | None = None
    stops: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: int = 0

    def __post_init__(self) -> None:
        self.wanted = self.pace.slice

    def write(self, *words: object) -> None:
        """Into the file system's hands, which survives the process."""
        self.journal.write(" ".join(map(str, words)) + "\n")
        self.journal.flush()

    async def run(self) -> None:
        while not self.stops.is_set():
            if self.lease is None or not self.lease.left or time.monotonic() >= self.lease.until:
                await self._renew()
            if self.lease is None:
                for _ in range(self.pace.denied_at_once):
                    self.write("denied")
                await asyncio.sleep(random.uniform(0.05, 0.3))
            else:
                await self._act(self.lease)
        await self._end()

    async def _act(self, lease: Lease) -> None:
        """The journal first: an act that is in it may have happened."""
        self.write("act", lease.id)
        lease.left -= 1
        lease.spent += 1
        if lease.spent % self.pace.reported_every == 0:
            await self._settle(lease, final=False)
        else:
            await asyncio.sleep(random.uniform(0, self.pace.longest_pause))

    async def _renew(self) -> None:
        await self._end()
        begun = time.monotonic()
        status, answer = await self._send("", {"amount": str(self.wanted), "expires_in": LIFETIME_SECONDS})
        if status == 201:
            self.lease = Lease(answer["lease_id"], self.wanted, begun + answer["expires_in"])
            self.write("lease", answer["lease_id"], self.wanted)
        elif status == 403:
            self.wanted = max(1, min(self.pace.slice, int(answer["left"])))
            self.write("refused", answer["left"])
        else:
            raise AssertionError(f"{status}: {answer}")

    async def _end(self) -> None:
        if self.lease is not None:
            lease, self.lease = self.lease, None
            await self._settle(lease, final=True)
            self.write("ended", lease.id, lease.spent)

    async def _settle(self, lease: Lease, *, final: bool) -> None:
        status, answer = await self._send(f"/{lease.id}/settle", {"total": str(lease.spent), "final": final})
        assert status == 200, (status, answer)

    async def _send(self, path: str, body: Json) -> tuple[int, Json]:
        """With one key until it is answered, by whichever host lives."""
        headers = {"X-API-Key": self.key, "Idempotency-Key": uuid4().hex}
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < give_up:
            base = random.choice(json.loads(self.hosts.read_text(encoding="utf-8")))
            try:
                url = f"{base}/api/v1/credits/leases{path}"
                async with self.session.post(url, json=body, headers=headers) as response:
                    answer = await response.json(content_type=None)
                    if response.status not in (429, 503):
                        return response.status, answer
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(random.uniform(0.02, 0.2))
        raise AssertionError("no host answers")


async def main(hosts: Path, journals: Path, number: int, pace: Pace) -> None:
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        spenders = []
        for _ in range(number):
            journal = (journals / f"{os.getpid()}-{uuid4().hex}.txt").open("a", encoding="utf-8")
            spenders.append(Spender(session, hosts, os.environ["XYRA_SPENDER_KEY"], journal, pace))

        def stop() -> None:
            for spender in spenders:
                spender.stops.set()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        await asyncio.gather(*(spender.run() for spender in spenders))


if __name__ == "__main__":
    asyncio.run(
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), Pace(int(sys.argv[4]), float(sys.argv[5])))
    )
