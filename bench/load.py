"""The client: prepares an organization, sends events, waits for totals."""

import asyncio
import itertools
import json
import time
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp

from bench.server import OPERATOR, Server

BATCHES = (1, 100, 1000)
CONNECTIONS = (1, 8)
_BACKLOG_BATCH = 1000
_numbers = itertools.count()


def batch_of(size: int, name: str) -> bytes:
    time_text = datetime.now(UTC).isoformat()
    events = [
        {
            "id": f"{name}-{next(_numbers)}",
            "type": "command",
            "agent": "coder",
            "time": time_text,
            "data": {"quantity": 1},
        }
        for _ in range(size)
    ]
    return json.dumps(events[0] if size == 1 else events).encode()


class Load:
    def __init__(self, base: str, key: str) -> None:
        self._base = base
        self._sender = {"X-API-Key": key, "Content-Type": "application/json"}

    @classmethod
    async def prepared(cls, base: str) -> Self:
        async with aiohttp.ClientSession(f"{base}/api/v1/") as session:
            form = {"username": OPERATOR[0], "password": OPERATOR[1]}
            async with session.post("auth/login/access-token", data=form) as response:
                token = (await response.json())["access_token"]
            headers = {"Authorization": f"Bearer {token}"}

            async def make(path: str, body: dict[str, Any]) -> dict[str, Any]:
                async with session.post(path, json=body, headers=headers) as made:
                    made.raise_for_status()
                    answer: dict[str, Any] = await made.json()
                    return answer

            organization = await make("organizations", {"name": "Bench", "currency": "USD"})
            meter = {"event_type": "command", "aggregation": "sum", "value": "data.quantity"}
            charge = {
                "key": "commands",
                "type": "activity",
                "meter": meter,
                "pricing": {"type": "per_unit", "unit_amount": "0.01"},
            }
            model = await make(
                "billing-models",
                {"name": "Bench", "currency": "USD", "organization_id": organization["id"], "charges": [charge]},
            )
            await make(
                "agents",
                {
                    "external_id": "coder",
                    "name": "Coder",
                    "organization_id": organization["id"],
                    "billing_model_id": model["id"],
                },
            )
            key = await make(
                "api-keys",
                {"name": "Bench", "scopes": ["events:write", "usage:read"], "organization_id": organization["id"]},
            )
            return cls(base, key["token"])

    async def accept(self, size: int, connections: int, seconds: float) -> float:
        """Events accepted per second over so many connections."""
        requests = 0
        end = time.perf_counter() + seconds

        async def send(session: aiohttp.ClientSession) -> None:
            nonlocal requests
            while time.perf_counter() < end:
                async with session.post(
                    "/api/v1/events", data=batch_of(size, "load"), headers=self._sender
                ) as response:
                    await response.read()
                    response.raise_for_status()
                requests += 1

        start = time.perf_counter()
        async with aiohttp.ClientSession(self._base, connector=aiohttp.TCPConnector(limit=connections)) as session:
            await asyncio.gather(*(send(session) for _ in range(connections)))
        return requests * size / (time.perf_counter() - start)

    async def send(self, events: int) -> None:
        async with aiohttp.ClientSession(self._base) as session:
            for _ in range(-(-events // _BACKLOG_BATCH)):
                body = batch_of(_BACKLOG_BATCH, "backlog")
                async with session.post("/api/v1/events", data=body, headers=self._sender) as response:
                    response.raise_for_status()

    async def drained(self, server: Server) -> float:
        """Events rated per second, from the first look until nothing waits."""
        self._base = server.base
        async with aiohttp.ClientSession(self._base) as session:
            before = int((await self._usage(session))["pending"])
            start = time.perf_counter()
            while (await self._usage(session))["pending"]:  # noqa: ASYNC110  asked over HTTP
                await asyncio.sleep(0.05)
            return before / (time.perf_counter() - start)

    async def latencies(self, base: str, count: int) -> tuple[float, float]:
        """Seconds from the acknowledgement of an event until a reader sees its total: median and 99th percentile."""
        found: list[float] = []
        async with aiohttp.ClientSession(base) as session:
            seen = self._quantity(await self._usage(session))
            for _ in range(count):
                async with session.post(
                    "/api/v1/events", data=batch_of(1, "latency"), headers=self._sender
                ) as response:
                    response.raise_for_status()
                start = time.perf_counter()
                while (now := self._quantity(await self._usage(session))) == seen:  # noqa: ASYNC110  see above
                    await asyncio.sleep(0.001)
                seen = now
                found.append(time.perf_counter() - start)
        found.sort()
        return found[len(found) // 2], found[int(len(found) * 0.99)]

    async def _usage(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        async with session.get("/api/v1/usage", headers=self._sender) as response:
            response.raise_for_status()
            answer: dict[str, Any] = await response.json()
            return answer

    @staticmethod
    def _quantity(usage: dict[str, Any]) -> int:
        return sum(int(row["quantity"]) for row in usage["data"])
