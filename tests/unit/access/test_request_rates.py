"""The rate of an API key over several hosts: never more than is allowed, and few writes."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.access.shared_windows import SLOT, WINDOW
from shared.domain.kernel.errors import RateLimitedError, UnavailableError
from shared.ports.store import Operation
from shared.services.access.request_rates import RequestRates
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class WritesCounted(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.is_down = False

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        if self.is_down:
            raise UnavailableError("The store is down")
        self.writes += 1
        return await super().batch(container, pk, operations)


class Hosts:
    def __init__(self, number: int = 1) -> None:
        self.clock = SettableClock(NOW)
        self.store = WritesCounted()
        self.hosts = [RequestRates(self.store, self.clock) for _ in range(number)]
        self.passed: list[datetime] = []

    async def ask(self, times: int, allowed: int, *, host: int | None = None) -> int:
        """How many of the requests pass, at this moment, by turns on all hosts."""
        passed = 0
        for number in range(times):
            asked = self.hosts[number % len(self.hosts) if host is None else host]
            try:
                await asked.count("key_1", allowed)
            except RateLimitedError:
                continue
            passed += 1
            self.passed.append(self.clock.now())
        return passed

    def most_within_a_window(self) -> int:
        return max(
            sum(at <= other < at + WINDOW for other in self.passed[index:]) for index, at in enumerate(self.passed)
        )


@pytest.mark.parametrize("allowed", [1, 7, 10, 11, 17, 60, 100, 1_000, 5_000, 100_000])
async def test_a_thousand_requests_at_once_cost_ten_writes_at_most(allowed: int):
    hosts = Hosts()
    assert await hosts.ask(1_000, allowed) == min(1_000, allowed)
    assert hosts.store.writes <= 10


@pytest.mark.parametrize("seconds", [1, 10, 60])
async def test_so_do_a_thousand_over_a_while(seconds: int):
    hosts = Hosts()
    for number in range(1_000):
        hosts.clock.set(NOW + number * timedelta(seconds=seconds) / 1_000)
        assert await hosts.ask(1, 1_000) == 1
    assert hosts.store.writes <= 10


async def test_a_key_below_its_rate_costs_a_write_a_minute():
    hosts = Hosts()
    for minute in range(30):
        hosts.clock.set(NOW + minute * WINDOW)
        assert await hosts.ask(3, 1_000) == 3
    assert hosts.store.writes <= 31


@pytest.mark.parametrize("number", [1, 2, 5])
async def test_a_flood_gets_what_is_allowed_and_not_more(number: int):
    hosts = Hosts(number)
    for second in range(600):
        hosts.clock.set(NOW + second * SECOND)
        await hosts.ask(40, 100)
    assert hosts.most_within_a_window() <= 100
    minutes = len(hosts.passed) / 10
    assert minutes >= 85, f"{minutes} a minute pass"


@pytest.mark.parametrize("seed", range(5))
async def test_random_requests_on_hosts_that_come_and_go(seed: int):
    rng = random.Random(seed)
    hosts = Hosts(3)
    for _ in range(3_000):
        hosts.clock.set(hosts.clock.now() + timedelta(seconds=rng.expovariate(3)))
        if rng.random() < 0.02:
            hosts.hosts[rng.randrange(3)] = RequestRates(hosts.store, hosts.clock)
        await hosts.ask(rng.choice((1, 1, 2, 9)), 60, host=rng.randrange(3))
    assert hosts.most_within_a_window() <= 60


async def test_thirty_hosts_find_something_left_each():
    hosts = Hosts(30)
    assert await hosts.ask(30, 1_000) == 30


async def test_many_at_once_on_two_hosts():
    hosts = Hosts(2)
    passed = await asyncio.gather(*(hosts.ask(1, 100, host=number % 2) for number in range(400)))
    assert 83 <= sum(passed) <= 100


async def test_who_is_refused_is_told_when_to_come_back():
    hosts = Hosts()
    await hosts.ask(60, 60)
    with pytest.raises(RateLimitedError) as refused:
        await hosts.hosts[0].count("key_1", 60)
    assert WINDOW - SLOT <= timedelta(seconds=refused.value.retry_after) <= WINDOW + SLOT
    hosts.clock.set(NOW + timedelta(seconds=refused.value.retry_after))
    assert await hosts.ask(60, 60) == 60


async def test_another_key_is_counted_by_itself():
    hosts = Hosts()
    await hosts.ask(60, 60)
    assert (await hosts.hosts[0].count("key_2", 60)).remaining == 59


async def test_without_the_store_requests_pass():
    hosts = Hosts()
    await hosts.ask(3, 3)
    hosts.clock.set(NOW + 2 * WINDOW)
    hosts.store.is_down = True
    assert await hosts.ask(50, 3) == 50
    hosts.store.is_down = False
    hosts.clock.set(NOW + 3 * WINDOW)
    assert await hosts.ask(50, 3) == 3
