"""`make bench-neighbours`: what an organization notices of what others do to the host.

One organization reads an agent of its own 50 times a second, first beside nothing, then beside each attack.
"""

import asyncio
import itertools
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.attack import Attack, Request
from bench.load import signed_in
from bench.server import Server
from bench.steady_reads import Reader
from bench.tables import WIDTH
from bench.trace_attacks import trace_attacks

SECONDS = float(os.environ.get("XYRA_BENCH_SECONDS", "5"))
DISTINCT_VALUES = int(os.environ.get("XYRA_BENCH_DISTINCT", "200000"))
EVENTS_PER_REQUEST = 1000
SIGN_INS = 40
CALCULATIONS = 8
STRANGERS = 4
IDLE_SHARE = 0.1
"""Of one processor: what a host may use that has nothing to do."""
SETTLE_SECONDS = 0.3
"""Over which that is looked at."""
LONGEST_SETTLING = 30.0
"""Seconds for what a row leaves behind. A host that is busy for longer is a fault."""
LOWEST_PRIORITY = 19
"""Of what attacks: elsewhere it would run on a machine of its own, and take no processor from host and reader."""
AIM_RATIO = 3
AIM_SECONDS = 0.05
"""Of the 99th percentile, on a machine that does nothing else."""

_FORM = "application/x-www-form-urlencoded"
_MODEL = {
    "name": "Visitors",
    "currency": "USD",
    "charges": [
        {
            "key": "visitors",
            "type": "activity",
            "meter": {"event_type": "visit", "aggregation": "unique", "value": "data.visitor"},
            "pricing": {"type": "per_unit", "unit_amount": "0.01"},
        }
    ],
}


@dataclass(slots=True)
class Row:
    name: str
    reads: list[float] = field(default_factory=list)
    """Seconds each."""
    answers: Counter[int] = field(default_factory=Counter)
    """Of the attack, by status."""
    memory_mb: float = 0
    """The host's peak meanwhile."""

    def percentile(self, part: float) -> float:
        ordered = sorted(self.reads)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


@dataclass(frozen=True, slots=True)
class Tenant:
    organization_id: str
    agent_id: str
    key: str


async def new_tenant(operator: aiohttp.ClientSession, name: str) -> Tenant:
    """An organization with one agent, and a key that may do what the attacks need."""

    async def make(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async with operator.post(path, json=body) as response:
            response.raise_for_status()
            made: dict[str, Any] = await response.json()
            return made

    organization_id = (await make("organizations", {"name": name, "currency": "USD"}))["id"]
    model = await make("billing-models", {**_MODEL, "organization_id": organization_id})
    agent = {"external_id": "site", "name": "site", "organization_id": organization_id, "billing_model_id": model["id"]}
    agent_id = (await make("agents", agent))["id"]
    scopes = ["events:write", "usage:read", "agents:read", "agents:write", "billing_models:read"]
    scopes += ["billing_models:write", "api_keys:write"]
    key = await make("api-keys", {"name": name, "scopes": scopes, "organization_id": organization_id})
    return Tenant(organization_id, agent_id, key["token"])


async def visit(base: str, tenant: Tenant) -> None:
    """Report so many distinct visitors, and wait until all are metered."""
    numbers = iter(range(DISTINCT_VALUES))
    async with aiohttp.ClientSession(f"{base}/api/v1/", headers={"X-API-Key": tenant.key}) as session:
        while batch := list(itertools.islice(numbers, EVENTS_PER_REQUEST)):
            events = [
                {"id": f"v{number}", "type": "visit", "agent": "site", "data": {"visitor": f"visitor-{number}"}}
                for number in batch
            ]
            async with session.post("events", json=events) as response:
                response.raise_for_status()
        while True:
            async with session.get("usage") as response:
                if not (await response.json())["pending"]:
                    return
            await asyncio.sleep(1)


def compact(document: object) -> bytes:
    """JSON without spaces: the most that fits into a body."""
    return json.dumps(document, separators=(",", ":")).encode()


def large_bad_bodies(tenant: Tenant) -> Sequence[Attack]:
    unknown = compact({f"{number:x}": 1 for number in range(95_000)})
    within_limit = compact({f"{number:x}": 1 for number in range(7_500)})
    wrong_items = compact({"external_id": "x", "name": "x", "capabilities": [1] * 524_000})
    scopes = compact({"name": "x", "scopes": [""] * 349_000})
    with_key = itertools.cycle((Request("POST", "agents", wrong_items), Request("POST", "api-keys", scopes)))
    return (
        Attack("95,000 unknown fields, strangers", STRANGERS, lambda _: Request("POST", "auth/signup", unknown)),
        Attack("7,500 unknown fields, strangers", STRANGERS, lambda _: Request("POST", "auth/signup", within_limit)),
        Attack("524,000 capabilities, 349,000 scopes", STRANGERS, lambda _: next(with_key), tenant.key),
        Attack("999 of 1,000 events bad, partial", STRANGERS, bad_events, tenant.key),
        Attack("a model of 6,000 bad tiers", STRANGERS, lambda _: bad_model(), tenant.key),
    )


def bad_events(number: int) -> Request:
    """Each with an answer that is kept for its key."""
    return Request("POST", "events?partial=true", _bad_events(), idempotency_key=f"bad-{number}")


@cache
def _bad_events() -> bytes:
    many = {f"unknown_{number}_{'n' * 90}": number for number in range(8)}
    good = {"id": "good", "type": "visit", "agent": "site", "data": {"visitor": "visitor-0"}}
    return compact([good, *({"id": str(number)} | many for number in range(999))])


@cache
def bad_model() -> Request:
    tiers = [{"up_to": number, "unit_amount": "-1"} for number in range(100)]
    pricing = {"type": "graduated", "tiers": tiers}
    charges = [
        {"key": f"c{number}", "type": "activity", "meter": {"event_type": "x"}, "pricing": pricing}
        for number in range(60)
    ]
    return Request("POST", "billing-models", compact({"name": "Bad", "currency": "USD", "charges": charges}))


def ordinary_events(key: str) -> Attack:
    """What a good neighbour sends in bulk, to compare with."""

    def request(number: int) -> Request:
        events = [
            {"id": f"o{number}-{each}", "type": "visit", "agent": "site", "data": {"visitor": f"visitor-{each}"}}
            for each in range(EVENTS_PER_REQUEST)
        ]
        return Request("POST", "events", compact(events))

    return Attack(f"{EVENTS_PER_REQUEST:,} ordinary events a request", 1, request, key)


def sign_ins() -> Attack:
    """Each with an address of its own, so that none is locked."""

    def request(number: int) -> Request:
        form = f"username=nobody-{number}@example.com&password=not-the-right-password"
        return Request("POST", "auth/login/access-token", form.encode(), _FORM)

    return Attack(f"{SIGN_INS} sign-ins at once", SIGN_INS, request)


@cache
def calculation(charges: int, tiers: int) -> Request:
    """So many graduated charges, with usage that reaches every tier of each."""
    steps = [{"up_to": str(number + 1), "unit_amount": "0.01"} for number in range(tiers - 1)]
    pricing = {"type": "graduated", "tiers": [*steps, {"up_to": None, "unit_amount": "0.01"}]}
    keys = [f"c{number}" for number in range(charges)]
    model = {
        "name": "Large",
        "currency": "USD",
        "charges": [{"key": key, "type": "activity", "meter": {"event_type": key}, "pricing": pricing} for key in keys],
    }
    usage = [{"charge": key, "agent": "site", "quantity": str(tiers * 2)} for key in keys]
    return Request("POST", "billing-models/calculate", compact({"model": model, "usage": usage}))


async def largest_calculation(session: aiohttp.ClientSession, tenant: Tenant) -> Request:
    """Of charges with 100 tiers, as many as are taken."""
    for charges in range(60, 0, -1):
        request = calculation(charges, tiers=100)
        if await answered(session, request, tenant.key) == 200:  # noqa: PLR2004  taken
            return request
    raise RuntimeError("no calculation is taken")


async def answered(session: aiohttp.ClientSession, request: Request, key: str) -> int:
    headers = {"Content-Type": request.content_type}
    if key:
        headers["X-API-Key"] = key
    if request.idempotency_key:
        headers["Idempotency-Key"] = request.idempotency_key
    if request.is_packed:
        headers["Content-Encoding"] = "gzip"
    try:
        async with session.request(request.method, request.path, data=request.body or None, headers=headers) as answer:
            await answer.read()
            return answer.status
    except aiohttp.ClientError:  # closed, because it asks for too much
        return 0


@asynccontextmanager
async def under(attack: Attack | None, base: str, row: Row) -> AsyncIterator[None]:
    """Attack as long as the block runs."""
    if attack is None:
        yield
        return
    numbers = itertools.count()
    connector = aiohttp.TCPConnector(limit=attack.connections)

    async def go_on(session: aiohttp.ClientSession) -> None:
        while True:
            row.answers[await answered(session, attack.request(next(numbers)), attack.key)] += 1

    async with aiohttp.ClientSession(f"{base}/api/v1/", connector=connector) as session:
        tasks = [asyncio.create_task(go_on(session)) for _ in range(attack.connections)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def measured(server: Server, reader: Reader, readers: Executor, name: str, attack: Attack | None = None) -> Row:
    """`readers` runs what reads, in another process."""
    row = Row(name)
    if attack is not None:
        attack.request(0)  # its body is made before the time runs
    await settle(server)
    server.forget_peak_memory()
    async with under(attack, server.base, row):
        row.reads = await asyncio.get_running_loop().run_in_executor(readers, reader.read_for, SECONDS)
    row.memory_mb = server.peak_memory_mb()
    return row


async def settle(server: Server) -> None:
    """Wait until the host does nothing any more, so that no row is measured beside what another left behind.

    What tells is the host's own time on the processor: answers are slow as well where only the machine is busy.
    """
    until = time.perf_counter() + LONGEST_SETTLING
    while time.perf_counter() < until:
        before, start = server.processor_seconds(), time.perf_counter()
        await asyncio.sleep(SETTLE_SECONDS)
        if server.processor_seconds() - before < IDLE_SHARE * (time.perf_counter() - start):
            return
    raise RuntimeError(f"the host is still busy {LONGEST_SETTLING:.0f} s after the last request")


async def all_rows(data_dir: Path) -> AsyncIterator[Row]:
    """Each attack by itself, on one host, and nothing before and after them."""
    async with Server(data_dir, metering=True) as server:
        async with signed_in(server.base) as operator:
            victim, attacker = await new_tenant(operator, "Reader"), await new_tenant(operator, "Attacker")
        await visit(server.base, attacker)
        async with aiohttp.ClientSession(f"{server.base}/api/v1/") as session:
            calculate = await largest_calculation(session, attacker)
        attacks = [
            *large_bad_bodies(attacker),
            ordinary_events(attacker.key),
            sign_ins(),
            Attack(f"{DISTINCT_VALUES:,} distinct values read", 1, lambda _: Request("GET", "usage"), attacker.key),
            Attack("calculations beyond the limit", CALCULATIONS, lambda _: calculation(60, 100), attacker.key),
            Attack(f"{CALCULATIONS} calculations at the limit", CALCULATIONS, lambda _: calculate, attacker.key),
            *trace_attacks(attacker.key),
        ]
        reader = Reader(server.base, victim.agent_id, victim.key)
        with ProcessPoolExecutor(1, get_context("spawn")) as readers:
            readers.submit(os.getpid).result()  # the process is there before this one gives way
            os.nice(LOWEST_PRIORITY)
            yield await measured(server, reader, readers, "nothing")
            for attack in attacks:
                yield await measured(server, reader, readers, attack.name, attack)
            yield await measured(server, reader, readers, "nothing, afterwards")


def table_of(rows: Sequence[Row]) -> Table:
    title = (
        f"An organization's read beside others (aim: p99 below {AIM_SECONDS * 1000:.0f} ms and {AIM_RATIO} x nothing)"
    )
    table = Table(title=title, caption=f"{os.getloadavg()[0]:.1f} programs at once on {os.cpu_count()} processors")
    table.add_column("beside")
    for column in ("p50", "p99", "to nothing", "peak memory"):
        table.add_column(column, justify="right")
    table.add_column("answers of the attack")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.percentile(0.5) * 1000:,.1f} ms",
            f"{row.percentile(0.99) * 1000:,.1f} ms",
            f"{row.percentile(0.99) / rows[0].percentile(0.99):.1f}",
            f"{row.memory_mb:,.0f} MB",
            ", ".join(f"{status or 'closed'}: {count:,}" for status, count in sorted(row.answers.items())),
        )
    return table


async def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with tempfile.TemporaryDirectory(prefix="xyra-neighbours-") as folder:
        rows: list[Row] = []
        async for row in all_rows(Path(folder)):
            rows.append(row)
            console.print(f"beside {row.name}: p99 {row.percentile(0.99) * 1000:,.0f} ms, {len(row.reads)} reads")
        console.print(table_of(rows))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
