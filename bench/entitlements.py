"""`python -m bench.entitlements`: what an entitlement check costs, in processor time and in requests to the store.

Checks go through the service with the store of one machine (SQLite, synchronous FULL), some at once. Processor time is
that of the whole process; p50 and p99 are by the wall clock.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from shared.adapters.clock.system_clock import SystemClock
from shared.adapters.sqlite import Database, SqliteStore
from shared.bootstrap import Application, Ports
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.plans import PlanDraft
from shared.ports.store import Item
from shared.services.agents.agents import AgentDraft
from shared.services.billing.subscription_commands import Subscribe
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.worlds.billing_world import NoSecrets

AT_ONCE = 8
ORGANIZATION = named_id("org", "bench")
FEATURES: list[dict[str, Any]] = [
    {"feature": "api_access", "value": True},
    {"feature": "agents", "limit": "100000", "mode": "hard"},
    {"feature": "projects", "limit": "5", "mode": "hard"},
    {"feature": "runs", "limit": "100000", "mode": "hard"},
    {"feature": "seats", "limit": "5", "mode": "hard"},
    {"feature": "events", "limit": "100000", "mode": "soft"},
]


class CountedStore(SqliteStore):
    """Counts reads of items, of one or several at once."""

    requests = 0

    async def get_many(self, container: str, pk: str, ids: Any) -> dict[str, Item]:  # noqa: ANN401  as the store's
        self.requests += 1
        return await super().get_many(container, pk, ids)


async def _prepared(store: CountedStore) -> Application:
    host = Application(Ports(store, MemoryQueue(), SystemClock(), NoSecrets()), Settings())
    await host.organizations.create(ORGANIZATION, OrganizationDraft(name="Bench", currency="USD", timezone="UTC"))
    fee = {"key": "fee", "type": "flat_fee", "amount": "10.00", "timing": "advance"}
    model = BillingModelDraft.model_validate({"name": "Team", "currency": "USD", "charges": [fee]})
    await host.billing_models.create(named_id("bm", "bench"), None, model)
    prices = {"USD": named_id("bmv", named_id("bm", "bench"), 1)}
    draft = {"key": "bench", "name": "Bench", "prices": prices, "entitlements": FEATURES}
    await host.plans.create(named_id("plan", "bench"), PlanDraft.model_validate(draft))
    subscription = named_id("sub", "bench")
    await host.subscriptions.command(ORGANIZATION, subscription, Subscribe("bench"), subscription)
    return host


async def _row(store: CountedStore, name: str, number: int, act: Callable[[int], Awaitable[object]]) -> list[str]:
    latencies: list[float] = []
    store.requests = 0
    places = asyncio.Semaphore(AT_ONCE)

    async def one(index: int) -> None:
        async with places:
            began = time.perf_counter()
            await act(index)
            latencies.append(time.perf_counter() - began)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one(index) for index in range(number)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    latencies.sort()
    return [
        name,
        f"{1e6 * cpu / number:,.0f}",
        f"{number / wall:,.0f}",
        *(f"{1000 * latencies[int(share * (number - 1))]:.2f}" for share in (0.5, 0.99)),
        f"{store.requests / number:.2f}",
    ]


async def main(number: int) -> None:
    table = Table("", "us CPU", "a second", "p50 ms", "p99 ms", "reads", title="Entitlement checks")
    with tempfile.TemporaryDirectory(prefix="xyra-bench-") as folder:
        database = Database(Path(folder) / "xyra.db")
        store = CountedStore(database, SystemClock())
        host = await _prepared(store)

        def check(feature: str) -> Callable[[int], Awaitable[object]]:
            return lambda _: host.entitlements.one(ORGANIZATION, feature)

        async def create(index: int) -> None:
            name = f"agent {index}"
            await host.agents.create(named_id("agt", name), ORGANIZATION, AgentDraft(external_id=name, name=name))

        for feature in ("api_access", "agents", "runs", "seats", "events"):
            table.add_row(*await _row(store, feature, number, check(feature)))
        table.add_row(*await _row(store, "all six", number, lambda _: host.entitlements.all(ORGANIZATION)))
        table.add_row(*await _row(store, "create an agent within a limit", number // 10, create))
        await host.close()
        database.close()
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000))
