"""A newer price list from a URL: taken up when it can be used, and else everything stays."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.adapters.price_list.downloads import MAXIMUM_BYTES, REFRESHED, RETRIED, DownloadedPriceList
from shared.adapters.price_list.genai_prices import PackagedPriceList
from shared.domain.provider_costs.costs import CostRules, EventCost
from shared.domain.provider_costs.exchange_rates import ExchangeRates
from shared.domain.provider_costs.price_lookup import LlmPrices
from tests.doubles.servers.price_list_server import PriceListServer, price_list

NOVEMBER = datetime(2026, 11, 20, 12, tzinfo=UTC)
INSTALLED = PackagedPriceList()
CALL = {"model": "gpt-5", "input_tokens": 1_000_000}
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
async def server() -> AsyncIterator[PriceListServer]:
    async with PriceListServer.running() as running:
        yield running


def cost_by(prices: DownloadedPriceList) -> EventCost:
    return CostRules(LlmPrices(prices), ExchangeRates()).of("llm_call", CALL, NOVEMBER, "USD")


async def test_the_list_at_the_url_holds_and_its_hash_is_its_version(server: PriceListServer):
    prices = DownloadedPriceList(INSTALLED, server.url)
    assert cost_by(prices).list_version == INSTALLED.version
    await prices.refresh(NOVEMBER)
    cost = cost_by(prices)
    assert (cost.amount, cost.list_version) == (Decimal("9.25"), hashlib.sha256(server.content).hexdigest())


async def test_it_is_looked_for_every_hour_and_after_a_failure_sooner(server: PriceListServer):
    prices = DownloadedPriceList(INSTALLED, server.url)
    for moment in (NOVEMBER, NOVEMBER + REFRESHED - MICROSECOND):
        await prices.refresh(moment)
    assert server.requests == 1
    server.status = 503
    await prices.refresh(NOVEMBER + REFRESHED)
    await prices.settled()
    assert (server.requests, cost_by(prices).amount) == (2, Decimal("9.25"))
    server.status = 200
    server.offer(price_list("8"))
    await prices.refresh(NOVEMBER + REFRESHED + RETRIED)
    await prices.settled()
    assert (server.requests, cost_by(prices).amount) == (3, 8)


@pytest.mark.parametrize(
    "content",
    [
        price_list("9", input_smell_mtok=1),
        price_list("-9"),
        [],
        {"providers": []},
        [{"id": "openai"}],
        "much",
    ],
    ids=["unknown unit", "negative", "empty", "other form", "incomplete", "text"],
)
async def test_a_list_that_cannot_be_used_is_not_taken_up(
    server: PriceListServer, content: object, caplog: pytest.LogCaptureFixture
):
    server.offer(content)
    prices = DownloadedPriceList(INSTALLED, server.url)
    await prices.refresh(NOVEMBER)
    assert prices.version == INSTALLED.version
    assert cost_by(prices).amount == Decimal("1.25")
    assert [record.message for record in caplog.records] == ["the price list stays as it is"]


async def test_neither_a_redirect_nor_a_flood_is_taken_up(server: PriceListServer):
    server.headers = {"Location": server.url}
    server.status = 302
    prices = DownloadedPriceList(INSTALLED, server.url)
    await prices.refresh(NOVEMBER)
    assert (server.requests, prices.version) == (1, INSTALLED.version)
    server.status, server.content = 200, b" " * (MAXIMUM_BYTES + 1)
    await prices.refresh(NOVEMBER + RETRIED)
    await prices.settled()
    assert (server.requests, prices.version) == (2, INSTALLED.version)


async def test_where_nobody_answers_the_installed_list_holds():
    prices = DownloadedPriceList(INSTALLED, "http://127.0.0.1:1/list.json")
    await prices.refresh(NOVEMBER)
    assert cost_by(prices).amount == Decimal("1.25")
