"""Costs that recorded events get later, as their port describes them, on every store that they are laid out in."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.adapters.usage.item_late_prices import ItemLatePrices
from shared.adapters.usage.item_usage import ItemUsage
from shared.domain.kernel.times import to_text
from shared.domain.metering.readings import CountAndSum
from shared.domain.provider_costs.costs import CostedEvent, EventCost
from shared.domain.usage.events import AcceptedEvent, TotalKey, event_key
from shared.domain.usage.late_pricing import added_by_price
from shared.domain.usage.totals import unpriced_contribution
from shared.ports.changes import ChangeResult
from shared.ports.late_prices import LatePrice, StoredEvent
from shared.ports.store import Document, Store
from shared.ports.usage import MeteredEvent

ORGANIZATION = "org_1"
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
MANY = 130
RETENTION_SECONDS = 90 * 24 * 60 * 60
DATA = {"provider": "azure", "model": "helpdesk", "input_tokens": 10}
KEYS = [event_key(ORGANIZATION, "api", f"{number}") for number in range(MANY)]


@pytest.fixture
def prices(store: Store) -> ItemLatePrices:
    return ItemLatePrices(store, RETENTION_SECONDS)


@pytest.fixture
def usage(store: Store) -> ItemUsage:
    return ItemUsage(store, RETENTION_SECONDS)


def unpriced(number: int) -> MeteredEvent:
    time = to_text(OCTOBER + timedelta(minutes=number))
    event = AcceptedEvent(
        key=KEYS[number],
        id=f"{number}",
        source="api",
        type="llm_call",
        agent="agt_1",
        time=time,
        data=DATA,
        content="",
        standard_terms=number == 0,
    )
    cost = EventCost(None, "llm", unpriced="azure/helpdesk", tokens=10, reason="no price")
    costed = CostedEvent(event.type, event.data, time, event.key, None, "llm")
    added = unpriced_contribution(costed, cost.readings())
    return MeteredEvent(event, TotalKey(OCTOBER, "agt_1", "-"), added, None, cost)


def priced(stored: StoredEvent, rebilling: Document | None = None) -> LatePrice:
    cost = EventCost(Decimal("0.5"), "llm", priced_by="azure/gpt-5", source="list", list_version="1")
    return LatePrice(stored, cost, added_by_price(stored.event, cost, None, "USD"), rebilling)


async def system_totals(usage: ItemUsage, shards: int) -> dict[str, tuple[int, Decimal]]:
    (total,) = await usage.totals(ORGANIZATION, shards, OCTOBER)
    readings = {name: total.totals.reading(name) for name in total.totals.meters()}
    return {
        name: (int(reading.count), Decimal(reading.sum))
        for name, reading in readings.items()
        if isinstance(reading, CountAndSum)
    }


async def test_costs_move_their_totals_whatever_the_shard_count_has_become(
    prices: ItemLatePrices, usage: ItemUsage
) -> None:
    await usage.record(ORGANIZATION, [1], [unpriced(number) for number in range(MANY // 2)])
    await usage.record(ORGANIZATION, [1, 4], [unpriced(number) for number in range(MANY // 2, MANY)])
    before = await system_totals(usage, 4)
    assert before["$unpriced"] == before["$unpriced.azure/helpdesk"] == (MANY, Decimal(10 * MANY))
    stored = await prices.find(ORGANIZATION, [1, 4], [*KEYS, "evt_0"])
    assert set(stored) == set(KEYS)
    assert [key for key, each in stored.items() if each.event.standard_terms] == [KEYS[0]]
    result = await prices.commit([priced(each) for each in stored.values()])
    assert (len(result.committed), result.superseded, result.refused) == (MANY, [], [])
    after = await system_totals(usage, 4)
    assert after["$unpriced"] == after["$unpriced.azure/helpdesk"] == (0, Decimal(0))
    assert after["$cost.llm"] == (MANY, Decimal(MANY) / 2)
    assert after["llm_call"] == before["llm_call"] == (MANY, Decimal(MANY))
    event = await usage.find(ORGANIZATION, [1, 4], KEYS[0])
    assert event is not None
    assert (event.cost.amount, event.cost.priced_by, event.cost.reason) == (Decimal("0.5"), "azure/gpt-5", None)
    assert (event.data, event.standard_terms) == (DATA, True)


async def test_of_many_that_price_the_same_calls_one_does(prices: ItemLatePrices, usage: ItemUsage) -> None:
    await usage.record(ORGANIZATION, [2], [unpriced(number) for number in range(MANY)])
    stored = await prices.find(ORGANIZATION, [2], KEYS)

    async def commit() -> ChangeResult[LatePrice]:
        return await prices.commit([priced(each) for each in stored.values()])

    results = await asyncio.gather(*(commit() for _ in range(4)))
    assert sum(len(result.committed) for result in results) == MANY
    assert sum(len(result.superseded) for result in results) == 3 * MANY
    assert (await system_totals(usage, 2))["$cost.llm"] == (MANY, Decimal(MANY) / 2)


async def test_the_outbox_entry_comes_with_the_cost(prices: ItemLatePrices, usage: ItemUsage, store: Store) -> None:
    await usage.record(ORGANIZATION, [1], [unpriced(0)])
    (stored,) = (await prices.find(ORGANIZATION, [1], KEYS)).values()
    result = await prices.commit([priced(stored, {"id": "entry", "kind": "outbox"})])
    ((container, partition, id_),) = result.outbox_entries
    assert await store.get(container, partition, id_) is not None
