"""Every error that pydantic finds in what an endpoint reads, as a sentence."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticError
from pydantic_core import SchemaError, SchemaValidator

import function_app
from functions.usage.event_forms import CloudEventRequest, EventRequest
from shared.domain.kernel.validation import validation_error
from shared.http import ENDPOINTS
from shared.http.bodies import FormBody, JsonBody

assert function_app.app, "importing it declares the endpoints"

Node = dict[str, Any]

FOREIGN_WORDS = ("Input", "Extra inputs", "should", "Tuple", "Dictionary", "truncated", "Value error")
OF_UNKNOWN_ERRORS = "is not valid"
SECRET = "geheim"
BAD_VALUES: tuple[Any, ...] = (
    None,
    SECRET,
    "",
    f"{SECRET}/é\x00" * 2000,
    -(10**30),
    10**30,
    "9" * 5000,
    1.5,
    [],
    [SECRET] * 2000,
    {},
    dict.fromkeys(map(str, range(200)), SECRET),
    {SECRET: SECRET},
    {"type": SECRET},
    "2026-10-03T12:00:00",
    "2026-13-03T12:00:00Z",
    f"{SECRET}T",
)
# What a part of a schema can find wrong: always, and with a bound or a rule of its own.
ALWAYS = {
    "bool": {"bool_type", "bool_parsing"},
    "datetime": {"datetime_type", "datetime_from_date_parsing"},
    "dict": {"dict_type"},
    "enum": {"enum"},
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float"},
    "list": {"list_type"},
    "literal": {"literal_error"},
    "str": {"string_type"},
    "tagged-union": {"union_tag_not_found", "union_tag_invalid"},
    "tuple": {"tuple_type"},
}
BY_RULE = {
    ("datetime", "tz_constraint"): "timezone_aware",
    ("int", "ge"): "greater_than_equal",
    ("int", "le"): "less_than_equal",
    ("int", "lt"): "less_than",
    ("list", "min_length"): "too_short",
    ("list", "max_length"): "too_long",
    ("dict", "min_length"): "too_short",
    ("dict", "max_length"): "too_long",
    ("tuple", "max_length"): "too_long",
    ("str", "min_length"): "string_too_short",
    ("str", "max_length"): "string_too_long",
    ("str", "pattern"): "string_pattern_mismatch",
}


def read_types() -> Iterator[Any]:
    yield from (EventRequest, CloudEventRequest)
    for endpoint in ENDPOINTS:
        yield from (endpoint.path_values, endpoint.query)
        if isinstance(endpoint.body, JsonBody | FormBody):
            yield endpoint.body.model


def nodes(schema: Any) -> Iterator[Node]:
    """A core schema and all below it that validates a value by itself."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str) and schema["type"] not in ("model-field", "no-info", "with-info"):
            yield schema
        for name, part in schema.items():
            if name not in ("metadata", "serialization"):
                yield from nodes(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from nodes(part)


NODES = list({repr(node): node for read in read_types() for node in nodes(TypeAdapter(read).core_schema)}.values())


def errors_of(node: Node) -> Iterator[PydanticError]:
    try:
        validator = SchemaValidator(node)  # type: ignore[arg-type]  any node is a schema
    except SchemaError:  # a mapping that is none, such as the choices of a union
        return
    for value in BAD_VALUES:
        try:
            validator.validate_python(value)
        except PydanticError as error:
            yield error


def test_every_error_is_a_sentence_of_ours_that_does_not_show_the_value() -> None:
    provoked = set()
    for error in (error for node in NODES for error in errors_of(node)):
        provoked |= {detail["type"] for detail in error.errors(include_url=False, include_input=False)}
        for told in validation_error(error).errors:
            assert told.detail not in ("", OF_UNKNOWN_ERRORS), error
            assert not [word for word in FOREIGN_WORDS if word in told.detail], told
            assert SECRET not in told.detail, told
    possible = set[str]().union(*(ALWAYS.get(node["type"], set()) for node in NODES))
    possible |= {
        error for (kind, rule), error in BY_RULE.items() for node in NODES if node["type"] == kind and rule in node
    }
    assert provoked >= possible | {"missing", "model_type", "refused", "value_error"}


def test_every_rule_of_a_schema_is_known_here() -> None:
    """A rule that is new wants its error in `BY_RULE`."""
    rules = {"ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern", "max_digits"}
    used = {(node["type"], rule) for node in NODES for rule in rules & node.keys()}
    assert used <= BY_RULE.keys()


@pytest.mark.parametrize(
    ("sent", "pointer", "detail"),
    [
        ({"time": "2026-10-03T12:00:00"}, "/time", "has no offset from UTC; write it as 2026-10-03T12:00:00Z or"),
        ({"timestamp": "2026-10-03T12:00:00Z"}, "/timestamp", "is not known here; did you mean time?"),
        ({"colour": "red"}, "/colour", "is not known here"),
        ({"id": ""}, "/id", "has to be a string of 1 to 256 characters without control characters"),
        ({"type": "two words"}, "/type", "has to be 1 to 200 letters, digits and _ . : / -, such as llm_call"),
    ],
)
def test_what_is_wrong_with_an_event_says_what_to_write(sent: Node, pointer: str, detail: str) -> None:
    with pytest.raises(PydanticError) as refused:
        EventRequest.model_validate({"id": "1", "type": "command", "agent": "coder"} | sent)
    (told,) = validation_error(refused.value).errors
    assert told.pointer == pointer
    assert told.detail.startswith(detail)
