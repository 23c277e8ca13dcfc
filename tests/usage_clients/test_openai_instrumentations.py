"""Instrumentations of OpenAI's SDK export over OTLP: each call is counted once, at what the provider charges."""

import json
from decimal import Decimal
from typing import Any

from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.usage_clients.provider import SHORTEST_CACHED, Usage, provider_of, random_usages
from tests.usage_clients.running import CALLS, installed, recorded, run, traces_to, warnings_of

Json = dict[str, Any]

pytestmark = installed


async def reported(host: Xyra, instrumentation: str, usages: dict[str, Usage]) -> Organization:
    """The organization that the calls were reported to."""
    organization = await host.organization(settings={"reported_llm_terms": True})
    await organization.agent("coder")
    async with provider_of(usages) as provider:
        environment = traces_to(host, organization.key)
        sent = json.dumps(list(usages))
        await run(instrumentation, "send_by_openai.py", instrumentation, provider, sent=sent, **environment)
    await host.idle()
    assert (await organization.key.get("events/parked"))["data"] == []
    return organization


async def test_openinference_tells_all_that_the_bill_needs(host: Xyra) -> None:
    usages = random_usages(CALLS, "openinference")
    organization = await reported(host, "openinference", usages)
    counted = [counts_of(event) for event in (await recorded(organization)).values()]
    exact = [
        (usage.input, usage.cached, usage.written, usage.output, usage.reasoning, usage.cost)
        for usage in usages.values()
    ]
    assert sorted(counted) == sorted(exact)
    assert await warnings_of(organization) == {"no_billing_model": len(usages)}


def counts_of(event: Json) -> tuple[int, int, int, int, int, Decimal]:
    names = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    counts = [int(event["data"].get(name, 0)) for name in names]
    return (*counts, Decimal(event["provider_cost"]))  # type: ignore[return-value]


async def test_openai_v2_tells_all_but_cached_tokens_and_is_warned_of_them(host: Xyra) -> None:
    usages = random_usages(CALLS, "openai_v2")
    organization = await reported(host, "openai_v2", usages)
    counted = [
        (int(event["data"]["input_tokens"]), int(event["data"]["output_tokens"]), Decimal(event["provider_cost"]))
        for event in (await recorded(organization)).values()
    ]
    told = [(usage.input, usage.output, usage.cost_at(usage.tier, cached=0)) for usage in usages.values()]
    assert sorted(counted) == sorted(told)
    warned = sum(usage.input >= SHORTEST_CACHED for usage in usages.values())
    assert await warnings_of(organization) == {"no_billing_model": len(usages), "cache_not_told": warned}
    assert all(usage.cost == usage.cost_at(usage.tier, 0) for usage in usages.values() if not usage.cached)
