"""Nine captures of Python libraries and of the AI SDK: tokens, model, agent, run and identity of each call."""

from datetime import UTC, datetime

import pytest

from shared.domain.ingestion.calls import WarningCode
from tests.doubles.worlds.otlp_captures import spans_of
from tests.doubles.worlds.sent_traces import SentTraces, described

GPT = {"model": "gpt-5-2025-08-07", "agent": "helpdesk", "counted": True, "input": 1200, "output": 90}
CLAUDE = {"model": "claude-sonnet-4-20250514", "agent": "helpdesk", "counted": True, "input": 1200, "output": 90}
EMBEDDING = {"model": "text-embedding-3-small", "agent": "helpdesk", "counted": True, "input": 8}
UNCOUNTED = {"model": "gpt-5-2025-08-07", "agent": "helpdesk", "counted": False}
DETAILS = {"cached": 800, "reasoning": 30}

CHAT = "openai:chatcmpl-CXyra0000000000000000000001:1200:90"
STREAM = "openai:chatcmpl-CXyraS:1200:90"
RESPONSE = "openai:resp_xyra0001:1200:90"
MESSAGE = "anthropic:msg_01Xyra:1200:90"
SPAN = "by trace and span"


def sent(capture: str, times: int = 1) -> SentTraces:
    return SentTraces().send_all([spans_of(capture)] * times)


@pytest.mark.parametrize(
    ("capture", "expected"),
    [
        ("litellm_otel", [(CHAT, GPT | DETAILS | {"agent": "litellm"})]),
        ("openai_v2", [(CHAT, GPT), (STREAM, GPT), (SPAN, UNCOUNTED), (SPAN, EMBEDDING)]),
        ("openai_v2_latest", [(CHAT, GPT), (STREAM, GPT), (SPAN, UNCOUNTED), (SPAN, EMBEDDING)]),
        ("openinference_anthropic", [(MESSAGE, CLAUDE | {"cached": 700, "written": 100})]),
        ("openinference_openai", [(SPAN, GPT | DETAILS)] * 3 + [(SPAN, EMBEDDING)]),
        ("traceloop_anthropic", [(MESSAGE, CLAUDE | {"cached": 700, "written": 100})]),
        (
            "traceloop_openai",
            [(CHAT, GPT | DETAILS), (STREAM, GPT | {"cached": 800}), (RESPONSE, GPT | DETAILS), (SPAN, EMBEDDING)],
        ),
        ("traceloop_openai_0.36", [(SPAN, GPT), (SPAN, UNCOUNTED), (SPAN, EMBEDDING)]),
        ("vercel_ai_sdk_json", [(CHAT, GPT | DETAILS), (STREAM, GPT | DETAILS)]),
    ],
)
@pytest.mark.parametrize("times", [1, 2])
def test_calls(capture: str, expected: list[tuple[str, dict[str, object]]], times: int):
    calls = sorted(sent(capture, times).calls, key=lambda call: call.time)
    by_span = [f"{call.trace_id}:{call.span_id}" for call in calls]
    identities = [SPAN if call.id == span else call.id for call, span in zip(calls, by_span, strict=True)]
    assert list(zip(identities, [described(call) for call in calls], strict=True)) == expected


@pytest.mark.parametrize(
    ("capture", "run"),
    [("openai_v2", "conv-1"), ("openinference_openai", "conv-1"), ("traceloop_openai", None), ("litellm_otel", None)],
)
def test_the_run_is_the_conversation_else_the_trace(capture: str, run: str | None):
    calls = sent(capture).calls
    assert [call.run for call in calls] == [run or call.trace_id for call in calls]


def test_a_conversation_that_is_a_response_is_none():
    calls = sorted(sent("dotnet/extensions_ai_responses").calls, key=lambda call: call.time)
    assert [call.run for call in calls] == [calls[0].trace_id, calls[1].trace_id, "conv_Xyra01"]


def test_the_time_is_the_end_of_the_span():
    (call,) = sent("litellm_otel").calls
    (span,) = [span for span in spans_of("litellm_otel") if span.span_id == call.span_id]
    assert (call.time - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 10**6 == pytest.approx(span.end, abs=1)


def test_the_service_tier_goes_along():
    assert {call.data.get("service_tier") for call in sent("openinference_anthropic").calls} == {"standard"}
    assert {call.data.get("service_tier") for call in sent("litellm_otel").calls} == {"default"}


def test_a_call_without_counts_is_warned_of():
    assert sent("traceloop_openai_0.36").codes == {WarningCode.NO_COUNT}
    assert sent("traceloop_openai").codes == set()
