"""What people report usage with already works as it is: everything is counted once, nothing refused, each cost exact.

`make usage-clients` installs the clients, each pinned, in an environment of their own, and names it in
`XYRA_USAGE_CLIENTS`. Without it these tests are skipped by name.
"""

import asyncio
import json
import os
import random
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Client, Organization, Xyra

Json = dict[str, Any]

CLIENTS = Path(os.environ.get("XYRA_USAGE_CLIENTS", "no usage clients")).absolute()
FOLDER = Path(__file__).parent
CALLS = int(os.environ.get("XYRA_USAGE_CALLS", "1000"))
INPUT, OUTPUT = Decimal("2.50"), Decimal("10.00")
"""US dollars for a million tokens of gpt-4o."""

pytestmark = pytest.mark.skipif(not CLIENTS.is_dir(), reason="the usage clients are not installed: make usage-clients")


def run(script: str, *arguments: str, sent: str = "", **environment: str) -> str:
    """What a script prints. It has to end well, and no callback of it may have failed."""
    ended = subprocess.run(  # noqa: S603  the pinned clients
        [CLIENTS / "bin/python", FOLDER / script, *arguments],
        input=sent,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert "LiteLLM:ERROR" not in ended.stderr, ended.stderr[-4000:]
    return ended.stdout


def base_of(xyra: Xyra) -> str:
    return str(xyra.anonymous.session._base_url).rstrip("/")


def token_of(client: Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


async def call_by_litellm(xyra: Xyra, key: Client, callbacks: list[str], calls: list[Json]) -> None:
    """With the lines of `docs/send-usage.md`."""
    base, token = base_of(xyra), token_of(key)
    await asyncio.to_thread(
        run,
        "send_by_litellm.py",
        *callbacks,
        sent=json.dumps(calls),
        GENERIC_LOGGER_ENDPOINT=f"{base}/ingest/litellm",
        GENERIC_LOGGER_HEADERS=f"Authorization=Bearer {token}",
        OPENMETER_API_ENDPOINT=f"{base}/openmeter",
        OPENMETER_API_KEY=token,
        OPENMETER_TRUST_REQUEST_USER="false",
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


async def recorded(organization: Organization) -> dict[str, Json]:
    """All events, by id."""
    events: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = await organization.key.get("events", limit="200", **cursor)
        events += page["data"]
        if page["next_cursor"] is None:
            by_id = {event["id"]: event for event in events}
            assert len(by_id) == len(events), "an event was counted twice"
            return by_id
        cursor = {"cursor": page["next_cursor"]}


@pytest.fixture
async def host(time_machine: TimeMachine) -> Xyra:
    """At the time that the clients read from their machine's clock."""
    await time_machine.at(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return time_machine.xyra


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
    printed = await asyncio.to_thread(run, "send_by_openmeter.py", base_of(host), token_of(organization.key))
    assert json.loads(printed) == 400
    await host.idle()
    events = await recorded(organization)
    assert sorted(events) == ["call-1", "call-2", "call-3", "call-4"]
    assert sum(int(event["data"]["quantity"]) for event in events.values()) == 10
