"""`python -m bench.sign_in_timing`: whether the time of an answer tells if an e-mail address has an account.

Wrong passwords for addresses with and without an account are sent one after the other, in random order. Then each call
is guessed by its time alone, with the threshold that guesses best in hindsight. Half is right by chance; at most 55 %
may be. `XYRA_BENCH_CALLS` is the number of calls of each kind.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.server import Server
from bench.tables import WIDTH

CALLS = int(os.environ.get("XYRA_BENCH_CALLS", "1000"))
TRIES = 4
"""Of each address: the fifth failure would lock it."""
SETTINGS = {"XYRA_LIMITS": "off"}
AIM = 0.55
_PASSWORD = "correct horse battery staple"  # noqa: S105  of accounts that live as long as the measurement
_WRONG = "not the right password at all"
_WARMING = 20


@dataclass(frozen=True)
class Guessed:
    """How many calls of two kinds are told apart by a threshold, of their times in seconds."""

    share: float
    """Of the calls that are guessed right, from 0.5."""
    threshold: float

    @classmethod
    def of(cls, known: Sequence[float], unknown: Sequence[float]) -> "Guessed":
        """The best guess in hindsight: slower than the threshold is one kind, faster the other."""
        ordered = sorted([(taken, 1) for taken in known] + [(taken, -1) for taken in unknown])
        balance, best, threshold = 0, 0, 0.0
        for taken, step in ordered:
            balance += step
            if abs(balance) > best:
                best, threshold = abs(balance), taken
        return cls(0.5 + best / len(ordered), threshold)


def addresses(kind: str, calls: int) -> list[str]:
    """Enough of them for so many calls."""
    return [f"{kind}-{number}@example.com" for number in range(-(-calls // TRIES))]


def in_random_order(calls: int) -> Iterator[tuple[str, bool]]:
    """Addresses, each with whether it has an account. As many of either kind, in pairs of random order."""
    known, unknown = (
        [address for address in addresses(kind, calls) for _ in range(TRIES)][:calls] for kind in ("known", "unknown")
    )
    for pair in zip(known, unknown, strict=True):
        both = [(pair[0], True), (pair[1], False)]
        random.shuffle(both)
        yield from both


async def sign_up(session: aiohttp.ClientSession, email: str) -> None:
    body = {
        "email": email,
        "password": _PASSWORD,
        "full_name": "Measured",
        "organization_name": "Measured",
        "currency": "USD",
        "timezone": "UTC",
        "accept_terms": True,
    }
    async with session.post("auth/signup", json=body) as response:
        response.raise_for_status()


async def seconds_of_sign_in(session: aiohttp.ClientSession, email: str) -> float:
    start = time.perf_counter()
    async with session.post("auth/login/access-token", data={"username": email, "password": _WRONG}) as response:
        await response.read()
        taken = time.perf_counter() - start
        assert response.status == 401, response.status  # noqa: S101, PLR2004  else something else is measured
    return taken


async def measured(data_dir: Path, calls: int) -> tuple[list[float], list[float]]:
    """The seconds of calls for known and for unknown addresses."""
    known: list[float] = []
    unknown: list[float] = []
    async with (
        Server(data_dir, metering=False, settings=SETTINGS) as server,
        aiohttp.ClientSession(f"{server.base}/api/v1/") as session,
    ):
        for email in addresses("known", calls):
            await sign_up(session, email)
        for number in range(_WARMING):
            await seconds_of_sign_in(session, f"warming-{number}@example.com")
        for email, has_account in in_random_order(calls):
            (known if has_account else unknown).append(await seconds_of_sign_in(session, email))
    return known, unknown


def table_of(known: Sequence[float], unknown: Sequence[float]) -> Table:
    guessed = Guessed.of(known, unknown)
    table = Table(
        title=f"Sign-ins with a wrong password, {len(known):,} of each kind, in random order",
        caption=f"guessed right by time alone: {guessed.share:.1%} (aim: at most {AIM:.0%}), "
        f"threshold {guessed.threshold * 1000:.2f} ms; {os.getloadavg()[0]:.1f} programs at once on "
        f"{os.cpu_count()} processors",
    )
    table.add_column("the address")
    for column in ("p10", "p50", "p90", "mean"):
        table.add_column(column, justify="right")
    for name, times in (("has an account", known), ("has none", unknown)):
        tenths = statistics.quantiles(times, n=10)
        figures = (tenths[0], tenths[4], tenths[8], statistics.mean(times))
        table.add_row(name, *(f"{figure * 1000:,.2f} ms" for figure in figures))
    return table


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        known, unknown = asyncio.run(measured(Path(directory), CALLS))
    Console(width=WIDTH).print(table_of(known, unknown))
    sys.exit(0 if Guessed.of(known, unknown).share <= AIM else 1)


if __name__ == "__main__":
    main()
