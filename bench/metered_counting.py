"""`python -m bench.metered_counting`: what it costs an event that metered usage counts in caps.

Events are metered by the service with the store of one machine (SQLite, synchronous FULL), in messages of 64, one an
invocation. Where a credit has a value, each event is priced and added to the sums of its context. The rest of the way
to the wallet is measured beside it: once for each context and shard, at most every 10 seconds. Each row is a fresh
organization; rows take turns, and what is added is the median of the differences within a round. Processor time is that
of the whole process, as machines are shared.
"""

import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from shared.adapters.sqlite import Database, SqliteStore
from shared.bootstrap import Application, Ports
from shared.domain.credits.budgets import DEFAULT_ALERTS
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.services.agents.agents import AgentDraft
from shared.services.credits.budgets import BudgetDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.reported_event import ReportedEvent
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.invoiced_organization import delivered

START = datetime(2026, 11, 18, 10, tzinfo=UTC)
ROUNDS = 7
AT_ONCE = 640
"""Events in a request."""
COMMAND: dict[str, Any] = {
    "type": "activity",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "0.5"},
}


@dataclass
class Case:
    """An organization with an agent, and what its events need."""

    name: str
    credit_value: str | None = "0.5"
    has_cap: bool = False
    charges: int = 1
    has_own_runs: bool = False
    reported: int = 0
    microseconds: list[float] = field(default_factory=list)
    """For each event, by round."""
    sent: list[float] = field(default_factory=list)
    """Milliseconds until the wallet has the sums of a round."""

    @property
    def organization_id(self) -> str:
        return named_id("org", self.name)

    async def prepare(self, host: Application) -> None:
        draft = OrganizationDraft(
            name=self.name,
            currency="USD",
            timezone="Europe/Berlin",
            credit_value=None if self.credit_value is None else Decimal(self.credit_value),
        )
        await host.organizations.create(self.organization_id, draft)
        charges = [{"key": f"commands-{number}", **COMMAND} for number in range(self.charges)]
        model_id = named_id("bm", self.name)
        model = {"name": "Model", "currency": "USD", "effective_from": START - timedelta(days=1), "charges": charges}
        await host.billing_models.create(model_id, self.organization_id, BillingModelDraft.model_validate(model))
        agent = AgentDraft(
            external_id="agent", name="Agent", billing_model_id=model_id, billing_model_from=START - timedelta(days=1)
        )
        await host.agents.create(named_id("agt", self.name), self.organization_id, agent)
        if self.has_cap:
            cap = BudgetDraft("agent", "each", "month", Decimal(10**9), "credits", "default", "hard", DEFAULT_ALERTS)
            await host.credits.budgets.put(self.organization_id, "cap", cap, None)

    async def run(self, host: Application, queue: MemoryQueue, clock: SettableClock, number: int) -> None:
        """One round: its events are accepted before the clock of the processor runs."""
        for start in range(0, number, AT_ONCE):
            await host.events.accept(
                [self._event(clock.now()) for _ in range(min(AT_ONCE, number - start))], partial=False
            )
        messages = queue.waiting.pop("usage")
        begun = time.process_time()
        for message in messages:
            await host.metering.meter(delivered([message]))
        self.microseconds.append((time.process_time() - begun) * 1e6 / number)
        clock.move(timedelta(minutes=1))
        begun = time.process_time()
        await host.outbox.sweep()
        self.sent.append((time.process_time() - begun) * 1e3)

    def _event(self, now: datetime) -> ReportedEvent:
        self.reported += 1
        return ReportedEvent(
            index=0,
            id=f"event {self.reported}",
            type="command",
            agent="agent",
            source="bench",
            time=now,
            run=f"run {self.reported}" if self.has_own_runs else None,
            data={"quantity": Decimal(2)},
            organization_id=self.organization_id,
        )


async def main(number: int) -> None:
    cases = [
        Case("a credit has no value: counts in no cap", credit_value=None),
        Case("counts, no cap on it"),
        Case("counts, a hard cap on its agent", has_cap=True),
        Case("20 charges, counts in no cap", credit_value=None, charges=20),
        Case("20 charges, a hard cap on its agent", has_cap=True, charges=20),
        Case("each event of its own run, counts in no cap", credit_value=None, has_own_runs=True),
        Case("each event of its own run, a hard cap on its agent", has_cap=True, has_own_runs=True),
    ]
    with tempfile.TemporaryDirectory(prefix="xyra-counting-") as folder:
        clock, queue = SettableClock(START), MemoryQueue()
        database = Database(Path(folder) / "xyra.db")
        host = Application(Ports(SqliteStore(database, clock), queue, clock, NoSecrets()), Settings())
        for case in cases:
            await case.prepare(host)
        for _ in range(ROUNDS + 1):
            for case in cases:
                await case.run(host, queue, clock, number)
        await host.close()
        database.close()
    table = Table(
        "", "us an event", "more than in no cap", "ms until the wallet has it", title="Counting metered usage"
    )
    base = cases[0]
    for case in cases:
        base = case if case.credit_value is None else base
        more = median(one - other for one, other in zip(case.microseconds[1:], base.microseconds[1:], strict=True))
        sent = "" if case.credit_value is None else f"{median(case.sent[1:]):.1f}"
        table.add_row(case.name, f"{median(case.microseconds[1:]):.0f}", "" if case is base else f"{more:+.0f}", sent)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_280))
