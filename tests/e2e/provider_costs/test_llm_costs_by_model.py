"""LLM costs by model, and price lists that change: what an event cost stands."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.servers.price_list_server import PriceListServer, price_list

Json = dict[str, Any]

OCTOBER = "2026-10"
AT = "2026-10-20T12:00:00Z"
MILLION = {"model": "gpt-5", "input_tokens": 1_000_000}


def call(event_id: str, **data: Any) -> Json:
    return {"id": event_id, "type": "llm_call", "agent": "coder", "time": AT, "data": {**MILLION, **data}}


async def test_costs_are_compared_with_what_was_reported_by_model(xyra: Xyra):
    organization = await xyra.organization()
    await organization.agent()
    await organization.agent("other")
    await organization.key.report(
        call("1", cost="1"),
        call("2", cost="1.5"),
        call("3", cost="1.75") | {"agent": "other"},
        call("4"),
        call("5", model="of-our-own", cost="7"),
        call("6", model="o3", cost="2"),
    )
    own_key = call("7", byok=True, cost="1.25") | {"organization": organization.id}
    await organization.operator.report(own_key)
    await xyra.idle()
    costs = await organization.key.get("llm-costs", period=OCTOBER)
    assert costs["data"] == [
        {
            "model": "openai/gpt-5",
            "calls": 4,
            "cost": "5",
            "reported_cost": "5.5",
            "difference": "-0.5",
            "byok_calls": 1,
            "byok_cost": "1.25",
        },
        {
            "model": "openai/o3",
            "calls": 1,
            "cost": "2",
            "reported_cost": "2",
            "difference": "0",
            "byok_calls": 0,
            "byok_cost": "0",
        },
    ]
    page = await organization.key.get("llm-costs", period=OCTOBER, limit="1")
    rest = await organization.key.get("llm-costs", period=OCTOBER, limit="1", cursor=page["next_cursor"])
    assert page["data"] + rest["data"] == costs["data"]


async def event_of(organization: Organization, event_id: str) -> Json:
    (found,) = (await organization.key.get("events", source="api", id=event_id))["data"]
    return found


async def test_a_newer_list_is_taken_up_without_a_deployment_and_changes_no_cost_that_stands(
    new_process: Callable[..., XyraProcess],
):
    async with PriceListServer.running() as server:
        process = new_process(XYRA_PRICE_LIST_URL=server.url)
        served = await Served.by(process)
        async with served.clients() as xyra:
            organization = await xyra.organization()
            await organization.agent()
            await organization.key.report(call("first"))
            await xyra.idle()
            first = await event_of(organization, "first")
            assert (first["provider_cost"], first["cost_source"]) == ("9.25", "list")
            assert first["list_version"] == hashlib.sha256(server.content).hexdigest()

            server.offer(price_list("3.5"))
            newer = hashlib.sha256(server.content).hexdigest()
            process.set_clock(NOW + timedelta(hours=2))
            await until_priced_by(organization, newer)
            await organization.key.report(call("second"))
            await xyra.idle()
            assert (await event_of(organization, "second"))["provider_cost"] == "3.5"
            assert await event_of(organization, "first") == first


async def until_priced_by(organization: Organization, list_version: str) -> None:
    async def present() -> str:
        answer = await organization.key.post("llm-prices/calculate", MILLION, expect=200)
        return str(answer["list_version"])

    async with asyncio.timeout(60):
        while await present() != list_version:  # noqa: ASYNC110  the host moves it
            await asyncio.sleep(0.05)
