"""Costs as raters know them, and as events keep them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared import json
from shared.adapters.item_usage import ItemUsage, _weight
from shared.adapters.price_list import PackagedPriceList
from shared.domain.costs import CostRules, EventCost
from shared.domain.events import AcceptedEvent, TotalKey
from shared.domain.llm_prices import MAXIMUM_NAME, ModelName, ModelPrices
from shared.domain.totals import Contribution
from shared.ports.usage import MeteredEvent
from shared.services.costs import CACHED, Costs
from shared.services.exchange_rates import ExchangeRateBook
from shared.services.llm_prices import PriceOverrides
from shared.settings import Settings
from tests.doubles.memory_store import MemoryStore
from tests.doubles.settable_clock import SettableClock

NOW = datetime(2026, 11, 18, 10, tzinfo=UTC)
BEFORE = NOW - timedelta(days=1)
CALL = {"model": "of-our-own", "input_tokens": 1_000_000}
COST = {"amount": "10", "currency": "EUR"}


async def test_raters_know_new_prices_and_rates_after_a_minute():
    clock, store = SettableClock(NOW), MemoryStore()
    overrides, rates = PriceOverrides(store, clock, Settings()), ExchangeRateBook(store, clock, Settings())
    costs = Costs(clock, PackagedPriceList(), overrides, rates)
    assert priced(await costs.cached()) is None
    prices = ModelPrices(input=Decimal(3), output=Decimal(9))
    await overrides.create(ModelName(None, "of-our-own"), prices, BEFORE)
    await rates.put("EUR", "USD", Decimal("1.5"), BEFORE, None)
    clock.move(CACHED - timedelta(seconds=1))
    assert priced(await costs.cached()) is None
    clock.move(timedelta(seconds=1))
    known = await costs.cached()
    assert priced(known) == 3
    assert known.of("cost.api", COST, NOW, "USD").amount == 15


async def test_who_asks_for_the_rules_of_now_is_heard_by_all():
    clock, store = SettableClock(NOW), MemoryStore()
    overrides, rates = PriceOverrides(store, clock, Settings()), ExchangeRateBook(store, clock, Settings())
    costs = Costs(clock, PackagedPriceList(), overrides, rates)
    await costs.cached()
    await overrides.create(ModelName(None, "of-our-own"), ModelPrices(input=Decimal(3), output=Decimal(9)), BEFORE)
    assert priced(await costs.rules()) == 3
    assert priced(await costs.cached()) == 3


def priced(rules: CostRules) -> Decimal | None:
    return rules.of("llm_call", CALL, NOW, "USD").amount


def metered(cost: EventCost) -> MeteredEvent:
    event_type = f"cost.{cost.category}"
    event = AcceptedEvent(key="evt_1", id="1", source="api", type=event_type, agent="agt_1", time="", content="c" * 32)
    key = TotalKey(NOW, "agt_1", "-")
    return MeteredEvent(event, key, Contribution(event_type, "", ()), None, cost=cost)


def test_a_batch_has_room_for_the_longest_cost_of_an_event():
    longest = Decimal("1" * 40 + "." + "1" * 12)
    event = metered(EventCost(longest, "c" * 190, longest, "\x01" * (2 * MAXIMUM_NAME + 1)))
    usage = ItemUsage(MemoryStore(), SettableClock(NOW), 0)
    assert len(json.encode(usage._document(event))) <= _weight(event)
