"""`make bench-traces`: spans per second beside events per second, p99 of requests, and what a span asks of the store.

A trace has six spans: the run of an agent and five calls in it. It comes in one request, with other traces, or in six
requests, as an exporter cuts a long run. Accepted and metered on SQLite, from the first request until nothing waits.
"""

import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.kinds import CHARGES, CONNECTIONS, EVENTS_PER_REQUEST, KINDS
from bench.load import Load, Shape, new_organization, signed_in
from bench.server import Server
from shared.adapters.clock.system_clock import SystemClock
from shared.bootstrap import Application, Ports
from shared.domain.access.reporting import Reporting
from shared.domain.ingestion.calls import microseconds_of
from shared.domain.ingestion.spans import Span
from shared.domain.kernel.ids import named_id, new_id
from shared.ports.traces import TraceEncoding
from shared.services.agents.agents import AgentDraft
from shared.services.ingestion.reading import SentTraces
from shared.services.ingestion.trace_records import TraceCredential
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from shared.unpacking import PackedBody
from tests.doubles.fakes.counting_store import CountingStore
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.otlp_bodies import protobuf_body
from tests.doubles.worlds.plain_spans import agent_run, call

SECONDS = 4.0
CALLS = 5
TRACES_PER_REQUEST = 17
"""About a hundred spans, as many as there are events in a request."""
PREPARED = 400
AGENT = "coder"
LLM_CALL = "LLM call, priced from the list"


def trace(number: int) -> list[Span]:
    """The calls first, as they end first."""
    end = microseconds_of(datetime.now(UTC))
    names = [f"c{number}" for number in range(CALLS)]
    spans = [call(name, AGENT, (1200, 90), answer=f"{number}-{name}") for name in names]
    spans.append(agent_run(AGENT))
    return [replace(span, trace_id=f"{number + 1:032x}", start=end - 1000, end=end) for span in spans]


def bodies(requests_per_trace: int, numbers: Iterator[int]) -> list[tuple[bytes, int]]:
    """Each with its number of spans. Of traces in several requests, these come one after the other."""
    prepared: list[tuple[bytes, int]] = []
    while len(prepared) < PREPARED:
        traces = [trace(next(numbers)) for _ in range(TRACES_PER_REQUEST * requests_per_trace)]
        size = len(traces[0]) // requests_per_trace
        for start in range(0, len(traces[0]), size):
            spans = [span for one in traces for span in one[start : start + size]]
            prepared.append((protobuf_body(spans), len(spans)))
    return prepared


@dataclass(frozen=True, slots=True)
class Measured:
    """Of spans, until all that was sent within `SECONDS` is metered."""

    spans: int
    per_second: float
    answers: Sequence[float]
    """Seconds that each request took, in order of size."""

    @property
    def p99(self) -> float:
        return self.answers[int(len(self.answers) * 0.99)]


async def spans_sent(server: Server, load: Load, key: str, sent: Sequence[tuple[bytes, int]]) -> Measured:
    waiting, spans = iter(sent), 0
    answers: list[float] = []
    began = time.perf_counter()

    async def send(session: aiohttp.ClientSession) -> None:
        nonlocal spans
        while time.perf_counter() < began + SECONDS and (request := next(waiting, None)) is not None:
            headers = {"X-API-Key": key, "Content-Type": "application/x-protobuf"}
            asked = time.perf_counter()
            async with session.post("/v1/traces", data=request[0], headers=headers) as response:
                response.raise_for_status()
            answers.append(time.perf_counter() - asked)
            spans += request[1]

    async with aiohttp.ClientSession(server.base) as session:
        await asyncio.gather(*(send(session) for _ in range(CONNECTIONS)))
    await load.sustained(1, 1, 0)  # until nothing waits
    return Measured(spans, spans / (time.perf_counter() - began), sorted(answers))


async def measured(data_dir: Path) -> Table:
    table = Table(
        *("what", "per second", "to events", "host's CPU each", "to events", "p99 of requests"),
        title="Accepted and metered, about 100 a request, 8 connections; events anew before each row",
    )
    numbers = itertools.count()
    async with Server(data_dir, metering=True) as server:
        shape = Shape(kind=KINDS[LLM_CALL], charges=CHARGES)
        async with signed_in(server.base) as session:
            sender = await new_organization(session, shape)
            async with session.get(f"agents/{sender.agent_id}") as response:
                organization_id = (await response.json())["organization_id"]
        load = Load(server.base, [sender], shape)
        await load.sustained(EVENTS_PER_REQUEST, CONNECTIONS, 1)
        for default_agent, requests in itertools.product((True, False), (1, 6)):
            named = "with" if default_agent else "without"
            row = f"spans, {requests} requests a trace, {named} a default agent"
            key = await new_key(server, organization_id, name=row, default_agent=default_agent)
            sent = bodies(requests, numbers)
            before = server.processor_seconds()
            events = await load.sustained(EVENTS_PER_REQUEST, CONNECTIONS, SECONDS)
            of_event = (server.processor_seconds() - before) / events.count
            before = server.processor_seconds()
            found = await spans_sent(server, load, key, sent)
            of_span = (server.processor_seconds() - before) / found.spans
            table.add_row(
                "events of LLM calls", f"{events.per_second:,.0f}", "1.00", _microseconds(of_event), "1.0", ""
            )
            table.add_row(
                row,
                f"{found.per_second:,.0f}",
                f"{found.per_second / events.per_second:.2f}",
                _microseconds(of_span),
                f"{of_span / of_event:.1f}",
                f"{found.p99 * 1000:,.0f} ms",
            )
    return table


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} us"


async def new_key(server: Server, organization_id: str, *, name: str, default_agent: bool) -> str:
    async with signed_in(server.base) as session:
        reporting = {"default_agent": AGENT} if default_agent else {}
        body = {"name": name, "organization_id": organization_id, "scopes": ["events:write"], **reporting}
        async with session.post("api-keys", json=body) as response:
            response.raise_for_status()
            token: str = (await response.json())["token"]
            return token


async def requests_per_span(requests: int, traces: int, *, default_agent: bool) -> float:
    """Of the store, until the calls wait to be metered; so many traces in a request, of an agent that is known."""
    clock, store = SystemClock(), CountingStore()
    application = Application(Ports(store, MemoryQueue(), clock, NoSecrets()), Settings())
    organization = await application.organizations.create(
        named_id("org", "bench"), OrganizationDraft(name="Bench", currency="USD", timezone="UTC")
    )
    await application.agents.create(new_id("agt"), organization.id, AgentDraft(external_id=AGENT, name=AGENT))
    credential = TraceCredential(id="bench", by_operator=False)
    reporting = Reporting(default_agent=AGENT if default_agent else None)
    numbers, found = itertools.count(), 0.0
    for _ in range(3):  # caches are filled by the first
        sent, before = [trace(next(numbers)) for _ in range(traces)], store.requests
        size = (CALLS + 1) // requests
        for start in range(0, CALLS + 1, size):
            body = protobuf_body(span for one in sent for span in one[start : start + size])
            export = SentTraces(TraceEncoding.PROTOBUF, PackedBody(body))
            await application.traces.take(organization.id, credential, reporting, export)
        found = (store.requests - before) / (traces * (CALLS + 1))
    await application.close()
    return found


async def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="xyra-bench-") as folder:
        console.print(await measured(Path(folder)))
    table = Table("requests a trace", "traces in a request", "default agent", "store requests a span")
    for default_agent, requests, traces in itertools.product((True, False), (1, 6), (1, 100)):
        found = await requests_per_span(requests, traces, default_agent=default_agent)
        table.add_row(str(requests), str(traces), "yes" if default_agent else "no", f"{found:.2f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
