"""Formats of request bodies: how each is read, how large it may be, and which content types it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl

import pydantic
from pydantic import BaseModel

from shared import json
from shared.domain.kernel.errors import MalformedError, UnsupportedMediaTypeError
from shared.domain.kernel.validation import validation_error
from shared.http.schemas import MergePatch
from shared.unpacking import too_large, unpacked

MAXIMUM_FORM_FIELDS = 50
_KIB = 1024


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """The most bytes of a route's request bodies."""

    sent: int
    unpacked: int | None = None
    """Of a body in gzip. Without it, such bodies are refused."""
    is_left_packed: bool = False
    """Whether a body in gzip stays as it is: the handler bounds what it unpacks."""

    def content_of(self, headers: Mapping[str, str], raw: bytes) -> bytes:
        """The body, unpacked.

        Raises `TooLargeError`, without unpacking more than is allowed; `UnsupportedMediaTypeError` for an encoding
        that is not taken, and `MalformedError` for one that cannot be read.
        """
        if len(raw) > self.sent:
            raise too_large(f"has {len(raw)} bytes, at most {self.sent} are allowed")
        encoding = headers.get("content-encoding", "").strip().lower() or "identity"
        if encoding == "identity":
            return raw
        if encoding != "gzip" or self.unpacked is None:
            taken = "identity" if self.unpacked is None else "identity, gzip"
            raise UnsupportedMediaTypeError(f"Content-Encoding is {encoding}; accepted here: {taken}")
        return raw if self.is_left_packed else unpacked(raw, self.unpacked)


SMALL_BODY = BodyLimit(64 * _KIB)
"""Of every route that declares no other."""
LARGE_BODY = BodyLimit(1024 * _KIB)
"""Of routes that take events, billing models or calculations."""


Body_co = TypeVar("Body_co", covariant=True)
Model = TypeVar("Model", bound=BaseModel)


class BodyFormat(Protocol[Body_co]):
    """A format in which request bodies are sent."""

    @property
    def content(self) -> Mapping[str, Any]:
        """Content type -> the type that describes the body in the OpenAPI document."""
        ...

    @property
    def required(self) -> bool:
        """Whether an empty body is refused."""
        ...

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Body_co:
        """Raises `MalformedError`, `ValidationError`."""
        ...


@dataclass(frozen=True, slots=True)
class JsonBody(Generic[Model]):
    """JSON of one model.

    An empty body is an empty object. It is refused where the model has required fields, and where it is a patch: one
    without a change is sent as `{}`.
    """

    model: type[Model]

    @property
    def required(self) -> bool:
        return issubclass(self.model, MergePatch) or _has_required(self.model)

    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/json": self.model}

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Model:  # noqa: ARG002  as `BodyFormat` has it
        return validated(self.model, json.decode_request(raw) if raw or self.required else {})


@dataclass(frozen=True, slots=True)
class FormBody(Generic[Model]):
    """An HTML form with the fields of a model."""

    model: type[Model]

    @property
    def required(self) -> bool:
        return _has_required(self.model)

    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/x-www-form-urlencoded": self.model}

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Model:  # noqa: ARG002
        if not raw and self.required:
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
