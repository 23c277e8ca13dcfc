"""LiteLLM and OpenMeter's SDK work as they are: everything is counted once, nothing refused, each cost exact."""

import json
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.doubles.clients.xyra_client import Client, Xyra
from tests.usage_clients.running import CALLS, base_of, installed, recorded, run, token_of

Json = dict[str, Any]

INPUT, OUTPUT = Decimal("2.50"), Decimal("10.00")
"""US dollars for a million tokens of gpt-4o."""

pytestmark = installed


async def call_by_litellm(xyra: Xyra, key: Client, callbacks: list[str], calls: list[Json]) -> None:
    """With the lines of `docs/send-usage.md`."""
    base, token = base_of(xyra), token_of(key)
    await run(
        "litellm",
        "send_by_litellm.py",
        *callbacks,
        sent=json.dumps(calls),
        GENERIC_LOGGER_ENDPOINT=f"{base}/ingest/litellm",
        GENERIC_LOGGER_HEADERS=f"Authorization=Bearer {token}",
        OPENMETER_API_ENDPOINT=f"{base}/openmeter",
        OPENMETER_API_KEY=token,
        OPENMETER_TRUST_REQUEST_USER="false",
        LITELLM_LOCAL_MODEL_COST_MAP="True",
    )
    await xyra.idle()


def mocked(call_id: str, prompt: int, completion: int) -> Json:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "a prompt"}],
        "metadata": {"user_api_key_user_id": "coder"},
        "mock_response": {"id": call_id, "model": "gpt-4o", "usage": usage},
    }


@pytest.mark.parametrize("callbacks", [["generic_api"], ["openmeter"], ["generic_api", "openmeter"]], ids=" and ".join)
async def test_litellm_counts_each_of_many_calls_once(host: Xyra, callbacks: list[str]) -> None:
    organization = await host.organization()
    await organization.agent("coder")
    chance = random.Random("litellm")
    tokens = {f"chatcmpl-{n}": (chance.randint(1, 100_000), chance.randint(1, 10_000)) for n in range(CALLS)}
    await call_by_litellm(host, organization.key, callbacks, [mocked(id_, *counts) for id_, counts in tokens.items()])
    events = await recorded(organization)
    assert {id_: (e["data"]["input_tokens"], e["data"]["output_tokens"]) for id_, e in events.items()} == tokens
    exact = {id_: (prompt * INPUT + completion * OUTPUT) / 1_000_000 for id_, (prompt, completion) in tokens.items()}
    assert {id_: Decimal(event["provider_cost"]) for id_, event in events.items()} == exact
    assert (await organization.key.get("events/parked"))["data"] == []


OPENAI = {
    "id": "chatcmpl-all",
    "object": "chat.completion",
    "created": 1793620800,
    "model": "gpt-5",
    "service_tier": "default",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}],
    "usage": {
        "prompt_tokens": 1200,
        "completion_tokens": 190,
        "total_tokens": 1390,
        "prompt_tokens_details": {"cached_tokens": 800},
        "completion_tokens_details": {"reasoning_tokens": 100},
    },
}
"""400 x 1.25 + 800 x 0.125 + 190 x 10."""
ANTHROPIC = {
    "id": "msg_all",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "yes"}],
    "usage": {
        "input_tokens": 3,
        "output_tokens": 550,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 12304,
        "cache_creation": {"ephemeral_5m_input_tokens": 10000, "ephemeral_1h_input_tokens": 2304},
    },
}
"""3 x 3 + 1000 x 0.30 + 10000 x 3.75 + 2304 x 6 + 550 x 15."""
COSTS = ["0.0025", "0.005", "0.059883"]


@pytest.fixture
async def provider() -> AsyncIterator[str]:
    """Answers as OpenAI and Anthropic do."""

    async def chat(request: web.Request) -> web.Response:
        asked = await request.json()
        is_priority = asked.get("service_tier") == "priority"
        named = {"id": "chatcmpl-priority", "service_tier": "priority"} if is_priority else {}
        return web.json_response(OPENAI | named)

    async def messages(_: web.Request) -> web.Response:
        return web.json_response(ANTHROPIC)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/messages", messages)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def test_cached_written_reasoning_and_tier_cost_what_the_provider_charges(host: Xyra, provider: str) -> None:
    organization = await host.organization(settings={"reported_llm_terms": True})
    await organization.agent("coder")
    asked = {
        "messages": [{"role": "user", "content": "a prompt"}],
        "metadata": {"user_api_key_user_id": "coder"},
        "api_key": "none",
    }
    calls = [
        asked | {"model": "openai/gpt-5", "api_base": f"{provider}/v1"},
        asked | {"model": "openai/gpt-5", "api_base": f"{provider}/v1", "service_tier": "priority"},
        asked | {"model": "anthropic/claude-sonnet-4-5", "api_base": provider},
    ]
    await call_by_litellm(host, organization.key, ["generic_api"], calls)
    events = await recorded(organization)
    assert sorted(event["provider_cost"] for event in events.values()) == COSTS


async def test_openmeters_sdk_reports_and_is_told_of_a_bad_event(host: Xyra) -> None:
    organization = await host.organization()
    await organization.agent("coder")
    printed = await run("litellm", "send_by_openmeter.py", base_of(host), token_of(organization.key))
    assert json.loads(printed) == 400
    await host.idle()
    events = await recorded(organization)
    assert sorted(events) == ["call-1", "call-2", "call-3", "call-4"]
    assert sum(int(event["data"]["quantity"]) for event in events.values()) == 10


async def test_litellms_teams_and_keys_go_to_their_projects(host: Xyra) -> None:
    organization = await host.organization()
    project = await organization.project("Research")
    agent = await organization.agent("coder")
    in_project = await organization.agent(f"coder@{project['id']}", project_id=project["id"])
    mapping = [{"team": "team-1", "project_id": project["id"]}, {"key": "nightly", "project_id": project["id"]}]
    body = {"name": "Proxy", "scopes": ["events:write"], "litellm_mapping": mapping}
    key = host.bearing((await organization.key.post("api-keys", body))["token"])
    who: list[Json] = [{}, {"user_api_key_team_id": "team-1"}, {"user_api_key_alias": "nightly"}]
    calls = [mocked(f"chatcmpl-{n}", 1000, 100) for n in range(len(who))]
    for call, named in zip(calls, who, strict=True):
        call["metadata"] |= named
    await call_by_litellm(host, key, ["generic_api"], calls)
    agents = {id_: event["agent_id"] for id_, event in (await recorded(organization)).items()}
    assert agents == {"chatcmpl-0": agent["id"], "chatcmpl-1": in_project["id"], "chatcmpl-2": in_project["id"]}
