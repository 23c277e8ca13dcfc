"""Costs as metering knows them, and as events keep them."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.domain.kernel.histories import MINIMUM_LEAD
from shared.domain.provider_costs.costs import CostRules
from shared.domain.provider_costs.exchange_rates import ExchangeRate
from shared.domain.provider_costs.llm_prices import ModelPrices
from shared.domain.provider_costs.model_names import ModelName
from shared.ports.store import ItemPage
from shared.services.provider_costs.costs import CACHED, RECENT, Costs
from shared.services.provider_costs.exchange_rates import ExchangeRateBook
from shared.services.provider_costs.llm_prices import PriceOverrides
from shared.services.provider_costs.model_aliases import ModelAliases
from shared.settings import Settings
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

NOW = datetime(2026, 11, 18, 10, tzinfo=UTC)
BEFORE = NOW - timedelta(days=1)
CALL = {"model": "of-our-own", "input_tokens": 1_000_000}
COST = {"amount": "10", "currency": "EUR"}


class SlowStore(MemoryStore):
    """Holds back what was found of exchange rates until it is let through.

    Exchange rates are read last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()

    async def query(self, container: str, pk: str, kind: str, **how: Any) -> ItemPage:
        page = await super().query(container, pk, kind, **how)
        if kind == ExchangeRate.kind:
            await self.open.wait()
        return page


class Hosts:
    """`here` is what is asked; the operator may work at another host."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.clock, self._store = SettableClock(NOW), store or MemoryStore()
        self.prices, self.rates = self._books()
        self.other_prices, self.other_rates = self._books()
        self.here = Costs(self.clock, PackagedPriceList(), self.prices, self._aliases(), self.rates)

    def _aliases(self) -> ModelAliases:
        return ModelAliases(self._store, self.clock, Settings(), PackagedPriceList(), self.prices)

    def _books(self) -> tuple[PriceOverrides, ExchangeRateBook]:
        return (
            PriceOverrides(self._store, self.clock, Settings(), PackagedPriceList()),
            ExchangeRateBook(self._store, self.clock, Settings()),
        )


OURS = ModelName(None, "of-our-own"), ModelPrices(input=Decimal(3), output=Decimal(9)), BEFORE


async def test_raters_know_the_prices_and_rates_of_another_host_after_a_minute():
    hosts = Hosts()
    assert priced(await hosts.here.cached()) is None
    await hosts.other_prices.create(*OURS)
    await hosts.other_rates.put("EUR", "USD", Decimal("1.5"), BEFORE, None)
    hosts.clock.move(CACHED - timedelta(seconds=1))
    assert priced(await hosts.here.cached()) is None
    hosts.clock.move(timedelta(seconds=1))
    known = await hosts.here.cached()
    assert priced(known) == 3
    assert known.of("cost.api", COST, NOW, "USD").amount == 15


async def test_who_asks_about_prices_knows_those_of_another_host_after_some_seconds():
    hosts = Hosts()
    await hosts.here.recent()
    await hosts.other_prices.create(*OURS)
    hosts.clock.move(RECENT - timedelta(seconds=1))
    assert priced(await hosts.here.recent()) is None
    hosts.clock.move(timedelta(seconds=1))
    assert priced(await hosts.here.recent()) == 3


async def test_who_asks_for_the_rules_of_now_is_heard_by_all():
    hosts = Hosts()
    await hosts.here.cached()
    await hosts.other_prices.create(*OURS)
    assert priced(await hosts.here.rules()) == 3
    assert priced(await hosts.here.cached()) == 3


async def test_a_host_knows_its_own_changes_at_once():
    hosts = Hosts()
    await hosts.here.cached()
    override, _ = await hosts.prices.create(*OURS)
    assert priced(await hosts.here.cached()) == 3
    await hosts.prices.end(override.id, None, None)
    assert (await hosts.here.cached()).of("llm_call", CALL, NOW + MINIMUM_LEAD, "USD").amount is None
    await hosts.rates.put("EUR", "USD", Decimal("1.5"), BEFORE, None)
    assert (await hosts.here.cached()).of("cost.api", COST, NOW, "USD").amount == 15
    await hosts.rates.put("EUR", "USD", Decimal(2), NOW + MINIMUM_LEAD, None)
    assert (await hosts.here.cached()).of("cost.api", COST, NOW + MINIMUM_LEAD, "USD").amount == 20


async def test_a_change_while_the_rules_are_read_is_known_after_it():
    store = SlowStore()
    hosts = Hosts(store)
    store.open.clear()
    reading = asyncio.ensure_future(hosts.here.cached())
    await asyncio.sleep(0)
    await hosts.prices.create(*OURS)
    store.open.set()
    await reading
    assert priced(await hosts.here.cached()) == 3


def priced(rules: CostRules) -> Decimal | None:
    return rules.of("llm_call", CALL, NOW, "USD").amount
