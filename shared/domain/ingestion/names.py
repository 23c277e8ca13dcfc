"""The names under which libraries write what we read, the most trusted first.

Sources: OpenTelemetry's conventions for generative AI, present and past
(https://github.com/open-telemetry/semantic-conventions/tree/main/docs/gen-ai, `gen_ai.*`), OpenInference
(https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md, `llm.*`, `embedding.*`), OpenLLMetry
before it took those over (https://github.com/traceloop/openllmetry, `llm.usage.*`, `gen_ai.usage.*_tokens`), the AI SDK
(https://ai-sdk.dev/docs/ai-sdk-core/telemetry, `ai.*`), Pydantic AI (https://ai.pydantic.dev/logfire,
`gen_ai.usage.details.*`), Strands (https://github.com/strands-agents/sdk-python, telemetry/tracer.py,
`gen_ai.usage.cache_write_input_tokens`), Anthropic's SDKs (`anthropic.usage.*`), OpenAI's for .NET
(`gen_ai.usage.audio.*`).
"""

INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
)
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
)
TOTAL = (
    "gen_ai.usage.total_tokens",
    "llm.token_count.total",
    "llm.usage.total_tokens",
    "ai.usage.totalTokens",
)
CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cached_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.usage.cache_read_input_tokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "ai.usage.cachedInputTokens",
)
WRITTEN = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "gen_ai.usage.details.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "llm.usage.cache_creation_input_tokens",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
)
WRITTEN_5M = ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens",)
WRITTEN_1H = ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",)
REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.details.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "llm.usage.reasoning_tokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
    "ai.usage.reasoningTokens",
)
OTHER_UNITS = {
    "input_audio_tokens": (
        "gen_ai.usage.audio.input_tokens",
        "llm.token_count.prompt_details.audio",
        "gen_ai.usage.details.input_audio_tokens",
    ),
    "output_audio_tokens": (
        "gen_ai.usage.audio.output_tokens",
        "llm.token_count.completion_details.audio",
        "gen_ai.usage.details.output_audio_tokens",
    ),
}
"""By the price list's name of the unit. These tokens are inside input and output."""

ASKED_MODEL = ("gen_ai.request.model", "llm.request.model_name", "ai.model.id")
ANSWERED_MODEL = (
    "gen_ai.response.model",
    "ai.response.model",
    "llm.response.model_name",
    "llm.model_name",
    "embedding.model_name",
    "langfuse.observation.model.name",
)
PROVIDER = (
    "gen_ai.provider.name",
    "gen_ai.system",
    "ai.model.provider",
    "llm.provider",
    "llm.system",
    "langfuse.observation.metadata.ls_provider",
    "langsmith.metadata.ls_provider",
)
RESPONSE_ID = ("gen_ai.response.id", "ai.response.id")
SERVICE_TIER = (
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
    "anthropic.response.service_tier",
)
AGENT = ("gen_ai.agent.name", "agent.name", "agent_name")
CONVERSATION = (
    "gen_ai.conversation.id",
    "session.id",
    "ai.telemetry.metadata.sessionId",
    "gcp.vertex.agent.session_id",
    "traceloop.association.properties.session_id",
    "langsmith.trace.session_id",
    "mastra.metadata.threadId",
)

KINDS = (
    "gen_ai.operation.name",
    "openinference.span.kind",
    "langfuse.observation.type",
    "ai.operationId",
    "genkit:metadata:subtype",
    "genkit:type",
    "traceloop.span.kind",
    "llm.request.type",
    "langsmith.span.kind",
    "mlflow.spanType",
)
"""Attributes that say what a span is: `kinds.py` reads their values."""

DATABASE = ("db.system.name", "db.system")
"""Of requests to databases: https://opentelemetry.io/docs/specs/semconv/database/database-spans."""

OF_ONE_LIBRARY = (
    "ai.response.providerMetadata",
    "ai.usage.inputTokenDetails.noCacheTokens",
    "ai.telemetry.functionId",
    "ai.telemetry.metadata.agent",
    "gcp.vertex.agent.llm_response",
    "gen_ai.usage.input_token_details",
    "gen_ai.usage.output_token_details",
    "genkit:name",
    "genkit:output",
    "graph.node.id",
    "langfuse.observation.usage_details",
    "metadata",
    "metadata.usage_object",
    "mlflow.chat.tokenUsage",
    "mlflow.llm.model",
    "mlflow.llm.provider",
    "output.value",
    "response_data",
)
"""Further attributes that rows of `libraries.py` read."""

KEPT = frozenset(
    (
        *(INPUT + OUTPUT + TOTAL + CACHED + WRITTEN + WRITTEN_5M + WRITTEN_1H + REASONING),
        *(name for names in OTHER_UNITS.values() for name in names),
        *(ASKED_MODEL + ANSWERED_MODEL + PROVIDER + RESPONSE_ID + SERVICE_TIER + AGENT + CONVERSATION),
        *(KINDS + OF_ONE_LIBRARY + DATABASE),
    )
)
"""All that is read of a span. Whoever decodes one keeps no other attribute: prompts and answers never come further."""
