"""In every request body a boolean is `true` or `false` and no number, and no text, date or time is a number."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pydantic
import pytest
from pydantic import TypeAdapter

import function_app
from shared.domain.kernel.errors import ValidationError
from shared.http import ENDPOINTS, Endpoint, FormBody

Json = dict[str, Any]

assert function_app.app, "importing it declares the endpoints"

WITH_JSON = [each for each in ENDPOINTS if each.body is not None and not isinstance(each.body, FormBody)]
OF_EVENTS = {"report_events", "ingest_openmeter_events"}
DEPTH = 12
KINDS = {"boolean": "boolean", "integer": "number", "number": "number", "string": "text"}
DATES = ("date", "date-time")
PLACES = {"boolean": 18, "number": 100, "text": 200, "date": 4, "date-time": 1}
"""How many there are at least, so that the search is known to find them."""


class Place(NamedTuple):
    """A place in a body that takes values of one type."""

    path: tuple[str | int, ...]
    kind: str
    format: str
    """Of a text, where its schema says one."""
    frame: tuple[Any, ...]
    """What is around the value, from the outside: the other fields of each object, or a list."""

    @property
    def pointer(self) -> str:
        return "".join(f"/{name}" for name in self.path)

    def body(self, value: object) -> object:
        for name, around in reversed(list(zip(self.path, self.frame, strict=True))):
            value = [value] if isinstance(name, int) else {**around, name: value}
        return value


def places(schema: Json, definitions: Mapping[str, Json], at: Place) -> Iterator[Place]:
    """Every boolean, number and text below a JSON Schema."""
    if len(at.path) > DEPTH:
        return
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if schema.get("type") in KINDS:
        yield at._replace(kind=KINDS[schema["type"]], format=schema.get("format", ""))
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from places(choice, definitions, at)
    properties = schema.get("properties", {})
    around = {name: each["const"] for name, each in properties.items() if "const" in each}
    for name, each in properties.items():
        yield from places(each, definitions, below(at, name, around))
    if isinstance(schema.get("items"), dict):
        yield from places(schema["items"], definitions, below(at, 0, None))
    of_any_name = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
    for each in of_any_name:
        if isinstance(each, dict):
            yield from places(each, definitions, below(at, "x", {}))


def below(at: Place, name: str | int, around: Any) -> Place:
    return at._replace(path=(*at.path, name), frame=(*at.frame, around))


def places_of(endpoint: Endpoint, *kinds: str) -> Iterator[tuple[str, Place]]:
    """Those that take values of one of these types only."""
    assert endpoint.body is not None
    for media_type, model in endpoint.body.content.items():
        schema = TypeAdapter(model).json_schema()
        found = list(places(schema, schema.get("$defs", {}), Place((), "", "", ())))
        taken = {kind: {place.pointer for place in found if place.kind == kind} for kind in kinds}
        both = set.intersection(*taken.values())  # such as the values that a meter's filter compares with
        yield from ((media_type, place) for place in found if place.kind in kinds and place.pointer not in both)


def told(endpoint: Endpoint, media_type: str, place: Place, *, value: object) -> set[str]:
    """What is refused at the place, or above it where an invented name or form is not known."""
    assert endpoint.body is not None
    try:
        endpoint.body.read(media_type, {}, json.dumps(place.body(value)).encode())
    except ValidationError as error:
        return {
            each.detail
            for each in error.errors
            if each.pointer == place.pointer
            or (each.detail.startswith("is not known here") and place.pointer.startswith(f"{each.pointer}/"))
        }
    return set()


def refused_of_events(endpoint: Endpoint, media_type: str, place: Place, *, value: object) -> list[object]:
    """The same of events, which are read one by one after the body."""
    assert endpoint.body is not None
    try:
        TypeAdapter(endpoint.body.content[media_type]).validate_python(place.body(value))
    except pydantic.ValidationError as error:
        return [each["loc"] for each in error.errors() if place.path[-1] in each["loc"]]
    return []


@pytest.mark.parametrize("endpoint", WITH_JSON, ids=lambda each: f"{each.method} {each.path}")
def test_no_number_is_a_boolean_and_no_boolean_a_number(endpoint: Endpoint) -> None:
    for media_type, place in places_of(endpoint, "boolean", "number"):
        if place.kind == "number":
            assert told(endpoint, media_type, place, value=True), place.pointer
            continue
        for value in (0, 1, 1.0, "true", "false", "1", "on"):
            assert told(endpoint, media_type, place, value=value), (place.pointer, value)
        assert any(told(endpoint, media_type, place, value=value) == set() for value in (True, False)), place.pointer


@pytest.mark.parametrize("endpoint", WITH_JSON, ids=lambda each: f"{each.method} {each.path}")
def test_no_number_is_a_text_a_date_or_a_time(endpoint: Endpoint) -> None:
    """Taken for a date or a time, it would count seconds or milliseconds since 1970."""
    for media_type, place in places_of(endpoint, "text", "number"):
        if place.kind == "text" and place.path:
            refused = refused_of_events if endpoint.name in OF_EVENTS else told
            digits = ("1764547200", "1764547200.5") if place.format in DATES else ()
            for value in (1764547200, 1764547200.5, *digits):
                assert refused(endpoint, media_type, place, value=value), (place.pointer, value)


def test_there_are_such_places() -> None:
    both = [("boolean", "number"), ("text", "number")]
    found = [place for endpoint in WITH_JSON for kinds in both for _, place in places_of(endpoint, *kinds)]
    number = {name: sum(name in (place.kind, place.format) for place in found) for name in PLACES}
    assert {name: number[name] >= least for name, least in PLACES.items()} == dict.fromkeys(PLACES, True), number
