"""Random traces that reach several hosts on one file, a tenth lost and sent again, hosts killed: the money is exact.

`XYRA_TRACES` is how many traces are sent (24; `make traces` sends 1,000), `XYRA_TRACE_HOSTS` over how many hosts (2).
`XYRA_TRACE_SEED` draws the same traces again; what a kill meets at its moment is up to the machine.
"""

import asyncio
import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random, SystemRandom
from typing import Any

import aiohttp

from shared.domain.ingestion.spans import Span
from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import ORGANIZATION_SCOPES, Organization
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.worlds.otlp_bodies import json_body, protobuf_body
from tests.doubles.worlds.random_traces import RandomTrace, cut_by_end, random_trace
from tests.doubles.worlds.sent_traces import NOON

Json = dict[str, Any]
Tokens = Counter[tuple[str, str]]
"""By agent, of input and output."""

TRACES = int(os.environ.get("XYRA_TRACES", "24"))
HOSTS = int(os.environ.get("XYRA_TRACE_HOSTS", "2"))
SETTINGS = {"XYRA_QUEUE_LOCK_SECONDS": "1", "XYRA_LOG_LEVEL": "INFO"}
WAIT = timedelta(seconds=300)
AT_ONCE = 8
PARTS = max(1, TRACES // 100)
"""Of each phase."""
LONGEST_LOAD = 1.0
MODEL = {"key": "llm", "type": "cost", "categories": ["llm"]}


@dataclass
class Sending:
    """The requests of one trace: at first, within the wait, and after it."""

    trace: RandomTrace
    first: list[list[Span]] = field(default_factory=list)
    in_time: list[list[Span]] = field(default_factory=list)
    too_late: list[list[Span]] = field(default_factory=list)

    @classmethod
    def of(cls, trace: RandomTrace, random: Random) -> "Sending":
        sending = cls(trace)
        for request in cut_by_end(trace, random):
            lost = random.random() < 0.1
            (random.choice((sending.in_time, sending.too_late)) if lost else sending.first).append(request)
        return sending

    @property
    def tokens(self) -> Tokens:
        tokens: Tokens = Counter()
        for call in (*self.trace.calls, *self.trace.sums):
            tokens[call.agent, "input"] += call.counts.input
            tokens[call.agent, "output"] += call.counts.output
        return tokens


class Hosts:
    """Of one data directory; one is killed now and then, and starts again."""

    def __init__(self, processes: Sequence[XyraProcess], random: Random) -> None:
        self._processes = processes
        self._random = random
        self.kills = 0

    async def kill_one(self) -> None:
        """In the midst of the requests, and start it again."""
        await asyncio.sleep(self._random.uniform(0, LONGEST_LOAD))
        process = self._random.choice(self._processes)
        process.kill()
        self.kills += 1
        await asyncio.to_thread(process.start)

    async def post(self, session: aiohttp.ClientSession, path: str, body: bytes, headers: Json) -> None:
        """As an exporter does: again, to whichever host answers, until it is taken."""
        async with asyncio.timeout(120):
            while True:
                serving = [process.base for process in self._processes if process.base]
                try:
                    base = self._random.choice(serving)
                    async with session.post(base + path, data=body, headers=headers) as response:
                        if response.status == 200:
                            return
                        assert response.status == 503, await response.text()
                except (aiohttp.ClientError, ConnectionError, IndexError):
                    pass  # nobody is there now
                await asyncio.sleep(0.05)


async def send_all(hosts: Hosts, requests: Sequence[Sequence[Span]], key: Json, random: Random) -> None:
    """In parts; a host is killed while each is sent."""
    size = max(1, math.ceil(len(requests) / PARTS))
    for start in range(0, len(requests), size):
        await asyncio.gather(send_some(hosts, requests[start : start + size], key, random), hosts.kill_one())


async def send_some(hosts: Hosts, requests: Sequence[Sequence[Span]], key: Json, random: Random) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def send(session: aiohttp.ClientSession, request: Sequence[Span]) -> None:
        encoded = random.choice((json_body, protobuf_body))
        media_type = "application/json" if encoded is json_body else "application/x-protobuf"
        async with places:
            await hosts.post(session, "/v1/traces", encoded(request), {**key, "Content-Type": media_type})

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(send(session, request) for request in requests))


async def recorded(organization: Organization) -> dict[str, Tokens]:
    """What each trace's calls were counted with, by trace."""
    agents = {}
    tokens: dict[str, Tokens] = {}
    async for agent in every(organization, "agents"):
        agents[agent["id"]] = agent["external_id"]
    async for event in every(organization, "events"):
        of_trace = tokens.setdefault(event["run"], Counter())
        of_trace[agents[event["agent_id"]], "input"] += event["data"]["input_tokens"]
        of_trace[agents[event["agent_id"]], "output"] += event["data"]["output_tokens"]
    return tokens


async def every(organization: Organization, path: str) -> Any:
    cursor: Json = {}
    while True:
        page = await organization.key.get(path, limit="200", **cursor)
        for thing in page["data"]:
            yield thing
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


def together(tokens: Tokens) -> tuple[int, int]:
    return (
        sum(count for (_, kind), count in tokens.items() if kind == "input"),
        sum(count for (_, kind), count in tokens.items() if kind == "output"),
    )


async def test_totals_are_exact_and_agents_right_where_they_were_named_in_time(
    new_process: Callable[..., XyraProcess],
) -> None:
    seed = int(os.environ.get("XYRA_TRACE_SEED", SystemRandom().getrandbits(32)))
    print(f"XYRA_TRACE_SEED={seed}")  # noqa: T201  to play it again
    random = Random(seed)
    sendings = [Sending.of(random_trace(random.getrandbits(32)), random) for _ in range(TRACES)]
    processes = [new_process(**SETTINGS) for _ in range(HOSTS)]
    processes[0].set_clock(NOON)
    served = await Served.by(processes[0])
    for process in processes[1:]:
        await asyncio.to_thread(process.start)
    async with served.clients() as xyra:
        organization = await xyra.organization()
        model = await organization.model(MODEL, effective_from="2026-01-01T00:00:00Z")
        body = {
            "name": "Exporter",
            "organization_id": organization.id,
            "scopes": ORGANIZATION_SCOPES,
            "make_agents": {"billing_model_id": model["id"]},
        }
        key = {"X-API-Key": (await xyra.operator.post("api-keys", body))["token"]}
    hosts = Hosts(processes, random)
    first = [request for sending in sendings for request in sending.first]
    random.shuffle(first)
    await send_all(hosts, first, key, random)
    processes[0].set_clock(NOON + WAIT / 2)
    await send_all(hosts, [request for sending in sendings for request in sending.in_time], key, random)
    processes[0].set_clock(NOON + WAIT + timedelta(seconds=120))
    await send_all(hosts, [request for sending in sendings for request in sending.too_late], key, random)
    async with served.clients() as xyra:
        await xyra.idle()
        processes[0].set_clock(NOON + 3 * WAIT)
        await xyra.idle()
        processes[0].set_clock(NOON + 4 * WAIT)
        await xyra.idle()
        counted = await recorded(xyra.again(organization))
        assert (await xyra.again(organization).key.get("events/parked"))["data"] == []
    print(f"{TRACES} traces over {HOSTS} hosts, {hosts.kills} kills")  # noqa: T201  figures
    assert {trace: together(tokens) for trace, tokens in counted.items()} == {
        sending.trace.trace_id: together(sending.tokens) for sending in sendings if sending.tokens
    }
    for sending in sendings:
        if not sending.too_late:
            assert counted[sending.trace.trace_id] == sending.tokens, sending.trace.trace_id
