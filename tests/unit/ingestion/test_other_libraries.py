"""Libraries that were not captured: a call and its agent, in the shape that their sources write."""

import json
from typing import Any

import pytest

from shared.domain.ingestion.spans import Span
from tests.doubles.worlds.plain_spans import of, span
from tests.doubles.worlds.sent_traces import SentTraces, described


def spans(scope: str, call: dict[str, Any], agent: dict[str, Any]) -> list[Span]:
    """A call below its agent's run."""
    inner, run = span("call", "run", begins=1), span("run", lasts=5)
    return [of(inner, scope=scope, attributes=call), of(run, scope=scope, attributes=agent)]


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.system": "openai"}
USAGE = {"gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 90}
WEATHER = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "weather"}
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(
            # Bedrock's input leaves out what is cached: the total tells
            spans(
                "strands.telemetry.tracer",
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": CLAUDE,
                    "gen_ai.usage.prompt_tokens": 1000,
                    "gen_ai.usage.input_tokens": 1000,
                    "gen_ai.usage.completion_tokens": 90,
                    "gen_ai.usage.output_tokens": 90,
                    "gen_ai.usage.total_tokens": 1890,
                    "gen_ai.usage.cache_read_input_tokens": 700,
                    "gen_ai.usage.cache_write_input_tokens": 100,
                },
                {**WEATHER, **USAGE},
            ),
            {"model": CLAUDE, "agent": "weather", "input": 1800, "output": 90, "cached": 700, "written": 100},
            id="Strands",
        ),
        pytest.param(
            spans(
                "pydantic-ai",
                {
                    **CHAT,
                    **USAGE,
                    "gen_ai.response.id": "r-1",
                    "gen_ai.usage.details.cache_read_tokens": 800,
                    "gen_ai.usage.details.reasoning_tokens": 30,
                },
                {"agent_name": "weather", "model_name": "gpt-5", **USAGE},
            ),
            {"model": "gpt-5", "agent": "weather", "input": 1200, "output": 90, "cached": 800, "reasoning": 30},
            id="Pydantic AI",
        ),
        pytest.param(
            spans(
                "mlflow.openai.autolog",
                {
                    "mlflow.spanType": '"CHAT_MODEL"',
                    "mlflow.llm.model": '"gpt-5"',
                    "mlflow.chat.tokenUsage": json.dumps(
                        {"input_tokens": 1200, "output_tokens": 90, "cache_read_input_tokens": 800}
                    ),
                },
                {"mlflow.spanType": '"AGENT"', "agent.name": "weather"},
            ),
            {"model": "gpt-5", "agent": "weather", "input": 1200, "output": 90, "cached": 800},
            id="MLflow",
        ),
        pytest.param(
            spans(
                "org.springframework.boot",
                {**CHAT, "gen_ai.usage.input_tokens": "1200", "gen_ai.usage.output_tokens": "90"},
                {"gen_ai.operation.name": "framework", "gen_ai.system": "spring_ai"},
            ),
            {"model": "gpt-5", "agent": "helpdesk", "input": 1200, "output": 90},
            id="Spring AI",
        ),
        pytest.param(
            spans("semantic_kernel", {**CHAT, **USAGE, "gen_ai.operation.name": "chat.completions"}, WEATHER),
            {"model": "gpt-5", "agent": "weather", "input": 1200, "output": 90},
            id="Semantic Kernel, Python",
        ),
        pytest.param(
            spans(
                "openinference.instrumentation.crewai",
                {
                    "openinference.span.kind": "LLM",
                    "llm.model_name": "gpt-5",
                    "llm.token_count.prompt": 1200,
                    "llm.token_count.completion": 90,
                },
                {"openinference.span.kind": "AGENT", "graph.node.id": "researcher"},
            ),
            {"model": "gpt-5", "agent": "researcher", "input": 1200, "output": 90},
            id="OpenInference for CrewAI",
        ),
        pytest.param(
            spans("agent_framework", {**CHAT, **USAGE, "gen_ai.response.id": "r"}, {**WEATHER, **USAGE}),
            {"model": "gpt-5", "agent": "weather", "input": 1200, "output": 90},
            id="Agent Framework, Python",
        ),
    ],
)
def test_a_call_counts_once_with_all_that_its_library_says(sent: list[Span], expected: dict[str, Any]):
    traces = SentTraces().send_all([sent, sent])
    assert [described(call) for call in traces.calls] == [expected | {"counted": True}]
