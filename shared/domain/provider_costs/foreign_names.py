"""Names of providers and SDKs for counts of an LLM call, and their meaning here."""

from dataclasses import dataclass
from typing import Literal

Place = Literal["inside", "beside_input", "beside_output"]
"""Whether the count is inside the input or output, or has to be added to it."""


@dataclass(frozen=True, slots=True)
class ForeignName:
    path: str
    """In the data of the call; a point leads into an object."""
    means: str
    """A field of the data of an LLM call, `total_tokens`, or `units.` and a usage key."""
    source: str
    """Who says so."""
    place: Place = "inside"


_CHAT = "OpenAI API reference, chat completions, usage"
_RESPONSES = "OpenAI API reference, responses, usage"
_ANTHROPIC = "Anthropic API reference, messages, usage"
_CONVERSE = "Amazon Bedrock API reference, TokenUsage"
_GEMINI = "Gemini API reference, UsageMetadata"
_GEMINI_PYTHON = "google-genai for Python, GenerateContentResponseUsageMetadata"
_AI_SDK = "Vercel AI SDK 5, LanguageModelUsage"
_AI_SDK_4 = "Vercel AI SDK 4, LanguageModelUsage; LangChain.js, tokenUsage"
_LANGCHAIN = "LangChain, UsageMetadata"
_OLLAMA = "Ollama API, generate and chat"

FOREIGN_NAMES: tuple[ForeignName, ...] = (
    ForeignName("prompt_tokens", "input_tokens", _CHAT),
    ForeignName("completion_tokens", "output_tokens", _CHAT),
    ForeignName("prompt_tokens_details.cached_tokens", "cached_input_tokens", _CHAT),
    ForeignName("prompt_tokens_details.audio_tokens", "units.input_audio_tokens", _CHAT),
    ForeignName("completion_tokens_details.reasoning_tokens", "reasoning_tokens", _CHAT),
    ForeignName("completion_tokens_details.audio_tokens", "units.output_audio_tokens", _CHAT),
    ForeignName("input_tokens_details.cached_tokens", "cached_input_tokens", _RESPONSES),
    ForeignName("output_tokens_details.reasoning_tokens", "reasoning_tokens", _RESPONSES),
    ForeignName("cached_tokens", "cached_input_tokens", "Moonshot API, chat completions, usage"),
    ForeignName("prompt_cache_hit_tokens", "cached_input_tokens", "DeepSeek API, chat completions, usage"),
    ForeignName("cache_read_input_tokens", "cached_input_tokens", _ANTHROPIC, "beside_input"),
    ForeignName("cache_creation_input_tokens", "cache_write_tokens", _ANTHROPIC, "beside_input"),
    ForeignName("cache_creation.ephemeral_1h_input_tokens", "cache_write_1h_tokens", _ANTHROPIC),
    ForeignName("server_tool_use.web_search_requests", "units.web_searches", _ANTHROPIC),
    ForeignName("inputTokens", "input_tokens", f"{_CONVERSE}; {_AI_SDK}"),
    ForeignName("outputTokens", "output_tokens", f"{_CONVERSE}; {_AI_SDK}"),
    ForeignName("totalTokens", "total_tokens", f"{_CONVERSE}; {_AI_SDK}"),
    ForeignName("cacheReadInputTokens", "cached_input_tokens", _CONVERSE, "beside_input"),
    ForeignName("cacheWriteInputTokens", "cache_write_tokens", _CONVERSE, "beside_input"),
    ForeignName("cachedInputTokens", "cached_input_tokens", _AI_SDK),
    ForeignName("reasoningTokens", "reasoning_tokens", _AI_SDK),
    ForeignName("promptTokens", "input_tokens", _AI_SDK_4),
    ForeignName("completionTokens", "output_tokens", _AI_SDK_4),
    ForeignName("promptTokenCount", "input_tokens", _GEMINI),
    ForeignName("cachedContentTokenCount", "cached_input_tokens", _GEMINI),
    ForeignName("candidatesTokenCount", "output_tokens", _GEMINI),
    ForeignName("thoughtsTokenCount", "reasoning_tokens", _GEMINI, "beside_output"),
    ForeignName("toolUsePromptTokenCount", "units.input_tool_tokens", _GEMINI, "beside_input"),
    ForeignName("totalTokenCount", "total_tokens", _GEMINI),
    ForeignName("prompt_token_count", "input_tokens", _GEMINI_PYTHON),
    ForeignName("cached_content_token_count", "cached_input_tokens", _GEMINI_PYTHON),
    ForeignName("candidates_token_count", "output_tokens", _GEMINI_PYTHON),
    ForeignName("thoughts_token_count", "reasoning_tokens", _GEMINI_PYTHON, "beside_output"),
    ForeignName("tool_use_prompt_token_count", "units.input_tool_tokens", _GEMINI_PYTHON, "beside_input"),
    ForeignName("total_token_count", "total_tokens", _GEMINI_PYTHON),
    ForeignName("input_token_details.cache_read", "cached_input_tokens", _LANGCHAIN),
    ForeignName("input_token_details.cache_creation", "cache_write_tokens", _LANGCHAIN),
    ForeignName("input_token_details.audio", "units.input_audio_tokens", _LANGCHAIN),
    ForeignName("output_token_details.reasoning", "reasoning_tokens", _LANGCHAIN),
    ForeignName("output_token_details.audio", "units.output_audio_tokens", _LANGCHAIN),
    ForeignName("prompt_eval_count", "input_tokens", _OLLAMA),
    ForeignName("eval_count", "output_tokens", _OLLAMA),
    ForeignName("num_search_queries", "units.web_searches", "Perplexity API, chat completions, usage"),
    ForeignName("pages_processed", "units.input_document_pages", "Mistral API, OCR, usage_info"),
)

INCLUSIVE = frozenset({"prompt_tokens"})
"""Names of an input that includes what others leave out of theirs: LiteLLM and Databricks send Anthropic's names of
cached and written tokens beside `prompt_tokens`, which include them.
"""

FOREIGN_FIELDS = frozenset(name.path.partition(".")[0] for name in FOREIGN_NAMES)
"""The fields of the data in which they stand."""

OWN_NAMES = frozenset(
    {
        "provider",
        "model",
        "api",
        "input_tokens",
        "cached_input_tokens",
        "uncached_input_tokens",
        "cache_write_tokens",
        "cache_write_1h_tokens",
        "output_tokens",
        "reasoning_tokens",
        "total_tokens",
        "units",
        "usage",
        "service_tier",
        "byok",
        "cost",
        "currency",
    }
)
"""Names of ours in the data of an LLM call."""

KNOWN_NAMES = FOREIGN_FIELDS | OWN_NAMES | {"prompt_cache_miss_tokens"}
"""What is no unknown name of a count. DeepSeek's misses are the rest of its prompt tokens."""
