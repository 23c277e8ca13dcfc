"""Traces over HTTP: what libraries really send becomes usage, once, however often it is sent."""

import gzip
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from shared.ports.traces import TraceEncoding
from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import ORGANIZATION_SCOPES, Answer, Client, Organization, Xyra
from tests.doubles.worlds.otlp_captures import Sequence, body_of, encoding_of, sequences

Json = dict[str, Any]

TRACES = "/v1/traces"
CAPTURED = "2026-11-30T12:00:00Z"
"""The captures are of this day and the one before."""
CAPTURES = (
    "openai_v2",
    "openai_v2_latest",
    "traceloop_openai",
    "traceloop_openai_0.36",
    "traceloop_anthropic",
    "openinference_openai",
    "openinference_anthropic",
    "litellm_otel",
    "vercel_ai_sdk_json",
)


async def maker_of(xyra: Xyra, organization: Organization, **reporting: Any) -> Client:
    """A key that makes unknown agents."""
    model = await organization.model({"key": "calls", "type": "activity", "event": "llm_call", "pricing": "per_unit"})
    body = {
        "name": "Exporter",
        "organization_id": organization.id,
        "scopes": ORGANIZATION_SCOPES,
        "make_agents": {"billing_model_id": model["id"]},
    }
    return xyra.bearing((await organization.operator.post("api-keys", body | reporting))["token"])


async def export(client: Client, capture: str, path: str = TRACES, **headers: str) -> Answer:
    typed = {"Content-Type": encoding_of(capture).value} | headers
    body = body_of(capture)
    return await client.send(
        "POST", path, raw=gzip.compress(body) if headers.get("Content-Encoding") == "gzip" else body, headers=typed
    )


async def calls_of(organization: Organization) -> list[Json]:
    """The recorded calls, in the words of the captures' expectations."""
    agents = {agent["id"]: agent["external_id"] for agent in (await organization.key.get("agents", limit="200"))["data"]}
    events = (await organization.key.get("events", limit="200"))["data"]
    return [described(event["data"], agents[event["agent_id"]]) for event in events]


def described(data: Mapping[str, Any], agent: str) -> Json:
    names = {
        "input_tokens": "input",
        "output_tokens": "output",
        "cached_input_tokens": "cached",
        "cache_write_tokens": "written",
        "cache_write_1h_tokens": "written_1h",
        "reasoning_tokens": "reasoning",
    }
    counts = {word: data[name] for name, word in names.items() if data.get(name)}
    return {"model": data.get("model"), "agent": agent, "counted": "input_tokens" in data} | counts


def counted(calls: list[Json] | tuple[Json, ...]) -> Counter[tuple[tuple[str, object], ...]]:
    return Counter(tuple(sorted(call.items())) for call in calls)


@pytest.mark.parametrize("sequence", sequences(), ids=lambda sequence: sequence.name)
async def test_a_sequence_counts_as_expected_posted_twice(time_machine: TimeMachine, sequence: Sequence) -> None:
    xyra = time_machine.xyra
    await time_machine.at(CAPTURED)
    organization = await xyra.organization()
    key = await maker_of(xyra, organization, agent_wait_seconds=0)
    for capture in (*sequence.captures, *sequence.captures):
        assert (await export(key, capture)).status == 200
    await time_machine.at("2026-11-30T12:06:00Z")
    assert counted(await calls_of(organization)) == counted(sequence.expected)
