"""`python -m bench.invoices`: what an invoice costs, by events, by distinct values, by agents; and how fast lines are
rated and invoices are issued.

On the embedded store, through the services that issue real invoices. Each row is a fresh organization in one file.
"""

import asyncio
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.clock import StandingClock
from shared.adapters.secret_file.secrets import LocalSecrets
from shared.adapters.sqlite import Database, SqliteStore
from shared.adapters.sqlite.queue import LocalQueue
from shared.bootstrap import Application, Ports
from shared.domain.kernel.ids import new_id
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import BillingModelDraft, Version
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import AcceptedEvent, TotalKey, event_key
from shared.domain.usage.totals import Totals, contribution
from shared.ports.usage import MeteredEvent
from shared.services.agents.agents import AgentDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings

NOW = datetime(2026, 11, 3, tzinfo=UTC)
MONTH = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")
BATCH = 2_000
SECONDS = 3.0
REPEATS = 3
ISSUED = 100

TIERS = [
    {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "1"},
    {"up_to": "10000", "unit_amount": "0.008"},
    {"up_to": None, "unit_amount": "0.005"},
]


@dataclass(frozen=True)
class Cost:
    """Of one preview of an invoice: the best of a few, in seconds, and the peak memory of one, in bytes."""

    what: str
    size: int
    lines: int
    seconds: float
    peak: int


def summed(number: int = 0) -> dict[str, Any]:
    return {
        "key": f"steps-{number}",
        "type": "activity",
        "meter": {"event_type": "step", "aggregation": "sum", "value": "data.quantity"},
        "pricing": {"type": "graduated", "tiers": TIERS},
        "base_fee": {"amount": "5", "per": "agent"},
        "minimum": "10",
    }


UNIQUE = {
    "key": "users",
    "type": "activity",
    "scope": "organization",
    "meter": {"event_type": "step", "aggregation": "unique", "value": "data.user"},
    "pricing": {"type": "per_unit", "unit_amount": "0.10"},
}


class Place:
    """An application on a file of its own."""

    def __init__(self, folder: Path, kept_by: type[SqliteStore] = SqliteStore) -> None:
        folder.mkdir()
        chosen = Settings(data_dir=folder)
        database = Database(folder / "bench.db")
        self._clock = StandingClock(NOW)
        self.store = kept_by(database, self._clock)
        secrets = LocalSecrets(folder / "secrets.json")
        self.application = Application(Ports(self.store, LocalQueue(database), self._clock, secrets), chosen)
        self.usage = self.application.usage

    async def organization(self, charges: Sequence[dict[str, Any]], agents: int) -> tuple[Organization, list[str], Any]:
        made = await self.application.organizations.create(
            new_id("org"), OrganizationDraft(name="Bench", currency="USD", timezone="UTC", slug=new_id("b")[-20:])
        )
        draft = BillingModelDraft.model_validate(
            {"name": "Bench", "currency": "USD", "charges": charges, "effective_from": MONTH.start}
        )
        model, version, _ = await self.application.billing_models.create(new_id("bm"), made.id, draft)
        ids = []
        for number in range(agents):
            agent, _ = await self.application.agents.create(
                new_id("agt"),
                made.id,
                AgentDraft(
                    external_id=f"agent-{number}",
                    name=f"Agent {number}",
                    billing_model_id=model.id,
                    billing_model_from=MONTH.start,
                ),
            )
            ids.append(agent.id)
        return made, ids, version

    async def record(
        self, organization: Organization, agents: Sequence[str], version: Version, events: int, distinct: int
    ) -> None:
        """So many events for each agent, with so many distinct users among them all."""
        at = to_text(datetime(2026, 10, 10, tzinfo=UTC))
        numbered = ((number, agent) for number in range(events) for agent in agents)
        for batch in _batches(numbered, BATCH):
            metered = []
            for number, agent in batch:
                event = AcceptedEvent(
                    key=event_key(organization.id, "bench", f"{agent}-{number}"),
                    id=f"{agent}-{number}",
                    source="bench",
                    type="step",
                    agent=agent,
                    time=at,
                    data={"quantity": 3, "user": f"u{number % distinct}"},
                    content="-",
                )
                total = TotalKey(MONTH.start, agent, version.id)
                metered.append(MeteredEvent(event, total, contribution(_seen(event), version.charges, "USD"), None))
            await self.usage.record(organization.id, [1], metered)

    async def cost(self, what: str, size: int, organization: Organization) -> Cost:
        found = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            bill = await self.application.bills.preview(organization, MONTH)
            found.append(time.perf_counter() - start)
        tracemalloc.start()
        await self.application.bills.preview(organization, MONTH)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return Cost(what, size, len(bill.lines), min(found), peak)


def _batches(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def costs(folder: Path) -> list[Cost]:
    place = Place(folder)
    found = []
    for events in (10, 1_000, 100_000):
        organization, agents, version = await place.organization([summed()], agents=1)
        await place.record(organization, agents, version, events, distinct=1)
        found.append(await place.cost("events of one agent", events, organization))
    for distinct in (10, 1_000, 20_000):
        organization, agents, version = await place.organization([UNIQUE], agents=1)
        await place.record(organization, agents, version, 20_000, distinct)
        found.append(await place.cost("distinct values in 20,000 events", distinct, organization))
    for count in (1, 100, 1_000):
        organization, agents, version = await place.organization([summed()], agents=count)
        await place.record(organization, agents, version, 10, distinct=1)
        found.append(await place.cost("agents", count, organization))
    return found


async def issued_per_second(folder: Path) -> float:
    """Invoices of ten lines, drafted and finalized one after the other, each of an organization of its own."""
    place = Place(folder)
    organizations = []
    for _ in range(ISSUED):
        organization, agents, version = await place.organization([summed()], agents=10)
        await place.record(organization, agents, version, 10, distinct=1)
        organizations.append(organization)
    issuing, start = place.application.issuing, time.perf_counter()
    for organization in organizations:
        draft = await issuing.draft(organization, MONTH)
        assert draft is not None, "there is usage"  # noqa: S101  narrows
        await issuing.finalize(organization, draft.id)
    return ISSUED / (time.perf_counter() - start)


def lines_per_second(charges: int = 20, agents: int = 50) -> float:
    """Pure rating: a month of agents with a model of so many metered charges."""
    draft = BillingModelDraft.model_validate(
        {"name": "Bench", "currency": "USD", "charges": [summed(number) for number in range(charges)]}
    )
    version = Version(id="bmv_1", model_id="bm_1", number=1, effective_from=MONTH.start, charges=draft.charges)
    names = [f"agt_{number}" for number in range(agents)]
    totals: dict[tuple[str, str], Totals] = {}
    for name in names:
        event = AcceptedEvent(
            key=name,
            id=name,
            source="bench",
            type="step",
            agent=name,
            time=to_text(NOW),
            data={"quantity": 4321},
            content="-",
        )
        totals[name, version.id] = Totals()
        totals[name, version.id].add(contribution(_seen(event), version.charges, "USD"))
    facts = Facts(MONTH, "USD", [Segment(name, version, MONTH.start, MONTH.end) for name in names], totals)
    return _rate_of(lambda: len(rate(facts)))


def _seen(event: AcceptedEvent) -> CostedEvent:
    """As gauges do; it costs nothing at providers."""
    return CostedEvent(event.type, event.data, event.time, event.key)


def _rate_of(act: Callable[[], int]) -> float:
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < SECONDS:
        done += act()
    return done / elapsed


def table_of(costs: Sequence[Cost]) -> Table:
    table = Table("an invoice by", "size", "lines", "ms", "to the first", "peak MB")
    first: dict[str, float] = {}
    for cost in costs:
        base = first.setdefault(cost.what, cost.seconds)
        table.add_row(
            cost.what,
            f"{cost.size:,}",
            f"{cost.lines:,}",
            f"{cost.seconds * 1000:.1f}",
            f"{cost.seconds / base:.1f}",
            f"{cost.peak / 1e6:.1f}",
        )
    return table


async def main(console: Console, folder: Path) -> None:
    console.print(f"Lines rated/s, model of 20 metered charges, 50 agents: {lines_per_second():,.0f}")
    console.print(table_of(await costs(folder / "invoices")))
    console.print(f"Invoices of ten lines issued/s: {await issued_per_second(folder / 'issued'):,.1f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="xyra-bench-") as temporary:
        asyncio.run(main(Console(), Path(temporary)))
