"""Runs that are created with a budget, on two hosts: each stops at its own.

`XYRA_CAPPED_RUNS` is how many (100).
"""

import asyncio
import os
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

from shared.bootstrap import Application, Ports
from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.grants import Terms
from shared.domain.kernel.ids import named_id
from shared.services.credits.spending import Caller, RequestedUse, SpentFor
from shared.services.runs.runs import BudgetDraft, RunDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

RUNS = int(os.environ.get("XYRA_CAPPED_RUNS", "100"))
AT_ONCE = 25
ORGANIZATION = named_id("org", "capped")
PRINCIPAL = Principal("usr_1", ORGANIZATION, frozenset(Permission))


def caller(key: str) -> Caller:
    return Caller(ORGANIZATION, PRINCIPAL, key, key)


async def test_each_of_many_runs_stops_at_the_budget_that_it_was_created_with() -> None:
    store, clock = MemoryStore(), SettableClock(datetime(2026, 11, 18, 10, tzinfo=UTC))
    hosts = [Application(Ports(store, MemoryQueue(), clock, NoSecrets()), Settings()) for _ in range(2)]
    draft = OrganizationDraft(name="Capped", currency="USD", timezone="UTC")
    await hosts[0].organizations.create(ORGANIZATION, draft)
    await hosts[0].credits.spending.give(caller("grant"), Decimal(5 * RUNS), Terms("purchase"), "default", None)
    done: Counter[str] = Counter()

    async def run(number: int) -> None:
        host, key = hosts[number % 2], f"run {number}"
        limit = Decimal(number % 3 + 1)
        made = RunDraft(key=key, budget=BudgetDraft(limit=limit, unit="credits"))
        budget = (await host.runs.create(named_id("run", key), ORGANIZATION, made)).entity.budget
        assert budget is not None
        for attempt in range(4):
            uses = [RequestedUse(SpentFor(run=key), Decimal(1))]
            used = await host.credits.spending.use(caller(f"{key} {attempt}"), uses, "default", is_list=False)
            assert (used.refusal is None) == (attempt < limit)
            if used.refusal is not None:
                assert used.refusal.members["budget_id"] == budget.id
            done["refused" if used.refusal else "spent"] += 1

    for start in range(0, RUNS, AT_ONCE):
        await asyncio.gather(*(run(number) for number in range(start, min(RUNS, start + AT_ONCE))))
    assert done["spent"] == sum(number % 3 + 1 for number in range(RUNS))
    balance = await hosts[1].credits.balances.of(ORGANIZATION, "default")
    assert balance.consumed == done["spent"]
