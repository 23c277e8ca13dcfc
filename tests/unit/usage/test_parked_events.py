"""Replaying parked events while things go wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from shared.adapters.usage.item_parked_events import ItemParkedEvents
from shared.bootstrap import Application, Ports
from shared.containers import LEDGERS, TENANTS
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.parked_events import ParkedEvent
from shared.ports.queue import Message
from shared.ports.store import Item
from shared.services.agents.agents import AgentDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.messages import QUEUE
from shared.services.usage.metering import UNKNOWN_ORGANIZATION, Delivered
from shared.services.usage.reported_event import ReportedEvent
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

MOST_SHARDS = 16
NOW = datetime(2026, 11, 18, 10, tzinfo=UTC)
ORGANIZATION = "org_1"
AGENT = "agt_1"
CALL = ReportedEvent(0, "call", "command", AGENT, "api", None, None, {"quantity": Decimal("2.50")}, ORGANIZATION)


class RefusingQueue(MemoryQueue):
    """Refuses the next `refusals` sends."""

    refusals = 0

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise UnavailableError("The broker does not accept")
        await super().send(queue, messages)


class UnchangingStore(MemoryStore):
    """Fails the next `failures` guarded writes outside a batch."""

    failures = 0

    async def replace(self, container: str, pk: str, document: dict[str, object], etag: str) -> str:
        if self.failures:
            self.failures -= 1
            raise UnavailableError("The store does not answer")
        return await super().replace(container, pk, document, etag)


@dataclass
class Scene:
    """An organization whose agent cannot be found by metering until `mend` is called."""

    store: UnchangingStore = field(default_factory=UnchangingStore)
    queue: RefusingQueue = field(default_factory=RefusingQueue)
    clock: SettableClock = field(default_factory=lambda: SettableClock(NOW))
    _hidden: Item | None = None

    def host(self) -> Application:
        """A new one, which remembers nothing."""
        return Application(Ports(self.store, self.queue, self.clock, NoSecrets()), Settings())

    async def organization(self) -> Organization:
        return await self.host().organizations.get(ORGANIZATION)

    async def set_up(self) -> None:
        draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC", shard_count=1)
        host = self.host()
        await host.organizations.create(ORGANIZATION, draft)
        await host.agents.create(AGENT, ORGANIZATION, AgentDraft(external_id="coder", name="Coder"))
        self.clock.set(NOW + timedelta(hours=1))
        await host.events.accept([CALL], partial=False)
        self._hidden = await self.store.get(TENANTS.name, ORGANIZATION, AGENT)
        await self.store.delete(TENANTS.name, ORGANIZATION, AGENT)
        await self.deliver()

    async def mend(self) -> None:
        assert self._hidden is not None
        await self.store.create(TENANTS.name, ORGANIZATION, self._hidden.document)

    async def deliver(self) -> list[Message]:
        """To a host of its own; what fails stays on the queue."""
        messages = list(self.queue.waiting.get(QUEUE, []))
        await self.host().metering.meter(
            [Delivered(each.body, each.message_id, each.correlation_id) for each in messages]
        )
        self.queue.waiting[QUEUE] = []
        return messages

    async def parked(self) -> list[ParkedEvent]:
        entries, _ = await self.host().parked_events.page(ORGANIZATION, "parked", 10, None)
        return entries

    async def replay(self) -> int:
        (entry,) = await self.parked()
        host = self.host()
        return (await host.parked_events.replay(await self.organization(), [entry.id], "usr_1")).sent

    async def discard(self, entry: ParkedEvent) -> ParkedEvent:
        host = self.host()
        return await host.parked_events.discard(await self.organization(), entry.id, "Not wanted", "usr_1")

    async def counted(self) -> int:
        partitions = [f"{ORGANIZATION}:usage:{shard}" for shard in range(MOST_SHARDS)]
        pages = [await self.store.query(LEDGERS.name, partition, "event") for partition in partitions]
        return sum(len(page.items) for page in pages)


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.set_up()
    return made


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e401", "1" * 5000])
@pytest.mark.parametrize("is_dead", [False, True])
async def test_a_message_with_a_number_that_cannot_be_read_is_parked_without_its_neighbours(
    scene: Scene, number: str, is_dead: bool
) -> None:
    await scene.mend()
    await scene.replay()
    unreadable = Delivered(f'{{"organization": "{ORGANIZATION}", "events": [{number}]}}'.encode(), "message-1", "")
    metering = scene.host().metering
    if is_dead:
        await metering.park_dead(unreadable)
    else:
        (sent,) = scene.queue.waiting[QUEUE]
        await metering.meter([unreadable, Delivered(sent.body, sent.message_id, "")])
    (parked,), _ = await scene.host().parked_events.page(UNKNOWN_ORGANIZATION, "parked", 10, None)
    assert parked.subject == {"message": unreadable.body.decode(), "message_id": "message-1"}
    assert await scene.counted() == (0 if is_dead else 1)


async def test_each_replay_is_another_message_with_the_event_as_it_was_accepted(scene: Scene) -> None:
    sent: list[Message] = []
    for attempt in (1, 2):
        assert await scene.replay() == 1
        sent += await scene.deliver()
        (entry,) = await scene.parked()
        assert entry.replay is not None
        assert (entry.replay.attempt, entry.replay.by) == (attempt, "usr_1")
    assert len({each.message_id for each in sent}) == 2
    assert all(b'"quantity":2.50' in each.body for each in sent)


async def test_a_replay_that_the_broker_refused_can_be_repeated(scene: Scene) -> None:
    await scene.mend()
    scene.queue.refusals = 1
    with pytest.raises(UnavailableError):
        await scene.replay()
    assert await scene.replay() == 1
    await scene.deliver()
    assert await scene.parked() == []
    assert await scene.counted() == 1


async def test_a_replayed_event_that_was_recorded_but_not_closed_is_closed_by_the_next_delivery(scene: Scene) -> None:
    await scene.mend()
    await scene.replay()
    scene.store.failures = 1_000
    with pytest.raises(UnavailableError):
        await scene.deliver()
    assert await scene.counted() == 1
    assert len(await scene.parked()) == 1
    scene.store.failures = 0
    await scene.deliver()
    assert await scene.counted() == 1
    assert await scene.parked() == []


async def test_an_event_older_than_raw_events_are_kept_is_not_replayed(scene: Scene) -> None:
    """It may have been metered and forgotten since."""
    await scene.mend()
    days = Settings().event_retention_days
    scene.clock.set(NOW + timedelta(days=days - 2))
    assert await scene.replay() == 1
    scene.clock.set(NOW + timedelta(days=days))
    assert await scene.replay() == 0


async def test_what_is_parked_again_keeps_its_discard(scene: Scene) -> None:
    (entry,) = await scene.parked()
    discarded = await scene.discard(entry)
    assert discarded.discard is not None
    store = ItemParkedEvents(scene.store, scene.clock)
    await store.park(ORGANIZATION, entry.id, "Again", {})
    found, _ = await scene.host().parked_events.page(ORGANIZATION, "discarded", 10, None)
    assert found == [discarded]


async def test_what_is_parked_again_shows_the_newest_reason_in_its_old_place(scene: Scene) -> None:
    (entry,) = await scene.parked()
    await scene.replay()
    scene.clock.move(timedelta(hours=1))
    store = ItemParkedEvents(scene.store, scene.clock)
    await store.park(ORGANIZATION, entry.id, "For another reason", {})
    (again,) = await scene.parked()
    assert again.replay is not None
    assert again == replace(entry, reason="For another reason", replay=again.replay)


async def test_a_discard_stops_the_replay_that_is_on_its_way(scene: Scene) -> None:
    (entry,) = await scene.parked()
    await scene.mend()
    assert await scene.replay() == 1
    discarded = await scene.discard(entry)
    await scene.deliver()
    assert await scene.counted() == 0
    found, _ = await scene.host().parked_events.page(ORGANIZATION, "discarded", 10, None)
    assert found == [discarded]


@pytest.mark.parametrize("shard_count", [2, 16])
async def test_a_discard_stands_though_the_shards_become_more_before_the_replay_arrives(
    scene: Scene, shard_count: int
) -> None:
    (entry,) = await scene.parked()
    await scene.mend()
    await scene.replay()
    await scene.discard(entry)
    await scene.host().organizations.update(ORGANIZATION, {"shard_count": shard_count}, None)
    scene.clock.move(timedelta(hours=1))
    await scene.deliver()
    assert await scene.counted() == 0
    assert await scene.parked() == []


async def test_a_discard_stands_against_a_rater_that_does_not_know_of_more_shards_yet(scene: Scene) -> None:
    (entry,) = await scene.parked()
    await scene.mend()
    await scene.replay()
    messages = [Delivered(each.body, each.message_id, "") for each in scene.queue.waiting[QUEUE]]
    behind = scene.host()
    await behind.organizations.cached(ORGANIZATION)
    await scene.host().organizations.update(ORGANIZATION, {"shard_count": 16}, None)
    now = scene.clock.now()
    scene.clock.move(timedelta(hours=1))
    await scene.discard(entry)
    scene.clock.set(now + timedelta(seconds=30))
    with pytest.raises(UnavailableError):
        await behind.metering.meter(messages)
    assert await scene.counted() == 0


async def test_a_discarded_event_stays_discarded_when_it_is_reported_again(scene: Scene) -> None:
    (entry,) = await scene.parked()
    await scene.mend()
    await scene.discard(entry)
    await scene.host().events.accept([msgspec.structs.replace(CALL, time=NOW)], partial=False)
    await scene.deliver()
    assert await scene.counted() == 0
    assert await scene.parked() == []


async def test_a_discard_uses_up_the_identity(scene: Scene) -> None:
    """As metering does; so other content under it is parked, and seen."""
    (entry,) = await scene.parked()
    await scene.mend()
    await scene.discard(entry)
    await scene.host().events.accept([msgspec.structs.replace(CALL, data={"quantity": Decimal(3)})], partial=False)
    await scene.deliver()
    assert await scene.counted() == 0
    (other,) = await scene.parked()
    assert "other content" in other.reason
    await scene.discard(other)
    assert await scene.parked() == []


async def test_a_discard_that_was_cut_short_is_shown_and_can_be_repeated(scene: Scene) -> None:
    (entry,) = await scene.parked()
    await scene.mend()
    scene.store.failures = 1
    with pytest.raises(UnavailableError):
        await scene.discard(entry)
    await scene.replay()
    await scene.deliver()
    (still,) = await scene.parked()
    assert "discard it again" in still.reason
    await scene.discard(entry)
    assert await scene.parked() == []
    assert await scene.counted() == 0


async def test_what_is_rated_first_cannot_be_discarded(scene: Scene) -> None:
    (entry,) = await scene.parked()
    await scene.mend()
    await scene.host().events.accept([CALL], partial=False)
    await scene.deliver()
    with pytest.raises(ConflictError, match="rated"):
        await scene.discard(entry)
    assert await scene.counted() == 1
    found, _ = await scene.host().parked_events.page(ORGANIZATION, "rated", 10, None)
    assert [each.id for each in found] == [entry.id]
