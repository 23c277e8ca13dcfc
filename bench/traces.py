"""`make bench-traces`: spans per second beside events per second, and what a span asks of the store.

A trace has six spans: the run of an agent and five calls in it. It comes in one request, with other traces, or in six
requests, as an exporter cuts a long run. Accepted and metered on SQLite, from the first request until nothing waits.
"""

import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
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


async def spans_per_second(server: Server, load: Load, key: str, sent: Sequence[tuple[bytes, int]]) -> float:
    """Until all that was sent within `SECONDS` is metered."""
    waiting, spans = iter(sent), 0
    began = time.perf_counter()

    async def send(session: aiohttp.ClientSession) -> None:
        nonlocal spans
        while time.perf_counter() < began + SECONDS and (request := next(waiting, None)) is not None:
            headers = {"X-API-Key": key, "Content-Type": "application/x-protobuf"}
            async with session.post("/v1/traces", data=request[0], headers=headers) as response:
                response.raise_for_status()
            spans += request[1]

    async with aiohttp.ClientSession(server.base) as session:
        await asyncio.gather(*(send(session) for _ in range(CONNECTIONS)))
    await load.sustained(1, 1, 0)  # until nothing waits
    return spans / (time.perf_counter() - began)


async def measured(data_dir: Path) -> Table:
    table = Table("what", "per second", "to events", title="Accepted and metered, about 100 a request, 8 connections")
    numbers = itertools.count()
    async with Server(data_dir, metering=True) as server:
        shape = Shape(kind=KINDS[LLM_CALL], charges=CHARGES)
        async with signed_in(server.base) as session:
            sender = await new_organization(session, shape)
            async with session.get(f"agents/{sender.agent_id}") as response:
                organization_id = (await response.json())["organization_id"]
        load = Load(server.base, [sender], shape)
        await load.sustained(EVENTS_PER_REQUEST, CONNECTIONS, 1)
        events = (await load.sustained(EVENTS_PER_REQUEST, CONNECTIONS, SECONDS)).per_second
        table.add_row("events of LLM calls", f"{events:,.0f}", "1.00")
        for default_agent, requests in itertools.product((True, False), (1, 6)):
            key = await new_key(server, organization_id, default_agent=default_agent)
            found = await spans_per_second(server, load, key, bodies(requests, numbers))
            named = "with" if default_agent else "without"
            table.add_row(
                f"spans, {requests} requests a trace, {named} a default agent", f"{found:,.0f}", f"{found / events:.2f}"
            )
    return table


async def new_key(server: Server, organization_id: str, *, default_agent: bool) -> str:
    async with signed_in(server.base) as session:
        reporting = {"default_agent": AGENT} if default_agent else {}
        body = {"name": "Bench", "organization_id": organization_id, "scopes": ["events:write"], **reporting}
        async with session.post("api-keys", json=body) as response:
            response.raise_for_status()
            token: str = (await response.json())["token"]
            return token


async def requests_per_span(requests: int, *, default_agent: bool) -> float:
    """Of the store, from the request until its calls wait to be metered; of a trace of an agent that is known."""
    clock, store = SystemClock(), CountingStore()
    application = Application(Ports(store, MemoryQueue(), clock, NoSecrets()), Settings())
    organization = await application.organizations.create(
        named_id("org", "bench"), OrganizationDraft(name="Bench", currency="USD", timezone="UTC")
    )
    await application.agents.create(new_id("agt"), organization.id, AgentDraft(external_id=AGENT, name=AGENT))
    credential = TraceCredential(id="bench", by_operator=False)
    reporting = Reporting(default_agent=AGENT if default_agent else None)
    found = []
    for number in range(3):  # caches are filled by the first
        spans, before = trace(number), store.requests
        size = len(spans) // requests
        for start in range(0, len(spans), size):
            body = protobuf_body(spans[start : start + size])
            sent = SentTraces(TraceEncoding.PROTOBUF, body, is_packed=False)
            await application.traces.take(organization.id, credential, reporting, sent)
        found.append((store.requests - before) / len(spans))
    await application.close()
    return found[-1]


async def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="xyra-bench-") as folder:
        console.print(await measured(Path(folder)))
    table = Table("requests a trace", "default agent", "store requests a span")
    for default_agent, requests in itertools.product((True, False), (1, 6)):
        found = await requests_per_span(requests, default_agent=default_agent)
        table.add_row(str(requests), "yes" if default_agent else "no", f"{found:.2f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
