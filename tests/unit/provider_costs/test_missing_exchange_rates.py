"""Costs without an exchange rate: what they ask of the store and the rater until there is one."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.bootstrap import Application, Ports
from shared.containers import CATALOG
from shared.domain.provider_costs.llm_prices import ModelPrices
from shared.domain.provider_costs.model_names import ModelName
from shared.ports.store import ItemPage
from shared.services.agents.agents import AgentDraft
from shared.services.provider_costs.costs import RECENT
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.messages import QUEUE
from shared.services.usage.metering import Delivered
from shared.services.usage.reported_event import ReportedEvent
from shared.settings import Settings
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

NOW = datetime(2026, 11, 18, 10, tzinfo=UTC)
BEFORE = NOW - timedelta(days=1)
ORGANIZATION = "org_1"
AGENT = "agt_1"
BATCHES = 100
LOOK = 3
"""Queries: of the prices, of the aliases, and of the rates."""
IN_EUR = {"amount": "10", "currency": "EUR"}


class CountingStore(MemoryStore):
    """It counts the queries of prices, aliases and rates."""

    looks = 0

    async def query(self, container: str, pk: str, kind: str, **how: Any) -> ItemPage:
        self.looks += container == CATALOG.name
        return await super().query(container, pk, kind, **how)


@dataclass
class Scene:
    """One host meters, and on another one the operator works.

    They have nothing in common but the store.
    """

    store: CountingStore = field(default_factory=CountingStore)
    clock: SettableClock = field(default_factory=lambda: SettableClock(NOW))
    queue: MemoryQueue = field(default_factory=MemoryQueue)

    def __post_init__(self) -> None:
        self.rater, self.office = self._host(), self._host()

    def _host(self) -> Application:
        return Application(Ports(self.store, self.queue, self.clock, NoSecrets()), Settings())

    @classmethod
    async def set_up(cls) -> "Scene":
        scene = cls()
        draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC", shard_count=1)
        await scene.office.organizations.create(ORGANIZATION, draft)
        await scene.office.agents.create(AGENT, ORGANIZATION, AgentDraft(external_id="coder", name="Coder"))
        scene.clock.move(timedelta(minutes=1))
        return scene

    async def rate(self, event_id: str, event_type: str = "cost.api", data: dict[str, Any] = IN_EUR) -> None:
        reported = ReportedEvent(0, event_id, event_type, AGENT, "api", None, None, data, ORGANIZATION)
        await self.office.events.accept([reported], partial=False)
        await self.deliver()

    async def deliver(self) -> None:
        messages = self.queue.waiting.pop(QUEUE)
        await self.rater.metering.meter(
            [Delivered(each.body, each.message_id, each.correlation_id) for each in messages]
        )

    async def replay(self) -> None:
        organization = await self.office.organizations.get(ORGANIZATION)
        entries, _ = await self.office.parked_events.page(ORGANIZATION, "parked", 200, None)
        await self.office.parked_events.replay(organization, [each.id for each in entries], "usr_1")
        await self.deliver()

    async def parked(self) -> list[str]:
        entries, _ = await self.office.parked_events.page(ORGANIZATION, "parked", 200, None)
        return sorted(each.subject["id"] for each in entries)

    async def put(self, source: str, office: Application | None = None) -> None:
        await (office or self.office).exchange_rates.put(source, "USD", Decimal("1.1"), BEFORE, None)


def test_a_hundred_batches_look_for_a_missing_rate_once():
    async def ratings() -> tuple[int, float]:
        scene = await Scene.set_up()
        start = asyncio.get_running_loop().time()
        for number in range(BATCHES):
            await scene.rate(f"{number}")
        assert len(await scene.parked()) == BATCHES
        return scene.store.looks, asyncio.get_running_loop().time() - start

    looks, seconds = virtual_time.run(ratings())
    assert looks == 2 * LOOK, "at first, and once more after a while"
    assert seconds < 1


def test_it_is_looked_for_again_every_few_seconds():
    async def looks() -> int:
        scene = await Scene.set_up()
        await scene.rate("first")
        before = scene.store.looks
        for number in range(BATCHES):
            scene.clock.move(RECENT / 10)
            await scene.rate(f"{number}")
        return scene.store.looks - before

    assert virtual_time.run(looks()) == BATCHES / 10 * LOOK


def test_a_rate_that_another_host_added_is_seen_after_a_few_seconds_and_by_replays_at_once():
    async def watch() -> None:
        scene = await Scene.set_up()
        await scene.rate("early")
        await scene.put("EUR")
        await scene.rate("too soon")
        assert await scene.parked() == ["early", "too soon"]
        await scene.replay()
        assert await scene.parked() == []
        await scene.rate("after the replay")

        await scene.rate("in francs", data={"amount": "10", "currency": "CHF"})
        await scene.put("CHF")
        scene.clock.move(RECENT)
        await scene.rate("in time", data={"amount": "10", "currency": "CHF"})
        assert await scene.parked() == ["in francs"]

    virtual_time.run(watch())


def test_a_rate_that_nobody_has_missed_yet_is_seen_at_once():
    async def watch() -> None:
        scene = await Scene.set_up()
        await scene.rate("in francs", data={"amount": "10", "currency": "CHF"})
        await scene.put("EUR")
        await scene.rate("in euros")
        assert await scene.parked() == ["in francs"]

    virtual_time.run(watch())


def test_a_rate_that_the_same_host_added_is_seen_at_once():
    async def watch() -> None:
        scene = await Scene.set_up()
        await scene.rate("early")
        await scene.put("EUR", office=scene.rater)
        await scene.rate("late")
        assert await scene.parked() == ["early"]

    virtual_time.run(watch())


def test_a_replay_sees_a_price_that_needs_no_rate():
    async def watch() -> None:
        scene = await Scene.set_up()
        in_euros = ModelPrices(currency="EUR", input=Decimal(1), output=Decimal(1))
        await scene.office.llm_prices.create(ModelName(None, "acme/ours"), in_euros, BEFORE)
        await scene.rate("call", "llm_call", {"model": "acme/ours", "input_tokens": 1000})
        assert await scene.parked() == ["call"]
        in_dollars = in_euros.model_copy(update={"currency": "USD"})
        await scene.office.llm_prices.create(ModelName("acme", "ours"), in_dollars, BEFORE)
        await scene.replay()
        assert await scene.parked() == []

    virtual_time.run(watch())
