"""The instrumentation libraries and their habits, one row each.

What no row says is read by the names of `names.py` and the kinds of `kinds.py`: the conventions. A row is found by the
instrumentation scope, or by an attribute where users choose the scope's name. Where versions differ and the scope has
none, the shape of their spans tells them apart. Each row names its source; what was captured from which version stands
in `tests/data/otlp/README.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.ingestion import library_readers as readers
from shared.domain.ingestion.kinds import Kind
from shared.domain.ingestion.spans import Span
from shared.domain.ingestion.units import Reading


def _never(_span: Span) -> bool:
    return False


def _always(_span: Span) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Library:
    """How one library writes its spans."""

    name: str
    scopes: tuple[str, ...]
    """Names of its instrumentation scopes; those that end in `*` are beginnings."""
    source: str
    marker: str | None = None
    """An attribute that only this library writes, for scopes that users name."""
    counts: Callable[[Span, Kind], Reading] = readers.counts_by_name
    input_without_cache: Callable[[Span], bool] = _never
    """True when input leaves out cached and written tokens."""
    output_without_reasoning: Callable[[Span], bool] = _never
    response_id: Callable[[Span], str | None] = readers.response_id_by_name
    agent: Callable[[Span, Kind], str | None] = readers.agent_by_name
    model: Callable[[Span], str | None] = readers.no_text
    """The model that was asked for, where it stands under a name of this library."""
    provider: Callable[[Span], str | None] = readers.no_text
    may_estimate: Callable[[Span], bool] = _never
    """True when counts may be the library's own estimate: it looks like the provider's."""
    tier: Callable[[Span], str | None] = readers.tier_by_name
    """The service tier that the provider answered at."""
    hides_cache: Callable[[Span], bool] = _never
    """True when the library does not say which tokens were cached, though some may have been."""
    unseen_without_counts: Callable[[Span], bool] = _never
    """True when a call without counts is not kept: an outer span, or one never counted."""


CONVENTIONS = Library(
    "conventions", (), "https://github.com/open-telemetry/semantic-conventions/blob/main/docs/gen-ai/gen-ai-spans.md"
)

LIBRARIES = (
    Library(
        "AI SDK 4 to 6",
        ("ai",),
        "https://github.com/vercel/ai, packages/ai/src/generate-text and packages/anthropic; captured",
        marker="ai.operationId",
        counts=readers.counts_of_ai_sdk,
        input_without_cache=readers.leaves_out_cache_in_ai_sdk,
        output_without_reasoning=readers.leaves_out_thoughts_in_ai_sdk,
        agent=readers.agent_in_ai_sdk,
        tier=readers.tier_in_ai_sdk,
        hides_cache=readers.may_hide_cache_in_ai_sdk,
    ),
    Library(
        "AI SDK 7 (@ai-sdk/otel)",
        ("gen_ai",),
        "https://github.com/vercel/ai, packages/otel; captured: the outer of two embedding spans has no counts",
        unseen_without_counts=readers.is_embedding,
    ),
    Library(
        "Langfuse",
        ("langfuse-sdk",),
        "https://langfuse.com/docs/observability/features/token-and-cost-tracking; captured: parts are disjoint",
        marker="langfuse.observation.type",
        counts=readers.counts_of_langfuse,
        agent=readers.agent_in_langfuse,
    ),
    Library(
        "LangSmith",
        ("langsmith",),
        "https://docs.langchain.com/langsmith/trace-with-opentelemetry; captured: details are texts of JSON",
        marker="langsmith.span.kind",
        counts=readers.counts_of_langsmith,
    ),
    Library(
        "MLflow",
        (),
        "https://github.com/mlflow/mlflow, mlflow/tracing/constant.py: usage, model and type are texts of JSON",
        marker="mlflow.spanType",
        counts=readers.counts_of_mlflow,
        model=readers.model_of_mlflow,
        provider=readers.provider_of_mlflow,
    ),
    Library(
        "Genkit",
        ("genkit-tracer",),
        "https://genkit.dev/docs/local-observability; captured: usage only in `genkit:output`",
        marker="genkit:type",
        counts=readers.counts_of_genkit,
        response_id=readers.response_id_of_genkit,
        agent=readers.agent_in_genkit,
        model=readers.model_of_genkit,
        provider=readers.provider_of_genkit,
    ),
    Library(
        "Google ADK",
        ("gcp.vertex.agent",),
        "https://github.com/google/adk-js, telemetry; captured: thoughts only in `gcp.vertex.agent.llm_response`",
        counts=readers.counts_of_adk,
    ),
    Library(
        "OpenInference for LangChain",
        ("@arizeai/openinference-instrumentation-langchain", "openinference.instrumentation.langchain"),
        "https://github.com/Arize-ai/openinference; captured: the agent in `metadata`",
        agent=readers.agent_in_langchain_metadata,
    ),
    Library(
        "OpenInference",
        ("@arizeai/openinference-*", "openinference.*"),
        "https://github.com/Arize-ai/openinference; captured: the agent in `graph.node.id`, embeddings without counts",
        marker="openinference.span.kind",
        agent=readers.agent_in_openinference,
        unseen_without_counts=readers.is_embedding,
    ),
    Library(
        "OpenInference for OpenAI",
        ("@arizeai/openinference-instrumentation-openai", "openinference.instrumentation.openai"),
        "https://github.com/Arize-ai/openinference; captured: the tier only in the answer, in `output.value`",
        agent=readers.agent_in_openinference,
        tier=readers.tier_in_openinference,
        unseen_without_counts=readers.is_embedding,
    ),
    Library(
        "OpenTelemetry for OpenAI, Python",
        ("opentelemetry.util.genai.handler", "opentelemetry.instrumentation.openai_v2"),
        "https://github.com/open-telemetry/opentelemetry-python-contrib; captured: neither cached nor reasoning tokens",
        hides_cache=readers.may_hide_cache_of_openai,
    ),
    Library(
        "OpenLLMetry for Anthropic, JavaScript",
        ("@traceloop/instrumentation-anthropic",),
        "https://github.com/traceloop/openllmetry-js, packages/instrumentation-anthropic; captured",
        input_without_cache=_always,
    ),
    Library(
        "OpenLLMetry for OpenAI, JavaScript",
        ("@traceloop/instrumentation-openai",),
        "https://github.com/traceloop/openllmetry-js, packages/instrumentation-openai; captured: counts streams itself",
        may_estimate=readers.may_be_stream_of_chat,
        hides_cache=readers.may_hide_cache_of_openai,
    ),
    Library(
        "OpenTelemetry for OpenAI, JavaScript",
        ("@opentelemetry/instrumentation-openai",),
        "https://github.com/open-telemetry/opentelemetry-js-contrib; captured: no cached tokens",
        hides_cache=readers.may_hide_cache_of_openai,
    ),
    Library(
        "LiteLLM",
        ("litellm",),
        "https://docs.litellm.ai/docs/observability/opentelemetry_integration; captured: `metadata.usage_object`",
        counts=readers.counts_of_litellm,
    ),
    Library(
        "Logfire",
        ("logfire.openai", "logfire.anthropic"),
        "https://logfire.pydantic.dev/docs/integrations/llms/openai: `response_data` has the provider's usage",
        counts=readers.counts_of_logfire,
    ),
)

DOUBLING = (
    ("@arizeai/openinference-instrumentation-langchain", "@arizeai/openinference-instrumentation-openai"),
    ("@arizeai/openinference-instrumentation-openai-agents", "@arizeai/openinference-instrumentation-openai"),
    ("@arizeai/openinference-instrumentation-anthropic", "com.anthropic.sdk.typescript"),
    ("@arizeai/openinference-instrumentation-langchain", "com.anthropic.sdk.typescript"),
    ("openinference.instrumentation.langchain", "openinference.instrumentation.openai"),
    ("openinference.instrumentation.openai_agents", "openinference.instrumentation.openai"),
    ("openinference.instrumentation.anthropic", "com.anthropic.sdk.python"),
    ("openinference.instrumentation.langchain", "com.anthropic.sdk.python"),
    ("@traceloop/instrumentation-anthropic", "com.anthropic.sdk.typescript"),
    ("opentelemetry.instrumentation.anthropic", "com.anthropic.sdk.python"),
)
"""(outer, inner) scopes that are known to report one call twice, without a common id.

Captured, or both instrument the same function: https://github.com/Arize-ai/openinference,
https://github.com/anthropics/anthropic-sdk-typescript and -python (spans of their own from 1.14 and 2.14 on).
"""

_BY_SCOPE = {scope: library for library in LIBRARIES for scope in library.scopes if not scope.endswith("*")}
_BY_BEGINNING = tuple((scope[:-1], library) for library in LIBRARIES for scope in library.scopes if scope.endswith("*"))
_BY_MARKER = tuple((library.marker, library) for library in LIBRARIES if library.marker is not None)


def library_of(span: Span) -> Library:
    """The row of a span; `CONVENTIONS` where there is none."""
    known = _BY_SCOPE.get(span.scope)
    if known is not None:
        return known
    for beginning, library in _BY_BEGINNING:
        if span.scope.startswith(beginning):
            return library
    for marker, library in _BY_MARKER:
        if marker in span.attributes:
            return library
    return CONVENTIONS
