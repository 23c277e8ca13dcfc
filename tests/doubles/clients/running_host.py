"""A local host inside the test's own loop, with a broker and a clock.

It listens on a free port.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import azure.functions as func

from local.host import KEY_HEADER, Bounds, Host
from tests.doubles.fakes.memory_broker import MemoryBroker

ADMIN_KEY = "the key that starts functions by hand"
BY_HAND = {KEY_HEADER: ADMIN_KEY}
"""The headers of who may start functions."""
PROBLEM = "application/problem+json"
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""What browsers may do with an answer."""
SOME_MORNING = datetime(2026, 10, 3, 8, 0, tzinfo=UTC)


async def problem_of(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The problem document of an answer that the host itself gives."""
    assert {name: response.headers[name] for name in SAFE_HEADERS} == SAFE_HEADERS
    problem: dict[str, Any] = await response.json(content_type=PROBLEM)
    assert (problem["status"], bool(problem["detail"])) == (response.status, True)
    return problem


@dataclass
class MovableClock:
    now: datetime = SOME_MORNING

    def __call__(self) -> datetime:
        return self.now


@dataclass
class RunningHost:
    host: Host
    client: aiohttp.ClientSession
    broker: MemoryBroker
    clock: MovableClock

    async def status(self) -> dict[str, Any]:
        async with self.client.get("/admin/host/status") as response:
            assert response.status == 200
            status: dict[str, Any] = await response.json()
            return status

    async def idle(self) -> dict[str, Any]:
        """Wait until the host's status shows nothing left to do."""
        deadline = time.monotonic() + 10
        while True:
            status = await self.status()
            if status["queued"] == status["running"] == status["overdue"] == 0:
                return status
            assert time.monotonic() < deadline, status
            await asyncio.sleep(0.005)


@dataclass
class Options:
    service_bus: dict[str, Any] = field(default_factory=dict)
    route_prefix: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    grace_seconds: float = 5
    schedule_status: Path | None = None
    function_timeout: str = "00:05:00"
    restart: Callable[[], None] | None = None
    bounds: Bounds = field(default_factory=Bounds)


async def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true within 10 s"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def hosted(
    app: func.FunctionApp,
    directory: Path,
    options: Options | None = None,
    *,
    broker: MemoryBroker | None = None,
    clock: MovableClock | None = None,
) -> AsyncIterator[RunningHost]:
    options = options or Options()
    broker = broker or MemoryBroker()
    clock = clock or MovableClock()
    host_json = directory / "host.json"
    extensions = {"http": {"routePrefix": options.route_prefix}, "serviceBus": options.service_bus}
    document = {"version": "2.0", "functionTimeout": options.function_timeout, "extensions": extensions}
    host_json.write_text(json.dumps(document), encoding="utf-8")
    host = Host(
        app,
        host_json=host_json,
        broker=broker,
        clock=clock,
        admin_key=ADMIN_KEY,
        bounds=options.bounds,
        settings=options.settings,
        grace_seconds=options.grace_seconds,
        schedule_status=options.schedule_status,
        restart=options.restart,
    )
    await host.start(0)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{host.port}") as client:
            yield RunningHost(host, client, broker, clock)
    finally:
        await host.stop()
