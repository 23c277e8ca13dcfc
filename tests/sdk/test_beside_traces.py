"""The SDK beside OpenTelemetry: a call that both report counts once, whoever is first."""

import sys
from pathlib import Path
from typing import Any

import pytest

from shared.domain.ingestion.calls import microseconds_of
from shared.domain.ingestion.spans import Span
from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.otlp_bodies import json_body
from tests.places import ROOT
from tests.sdk.running import environment_of, on_each_python, run

sys.path.append(str(ROOT / "clients/python/tests"))

from datetime import UTC, datetime

from provider_double import ProviderDouble

CALL = """
import openai, xyra
client = xyra.wrap(openai.OpenAI(), provider="openai")
with xyra.run("ticket-7", agent="coder"):
    client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hello"}])
assert xyra.flush(20) == 0
assert xyra.stats()["refused"] == 0, xyra.client().refused()
"""


def _span(response: str) -> Span:
    now = microseconds_of(datetime.now(UTC))
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.response.id": response,
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 90,
    }
    about = {"trace_id": "a" * 32, "span_id": "b" * 16, "parent_id": "", "name": "chat", "scope": "plain"}
    when = {"start": now - 1_000_000, "end": now, "failed": False, "dropped_attributes": 0}
    return Span(**about, **when, attributes=attributes, service="coder")


@pytest.mark.parametrize("is_trace_first", [False, True])
@on_each_python
async def test_a_call_in_both_counts_once(host: Xyra, python: Path, tmp_path: Path, *, is_trace_first: bool) -> None:
    organization = await host.organization()
    await organization.agent("coder")
    key = {"name": "Exporter", "organization_id": organization.id, "scopes": ["events:write"], "default_agent": "coder"}
    exporter = host.bearing((await host.operator.post("api-keys", key))["token"])
    provider = ProviderDouble()
    settings = {"OPENAI_BASE_URL": f"{provider.base}/v1", "OPENAI_API_KEY": "key"}
    environment = environment_of(host, organization.key, tmp_path, **settings)

    async def export() -> None:
        headers = {**exporter.headers, "Content-Type": "application/json"}
        answer = await exporter.send("POST", "/v1/traces", raw=json_body([_span("id-1")]), headers=headers)
        answer.expect(200)
        await host.idle()

    if is_trace_first:
        await export()
    await run(python, CALL, environment=environment)
    await host.idle()
    if not is_trace_first:
        await export()
    provider.close()
    events = (await organization.key.get("events"))["data"]
    assert [(event["source"], event["id"]) for event in events] == [("otlp", "openai:id-1:1200:90")]
    assert (await organization.key.get("events/parked"))["data"] == []
