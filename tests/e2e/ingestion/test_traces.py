"""Traces over HTTP: what libraries really send becomes usage, once, however often it is sent."""

import base64
import gzip
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import ORGANIZATION_SCOPES, Answer, Client, Organization, Xyra
from tests.doubles.worlds.otlp_captures import Sequence, body_of, encoding_of, sequences

Json = dict[str, Any]

CALLS_IN_CAPTURES = {"gpt-5-2025-08-07": 10, "claude-sonnet-4-20250514": 1, "text-embedding-3-small": 5}
"""By model: five captures share one answer, three share two others, and seven calls have no answer's id."""
PASSED_ON = {"key": "llm", "type": "cost", "categories": ["llm"]}
TRACES = "/v1/traces"
LANGFUSE = "/api/public/otel/v1/traces"
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
    model = await organization.model(PASSED_ON, effective_from="2026-01-01T00:00:00Z")
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
    agents = {
        agent["id"]: agent["external_id"] for agent in (await organization.key.get("agents", limit="200"))["data"]
    }
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


def counted(calls: list[Json]) -> Counter[tuple[tuple[str, object], ...]]:
    return Counter(tuple(sorted(call.items())) for call in calls)


async def exported(xyra: Xyra, sequence: Sequence) -> Organization:
    """A new organization that was sent all requests of a sequence, twice."""
    organization = await xyra.organization()
    key = await maker_of(xyra, organization)
    for capture in (*sequence.captures, *sequence.captures):
        assert (await export(key, capture)).status == 200
    return organization


async def test_all_sequences_count_as_expected_posted_twice(time_machine: TimeMachine) -> None:
    await time_machine.at(CAPTURED)
    sent = [(sequence, await exported(time_machine.xyra, sequence)) for sequence in sequences()]
    await time_machine.at("2026-11-30T12:06:00Z")
    for sequence, organization in sent:
        assert counted(await calls_of(organization)) == counted(sequence.calls), sequence.name


@pytest.mark.walk
async def test_the_calls_of_captures_are_counted_once(time_machine: TimeMachine) -> None:
    """Both encodings and gzip, on both routes; several captures share the answers of their calls."""
    await time_machine.at(CAPTURED)
    organization = await time_machine.xyra.organization()
    key = await maker_of(time_machine.xyra, organization)
    token = key.headers["Authorization"].removeprefix("Bearer ")
    basic = base64.b64encode(f"pk-lf-1:{token}".encode()).decode()
    langfuse = time_machine.xyra.anonymous.with_headers(Authorization=f"Basic {basic}")
    for capture in CAPTURES:
        assert (await export(key, capture)).status == 200
        assert (await export(key, capture, **{"Content-Encoding": "gzip"})).status == 200
        assert (await export(langfuse, capture, LANGFUSE)).status == 200
    await time_machine.at("2026-11-30T12:06:00Z")
    assert Counter(call["model"] for call in await calls_of(organization)) == CALLS_IN_CAPTURES


async def test_calls_of_unknown_agents_are_parked_until_there_is_one(time_machine: TimeMachine) -> None:
    await time_machine.at(CAPTURED)
    xyra = time_machine.xyra
    organization = await xyra.organization()
    answer = await export(organization.key, "openai_v2")
    assert answer.status == 200
    assert b"calls of agent helpdesk are parked" in answer.body
    await xyra.idle()
    parked = (await organization.key.get("events/parked"))["data"]
    assert len(parked) == 4
    assert all("there is no agent helpdesk" in each["reason"] for each in parked)
    await organization.agent("helpdesk")
    ids = {"ids": [each["id"] for each in parked]}
    await xyra.operator.post("events/parked/replay", ids, expect=202, organization_id=organization.id)
    await xyra.idle()
    assert len(await calls_of(organization)) == 4
    await export(organization.key, "openai_v2")
    await xyra.idle()
    assert len(await calls_of(organization)) == 4
