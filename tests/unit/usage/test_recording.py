"""Recording events that are large, that a store refuses, or whose older partitions lag behind."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared import json
from shared.adapters.sqlite import Database, SqliteStore
from shared.adapters.usage.item_usage import ItemUsage
from shared.bootstrap import Application, Ports
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.times import to_text
from shared.domain.metering.readings import CountAndSum
from shared.domain.provider_costs.costs import EventCost
from shared.domain.provider_costs.model_names import MAXIMUM_NAME
from shared.domain.usage.events import MAXIMUM_EVENT_BYTES, NO_VERSION, AcceptedEvent, TotalKey, content_hash, event_key
from shared.domain.usage.totals import Contribution, unpriced_contribution
from shared.ports.store import Delete, Item, Operation, StoreLimitError
from shared.ports.usage import MeteredEvent
from shared.services.agents.agents import AgentDraft
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

NOW = datetime(2026, 10, 5, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
ORGANIZATION = "org_1"
AGENT = "agt_1"
RETENTION = 1000
ONE_SHARD = [1]
EVENTS = 100
MEGABYTE = 1_000_000
LARGE = {
    "emoji": "😀" * 8000,
    "umlauts": "ü" * 16_000,
    "quotes": '"' * 16_000,
    "backslashes": "\\" * 16_000,
    "control characters": "\x01" * 5_300,
    "letters": "x" * 32_000,
}
"""About what an event may hold."""
every_large_text = pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)


class MeasuringStore(SqliteStore):
    """It has the limits of Cosmos DB."""

    largest = 0
    """Bytes of the documents of a batch."""

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        size = sum(len(json.encode(each.document)) for each in operations if not isinstance(each, Delete))
        self.largest = max(self.largest, size)
        return await super().batch(container, pk, operations)


@pytest.fixture
def store() -> Iterator[MeasuringStore]:
    database = Database(":memory:")
    yield MeasuringStore(database, SettableClock(NOW))
    database.close()


def usage_in(store: MemoryStore | SqliteStore) -> ItemUsage:
    return ItemUsage(store, RETENTION)


def metered(number: int, data: dict[str, Any] | None = None, agent: str = AGENT, **identity: str) -> MeteredEvent:
    fields = {"id": f"{number}", "source": "api", "type": "command", **identity}
    event = AcceptedEvent(
        key=event_key(ORGANIZATION, fields["source"], fields["id"]),
        agent=agent,
        time=to_text(NOW),
        data=data or {},
        content=content_hash(fields["type"], agent, fields.get("run"), data or {}),
        **fields,
    )
    return MeteredEvent(event, TotalKey(OCTOBER, agent, NO_VERSION), unpriced_contribution(event), rebilling=None)


async def counted(store: MemoryStore | SqliteStore) -> Decimal:
    """By the totals."""
    totals = await usage_in(store).totals(ORGANIZATION, 1, OCTOBER)
    readings = [each.totals.reading(meter) for each in totals for meter in each.totals.meters()]
    return Decimal(sum(int(reading.count) for reading in readings))


class TestLargeEvents:
    @every_large_text
    async def test_each_is_recorded_in_batches_below_1_mb(self, store: MeasuringStore, text: str) -> None:
        events = [metered(number, {"text": text}) for number in range(EVENTS)]
        assert 31_000 < len(json.encode_verbatim(events[0].event)) <= MAXIMUM_EVENT_BYTES
        assert (await usage_in(store).record(ORGANIZATION, ONE_SHARD, events)).recorded == events
        assert MEGABYTE / 2 < store.largest < MEGABYTE
        assert await counted(store) == EVENTS

    @pytest.mark.parametrize("character", ["😀", '"'], ids=["emoji", "quotes"])
    async def test_so_are_those_with_long_identities(self, store: MeasuringStore, character: str) -> None:
        names = {"source": character * 256, "run": character * 256, "type": "x" * 200}
        events = [
            metered(number, {"text": "x" * 7000}, id=f"{number:04}" + character * 252, **names)
            for number in range(EVENTS)
        ]
        assert (await usage_in(store).record(ORGANIZATION, ONE_SHARD, events)).recorded == events
        assert MEGABYTE / 2 < store.largest < MEGABYTE

    async def test_so_are_those_with_long_costs_and_exchange_rates(self, store: MeasuringStore) -> None:
        longest = Decimal("1" * 40 + "." + "1" * 12)
        cost = EventCost(longest, "c" * 190, longest, priced_by="\x01" * (2 * MAXIMUM_NAME + 1))
        events = [
            replace(metered(number, {"text": "x" * 7000}), cost=cost, exchange_rate=longest) for number in range(EVENTS)
        ]
        assert (await usage_in(store).record(ORGANIZATION, ONE_SHARD, events)).recorded == events
        assert MEGABYTE / 2 < store.largest < MEGABYTE

    @every_large_text
    async def test_from_the_request_to_the_total(self, store: MeasuringStore, text: str) -> None:
        scene = Scene(store)
        await scene.set_up()
        await scene.report(*({"text": text} for _ in range(EVENTS)))
        await scene.deliver()
        assert await counted(store) == EVENTS
        assert await scene.parked() == {}


class TestLargeTotals:
    @pytest.mark.parametrize("name", ["m", "m" * 190], ids=["short", "long"])
    async def test_totals_that_grow_stay_in_batches_below_1_mb(self, store: MeasuringStore, name: str) -> None:
        """Of 50 agents with 200 meters each: while they come into being, and later, moved by small events."""
        agents = [f"agt_{number}" for number in range(50)]
        measures = tuple((f"{name}{number}", CountAndSum(1, Decimal(f"{number}.5"))) for number in range(200))
        for delivery in range(3):
            events = [metered(delivery * 1000 + place, agent=agent) for place, agent in enumerate(agents)]
            if delivery == 0:
                events = [
                    replace(each, contribution=Contribution("command", to_text(NOW), measures)) for each in events
                ]
            recorded = await usage_in(store).record(ORGANIZATION, ONE_SHARD, events)
            assert len(recorded.recorded) == len(agents)
        assert store.largest < MEGABYTE
        assert await counted(store) == len(agents) * (200 + 2)

    async def test_so_do_outbox_entries(self, store: MeasuringStore) -> None:
        events = [
            replace(metered(number), rebilling={"id": f"outbox:{number}", "kind": "outbox", "text": "ü" * 15_000})
            for number in range(EVENTS)
        ]
        recorded = await usage_in(store).record(ORGANIZATION, ONE_SHARD, events)
        assert len(recorded.recorded) == len(recorded.outbox_entries) == EVENTS
        assert store.largest < MEGABYTE

    async def test_small_events_still_share_full_batches(self) -> None:
        """99 events and the total that they move, though each moves 80 meters."""
        store = StrictStore()
        measures = tuple((f"meter_{number}", CountAndSum(1, Decimal(number))) for number in range(80))
        events = [
            replace(metered(number, {"text": "x" * 100}), contribution=Contribution("command", to_text(NOW), measures))
            for number in range(990)
        ]
        await usage_in(store).record(ORGANIZATION, ONE_SHARD, events)
        assert store.accepted == 10


@dataclass
class StrictStore(MemoryStore):
    """Refuses batches of more than `most` operations, and all with an event in `refused`."""

    most: int = 100
    refused: frozenset[str] = frozenset()
    accepted: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        ids = {each.document.get("event_id") for each in operations if not isinstance(each, Delete)}
        if len(operations) > self.most or ids & self.refused:
            raise StoreLimitError("Too much")
        etags = await super().batch(container, pk, operations)
        self.accepted += 1
        return etags


class TestRefusals:
    async def test_what_is_too_much_at_once_is_recorded_in_parts(self) -> None:
        store = StrictStore(most=7)
        events = [metered(number) for number in range(EVENTS)]
        assert (await usage_in(store).record(ORGANIZATION, ONE_SHARD, events)).recorded == events
        assert await counted(store) == EVENTS

    async def test_after_it_batches_are_as_large_as_before(self) -> None:
        store = StrictStore(refused=frozenset({"0"}))
        events = [metered(number) for number in range(991)]
        recorded = await usage_in(store).record(ORGANIZATION, ONE_SHARD, events)
        assert len(recorded.recorded) == 990
        assert store.accepted < 15

    @pytest.mark.parametrize("refused", [{"0"}, {"57"}, {"99"}, {"3", "4", "98"}, {f"{n}" for n in range(EVENTS)}])
    async def test_what_is_refused_alone_leaves_its_neighbours_alone(self, refused: set[str]) -> None:
        store = StrictStore(refused=frozenset(refused))
        events = [metered(number) for number in range(EVENTS)]
        recorded = await usage_in(store).record(ORGANIZATION, ONE_SHARD, events)
        assert {each.event.id: reason for each, reason in recorded.refused} == dict.fromkeys(refused, "Too much")
        assert {each.event.id for each in recorded.recorded} == {each.event.id for each in events} - refused
        assert await counted(store) == EVENTS - len(refused)

    async def test_it_is_parked_with_its_reason(self) -> None:
        scene = Scene(StrictStore(refused=frozenset({"1"})))
        await scene.set_up()
        await scene.report({}, {"quantity": Decimal("2.50")}, {})
        await scene.deliver()
        assert await counted(scene.store) == 2
        assert await scene.parked() == {"1": "the store refuses it: Too much"}


@dataclass
class Scene:
    store: StrictStore | MeasuringStore
    clock: SettableClock = field(default_factory=lambda: SettableClock(NOW))
    queue: MemoryQueue = field(default_factory=MemoryQueue)

    def host(self) -> Application:
        return Application(Ports(self.store, self.queue, self.clock, NoSecrets()), Settings())

    async def set_up(self) -> None:
        draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC", shard_count=1)
        await self.host().organizations.create(ORGANIZATION, draft)
        await self.host().agents.create(AGENT, ORGANIZATION, AgentDraft(external_id="coder", name="Coder"))
        self.clock.set(NOW + timedelta(minutes=1))

    async def report(self, *data: dict[str, Any]) -> None:
        reported = [
            ReportedEvent(number, f"{number}", "command", AGENT, "api", None, None, each, ORGANIZATION)
            for number, each in enumerate(data)
        ]
        await self.host().events.accept(reported, partial=False)

    async def deliver(self) -> None:
        messages = self.queue.waiting.pop(QUEUE)
        await self.host().metering.meter(
            [Delivered(each.body, each.message_id, each.correlation_id) for each in messages]
        )

    async def parked(self) -> dict[str, str]:
        """Reasons by event id."""
        entries, _ = await self.host().parked_events.page(ORGANIZATION, "parked", 100, None)
        return {each.subject["id"]: each.reason for each in entries}


class LaggingStore(MemoryStore):
    """Its next `lags` reads by id find nothing."""

    lags = 0
    batches = 0

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        if self.lags:
            self.lags -= 1
            return {}
        return await super().get_many(container, pk, ids)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        self.batches += 1
        if self.batches > 1000:
            raise AssertionError("It spins")
        return await super().batch(container, pk, operations)


class TestOlderPartitions:
    """What they hold already shows as a conflict at first, and later to a read."""

    async def test_a_read_that_lags_is_repeated(self) -> None:
        store = LaggingStore()
        usage = usage_in(store)
        events = [metered(number) for number in range(20)]
        await usage.record(ORGANIZATION, [1], events[:10])
        store.lags = 3
        recorded = await usage.record(ORGANIZATION, [1, 16], events)
        assert len(recorded.recorded) == 10
        assert len(recorded.duplicates) == 10

    def test_a_read_that_never_catches_up_is_an_outage_after_some_time(self) -> None:
        async def seconds_until_told() -> float:
            store = LaggingStore()
            await usage_in(store).record(ORGANIZATION, [1], [metered(0)])
            store.lags = 10_000
            start = asyncio.get_running_loop().time()
            with pytest.raises(UnavailableError):
                await usage_in(store).record(ORGANIZATION, [1, 2, 3, 16], [metered(0)])
            return asyncio.get_running_loop().time() - start

        assert 0.5 < virtual_time.run(seconds_until_told()) < 10
