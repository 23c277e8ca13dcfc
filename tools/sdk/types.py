"""Python types for JSON schemas."""

from collections.abc import Mapping
from typing import Any

REFERENCE = "#/components/schemas/"
_SIMPLE = {"string": "str", "number": "int | Decimal", "integer": "int", "boolean": "bool", "null": "None"}


def type_of(schema: Mapping[str, Any], *, models: str = "") -> str:
    """The annotation of a value with this schema. `models` is what stands before a model's name.

    Decimals and times are text on the wire; where a request takes a number, it takes a `Decimal`, too.
    """
    if "$ref" in schema:
        return models + str(schema["$ref"]).removeprefix(REFERENCE)
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(map(repr, values))}]"
    alternatives = schema.get("anyOf", schema.get("oneOf"))
    if alternatives is not None:
        return " | ".join(dict.fromkeys(type_of(one, models=models) for one in alternatives))
    if schema.get("type") == "array":
        return f"Sequence[{type_of(schema.get('items', {}), models=models)}]"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"Mapping[str, {type_of(values, models=models) if isinstance(values, dict) else 'Any'}]"
    return "bytes" if schema.get("format") == "binary" else _SIMPLE.get(str(schema.get("type")), "Any")


def references_in(schema: object) -> set[str]:
    """The names of the schemas that it refers to, by itself."""
    if isinstance(schema, Mapping):
        own = {str(schema["$ref"]).removeprefix(REFERENCE)} if "$ref" in schema else set()
        return own.union(*(references_in(value) for value in schema.values()))
    if isinstance(schema, list):
        return set().union(*(references_in(value) for value in schema))
    return set()
