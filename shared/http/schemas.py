"""Bases of request and response models, and types of their fields."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import (
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
from shared.domain.kernel.value import DescribedModel

MAXIMUM_PATH_VALUE = 256


def _verbatim(text: str | None) -> object:
    return None if text is None else json.verbatim(text)


VerbatimObject = Annotated[
    str, PlainSerializer(_verbatim, return_type=Any), WithJsonSchema({"type": "object", "additionalProperties": True})
]
"""A JSON object kept as text. Answers contain it unchanged, so its numbers keep all their digits."""

VerbatimJson = Annotated[str | None, PlainSerializer(_verbatim, return_type=Any), WithJsonSchema({})]
"""Any JSON kept as text, as `VerbatimObject`; None is null."""

PathText = Annotated[str, Field(max_length=MAXIMUM_PATH_VALUE)]
"""A path value that is not an id of ours."""

Document = Annotated[bytes, WithJsonSchema({"type": "object", "additionalProperties": True})]
"""An answer that is serialised JSON already."""

TextFile = Annotated[bytes, WithJsonSchema({"type": "string"})]
"""An answer that is a file, not JSON."""


@dataclass(frozen=True, slots=True)
class ThingId:
    """Marks a path value as an id that Xyra makes. A value that cannot be one is 404, even without a credential."""

    prefix: str

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^{id_pattern(self.prefix)}$"}


class Schema(DescribedModel):
    """Base of request and response models. Unknown fields are refused, never ignored."""

    model_config = ConfigDict(
        extra="forbid",
        from_attributes=True,  # answers are made from entities
        json_schema_serialization_defaults_required=True,  # answers always have all their fields
        hide_input_in_errors=True,  # errors are logged, and must not contain what callers sent
    )

    @classmethod
    def showing(cls, source: object, **fields: Any) -> Self:  # noqa: ANN401  of any type, validated here
        """The model with these fields, and all others from the attributes of an object."""
        attributes = {name: getattr(source, name) for name in cls.model_fields if name not in fields}
        return cls.model_validate(attributes | fields)


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


class MergePatch(Schema):
    """Base of JSON Merge Patches (RFC 7396), in which defaults have no meaning.

    A field that is not sent stays as it is. Objects are merged; what is null in them is removed.
    """

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class NoBody(Schema):
    """The body of requests to endpoints that declare none."""


class PathValues(Schema):
    """Base of the values in a path: one field for each `{name}`."""

    model_config = ConfigDict(frozen=True)  # requests without any share one


class Query(Schema):
    """Base of query parameters."""

    FROM_TEXT = True
    model_config = ConfigDict(frozen=True)  # requests without any share one

    organization_id: str | None = Field(default=None, max_length=256)
    """The organization that the request is about: id, slug or external id. Only operators need it."""

    @property
    def is_preview(self) -> bool:
        """Whether nothing is to be done, so that no idempotency key is needed."""
        return False


class ListQuery(Query):
    limit: int = Field(default=50, ge=1, le=200)
    """The most items to return."""
    cursor: str | None = Field(default=None, max_length=2048)
    """The `next_cursor` of the page before, with the same filters."""


def window(size: int, limit: int, cursor: str | None) -> tuple[slice, str | None]:
    """The slice of a list in memory that is a page, and the next cursor.

    Raises `MalformedError` for a cursor that no page returned.
    """
    if cursor is not None and not (cursor.isdecimal() and cursor.isascii() and 0 < int(cursor) < size):
        raise MalformedError("The cursor is not one of ours")
    end = int(cursor or 0) + limit
    return slice(end - limit, end), str(end) if end < size else None
