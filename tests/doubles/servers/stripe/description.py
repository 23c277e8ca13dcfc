"""Stripe's OpenAPI description: what forms may have, what answers must have, and an answer with nothing in it."""

import copy
import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_FILE = Path(__file__).parent / "description.json.gz"
_EMPTY = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "object": {}}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


class Operation:
    def __init__(self, name: str, described: Json) -> None:
        self.name = name
        """`post /v1/payment_intents/{intent}/confirm`"""
        self.method, self.template = name.split(" ")
        self.pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template))
        query = {each["name"]: each["schema"] for each in described["query"]}
        required = [each["name"] for each in described["query"] if each["required"]]
        body = described["body"] or {"type": "object", "properties": {}}
        self.form = body if self.method == "post" else {"type": "object", "properties": query, "required": required}


class Description:
    def __init__(self, described: Json) -> None:
        self.version: str = described["version"]
        self._schemas: Json = described["schemas"]
        self.operations = [Operation(name, each) for name, each in described["operations"].items()]
        # A literal part of a path precedes a parameter: /search is no id.
        self.operations.sort(key=lambda operation: operation.template.count("{"))

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        for operation in self.operations:
            matched = operation.pattern.fullmatch(path) if operation.method == method.lower() else None
            if matched:
                return operation, matched.groupdict()
        return None

    def blank(self, name: str) -> Json:
        """An object with all that is required or may be null, each as empty as it may be."""
        made: Json = copy.deepcopy(self._blank_of(name))
        return made

    @cache  # noqa: B019  there is one description in a process
    def _blank_of(self, name: str) -> Json:
        made = self._empty(self._schemas[name])
        assert isinstance(made, dict)
        return made

    def _empty(self, schema: Json) -> object:
        schema = self._resolved(schema)
        if schema.get("nullable"):
            return None
        if "enum" in schema:
            return schema["enum"][0]
        if "anyOf" in schema:
            return self._empty(schema["anyOf"][0])
        if schema.get("type") == "object":
            required = schema.get("required", ())
            described = schema.get("properties", {}).items()
            return {name: self._empty(each) for name, each in described if name in required or each.get("nullable")}
        return copy.copy(_EMPTY[schema.get("type", "string")])

    def _resolved(self, schema: Json) -> Json:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].rsplit("/", 1)[-1]]
        return schema

    def problem(self, name: str, value: object) -> str | None:
        """What about an object is not as it is described."""
        return self._problem(self._schemas[name], value, name)

    def _problem(self, schema: Json, value: object, at: str) -> str | None:
        schema = self._resolved(schema)
        if value is None:
            return None if schema.get("nullable") else f"{at} is null"
        if "anyOf" in schema:
            problems = [self._problem(each, value, at) for each in schema["anyOf"]]
            return None if None in problems else problems[0]
        kind = schema.get("type")
        if kind is not None and not isinstance(value, _TYPES[kind]):
            return f"{at} is no {kind}"
        if "enum" in schema and value not in schema["enum"]:
            return f"{at} is none of {schema['enum']}"
        if isinstance(value, list):
            return next(filter(None, (self._problem(schema["items"], each, f"{at}[]") for each in value)), None)
        return self._problem_inside(schema, value, at) if isinstance(value, dict) else None

    def _problem_inside(self, schema: Json, value: Json, at: str) -> str | None:
        properties = schema.get("properties")
        if properties is None:
            return None
        if left_out := sorted(set(schema.get("required", ())) - set(value)):
            return f"{at} lacks {left_out}"
        if unknown := sorted(set(value) - set(properties)):
            return f"{at} has {unknown}"
        return next(
            filter(None, (self._problem(properties[name], each, f"{at}.{name}") for name, each in value.items())), None
        )


@cache
def description() -> Description:
    return Description(json.loads(gzip.decompress(_FILE.read_bytes())))
