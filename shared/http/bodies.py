"""Shapes of requests and answers, and how a body is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared import json
from shared.domain.kernel.errors import MalformedError
from shared.domain.kernel.times import Time
from shared.domain.kernel.validation import validation_error

MAXIMUM_FORM_FIELDS = 50


def _iso_text(value: object) -> object:
    if isinstance(value, str) and "T" in value.upper():
        return value
    raise ValueError("is not an ISO 8601 time with an offset, such as 2026-10-03T12:00:00Z")


ZonedTime = Annotated[Time, BeforeValidator(_iso_text, json_schema_input_type=str)]
"""A time in a request: ISO 8601 with an offset, cut to microseconds."""


class Schema(BaseModel):
    """Base of request and response models: what is not named is refused, never ignored."""

    # An answer always has all its fields, and its description says so. One that does not fit is logged without them.
    model_config = ConfigDict(
        extra="forbid",
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
        hide_input_in_errors=True,
    )


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


class MergePatch(Schema):
    """Base of JSON Merge Patches (RFC 7396): what is not sent stays as it is, so defaults mean nothing; objects are
    merged, and what is null in them is removed.
    """

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class Query(Schema):
    """Base of query parameters; an operator's credential names the organization here."""

    organization_id: str | None = Field(default=None, max_length=256)


class ListQuery(Query):
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=2048)


def window(size: int, limit: int, cursor: str | None) -> tuple[slice, str | None]:
    """Where a page lies in a list that is whole in memory, and the cursor of the next one.

    Raises `MalformedError` for a cursor that no page gave.
    """
    if cursor is not None and not (cursor.isdecimal() and cursor.isascii() and 0 < int(cursor) < size):
        raise MalformedError("The cursor is not one of ours")
    end = int(cursor or 0) + limit
    return slice(end - limit, end), str(end) if end < size else None


Body_co = TypeVar("Body_co", covariant=True)
Model = TypeVar("Model", bound=BaseModel)


class BodyFormat(Protocol[Body_co]):
    """How a request body is read and described."""

    @property
    def content(self) -> Mapping[str, Any]:
        """Media type -> the type that its schema is made from."""
        ...

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Body_co: ...


@dataclass(frozen=True, slots=True)
class JsonBody(Generic[Model]):
    """An empty one is an empty object."""

    model: type[Model]

    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/json": self.model}

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Model:  # noqa: ARG002  the format's face
        return validated(self.model, json.decode_request(raw or b"{}"))


@dataclass(frozen=True, slots=True)
class FormBody(Generic[Model]):
    model: type[Model]

    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/x-www-form-urlencoded": self.model}

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Model:  # noqa: ARG002
        try:
            pairs = parse_qsl(
                raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), max_num_fields=MAXIMUM_FORM_FIELDS
            )
        except ValueError as error:
            # Its text quotes the field that is none, and that is a part of a password where this has a bare `&` in it.
            raise MalformedError(f"The body is not a form of at most {MAXIMUM_FORM_FIELDS} fields") from error
        return validated(self.model, dict(pairs))


class NoBody(Schema):
    """Of endpoints that take none."""


def validated(model: type[Model], value: object, prefix: str = "") -> Model:
    try:
        return model.model_validate(value)
    except pydantic.ValidationError as error:
        raise validation_error(error, prefix) from error
