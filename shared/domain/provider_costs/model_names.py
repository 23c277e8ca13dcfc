"""Names of LLM models, as senders, price lists and the operator write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, StringConstraints

from shared.domain.kernel.validation_messages import Expected

MAXIMUM_NAME = 200
"""Characters of a provider's or model's name. A call with a longer one has no price."""

UNNAMED = "unnamed"
"""Takes the place of the model where a call names none."""

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
    prefix, slash, rest = model.partition("/")
    whole = ModelName.normalized(provider, model)
    if not (slash and prefix and rest):
        return (whole,)
    if provider is not None:
        return whole, ModelName.normalized(provider, rest)
    return ModelName.normalized(prefix, rest), whole


def unpriced_name(provider: str | None, model: str) -> str:
    """The name under which calls without a price are counted: short, in printable ASCII."""
    name = f"{provider}/{model}" if provider is not None else model
    shown = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name[:_SHOWN])
    return shown or UNNAMED
