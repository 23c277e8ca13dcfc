"""Providers and models as instrumentation libraries name them."""

import re

_PROVIDERS = (
    ("azure", ("azure", "az")),
    ("google", ("google", "googleai", "gcp", "gemini", "vertex", "vertexai", "vertex_ai")),
    ("aws", ("aws", "bedrock", "amazon", "amazon-bedrock", "amazon_bedrock")),
    ("x-ai", ("xai", "x_ai", "x-ai", "grok")),
    ("mistral", ("mistral", "mistral_ai", "mistralai", "mistral-ai")),
)
"""(the price list's id, first parts of the names in use). Others are taken as they are, without what follows a dot."""

_NO_PROVIDERS = frozenset({"langchain", "langgraph", "litellm", "unknown", "_other"})
"""Frameworks that name themselves."""

_KNOWN = {name: provider for provider, names in _PROVIDERS for name in names}

_VERSION = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8}|\d{3}|latest)$")
"""The date or version behind a model's name: `gpt-5-2025-08-07`, `claude-sonnet-4-5-20250929`, `gemini-2.5-pro-001`."""


def provider_named(name: str | None) -> str | None:
    """The price list's id of a provider: `openai.chat` is `openai`, `gcp.vertex.agent` is `google`."""
    if not name:
        return None
    lower = name.lower()
    if lower.startswith(("vertex.anthropic", "google.vertex.anthropic")):
        return "google"
    first = lower.partition(".")[0].partition("/")[0].strip()
    if first in _NO_PROVIDERS or not first:
        return None
    if first.startswith("azure"):
        return "azure"
    return _KNOWN.get(first, first)


def same_provider(first: str | None, second: str | None) -> bool:
    """An unknown provider may be any."""
    return first is None or second is None or first == second


def same_model(first: tuple[str | None, ...], second: tuple[str | None, ...]) -> bool:
    """True when two calls may have asked for, or been answered by, the same model. Without names they may."""
    some, others = _plain(first), _plain(second)
    return not some or not others or not some.isdisjoint(others)


def _plain(names: tuple[str | None, ...]) -> frozenset[str]:
    """Without a provider in front and a version behind."""
    return frozenset(_VERSION.sub("", name.lower().rpartition("/")[2]) for name in names if name)
