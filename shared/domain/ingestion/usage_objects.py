"""Usage as providers answer it, in texts of libraries that pass answers on.

Shapes: OpenAI chat (`prompt_tokens`), OpenAI responses and LangChain (`input_tokens` with details), Anthropic
(`input_tokens` beside cached and written ones), Gemini (`promptTokenCount`, thoughts beside candidates), Bedrock and
Genkit (`inputTokens`).
"""

import ast
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.domain.ingestion.spans import count_of
from shared.domain.ingestion.units import Reading

MAXIMUM_TEXT = 1_000_000
"""Characters of a text in which usage is looked for."""
_MAXIMUM_LITERAL = 4096
"""Characters of a Python literal: its parser is slower, and deeper."""

_PRICED_APART = ("audio", "image", "video")
"""Kinds of tokens that do not cost what text costs."""

_decoder = msgspec.json.Decoder()


def object_in(text: object) -> Mapping[str, Any]:
    """The JSON object in a text; empty where there is none."""
    if type(text) is not str or len(text) > MAXIMUM_TEXT:
        return {}
    try:
        value = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def literal_in(text: object) -> Mapping[str, Any]:
    """The Python dictionary in a text, as `str()` writes it; empty where there is none."""
    if type(text) is not str or len(text) > _MAXIMUM_LITERAL:
        return {}
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def part(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The object at a path of keys; empty where there is none."""
    for key in path:
        inner = value.get(key)
        if not isinstance(inner, dict):
            return {}
        value = inner
    return value


def reading_of(usage: Mapping[str, Any]) -> Reading:
    """What a provider's usage object says. Its input includes cached tokens, its output reasoning."""
    if "promptTokenCount" in usage or "prompt_token_count" in usage:
        return _of_gemini(usage)
    if "prompt_tokens" in usage or "completion_tokens" in usage:
        return _of_openai(usage, "prompt_tokens", "completion_tokens", "prompt_tokens_details")
    if not usage.keys().isdisjoint(("inputTokens", "outputTokens", "cacheReadInputTokens")):
        return _of_camel_case(usage)
    if "input_tokens" in usage or "output_tokens" in usage:
        for details in ("input_tokens_details", "input_token_details"):
            if details in usage:
                return _of_openai(usage, "input_tokens", "output_tokens", details)
        return _of_anthropic(usage)
    return Reading()


def details_of(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Reading:
    """What OpenAI's and LangChain's details of input and output say."""
    written_5m = _count(inputs, "ephemeral_5m_input_tokens")
    written_1h = _count(inputs, "ephemeral_1h_input_tokens")
    other = {
        f"{direction}_{kind}_tokens": _count(details, f"{kind}_tokens", kind)
        for direction, details in (("input", inputs), ("output", outputs))
        for kind in _PRICED_APART
    }
    return Reading(
        cached=_count(inputs, "cached_tokens", "cache_read"),
        written=_count(inputs, "cache_creation_tokens", "cache_write_tokens", "cache_creation")
        or _sum(written_5m, written_1h),
        written_5m=written_5m,
        written_1h=written_1h,
        reasoning=_count(outputs, "reasoning_tokens", "reasoning"),
        other={name: count for name, count in other.items() if count},
    )


def _of_openai(usage: Mapping[str, Any], tokens_in: str, tokens_out: str, inputs: str) -> Reading:
    outputs = inputs.replace("prompt", "completion").replace("input", "output")
    counts = Reading(
        input=_count(usage, tokens_in),
        output=_count(usage, tokens_out),
        total=_count(usage, "total_tokens"),
        cached=_count(usage, "cache_read_input_tokens"),
        written=_count(usage, "cache_creation_input_tokens"),
    )
    return counts.completed_by(details_of(part(usage, inputs), part(usage, outputs)))


def _of_anthropic(usage: Mapping[str, Any]) -> Reading:
    cached = _count(usage, "cache_read_input_tokens")
    lifetimes = part(usage, "cache_creation")
    written_1h = _count(lifetimes, "ephemeral_1h_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    if written is None:
        written = _sum(_count(lifetimes, "ephemeral_5m_input_tokens"), written_1h)
    return Reading(
        input=_sum(_count(usage, "input_tokens"), cached, written),
        output=_count(usage, "output_tokens"),
        cached=cached,
        written=written,
        written_1h=written_1h,
    )


def _of_gemini(usage: Mapping[str, Any]) -> Reading:
    thoughts = _count(usage, "thoughtsTokenCount", "thoughts_token_count")
    return Reading(
        input=_sum(
            _count(usage, "promptTokenCount", "prompt_token_count"),
            _count(usage, "toolUsePromptTokenCount", "tool_use_prompt_token_count"),
        ),
        output=_sum(_count(usage, "candidatesTokenCount", "candidates_token_count"), thoughts),
        cached=_count(usage, "cachedContentTokenCount", "cached_content_token_count"),
        reasoning=thoughts,
    )


def _of_camel_case(usage: Mapping[str, Any]) -> Reading:
    """Bedrock's input leaves out cached and written tokens, Genkit's output leaves out thoughts."""
    cached, written = _count(usage, "cacheReadInputTokens"), _count(usage, "cacheWriteInputTokens")
    thoughts = _count(usage, "thoughtsTokens")
    return Reading(
        input=_sum(_count(usage, "inputTokens"), cached, written),
        output=_sum(_count(usage, "outputTokens"), thoughts),
        cached=cached if cached is not None else _count(usage, "cachedContentTokens"),
        written=written,
        reasoning=thoughts,
    )


def _count(value: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        if (count := count_of(value.get(name))) is not None:
            return count
    return None


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
