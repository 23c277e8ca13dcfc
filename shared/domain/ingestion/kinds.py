"""What a span is: a call of a model, what holds calls, a tool, or nothing to us."""

from collections.abc import Mapping
from enum import StrEnum

from shared.domain.ingestion import names
from shared.domain.ingestion.spans import Span


class Kind(StrEnum):
    CALL = "call"
    CONTAINER = "container"
    """Holds calls and may carry their sum: a step, workflow, chain, or a library's outer span."""
    AGENT = "agent"
    """A container that is an agent's run: its sum leaves out what nested agents used."""
    TOOL = "tool"
    OTHER = "other"
    """Links spans to their ancestors, no more."""
    LEAF = "leaf"
    """A request to a database: nothing of ours lies below it, so it is not kept."""


_CALLS = (
    *("chat", "text_completion", "completion", "acompletion", "atext_completion", "generate_content", "responses"),
    *("aresponses", "anthropic_messages", "embeddings", "embedding", "aembedding", "image_generation", "speech"),
    *("aimage_generation", "aspeech", "transcription", "atranscription"),
)

_KINDS: Mapping[str, Mapping[str, Kind]] = {
    # Operations of OpenTelemetry's conventions, and LiteLLM's names of its own functions
    "gen_ai.operation.name": {
        **dict.fromkeys(_CALLS, Kind.CALL),
        "execute_tool": Kind.TOOL,
        "invoke_agent": Kind.AGENT,
        **dict.fromkeys(("agent_step", "chain", "create_agent", "invoke_workflow"), Kind.CONTAINER),
        **dict.fromkeys(("mapping", "model_chunk", "model_generation", "plan", "retrieval"), Kind.CONTAINER),
    },
    # https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
    "openinference.span.kind": {"llm": Kind.CALL, "embedding": Kind.CALL, "agent": Kind.AGENT, "tool": Kind.TOOL},
    # https://langfuse.com/docs/observability/features/observation-types
    "langfuse.observation.type": {
        "generation": Kind.CALL,
        "embedding": Kind.CALL,
        "agent": Kind.AGENT,
        "tool": Kind.TOOL,
    },
    # https://ai-sdk.dev/docs/ai-sdk-core/telemetry#collected-data
    "ai.operationId": {
        "ai.generatetext.dogenerate": Kind.CALL,
        "ai.streamtext.dostream": Kind.CALL,
        "ai.generateobject.dogenerate": Kind.CALL,
        "ai.streamobject.dostream": Kind.CALL,
        "ai.embed.doembed": Kind.CALL,
        "ai.embedmany.doembed": Kind.CALL,
        "ai.toolcall": Kind.TOOL,
    },
    # https://genkit.dev/docs/local-observability: actions of these subtypes
    "genkit:metadata:subtype": {
        **dict.fromkeys(("model", "background-model", "embedder"), Kind.CALL),
        "agent": Kind.AGENT,
        "tool": Kind.TOOL,
        "tool.v2": Kind.TOOL,
    },
    "genkit:type": {},
    # https://www.traceloop.com/docs/openllmetry/tracing/annotations
    "traceloop.span.kind": {"agent": Kind.AGENT, "tool": Kind.TOOL},
    # OpenLLMetry before it took over `gen_ai.operation.name`
    "llm.request.type": dict.fromkeys(("chat", "completion", "embedding"), Kind.CALL),
    # https://docs.langchain.com/langsmith/trace-with-opentelemetry
    "langsmith.span.kind": {"llm": Kind.CALL, "embedding": Kind.CALL, "tool": Kind.TOOL},
    # https://mlflow.org/docs/latest/genai/tracing: `SpanType`, as a text of JSON
    "mlflow.spanType": {
        **dict.fromkeys(('"chat_model"', '"llm"', '"embedding"'), Kind.CALL),
        '"agent"': Kind.AGENT,
        '"tool"': Kind.TOOL,
    },
}
"""What values of the attributes in `names.KINDS` mean, in lower case. Other values are containers."""

_BY_SPAN_NAME = {("gcp.vertex.agent", "call_llm"): Kind.CALL}
"""(scope, span name) of calls without such an attribute: https://github.com/google/adk-js, telemetry."""

_DATABASES = frozenset(
    (
        *("cassandra", "clickhouse", "couchbase", "couchdb", "db2", "dynamodb", "aws.dynamodb", "ibm.db2", "mariadb"),
        *("memcached", "mongodb", "mssql", "microsoft.sql_server", "mysql", "oracle", "oracle.db", "postgresql"),
        *("redis", "snowflake", "sqlite"),
    )
)
"""https://opentelemetry.io/docs/specs/semconv/registry/attributes/db. Below a request to one of them is no call.

Not those that hold vectors: their clients may call a model for an embedding, which lies below.
"""

_USAGE = frozenset(names.INPUT + names.OUTPUT)


def kind_of(span: Span) -> Kind:
    """What a span is, by its attributes. Unknown libraries are read by the conventions.

    An operation that nobody defined is a call where the span has usage and a model. Without any operation, usage and a
    model make a call, usage alone a container: a sum.
    """
    if (kind := _BY_SPAN_NAME.get((span.scope, span.name))) is not None:
        return kind
    for attribute in names.KINDS:
        value = span.text(attribute)
        if value is not None:
            known = _KINDS[attribute].get(value.lower())
            if known is not None:
                return known
            is_open = attribute == "gen_ai.operation.name"
            return Kind.CALL if is_open and _has_usage(span) and _has_model(span) else Kind.CONTAINER
    return _kind_without_operation(span)


def _kind_without_operation(span: Span) -> Kind:
    if _has_usage(span):
        return Kind.CALL if _has_model(span) else Kind.CONTAINER
    if "response_data" in span.attributes and _has_model(span):
        return Kind.CALL
    if span.text(*names.AGENT):
        return Kind.AGENT
    database = span.text(*names.DATABASE)
    return Kind.LEAF if database is not None and database.lower() in _DATABASES else Kind.OTHER


def _has_usage(span: Span) -> bool:
    return not _USAGE.isdisjoint(span.attributes)


def _has_model(span: Span) -> bool:
    return span.text(*names.ASKED_MODEL, *names.ANSWERED_MODEL) is not None
