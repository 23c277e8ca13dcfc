"""Names of LLM models, as senders, price lists and the operator write them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, StringConstraints

from shared.domain.kernel.validation_messages import Expected

MAXIMUM_NAME = 200
"""Characters of a provider's or model's name. A call with a longer one has no price."""

UNNAMED = "unnamed"
"""Takes the place of the model where a call names none."""

_PROVIDERS: Mapping[str, str] = {
    "az.ai.inference": "azure",  # OpenTelemetry semantic conventions, gen_ai.system
    "aws.bedrock": "aws",  # OpenTelemetry semantic conventions, gen_ai.provider.name
    "gcp.gen_ai": "google",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "x_ai": "x-ai",
    "mistral_ai": "mistral",
    "bedrock_converse": "aws",  # LiteLLM, provider prefixes
    "codestral": "mistral",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "moonshot": "moonshotai",
    "voyage": "voyageai",
    "anthropic.messages": "anthropic",  # Vercel AI SDK, provider of a model
    "openai.chat": "openai",
    "openai.responses": "openai",
    "google.generative-ai": "google",
    "google.vertex.chat": "google",
    "amazon-bedrock": "aws",
    "xai.chat": "x-ai",
    "mistral.chat": "mistral",
    "groq.chat": "groq",
    "deepseek.chat": "deepseek",
    "cohere.chat": "cohere",
    "perplexity.chat": "perplexity",
}
"""Names of providers in SDKs and conventions, and how the price list calls them. It knows many more by itself."""
_NO_PROVIDERS = frozenset({"", "litellm", "_other"})
"""Names of what is in between: the model's name tells the provider."""
_OF_BEDROCK = re.compile(
    r"(?:(?:us|us-gov|eu|apac|ap|au|jp|ca|sa|me|af|il|global)\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen|"
    r"stability|twelvelabs|writer|zai)\.[a-z0-9]"
)
"""A vendor, a point and the vendor's name for a model, with or without the region of an inference profile."""
_FREE = ":free"
"""OpenRouter's mark of a model that costs nothing."""

_SHOWN = 100
"""Characters of a name under which calls without a price are counted."""

LowerCaseName = Annotated[
    str,
    StringConstraints(max_length=MAXIMUM_NAME, pattern=r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"),
    Expected(f"1 to {MAXIMUM_NAME} characters without control characters or blanks around it"),
    AfterValidator(str.lower),
]
"""The name of a provider or a model, in lower case."""


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model's name in lower case. Without a provider, any provider's model of that name."""

    provider: str | None
    model: str

    @classmethod
    def normalized(cls, provider: str | None, model: str) -> Self:
        return cls(provider.strip().lower() if provider is not None else None, model.strip().lower())

    @property
    def readable(self) -> str:
        return self.model if self.provider is None else f"{self.provider}/{self.model}"


def reported_model(data: Mapping[str, Any]) -> tuple[str | None, str]:
    """The provider and the model that an LLM call names; an empty model for none."""
    provider, model = data.get("provider"), data.get("model")
    return provider if isinstance(provider, str) and provider else None, model if isinstance(model, str) else ""


def candidate_names(provider: str | None, model: str) -> tuple[ModelName, ...]:
    """The names under which a reported model may be listed, best first.

    None for a name that is too long. A prefix in the model's name (`google/gemini-3-pro-preview`) is the provider.
    Where another provider is named, the prefix may be part of its name for the model.
    """
    if not model or len(model) > MAXIMUM_NAME or len(provider or "") > MAXIMUM_NAME:
        return ()
    name = ModelName.normalized(known_provider(provider), model)
    return tuple(dict.fromkeys(_candidates(name.provider, _without_path(name.model))))


def known_provider(provider: str | None) -> str | None:
    """The provider as price lists name it: SDKs and conventions have other names for some."""
    if provider is None:
        return None
    name = provider.strip().lower()
    if name in _NO_PROVIDERS:
        return None
    return "azure" if "azure" in name else _PROVIDERS.get(name, name)


def _candidates(provider: str | None, model: str) -> Iterator[ModelName]:
    prefix, slash, rest = model.partition("/")
    is_prefixed = bool(slash and prefix and rest)
    if provider is not None:
        yield ModelName(provider, model)
        if is_prefixed:
            yield ModelName(provider, rest)
            yield ModelName(provider, rest.rpartition("/")[2])
        return
    if _OF_BEDROCK.match(model):
        yield ModelName("aws", model)
    if is_prefixed:
        prefixed = known_provider(prefix)
        yield ModelName(prefixed, rest)
        yield ModelName(prefixed, rest.rpartition("/")[2])
    if model.startswith("sonar"):
        yield ModelName("perplexity", model)
    if model.endswith(_FREE):
        yield ModelName("openrouter", model)
    yield ModelName(None, model)


def _without_path(model: str) -> str:
    """The name without what an API puts before it: `models/`, `publishers/google/models/`, an ARN of Bedrock."""
    if model.startswith("arn:aws"):
        return model.rpartition("/")[2]
    if model.startswith(("models/", "publishers/", "projects/")):
        return model.rpartition("models/")[2]
    return model


def unpriced_name(provider: str | None, model: str) -> str:
    """The name under which calls without a price are counted: short, in printable ASCII."""
    return shown_name(f"{provider}/{model}" if provider is not None else model)


def shown_name(name: str | None) -> str:
    """The name as totals have it: short, in printable ASCII."""
    shown = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in (name or "")[:_SHOWN])
    return shown or UNNAMED
