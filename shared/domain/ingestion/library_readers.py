"""How single libraries write counts, ids and agents: what the rows of `libraries.py` name."""

from typing import Annotated

import msgspec

from shared.domain.ingestion import names
from shared.domain.ingestion.kinds import Kind
from shared.domain.ingestion.reported_calls import SHORTEST_CACHED
from shared.domain.ingestion.spans import MAXIMUM_TEXT, Span, count_of
from shared.domain.ingestion.units import Reading
from shared.domain.ingestion.usage_objects import details_of, literal_in, object_in, part, reading_of

_FIELDS = {
    "input": names.INPUT,
    "output": names.OUTPUT,
    "total": names.TOTAL,
    "cached": names.CACHED,
    "written": names.WRITTEN,
    "written_5m": names.WRITTEN_5M,
    "written_1h": names.WRITTEN_1H,
    "reasoning": names.REASONING,
}
_COUNTS = {
    name: (field, rank)
    for field, all_names in (_FIELDS | names.OTHER_UNITS).items()
    for rank, name in enumerate(all_names)
}
"""Attribute -> (what it counts, how late it is believed)."""

_OPENAI_RESPONSE = "resp_"


class _Answer(msgspec.Struct):
    """What is read of OpenAI's answer."""

    service_tier: Annotated[str, msgspec.Meta(max_length=MAXIMUM_TEXT)] | None = None


_answers = msgspec.json.Decoder(_Answer)


def counts_by_name(span: Span, _kind: Kind) -> Reading:
    """What stands under the names of `names.py`."""
    believed: dict[str, tuple[int, int]] = {}
    for name, value in span.attributes.items():
        known = _COUNTS.get(name)
        if known is not None and (count := count_of(value)) is not None:
            field, rank = known
            if field not in believed or rank < believed[field][0]:
                believed[field] = (rank, count)
    counts = {field: count for field, (_, count) in believed.items()}
    other = {name: counts.pop(name) for name in names.OTHER_UNITS if name in counts}
    return Reading(**counts, other=other)


def response_id_by_name(span: Span) -> str | None:
    return span.text(*names.RESPONSE_ID)


def agent_by_name(span: Span, _kind: Kind) -> str | None:
    return span.text(*names.AGENT)


def tier_by_name(span: Span) -> str | None:
    return span.text(*names.SERVICE_TIER)


def tier_in_openinference(span: Span) -> str | None:
    """In the provider's answer, of which nothing else is read."""
    answer = span.attributes.get("output.value")
    if type(answer) is not str or '"service_tier"' not in answer:
        return None
    try:
        return _answers.decode(answer).service_tier
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def tier_in_ai_sdk(span: Span) -> str | None:
    """In the provider's metadata, of OpenAI where its responses API answered."""
    metadata = object_in(span.attributes.get("ai.response.providerMetadata"))
    tier = part(metadata, "openai").get("serviceTier") or part(metadata, "anthropic", "usage").get("service_tier")
    return tier[:MAXIMUM_TEXT] if isinstance(tier, str) and tier else tier_by_name(span)


def may_hide_cache_of_openai(span: Span) -> bool:
    """OpenAI caches beginnings of prompts from 1,024 tokens on, and always says how many tokens that were."""
    is_openai = (span.text(*names.PROVIDER) or "").lower().startswith(("openai", "azure"))
    counted = counts_by_name(span, Kind.CALL)
    return is_openai and not is_embedding(span) and counted.cached is None and (counted.input or 0) >= SHORTEST_CACHED


def may_hide_cache_in_ai_sdk(span: Span) -> bool:
    """Version 5 tells nothing of the cache where OpenAI's answer is not streamed."""
    cached = counts_of_ai_sdk(span, Kind.CALL).cached
    return cached is None and not _is_of_ai_sdk_6(span) and may_hide_cache_of_openai(span)


def no_text(_span: Span) -> str | None:
    return None


def is_embedding(span: Span) -> bool:
    kinds = (span.text("gen_ai.operation.name"), span.text("openinference.span.kind"))
    return "embeddings" in kinds or "EMBEDDING" in kinds


def counts_of_ai_sdk(span: Span, kind: Kind) -> Reading:
    """Before version 6, some counts stand only in the provider's metadata, for its last call."""
    reading = counts_by_name(span, kind)
    if kind is not Kind.CALL or _is_of_ai_sdk_6(span):
        return reading
    metadata = object_in(span.attributes.get("ai.response.providerMetadata"))
    anthropic = part(metadata, "anthropic")
    if anthropic:
        usage = reading_of(part(anthropic, "usage"))
        of_version_4 = Reading(
            cached=count_of(anthropic.get("cacheReadInputTokens")),
            written=count_of(anthropic.get("cacheCreationInputTokens")),
        )
        reading = reading.completed_by(Reading(cached=usage.cached, written=usage.written)).completed_by(of_version_4)
    bedrock = reading_of(part(metadata, "bedrock", "usage"))
    reading = reading.completed_by(Reading(cached=bedrock.cached, written=bedrock.written))
    for provider in ("google", "vertex"):
        gemini = part(metadata, provider, "usageMetadata")
        if gemini:
            usage = reading_of(gemini)
            total = count_of(gemini.get("totalTokenCount"))
            reading = reading.completed_by(Reading(total=total, cached=usage.cached, reasoning=usage.reasoning))
    return reading


def leaves_out_cache_in_ai_sdk(span: Span) -> bool:
    """Before version 6, inputs of Anthropic's models are passed on as Anthropic counts them."""
    if _is_of_ai_sdk_6(span):
        return False
    provider = (span.text("ai.model.provider") or "").lower()
    return "anthropic" in provider or provider.startswith("amazon-bedrock")


def leaves_out_thoughts_in_ai_sdk(span: Span) -> bool:
    """Before version 6, outputs of Google's models are passed on as Google counts them."""
    return not _is_of_ai_sdk_6(span) and (span.text("ai.model.provider") or "").lower().startswith("google")


def agent_in_ai_sdk(span: Span, kind: Kind) -> str | None:
    agent = span.text("ai.telemetry.metadata.agent", *names.AGENT)
    return agent or (None if kind is Kind.TOOL else span.text("ai.telemetry.functionId"))


def counts_of_langfuse(span: Span, kind: Kind) -> Reading:
    """Parts are disjoint, unless the total says that input and output hold theirs."""
    sent = object_in(span.attributes.get("langfuse.observation.usage_details"))
    counts = {name: count for name, value in sent.items() if (count := count_of(value)) is not None}
    if not counts:
        return counts_by_name(span, kind)
    inputs = {name: count for name, count in counts.items() if _is_of_input(name)}
    outputs = {name: count for name, count in counts.items() if name.startswith(("output", "completion"))}
    whole_input = counts.get("input", counts.get("input_tokens", counts.get("prompt_tokens")))
    whole_output = counts.get("output", counts.get("output_tokens", counts.get("completion_tokens")))
    if counts.get("total") is None or counts["total"] != (whole_input or 0) + (whole_output or 0):
        whole_input = sum(inputs.values()) if inputs else None
        whole_output = sum(outputs.values()) if outputs else None
    return Reading(
        input=whole_input,
        output=whole_output,
        cached=_sum_of(inputs, "cache_read", "cached"),
        written=_sum_of(inputs, "cache_creation", "cache_write"),
        reasoning=_sum_of(outputs, "reasoning"),
        other={
            unit: count
            for unit, parts in (("input_audio_tokens", inputs), ("output_audio_tokens", outputs))
            if (count := _sum_of(parts, "audio"))
        },
    )


def agent_in_langfuse(span: Span, kind: Kind) -> str | None:
    return span.text(*names.AGENT) or (span.name.strip()[:128] or None if kind is Kind.AGENT else None)


def counts_of_langsmith(span: Span, kind: Kind) -> Reading:
    inputs = object_in(span.attributes.get("gen_ai.usage.input_token_details"))
    outputs = object_in(span.attributes.get("gen_ai.usage.output_token_details"))
    return counts_by_name(span, kind).completed_by(details_of(inputs, outputs))


def counts_of_mlflow(span: Span, kind: Kind) -> Reading:
    usage = object_in(span.attributes.get("mlflow.chat.tokenUsage"))
    said = Reading(
        input=count_of(usage.get("input_tokens")),
        output=count_of(usage.get("output_tokens")),
        total=count_of(usage.get("total_tokens")),
        cached=count_of(usage.get("cache_read_input_tokens")),
        written=count_of(usage.get("cache_creation_input_tokens")),
    )
    return counts_by_name(span, kind).completed_by(said)


def model_of_mlflow(span: Span) -> str | None:
    """Attributes of MLflow are texts of JSON: a name stands in quotes."""
    return (span.text("mlflow.llm.model") or "").strip('"') or None


def provider_of_mlflow(span: Span) -> str | None:
    return (span.text("mlflow.llm.provider") or "").strip('"') or None


def counts_of_genkit(span: Span, kind: Kind) -> Reading:
    """Only models' own spans count; the provider's answer says more than Genkit's usage."""
    if kind is not Kind.CALL:
        return Reading()
    output = object_in(span.attributes.get("genkit:output"))
    for path in (("raw", "usage"), ("raw", "usageMetadata"), ("custom", "usageMetadata"), ("custom", "usage")):
        reading = reading_of(part(output, *path))
        if not reading.is_empty:
            return reading
    return reading_of(part(output, "usage"))


def response_id_of_genkit(span: Span) -> str | None:
    output = object_in(span.attributes.get("genkit:output"))
    raw, custom = part(output, "raw"), part(output, "custom")
    for value in (raw.get("id"), raw.get("responseId"), custom.get("responseId"), custom.get("id")):
        if isinstance(value, str) and value:
            return value[:128]
    return None


def agent_in_genkit(span: Span, _kind: Kind) -> str | None:
    is_named = span.text("genkit:metadata:subtype") in {"flow", "agent"}
    return span.text("genkit:name") if is_named else None


def model_of_genkit(span: Span) -> str | None:
    return span.text("genkit:name")


def provider_of_genkit(span: Span) -> str | None:
    name = span.text("genkit:name") or ""
    return name.partition("/")[0] if "/" in name else None


def counts_of_adk(span: Span, kind: Kind) -> Reading:
    answer = object_in(span.attributes.get("gcp.vertex.agent.llm_response"))
    reading = reading_of(part(answer, "usageMetadata") or part(answer, "usage_metadata"))
    return counts_by_name(span, kind) if reading.is_empty else reading


def agent_in_openinference(span: Span, kind: Kind) -> str | None:
    return span.text(*names.AGENT) or (span.text("graph.node.id") if kind is Kind.AGENT else None)


def agent_in_langchain_metadata(span: Span, kind: Kind) -> str | None:
    agent = agent_in_openinference(span, kind)
    if agent is not None or "lc_agent_name" not in str(span.attributes.get("metadata", "")):
        return agent
    name = object_in(span.attributes.get("metadata")).get("lc_agent_name")
    return name[:128] if isinstance(name, str) and name else None


def may_be_stream_of_chat(span: Span) -> bool:
    return not (span.text("gen_ai.response.id") or "").startswith(_OPENAI_RESPONSE)


def counts_of_litellm(span: Span, kind: Kind) -> Reading:
    usage = reading_of(literal_in(span.attributes.get("metadata.usage_object")))
    return counts_by_name(span, kind).completed_by(usage)


def counts_of_logfire(span: Span, kind: Kind) -> Reading:
    reading = counts_by_name(span, kind)
    usage = reading_of(part(object_in(span.attributes.get("response_data")), "usage"))
    return reading if usage.is_empty else usage.completed_by(reading)


def _is_of_ai_sdk_6(span: Span) -> bool:
    return "ai.usage.inputTokenDetails.noCacheTokens" in span.attributes


def _is_of_input(name: str) -> bool:
    return name.startswith(("input", "prompt", "cache"))


def _sum_of(parts: dict[str, int], *words: str) -> int | None:
    counts = [count for name, count in parts.items() if any(word in name for word in words)]
    return sum(counts) if counts else None
