"""Shapes of requests and answers, and the types of their fields."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from shared import json
from shared.domain.kernel.errors import MalformedError
from shared.domain.kernel.ids import id_pattern
from shared.domain.kernel.times import Time
from shared.domain.kernel.value import DescribedModel

MAXIMUM_PATH_VALUE = 256


def _iso_text(value: object) -> object:
    if isinstance(value, str) and "T" in value.upper():
        return value
    raise ValueError("is not an ISO 8601 time with an offset, such as 2026-10-03T12:00:00Z")


ZonedTime = Annotated[Time, BeforeValidator(_iso_text, json_schema_input_type=str)]
"""A time in a request: ISO 8601 with an offset, cut to microseconds."""


def _verbatim(text: str | None) -> object:
    return None if text is None else json.verbatim(text)


VerbatimObject = Annotated[
    str, PlainSerializer(_verbatim, return_type=Any), WithJsonSchema({"type": "object", "additionalProperties": True})
]
"""The text of a JSON object, which an answer shows as it was received: no number of it changes its form."""

VerbatimJson = Annotated[str | None, PlainSerializer(_verbatim, return_type=Any), WithJsonSchema({})]
"""The same of any JSON; None is null."""

PathText = Annotated[str, Field(max_length=MAXIMUM_PATH_VALUE)]
"""A path value that callers choose."""

Document = Annotated[bytes, WithJsonSchema({"type": "object", "additionalProperties": True})]
"""An answer whose JSON has been written already."""

TextFile = Annotated[bytes, WithJsonSchema({"type": "string"})]
"""An answer that is a text of another media type, or one that is compressed."""


@dataclass(frozen=True, slots=True)
class ThingId:
    """Marks a path value as an id that we make, by its prefix. What cannot be one is not found, whoever asks."""

    prefix: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^{id_pattern(self.prefix)}$"}


class Schema(DescribedModel):
    """Base of request and response models: what is not named is refused, never ignored."""

    model_config = ConfigDict(
        extra="forbid",
        from_attributes=True,  # an answer is made from the entity that it shows
        json_schema_serialization_defaults_required=True,  # an answer always has all its fields
        hide_input_in_errors=True,  # an answer that does not fit is logged without what is in it
    )

    @classmethod
    def showing(cls, thing: object, **beside: Any) -> Self:  # noqa: ANN401  fields of any type, validated here
        """The answer about a thing: these fields as given, all others as the thing has them."""
        fields = {name: getattr(thing, name) for name in cls.model_fields if name not in beside}
        return cls.model_validate(fields | beside)


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


class MergePatch(Schema):
    """Base of JSON Merge Patches (RFC 7396): what is not sent stays as it is, so defaults mean nothing.

    Objects are merged, and what is null in them is removed.
    """

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class NoBody(Schema):
    """Of endpoints that take none."""


class PathValues(Schema):
    """Base of path values, and what an endpoint without any has. Every `{name}` of the path is a field."""


class Query(Schema):
    """Base of query parameters; an operator's credential names the organization here."""

    organization_id: str | None = Field(default=None, max_length=256)
    """The organization that the call is about: id, slug or external id. Operators name one, others need not."""


class ListQuery(Query):
    limit: int = Field(default=50, ge=1, le=200)
    """How many to answer with at most."""
    cursor: str | None = Field(default=None, max_length=2048)
    """Where to go on: the `next_cursor` of the page before, with the same filters."""


def window(size: int, limit: int, cursor: str | None) -> tuple[slice, str | None]:
    """Where a page lies in a list that is whole in memory, and the cursor of the next one.

    Raises `MalformedError` for a cursor that no page gave.
    """
    if cursor is not None and not (cursor.isdecimal() and cursor.isascii() and 0 < int(cursor) < size):
        raise MalformedError("The cursor is not one of ours")
    end = int(cursor or 0) + limit
    return slice(end - limit, end), str(end) if end < size else None
