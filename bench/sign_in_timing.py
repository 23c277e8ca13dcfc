"""`python -m bench.sign_in_timing [sign_in] [reset] [sign_up]`: whether time tells if an address has an account.

Calls for addresses with and without an account are sent one after the other, in random order. Then each call is guessed
by its time alone, with the threshold that guesses best in hindsight. Half is right by chance; at most 55 % may be, but
for sign-ups, whose answer tells. `XYRA_BENCH_CALLS` is the number of calls of each kind.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.server import Server
from bench.tables import WIDTH

CALLS = int(os.environ.get("XYRA_BENCH_CALLS", "1000"))
TRIES = 4
"""Of each address with an account: the fifth failure of a sign-in would lock it."""
Json = dict[str, Any]
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


def addresses(kind: str, calls: int, tries: int) -> list[str]:
    """One for each call, each of them as often as it may be tried."""
    return [f"{kind}-{number // tries}@example.com" for number in range(calls)]


@dataclass(frozen=True)
class Route:
    """What is asked with addresses that have an account and with such that have none."""

    title: str
    path: str
    statuses: tuple[int, int]
    """With an account, and without."""
    body: Callable[[str], Json]
    is_form: bool = False
    tells: bool = False
    """Whether the answer itself tells, so that its time need not be hidden."""
    tries: int = 4
    """Of each address without an account."""

    def in_random_order(self, calls: int) -> Iterator[tuple[str, bool]]:
        """Addresses, each with whether it has an account. As many of either kind, in pairs of random order."""
        known, unknown = addresses("known", calls, TRIES), addresses(self.path, calls, self.tries)
        for pair in zip(known, unknown, strict=True):
            both = [(pair[0], True), (pair[1], False)]
            random.shuffle(both)
            yield from both

    async def seconds(self, session: aiohttp.ClientSession, email: str, *, has_account: bool) -> float:
        """Of one call."""
        body = self.body(email)
        start = time.perf_counter()
        async with session.post(f"auth/{self.path}", **{"data" if self.is_form else "json": body}) as response:
            await response.read()
            taken = time.perf_counter() - start
            expected = self.statuses[0 if has_account else 1]
            assert response.status == expected, response.status  # noqa: S101  else something else is measured
        return taken


def new_account(email: str) -> Json:
    return {
        "email": email,
        "password": _PASSWORD,
        "full_name": "Measured",
        "organization_name": "Measured",
        "currency": "USD",
        "timezone": "UTC",
        "accept_terms": True,
    }


ROUTES = {
    "sign_in": Route(
        "Sign-ins with a wrong password",
        "login",
        (401, 401),
        lambda email: {"username": email, "password": _WRONG},
        is_form=True,
    ),
    "reset": Route("Forgotten passwords", "password/forgot", (202, 202), lambda email: {"email": email}),
    "sign_up": Route("Sign-ups", "signup", (409, 201), new_account, tells=True, tries=1),
}


async def measured(route: Route, data_dir: Path, calls: int) -> tuple[list[float], list[float]]:
    """The seconds of calls for known and for unknown addresses."""
    known: list[float] = []
    unknown: list[float] = []
    async with (
        Server(data_dir, metering=False, settings=SETTINGS) as server,
        aiohttp.ClientSession(f"{server.base}/api/v1/") as session,
    ):
        for email in dict.fromkeys(addresses("known", calls, TRIES)):
            async with session.post("auth/signup", json=new_account(email)) as response:
                response.raise_for_status()
        for email in addresses("warming", _WARMING, 1):
            await route.seconds(session, email, has_account=False)
        for email, has_account in route.in_random_order(calls):
            taken = await route.seconds(session, email, has_account=has_account)
            (known if has_account else unknown).append(taken)
    return known, unknown


def table_of(route: Route, known: Sequence[float], unknown: Sequence[float]) -> Table:
    guessed = Guessed.of(known, unknown)
    aim = "no aim: the answer is 409 for a taken address" if route.tells else f"aim: at most {AIM:.0%}"
    table = Table(
        title=f"{route.title}, {len(known):,} of each kind, in random order",
        caption=f"guessed right by time alone: {guessed.share:.1%} ({aim}), "
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
    """Measure the routes that are named as arguments, by default sign-in and reset."""
    told = False
    for name in sys.argv[1:] or ("sign_in", "reset"):
        route = ROUTES[name]
        with tempfile.TemporaryDirectory() as directory:
            known, unknown = asyncio.run(measured(route, Path(directory), CALLS))
        Console(width=WIDTH).print(table_of(route, known, unknown))
        told = told or (not route.tells and Guessed.of(known, unknown).share > AIM)
    sys.exit(1 if told else 0)


if __name__ == "__main__":
    main()
