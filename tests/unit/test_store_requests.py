"""How often rating asks the store: what a large deployment pays for and waits for."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.adapters.item_usage import ItemUsage
from shared.domain.events import AcceptedEvent, TotalKey, content_hash, event_key
from shared.domain.times import to_text
from shared.domain.totals import unpriced_contribution
from shared.ports.store import Item, Operation
from shared.ports.usage import MeteredEvent
from tests.doubles.memory_store import MemoryStore
from tests.doubles.settable_clock import SettableClock

NOW = datetime(2026, 10, 5, tzinfo=UTC)
EVENTS = 4000
"""Of 64 full messages: what one delivery carries."""
AGENTS = 200


class CountingStore(MemoryStore):
    requests = 0

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        self.requests += 1
        return await super().get_many(container, pk, ids)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        self.requests += 1
        return await super().batch(container, pk, operations)


def metered(number: int) -> MeteredEvent:
    agent = f"agt_{number % AGENTS}"
    data = {"quantity": Decimal(1)}
    event = AcceptedEvent(
        key=event_key("org_1", "api", str(number)),
        id=str(number),
        source="api",
        type="command",
        agent=agent,
        time=to_text(NOW + timedelta(seconds=number)),
        run=None,
        data=data,
        content=content_hash("command", agent, None, data),
    )
    return MeteredEvent(event, TotalKey(NOW, agent, "version"), unpriced_contribution(event), moves=None)


async def test_at_most_12_requests_record_1000_events() -> None:
    """The first time, when no total is there, and the next, when all are."""
    store = CountingStore()
    usage = ItemUsage(store, SettableClock(NOW), retention_seconds=1000)
    for delivery in range(2):
        store.requests = 0
        events = [metered(delivery * EVENTS + number) for number in range(EVENTS)]
        assert len((await usage.record("org_1", [1], events)).recorded) == EVENTS
        assert store.requests * 1000 / EVENTS <= 12
