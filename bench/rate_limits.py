"""`python -m bench.rate_limits`: what rate limits cost a request that reports one event, in time of the processor.

One process, one store and queue in memory, the same requests by turns: without limits, with limits where the key has no
rate, and with a rate.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

import function_app
from functions.usage.events import report_events
from shared.adapters.clock.system_clock import SystemClock
from shared.bootstrap import Application, Ports
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.ids import new_id
from shared.http import ENDPOINTS
from shared.http.serving import Request, serve
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.agents.agents import AgentDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.worlds.billing_world import NoSecrets

assert function_app.app, "importing it declares the endpoints"  # noqa: S101  it always holds

ROUNDS = 60
REQUESTS = 100
"""Of a round."""
ACCEPTED = 202
RATE = 1_000_000
"""Requests a minute: none is refused."""
WAYS: Mapping[str, tuple[Settings, int | None]] = {
    "limits off": (Settings(limits="off"), None),
    "limits on, key without a rate": (Settings(), None),
    "limits on, key with a rate": (Settings(), RATE),
}


class Host:
    """An app with an organization of one agent, and a key that reports for it."""

    def __init__(self, chosen: Settings) -> None:
        self.application = Application(Ports(MemoryStore(), MemoryQueue(), SystemClock(), NoSecrets()), chosen)
        self._declared = next(endpoint for endpoint in ENDPOINTS if endpoint.name == "report_events")
        self._token = ""
        self._sent = 0

    async def prepare(self, rate: int | None) -> None:
        host, organization_id = self.application, new_id("org")
        draft = OrganizationDraft(name="Acme", slug="acme", currency="USD", timezone="UTC")
        await host.organizations.create(organization_id, draft)
        await host.agents.create(new_id("agt"), organization_id, AgentDraft(external_id="coder", name="Coder"))
        await host.limits.put(organization_id, {}, rate, None)
        maker = Principal("usr_1", None, frozenset(Permission))
        key = ApiKeyDraft(name="Bench", scopes=(Permission.EVENTS_WRITE,))
        _, self._token = await host.api_keys.create(new_id("key"), organization_id, key, maker)

    async def round(self) -> float:
        """Seconds of the processor for each request."""
        begun = time.process_time()
        for _ in range(REQUESTS):
            self._sent += 1
            event = {"id": f"e{self._sent}", "type": "command", "agent": "coder", "time": datetime.now(UTC).isoformat()}
            headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
            request = Request("POST", headers, {}, {}, json.dumps(event).encode())
            answer = await serve(self._declared, report_events, request, lambda: self.application)
            if answer.status != ACCEPTED:
                raise RuntimeError(answer.body.decode())
        return (time.process_time() - begun) / REQUESTS


async def main() -> int:
    hosts = {way: Host(chosen) for way, (chosen, _) in WAYS.items()}
    for way, host in hosts.items():
        await host.prepare(WAYS[way][1])
        await host.round()
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(ROUNDS):
        for way, host in hosts.items():
            seconds[way].append(await host.round())
    table = Table("", "us of CPU a request", "to limits off", title="POST /events, one event, in memory")
    floor = statistics.median(seconds["limits off"])
    for way, all_seconds in seconds.items():
        median = statistics.median(all_seconds)
        table.add_row(way, f"{median * 1e6:,.0f}", f"{median / floor:.3f}")
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    for host in hosts.values():
        await host.application.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
