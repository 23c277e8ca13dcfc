"""In JSON a boolean is no number, and a number no boolean. Pydantic takes one for the other unless told otherwise."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_MARK = "strict_booleans"
"""In the metadata of a schema that was made strict: it may be met again in another model's."""


def separate_booleans(schema: Any) -> None:  # noqa: ANN401  schemas are nested dicts and lists
    """Change a model's schema in place: only `true` and `false` are booleans, and neither is an integer or a choice.

    The models inside it are references, and left as they are: each sees to itself.
    """
    parts = schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    for place, part in list(parts):
        if isinstance(part, dict) and _MARK in part.get("metadata", {}):
            continue
        separate_booleans(part)
        schema[place] = _separated(part)


def allows_booleans(schema: Any) -> Any:  # noqa: ANN401
    """What `separate_booleans` has put around a schema is left out; any other schema stays."""
    return schema["schema"] if schema.get("metadata", {}).get(_MARK) else schema


def _separated(schema: Any) -> Any:  # noqa: ANN401
    match schema:
        case {"type": "bool"}:
            return schema | {"strict": True}
        case {"type": "int"}:
            return _before(_no_boolean, schema)
        case {"type": "literal", "expected": expected} if any(isinstance(choice, int) for choice in expected):
            return _before(_one_of(expected), schema)
        case _:
            return schema


def _before(check: Callable[[object], object], schema: CoreSchema) -> CoreSchema:
    return core_schema.no_info_before_validator_function(check, schema, metadata={_MARK: True})


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "is a boolean")
    return value


def _one_of(choices: Sequence[object]) -> Callable[[object], object]:
    """Refuses what is none of the choices, or equals one of another type: in Python 1 is `True`."""
    *others, last = [str(choice).lower() if isinstance(choice, bool) else repr(choice) for choice in choices]
    shown = " or ".join([", ".join(others), last] if others else [last])

    def check(value: object) -> object:
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise PydanticCustomError("literal_error", "is none of {expected}", {"expected": shown})
        return value

    return check
