"""Effects: connected when the application is built, tried at once, swept later."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from shared.bootstrap import Application, Ports
from shared.containers import TENANTS
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import UnavailableError
from shared.services.agents.agents import AGENT_STARTED
from shared.services.storage import Outbox, Records, Stored, creating
from shared.services.storage.outbox import Receiver
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

NOW = datetime(2026, 10, 1, tzinfo=UTC)
ORGANIZATION = "org_1"


class Order(Entity):
    """Created with a `due_at`."""

    kind: ClassVar[str] = "order"
    text: str


class Hall:
    """What is sent from it is heard, unless it is deaf.

    Orders are completed by storing them as done.
    """

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = SettableClock(NOW)
        self.outbox = Outbox(self.store, self.clock)
        self.calls = self.outbox.sender("called")
        self.orders = Records(self.store, TENANTS, Order, outbox=self.outbox)
        self.heard: list[str] = []
        self.is_deaf = False
        self.outbox.connect({"called": self.hear}, {Order: self.complete})

    async def hear(self, words: str) -> None:
        if self.is_deaf:
            raise UnavailableError("Nobody hears")
        self.heard.append(words)

    async def complete(self, order: Stored[Order]) -> None:
        await self.orders.put(ORGANIZATION, order.entity.changed(text="done"))

    async def call(self, words: str, not_before: datetime | None = None) -> str:
        entry = self.calls.entry(words, not_before=not_before, words=words)
        await self.store.batch(TENANTS.name, ORGANIZATION, [creating(entry)])
        return entry.id


@pytest.fixture
def hall() -> Hall:
    return Hall()


async def test_an_effect_happens_at_once_and_then_no_more(hall: Hall) -> None:
    entry_id = await hall.call("hello")
    for _ in range(2):
        await hall.outbox.attempt(TENANTS.name, ORGANIZATION, entry_id)
    hall.clock.move(timedelta(hours=1))
    assert await hall.outbox.sweep() == 0
    assert hall.heard == ["hello"]


async def test_what_fails_at_once_is_swept_and_put_off_while_it_fails(hall: Hall) -> None:
    entry_id = await hall.call("hello")
    hall.is_deaf = True
    await hall.outbox.attempt(TENANTS.name, ORGANIZATION, entry_id)
    hall.clock.move(timedelta(minutes=1))
    assert await hall.outbox.sweep() == 0
    hall.is_deaf = False
    assert await hall.outbox.sweep() == 0, "it has just been put off"
    hall.clock.move(timedelta(hours=1))
    assert await hall.outbox.sweep() == 1
    assert hall.heard == ["hello"]


async def test_an_effect_of_later_waits_until_then(hall: Hall) -> None:
    entry_id = await hall.call("hello", not_before=NOW + timedelta(days=1))
    await hall.outbox.attempt(TENANTS.name, ORGANIZATION, entry_id)
    assert hall.heard == []
    hall.clock.move(timedelta(days=2))
    await hall.outbox.sweep()
    assert hall.heard == ["hello"]


async def test_one_that_always_fails_does_not_stop_the_others(hall: Hall) -> None:
    await hall.call("hello")
    unknown = Outbox(hall.store, hall.clock).sender("unheard").entry("unheard")
    await hall.store.batch(TENANTS.name, "org_0", [creating(unknown)])
    hall.clock.move(timedelta(minutes=1))
    assert await hall.outbox.sweep() == 1
    assert hall.heard == ["hello"]


async def test_an_entity_that_is_due_is_completed(hall: Hall) -> None:
    await hall.orders.create(ORGANIZATION, Order(id="1", text="new"), due_at=NOW + timedelta(minutes=1))
    assert await hall.outbox.sweep() == 0
    hall.clock.move(timedelta(minutes=2))
    assert await hall.outbox.sweep() == 1
    assert await hall.outbox.sweep() == 0
    assert (await hall.orders.get(ORGANIZATION, "1")).entity.text == "done"


def test_a_sender_without_a_receiver_fails(hall: Hall) -> None:
    hall.outbox.sender("whispered")
    with pytest.raises(LookupError, match="whispered"):
        hall.outbox.connect({"called": hall.hear}, {Order: hall.complete})
    with pytest.raises(LookupError, match="order"):
        hall.outbox.connect({"called": hall.hear, "whispered": hall.hear}, {})


class ForgetfulApplication(Application):
    """Its table lacks a receiver."""

    def receivers(self) -> Mapping[str, Receiver]:
        return {effect: receive for effect, receive in super().receivers().items() if effect != AGENT_STARTED}


def test_an_application_is_built_only_where_everything_sent_is_received() -> None:
    ports = Ports(MemoryStore(), MemoryQueue(), SettableClock(NOW), NoSecrets())
    assert Application(ports, Settings()).receivers()
    with pytest.raises(LookupError, match=AGENT_STARTED):
        ForgetfulApplication(ports, Settings())
