"""What is wrong with an input, as sentences for whoever sent it. They never repeat the value: it may be secret."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, ErrorDetails, core_schema

REFUSED = "refused"
"""The type of errors whose message is such a sentence already."""

ISO_TIME = "is not an ISO 8601 time with an offset, such as 2026-10-03T12:00:00Z"
ISO_DATE = "is not an ISO 8601 date, such as 2026-10-03"

KNOWN_NAMES = "known_names"
"""In the context of an error about an unknown field: the fields that there are."""

_UNKNOWN = "is not known here"
_INTEGER = "has to be an integer"
_NUMBER = "has to be a number"
_BOOLEAN = "has to be true or false"
_STRING = "has to be a string"
_LIST = "has to be a list"
_OBJECT = "has to be an object"
_MESSAGES = {
    REFUSED: "{msg}",
    "value_error": "{msg}",
    "missing": "is missing",
    "extra_forbidden": _UNKNOWN,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "too_short": "needs at least {min_length} entries",
    "too_long": "has more than {max_length} entries",
    "string_type": _STRING,
    "string_too_short": "is shorter than {min_length} characters",
    "string_too_long": "is longer than {max_length} characters",
    "string_pattern_mismatch": "does not match {pattern}",
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_parsing_size": _INTEGER + " of fewer digits",
    "int_from_float": _INTEGER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "greater_than": "has to be more than {gt}",
    "greater_than_equal": "has to be at least {ge}",
    "less_than": "has to be less than {lt}",
    "less_than_equal": "has to be at most {le}",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "literal_error": "has to be {expected}",
    "enum": "has to be {expected}",
    "union_tag_not_found": "is missing",
    "union_tag_invalid": "has to be one of {expected_tags}",
    "date_type": ISO_DATE,
    "date_parsing": ISO_DATE,
    "date_from_datetime_parsing": ISO_DATE,
    "date_from_datetime_inexact": ISO_DATE,
    "datetime_type": ISO_TIME,
    "datetime_parsing": ISO_TIME,
    "datetime_from_date_parsing": ISO_TIME,
    "timezone_aware": "has no offset from UTC; write it as 2026-10-03T12:00:00Z or 2026-10-03T12:00:00+02:00",
}
_ANYTHING_ELSE = "is not valid"
_LONGEST_COMPARED = 100
"""Characters of an unknown name: comparing takes time by the square of its length."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Says what a text has to be, in place of its pattern and lengths.

    Stands after them: `Annotated[str, Field(pattern=...), Expected("a month such as 2026-10")]`.
    """

    what: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401  pydantic says so
        return core_schema.custom_error_schema(
            handler(source), custom_error_type=REFUSED, custom_error_message=f"has to be {self.what}"
        )


def message(error: ErrorDetails) -> str:
    """What pydantic found at one place, in plain words."""
    context: Mapping[str, Any] = error.get("ctx", {})
    if KNOWN_NAMES in context:
        return _unknown_name(str(error["loc"][-1]), context[KNOWN_NAMES])
    own = error["msg"].removeprefix("Value error, ").removeprefix("value ")
    return _MESSAGES.get(error["type"], _ANYTHING_ELSE).format_map({**context, "msg": own})


def _unknown_name(name: str, known: Collection[str]) -> str:
    meant = get_close_matches(name[:_LONGEST_COMPARED], known, n=1)
    return f"{_UNKNOWN}; did you mean {meant[0]}?" if meant else _UNKNOWN
