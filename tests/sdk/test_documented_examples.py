"""Every example of `docs/sdk.md` runs as it stands there, and what it reports arrives."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.clients.xyra_client import Xyra
from tests.places import ROOT
from tests.sdk.running import environment_of, on_each_python, run

sys.path.append(str(ROOT / "clients/python/tests"))

from provider_double import ProviderDouble

EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "docs/sdk.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)
EVERYTHING_ARRIVED = """
left, counts = xyra.flush(20), xyra.stats()
assert (left, counts["dropped"], counts["refused"]) == (0, 0, 0), (left, xyra.client().refused())
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderDouble]:
    double = ProviderDouble()
    yield double
    double.close()


@on_each_python
async def test_the_walk(host: Xyra, provider: ProviderDouble, python: Path, tmp_path: Path) -> None:
    organization = await host.organization(credit_value="0.10")
    for name in ("coder", "helpdesk"):
        await organization.agent(name)
    grant = {"organization_id": organization.id, "amount": "100", "source": "bonus", "reason": "test"}
    headers = {**host.operator.headers, "Idempotency-Key": organization.id}
    await host.operator.with_headers(**headers).post("credits/grants", grant)
    settings = {
        "OPENAI_BASE_URL": f"{provider.base}/v1",
        "OPENAI_API_KEY": "key",
        "ANTHROPIC_API_KEY": "key",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
    }
    environment = environment_of(host, organization.key, tmp_path, **settings)
    assert len(EXAMPLES) >= 6
    for example in EXAMPLES:
        await run(python, example + EVERYTHING_ARRIVED, environment=environment)
    await host.idle()
    events = (await organization.key.get("events"))["data"]
    runs = (await organization.key.get("runs"))["data"]
    named = {"run-7", "run-9", "ticket-7", "ticket-8"}
    by_frameworks = [one for one in runs if one["key"] not in named]
    assert sorted((event["type"], event["run"]) for event in events if event["run"] in named) == [
        ("command", "run-7"),
        ("llm_call", "run-9"),
        ("llm_call", "ticket-7"),
        ("ticket", "ticket-8"),
    ]
    assert {one["status"] for one in runs} == {"completed"}
    assert len(by_frameworks) == 3, "of pydantic-ai, openai-agents and an agent of one's own"
    (by_agents,) = (event for event in events if event["type"] == "llm_call" and event["run"] not in named)
    assert by_agents["run"] in {one["key"] for one in by_frameworks}
    call = next(event for event in events if event["run"] == "ticket-7")
    assert {name: call["data"][name] for name in ("input_tokens", "cached_input_tokens", "output_tokens")} == {
        "input_tokens": 1200,
        "cached_input_tokens": 800,
        "output_tokens": 90,
    }
    assert {one["key"] for one in runs} >= {"run-9", "ticket-7", "ticket-8"}
    (capped,) = (one for one in runs if one["key"] == "run-9")
    budget = await organization.key.get(f"budgets/{capped['budget']['id']}", ref="run-9")
    assert (budget["spent"], budget["held"], budget["limit"], budget["unit"]) == ("0.113", "0", "2", "money")
    balance = await organization.key.get("credits/balance")
    assert balance["held"] == "0"
    assert float(balance["available"]) < 98.75
