"""An organization whose events are metered as they are reported, by the real services."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.adapters.usage.documents import total_id
from shared.bootstrap import Application, Ports
from shared.containers import LEDGERS
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import TotalKey, event_key
from shared.ports.store import Item, Store
from shared.services.agents.agents import AgentDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.messages import QUEUE
from shared.services.usage.metering import Delivered
from shared.services.usage.repair import ShardReport
from shared.services.usage.reported_event import ReportedEvent
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

Json = dict[str, Any]

START = datetime(2026, 10, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 10, tzinfo=UTC)
ORGANIZATION = "org_1"
AGENTS = ("agt_1", "agt_2", "agt_3")
FREE = AGENTS[-1]
"""An agent without a billing model."""
MODEL = "bm_1"
EARLY = "early"
"""The id of an event at the beginning of the month."""
SHARDS = 4


def metered(key: str, aggregation: str, value: str | None = None, **more: Json) -> Json:
    meter = {"event_type": "step", "aggregation": aggregation, "value": value}
    return {"key": key, "type": "activity", "meter": meter, "pricing": {"type": "per_unit", "unit_amount": "1"}, **more}


CHARGES = [
    metered("counted", "count"),
    metered("level", "sum", "data.level"),
    metered("highest", "max", "data.level"),
    metered("latest", "last", "data.level"),
    metered("users", "unique", "data.user"),
    metered("weighted", "weighted_sum", "data.level"),
    metered("share", "sum", "data.level", pricing={"type": "percentage", "rate": "10", "free_events": 2}),
    {"key": "passed_on", "type": "cost"},
    {
        "key": "sales",
        "type": "outcome",
        "meter": {"event_type": "outcome.sale"},
        "pricing": {"type": "percentage", "rate": "5", "free_events": 1},
    },
]


@dataclass
class Scene:
    """An organization whose events are metered as they are reported."""

    store: Store = field(default_factory=MemoryStore)
    clock: SettableClock = field(default_factory=lambda: SettableClock(NOW))
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    numbers: int = 0
    more_charges: Sequence[Json] = ()

    def __post_init__(self) -> None:
        self.host = Application(Ports(self.store, self.queue, self.clock, NoSecrets()), Settings())

    async def set_up(self) -> None:
        draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC", shard_count=SHARDS)
        await self.host.organizations.create(ORGANIZATION, draft)
        model = {"name": "Model", "currency": "USD", "effective_from": START, "charges": [*CHARGES, *self.more_charges]}
        await self.host.billing_models.create(MODEL, ORGANIZATION, BillingModelDraft.model_validate(model))
        for agent in AGENTS:
            own = {} if agent == FREE else {"billing_model_id": MODEL, "billing_model_from": START}
            await self.host.agents.create(agent, ORGANIZATION, AgentDraft(external_id=f"x{agent}", name=agent, **own))
        self.clock.set(NOW + timedelta(minutes=1))

    async def organization(self) -> Organization:
        return await self.host.organizations.get(ORGANIZATION)

    async def period(self) -> Period:
        return await self.host.periods.containing(await self.organization(), START)

    async def report(self, event_type: str, agent: str = AGENTS[0], event_id: str | None = None, **data: Any) -> str:
        """Report an event and rate it; returns its key."""
        self.numbers += 1
        event_id = event_id or f"{self.numbers}"
        at = START + timedelta(hours=0 if event_id == EARLY else self.numbers % 700)
        event = ReportedEvent(0, event_id, event_type, agent, "api", at, None, data, ORGANIZATION)
        await self.host.events.accept([event], partial=False)
        return event_key(ORGANIZATION, "api", event_id)

    async def steps(self, count: int) -> None:
        for number in range(count):
            level = Decimal(number * 7 % 11)
            await self.report("step", AGENTS[number % 3], level=level, user=f"u{number % 40}")
        await self.rated()

    async def rated(self) -> None:
        messages = self.queue.waiting.pop(QUEUE, [])
        await self.host.metering.meter(
            [Delivered(each.body, each.message_id, each.correlation_id) for each in messages]
        )

    async def repaired(self, *, mend: bool = False) -> list[ShardReport]:
        organization, period = await self.organization(), await self.period()
        return [report async for report in self.host.repair.run(organization, period, mend=mend)]

    async def total(self, agent: str = AGENTS[0]) -> tuple[str, Item]:
        """The partition and the item of one of the agent's totals."""
        version_id = await self.version_of(agent)
        id_ = total_id(TotalKey(START, agent, version_id))
        for shard in range(SHARDS):
            item = await self.store.get(LEDGERS.name, partition(shard), id_)
            if item is not None:
                return partition(shard), item
        raise AssertionError(f"{agent} has no totals")

    async def version_of(self, agent: str) -> str:
        if agent == FREE:
            return "-"
        model, _ = await self.host.billing_models.get(ORGANIZATION, MODEL)
        return model.versions.last.id

    async def damage(self, change: Callable[[Json], object], agent: str = AGENTS[0]) -> None:
        pk, item = await self.total(agent)
        change(item.document["totals"])
        await self.store.replace(LEDGERS.name, pk, item.document, item.etag)


def partition(shard: int) -> str:
    return f"{ORGANIZATION}:usage:{shard}"


def gauges(reports: Sequence[ShardReport]) -> list[str]:
    return [each.gauge for report in reports for found in report.wrong for each in found.differences]
