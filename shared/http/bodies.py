"""Formats of request bodies: how each is read, and which content types it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl

import pydantic
from pydantic import BaseModel

from shared import json
from shared.domain.kernel.errors import MalformedError
from shared.domain.kernel.validation import validation_error

MAXIMUM_FORM_FIELDS = 50

Body_co = TypeVar("Body_co", covariant=True)
Model = TypeVar("Model", bound=BaseModel)


class BodyFormat(Protocol[Body_co]):
    """A format in which request bodies are sent."""

    @property
    def content(self) -> Mapping[str, Any]:
        """Content type -> the type that describes the body in the OpenAPI document."""
        ...

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Body_co:
        """Raises `MalformedError`, `ValidationError`."""
        ...


@dataclass(frozen=True, slots=True)
class JsonBody(Generic[Model]):
    """JSON of one model. An empty body is an empty object, and refused where the model has required fields."""

    model: type[Model]

    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/json": self.model}

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Model:  # noqa: ARG002  as `BodyFormat` has it
        return validated(self.model, json.decode_request(raw) if raw or _has_required(self.model) else {})


@dataclass(frozen=True, slots=True)
class FormBody(Generic[Model]):
    """An HTML form with the fields of a model."""

    model: type[Model]

    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/x-www-form-urlencoded": self.model}

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Model:  # noqa: ARG002
        if not raw and _has_required(self.model):
            raise MalformedError("The body is empty, and this needs one: send a form")
        try:
            pairs = parse_qsl(
                raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), max_num_fields=MAXIMUM_FORM_FIELDS
            )
        except ValueError as error:
            # The parser's text is not shown: it quotes what it cannot read, which may be part of a password with a `&`.
            raise MalformedError(f"The body is not a form of at most {MAXIMUM_FORM_FIELDS} fields") from error
        return validated(self.model, dict(pairs))


def _has_required(model: type[BaseModel]) -> bool:
    return any(field.is_required() for field in model.model_fields.values())


def validated(model: type[Model], value: object, prefix: str = "") -> Model:
    """The value as the model. `prefix` begins the pointers of errors: `?` for query parameters.

    Raises `ValidationError`.
    """
    try:
        return model.model_validate(value)
    except pydantic.ValidationError as error:
        raise validation_error(error, prefix) from error
