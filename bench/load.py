"""The client: prepares organizations, sends events, waits for totals."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp

from bench.server import OPERATOR, Server

BATCHES = (1, 100, 1000)
CONNECTIONS = (1, 8)
MOST_IN_FLIGHT = 64
PROBE = "probe"
"""The agent whose events show how long an event takes to its total; nobody else reports for it."""

_LOOK_SECONDS = 0.005
_EVENTS = "/api/v1/events"
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Kind:
    """What all events of a load are."""

    type: str
    data: Mapping[str, Any]


COMMAND = Kind("command", {"quantity": 1})
COMMANDS = {
    "key": "commands",
    "type": "activity",
    "meter": {"event_type": COMMAND.type, "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "0.01"},
}


def batch_of(size: int, name: str, agents: Sequence[str] = ("coder",), kind: Kind = COMMAND) -> bytes:
    """The agents take turns."""
    time_text = datetime.now(UTC).isoformat()
    events = [
        {
            "id": f"{name}-{number}",
            "type": kind.type,
            "agent": agents[number % len(agents)],
            "time": time_text,
            "data": kind.data,
        }
        for number in itertools.islice(_numbers, size)
    ]
    return json.dumps(events[0] if size == 1 else events).encode()


@dataclass(frozen=True, slots=True)
class Shape:
    """What usage is, and how it is spread."""

    organizations: int = 1
    agents: int = 1
    """Of each organization."""
    events_per_request: int = 1000
    kind: Kind = COMMAND
    charges: Sequence[Mapping[str, Any]] = (COMMANDS,)

    @property
    def agent_names(self) -> list[str]:
        return ["coder"] if self.agents == 1 else [f"coder-{number}" for number in range(self.agents)]

    @property
    def brief(self) -> str:
        return f"{self.organizations} x {self.agents} agents"

    def __str__(self) -> str:
        return f"{self.brief}, {self.events_per_request:,} a request"


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Sustained:
    """What was accepted and metered, and in how many seconds.

    They count from the first request until nothing waited.
    """

    count: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


@dataclass(frozen=True, slots=True)
class Sender:
    """Of one organization."""

    key: str
    agent_id: str
    """One of its agents."""

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key, "Content-Type": "application/json"}


@asynccontextmanager
async def signed_in(base: str) -> AsyncIterator[aiohttp.ClientSession]:
    """The operator's session; its paths start after the API's version."""
    connector = aiohttp.TCPConnector(limit=max(CONNECTIONS))
    async with aiohttp.ClientSession(f"{base}/api/v1/", connector=connector) as session:
        form = {"username": OPERATOR[0], "password": OPERATOR[1]}
        async with session.post("auth/login/access-token", data=form) as response:
            token = (await response.json())["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield session


class Load:
    def __init__(self, base: str, senders: Sequence[Sender], shape: Shape) -> None:
        self._base = base
        self._senders = senders
        self._shape = shape

    @classmethod
    async def prepared(cls, base: str, shape: Shape = Shape()) -> Self:
        async with signed_in(base) as session:
            return cls(base, [await new_organization(session, shape) for _ in range(shape.organizations)], shape)

    def at(self, server: Server) -> Self:
        """The same organizations, served by another host."""
        self._base = server.base
        return self

    async def accept(self, size: int, connections: int, seconds: float) -> float:
        """Events accepted per second over so many connections."""
        requests, elapsed = await self._send_for(seconds, connections, lambda: self._batch(size))
        return requests * size / elapsed

    async def sustained(self, size: int, connections: int, seconds: float) -> Sustained:
        """Events from the first request until the last is in its total: the most the host keeps up with."""
        requests = await self._sustained(connections, seconds, lambda: self._batch(size))
        return Sustained(requests.count * size, requests.seconds)

    async def reported(self, route: str, body: Mapping[str, Any], connections: int, seconds: float) -> Sustained:
        """As `sustained`, of an agent's convenience route: requests."""
        path = f"/api/v1/agents/{self._senders[0].agent_id}/{route}"
        return await self._sustained(
            connections,
            seconds,
            lambda: Request(path, json.dumps({"id": f"reported-{next(_numbers)}", **body}).encode()),
        )

    async def parked(self) -> list[dict[str, Any]]:
        """The newest events that were accepted and could not be metered."""
        async with aiohttp.ClientSession(self._base) as session:
            found: list[dict[str, Any]] = (await self._get(session, "events/parked"))["data"]
            return found

    async def _sustained(self, connections: int, seconds: float, request: Callable[[], Request]) -> Sustained:
        start = time.perf_counter()
        requests, _ = await self._send_for(seconds, connections, request)
        async with aiohttp.ClientSession(self._base) as session:
            await self._until_nothing_waits(session)
        return Sustained(requests, time.perf_counter() - start)

    def _batch(self, size: int) -> Request:
        return Request(_EVENTS, batch_of(size, "load", self._shape.agent_names, self._shape.kind))

    async def send(self, events: int) -> None:
        size = self._shape.events_per_request
        async with aiohttp.ClientSession(self._base) as session:
            for sender in itertools.islice(itertools.cycle(self._senders), -(-events // size)):
                body = batch_of(size, "backlog", self._shape.agent_names, self._shape.kind)
                await post(session, sender, Request(_EVENTS, body))

    async def drained(self) -> float:
        """Events metered per second, from the first look until nothing waits."""
        async with aiohttp.ClientSession(self._base) as session:
            before = int((await self._usage(session))["pending"])
            start = time.perf_counter()
            await self._until_nothing_waits(session)
            return before / (time.perf_counter() - start)

    async def latencies(self, probes: int, *, size: int = 1, per_second: float = 0) -> tuple[float, float]:
        """Median and 99th percentile of the seconds from acknowledgement to visible total.

        Beside the event that is waited for, there are so many other events per second in requests of that size.
        """
        async with aiohttp.ClientSession(self._base, connector=aiohttp.TCPConnector(limit=MOST_IN_FLIGHT)) as session:
            others = asyncio.create_task(self._send_steadily(session, size, per_second))
            found = sorted([await self._latency(session) for _ in range(probes)])
            others.cancel()
            await asyncio.gather(others, return_exceptions=True)
            await self._until_nothing_waits(session)
        return found[len(found) // 2], found[int(len(found) * 0.99)]

    async def _latency(self, session: aiohttp.ClientSession) -> float:
        before = _quantity(await self._usage(session, agent=PROBE))
        await post(session, self._senders[0], Request(_EVENTS, batch_of(1, "latency", [PROBE])))
        start = time.perf_counter()
        while _quantity(await self._usage(session, agent=PROBE)) == before:  # noqa: ASYNC110  asked over HTTP
            await asyncio.sleep(_LOOK_SECONDS)
        return time.perf_counter() - start

    async def _send_steadily(self, session: aiohttp.ClientSession, size: int, per_second: float) -> None:
        """Send at a steady pace, whether or not the answers keep up.

        So a host that lags is seen to.
        """
        if not per_second:
            return
        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                await asyncio.sleep(start + number * size / per_second - time.perf_counter())
                body = batch_of(size, "steady", self._shape.agent_names)
                group.create_task(post(session, self._senders[0], Request(_EVENTS, body)))

    async def _send_for(self, seconds: float, connections: int, request: Callable[[], Request]) -> tuple[int, float]:
        """How many requests were accepted, and in how many seconds."""
        requests = 0
        end = time.perf_counter() + seconds

        async def send(session: aiohttp.ClientSession) -> None:
            nonlocal requests
            while time.perf_counter() < end:
                await post(session, self._senders[0], request())
                requests += 1

        start = time.perf_counter()
        async with aiohttp.ClientSession(self._base, connector=aiohttp.TCPConnector(limit=connections)) as session:
            await asyncio.gather(*(send(session) for _ in range(connections)))
        return requests, time.perf_counter() - start

    async def _until_nothing_waits(self, session: aiohttp.ClientSession) -> None:
        while (await self._usage(session))["pending"]:  # noqa: ASYNC110  asked over HTTP
            await asyncio.sleep(0.05)

    async def _usage(self, session: aiohttp.ClientSession, **query: str) -> dict[str, Any]:
        return await self._get(session, "usage", **query)

    async def _get(self, session: aiohttp.ClientSession, path: str, **query: str) -> dict[str, Any]:
        async with session.get(f"/api/v1/{path}", params=query, headers=self._senders[0].headers) as response:
            response.raise_for_status()
            answer: dict[str, Any] = await response.json()
            return answer


async def post(session: aiohttp.ClientSession, sender: Sender, request: Request) -> None:
    async with session.post(request.path, data=request.body, headers=sender.headers) as response:
        await response.read()
        response.raise_for_status()


async def new_organization(session: aiohttp.ClientSession, shape: Shape) -> Sender:
    """Of a new organization with its agents."""

    async def make(path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with session.post(path, json=body) as made:
            made.raise_for_status()
            answer: dict[str, Any] = await made.json()
            return answer

    organization = (await make("organizations", {"name": "Bench", "currency": "USD"}))["id"]
    priced = {"name": "Bench", "currency": "USD", "organization_id": organization, "charges": shape.charges}
    model = await make("billing-models", priced)
    shared = {"organization_id": organization, "billing_model_id": model["id"]}
    names = (*shape.agent_names, PROBE)
    agents = await asyncio.gather(*(make("agents", {"external_id": name, "name": name, **shared}) for name in names))
    scopes = ["events:write", "events:read", "usage:read"]
    key = await make("api-keys", {"name": "Bench", "scopes": scopes, "organization_id": organization})
    return Sender(key["token"], agents[0]["id"])


def _quantity(usage: dict[str, Any]) -> int:
    return sum(int(row["quantity"]) for row in usage["data"])
