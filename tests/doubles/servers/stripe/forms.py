"""Forms as Stripe reads them: `a[b][0]=x`, each value by what its parameter is described to be."""

import re
from urllib.parse import parse_qsl

from tests.doubles.servers.stripe.description import Json
from tests.doubles.servers.stripe.refusals import StripeFault, invalid_form

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")
_INTEGER = re.compile(r"-?[0-9]{1,15}")


def read_form(encoded: str) -> Json:
    """A tree of texts; lists are still objects whose names are numbers."""
    form: Json = {}
    for name, text in parse_qsl(encoded, keep_blank_values=True):
        matched = _NAME.fullmatch(name)
        if matched is None:
            raise invalid_form(f"Invalid parameter name: {name}", None, name)
        path = [matched[1], *_PART.findall(matched[2])]
        inside = form
        for part in path[:-1]:
            inside = inside.setdefault(part or str(len(inside)), {})
            if not isinstance(inside, dict):
                raise invalid_form(f"Invalid parameter: {name}", None, name)
        inside[path[-1] or str(len(inside))] = text
    return form


def typed(schema: Json, form: Json) -> Json:
    """The form with numbers, booleans and lists. Raises `StripeFault` for what is not described so."""
    read = _typed(schema, form, "")
    assert isinstance(read, dict)
    return read


def _typed(schema: Json, value: object, at: str) -> object:
    if "anyOf" in schema:
        return _any_of(schema["anyOf"], value, at)
    if schema.get("type") == "object":
        return _object(schema, value, at)
    if schema.get("type") == "array":
        return _array(schema, value, at)
    if not isinstance(value, str):
        raise invalid_form(f"Invalid {schema.get('type')}", None, at)
    return _scalar(schema, value, at)


def _scalar(schema: Json, value: str, at: str) -> object:
    match schema.get("type"):
        case "integer":
            if not _INTEGER.fullmatch(value):
                raise invalid_form(f"Invalid integer: {value}", "parameter_invalid_integer", at)
            return int(value)
        case "boolean":
            if value not in {"true", "false"}:
                raise invalid_form(f"Invalid boolean: {value}", None, at)
            return value == "true"
    if "enum" in schema and value not in schema["enum"]:
        raise invalid_form(f"Invalid {at}: must be one of {schema['enum']}", None, at)
    if len(value) > schema.get("maxLength", 5000):
        raise invalid_form(f"Invalid string: must be at most {schema.get('maxLength', 5000)} characters", None, at)
    return value


def _any_of(schemas: list[Json], value: object, at: str) -> object:
    first: StripeFault | None = None
    for schema in schemas:
        try:
            return _typed(schema, value, at)
        except StripeFault as fault:
            first = first or fault
    assert first is not None
    raise first


def _object(schema: Json, value: object, at: str) -> Json:
    if not isinstance(value, dict):
        raise invalid_form("Invalid object", None, at)
    others = schema.get("additionalProperties")
    properties = schema.get("properties", {})
    read: Json = {}
    for name, each in value.items():
        inside = f"{at}[{name}]" if at else name
        described = properties.get(name) or (others if isinstance(others, dict) else None)
        if described is None:
            raise invalid_form(f"Received unknown parameter: {inside}", "parameter_unknown", inside)
        read[name] = _typed(described, each, inside)
    for name in schema.get("required", ()):
        if name not in read:
            inside = f"{at}[{name}]" if at else name
            raise invalid_form(f"Missing required param: {inside}.", "parameter_missing", inside)
    return read


def _array(schema: Json, value: object, at: str) -> list[object]:
    if not isinstance(value, dict) or not all(name.isdigit() for name in value):
        raise invalid_form("Invalid array", None, at)
    return [_typed(schema["items"], value[name], f"{at}[{name}]") for name in sorted(value, key=int)]
