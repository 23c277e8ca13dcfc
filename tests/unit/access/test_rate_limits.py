"""Exact limits: counted over all hosts of a store, whatever comes at the same time."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import function_app
from shared.domain.access import rate_limits
from shared.domain.access.rate_limits import FAILED_SIGN_INS, LONGEST_WINDOW, SIGN_UPS, RateLimit
from shared.domain.kernel.errors import RateLimitedError
from shared.http import ENDPOINTS
from shared.services.access.rate_limits import RateLimits
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

assert function_app.app, "importing it declares the endpoints"


WITHOUT_LIMIT = {
    "refresh_session": "a token of 256 random bits is not guessed",
    "log_out": "the same",
    "verify_email": "the same; no password is hashed for another",
    "verify_by_page": "the same",
    "confirm_password": "the same",
    "reset_by_page": "the same",
    "link_by_page": "the same",
    "change_security": "it is for who is signed in by the cookie, whose signature is not guessed",
    "take_stripe_webhook": "its signature is not guessed, and nothing is stored or asked of others without it",
}
"""Public routes that act, with the reason why they need no limit."""


class Hosts:
    def __init__(self, number: int = 2) -> None:
        self.clock = SettableClock(NOW)
        store = MemoryStore()
        self.hosts = [RateLimits(store, self.clock) for _ in range(number)]

    async def ask(self, times: int, limit: RateLimit = SIGN_UPS, subject: str = "203.0.113.7") -> list[float | int]:
        """What is left after each request, by turns on all hosts; where one is refused, the seconds, negative."""
        return [await self.ask_once(number, limit, subject) for number in range(times)]

    async def ask_once(self, number: int, limit: RateLimit, subject: str) -> float | int:
        try:
            counted = await self.hosts[number % len(self.hosts)].count(limit, subject)
        except RateLimitedError as error:
            return -error.retry_after
        return counted.standing.remaining


async def test_the_twenty_first_is_refused_until_the_first_is_an_hour_old():
    hosts = Hosts()
    assert await hosts.ask(10) == list(range(19, 9, -1))
    hosts.clock.set(NOW + 10 * MINUTE)
    assert await hosts.ask(10) == list(range(9, -1, -1))
    assert await hosts.ask(1) == [-3000]
    hosts.clock.set(NOW + 60 * MINUTE)
    assert await hosts.ask(11) == [*range(9, -1, -1), -600]


async def test_each_subject_and_each_limit_is_counted_by_itself():
    hosts = Hosts()
    await hosts.ask(20)
    assert await hosts.ask(1, subject="203.0.113.8") == [19]
    assert await hosts.ask(1, limit=FAILED_SIGN_INS) == [49]


async def test_of_many_at_once_as_many_pass_as_are_allowed():
    hosts = Hosts()
    answers = await asyncio.gather(*(hosts.ask_once(number, SIGN_UPS, "203.0.113.7") for number in range(40)))
    assert sorted(answer for answer in answers if answer >= 0) == list(range(20))


async def test_fifty_failures_block_for_ten_minutes_from_the_last():
    hosts = Hosts()
    await hosts.ask(49, FAILED_SIGN_INS)
    hosts.clock.set(NOW + 9 * MINUTE)
    assert await hosts.ask(2, FAILED_SIGN_INS) == [0, -600]
    hosts.clock.set(NOW + 18 * MINUTE)
    assert await hosts.ask(1, FAILED_SIGN_INS) == [-60]
    hosts.clock.set(NOW + 19 * MINUTE)
    assert await hosts.ask(1, FAILED_SIGN_INS) == [49]


async def test_forty_nine_failures_in_ten_minutes_block_nobody():
    hosts = Hosts()
    await hosts.ask(49, FAILED_SIGN_INS)
    hosts.clock.set(NOW + 10 * MINUTE)
    assert await hosts.ask(1, FAILED_SIGN_INS) == [49]


async def test_what_is_taken_back_does_not_count():
    hosts = Hosts()
    one, other = hosts.hosts
    await hosts.ask(19)
    success = await one.count(SIGN_UPS, "203.0.113.7")
    await other.take_back(success)
    assert await hosts.ask(2) == [0, -3600]


def test_counters_outlive_every_window():
    declared = [each for each in vars(rate_limits).values() if isinstance(each, RateLimit)]
    assert {each for endpoint in ENDPOINTS for each in endpoint.rate_limits} <= set(declared)
    for limit in declared:
        assert limit.window + (limit.blocks_for or timedelta(0)) <= LONGEST_WINDOW
    assert len({(limit.name, limit.by) for limit in declared}) == len(declared)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_no_public_route_that_acts_is_without_a_limit(endpoint):
    acts = endpoint.public and endpoint.method != "GET"
    assert not acts or bool(endpoint.rate_limits) != (endpoint.name in WITHOUT_LIMIT)


async def test_a_limit_of_one_refuses_the_second():
    hosts = Hosts()
    assert await hosts.ask(2, replace(SIGN_UPS, allowed=1)) == [0, -3600]
