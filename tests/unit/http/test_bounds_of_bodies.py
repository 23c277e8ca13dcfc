"""What a body may have: bytes, values, items and fields, each counted before it is looked at."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter

import function_app
from functions.access.accounts import SignUpRequest
from functions.access.api_keys import ApiKeyRequest
from functions.agents.agents import AgentRequest
from functions.pricing.billing_models import SketchCalculateRequest
from shared.domain.kernel.errors import MAXIMUM_CHARACTERS, MAXIMUM_ERRORS
from shared.domain.kernel.validation import LENGTH, Length
from shared.http import ENDPOINTS, LARGE_BODY, BodyLimit, Call, Endpoint, JsonBody, Reply, Schema
from shared.http.bodies import SMALL_BODY
from shared.json import MAXIMUM_CONTAINERS, MAXIMUM_DECIMALS, MAXIMUM_DEPTH, MAXIMUM_NUMBER, MAXIMUM_VALUES
from tests.doubles.worlds.served_endpoint import ServedEndpoint, request

assert function_app.app, "importing it declares the endpoints"

Json = Any

MIB = 1024 * 1024
LARGE = {
    "report_events",
    "create_billing_model",
    "publish_billing_model",
    "calculate_sketch",
    "calculate_billing_model",
    "ingest_openmeter_events",
    "take_stripe_webhook",
}
TRACES = {"export_traces", "export_langfuse_traces", "export_logs", "export_metrics", "ingest_litellm_payloads"}
"""Settings allow less, and their bodies are read as bytes."""
WITH_BODY = [endpoint for endpoint in ENDPOINTS if endpoint.body is not None]


class Anything(Schema):
    content: Any = None


class Pair(Schema):
    name: str = ""
    pairs: Annotated[list["Pair"], Length(0, 100)] = []
    number: int = Field(default=0, ge=0)


async def _accepted(_: Call[Any]) -> Reply:
    return Reply({})


async def sent(body: bytes, model: type[Schema] = Anything, *, limit: BodyLimit = LARGE_BODY, **headers: str) -> Json:
    """The problem that the body is refused with, or an empty object."""
    declaration = {"method": "POST", "body": JsonBody(model), "body_limit": limit}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await ServedEndpoint(_accepted, declaration).answer(request("POST", body=body, headers=named))
    return json.loads(answer.body)


def content(value: bytes) -> bytes:
    return b'{"content":' + value + b"}"


def listed(item: bytes, number: int) -> bytes:
    return content(b"[" + b",".join([item] * number) + b"]")


def test_large_bodies_are_read_beside_other_requests() -> None:
    """Those of events are read in parts instead, and a webhook's once its signature is right."""
    assert {endpoint.name for endpoint in WITH_BODY if endpoint.calculates} >= LARGE - {
        "report_events",
        "ingest_openmeter_events",
        "take_stripe_webhook",
    }


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda endpoint: endpoint.name)
async def test_each_route_has_its_limit(endpoint: Endpoint) -> None:
    if endpoint.name in TRACES:
        assert endpoint.body_limit == BodyLimit(16 * MIB, unpacked=64 * MIB, is_left_packed=True)
    elif endpoint.name == "reconcile_llm_costs":
        assert endpoint.body_limit == BodyLimit(8 * MIB, unpacked=16 * MIB)
    else:
        assert endpoint.body_limit == (LARGE_BODY if endpoint.name in LARGE else SMALL_BODY)
    assert (SMALL_BODY.sent, LARGE_BODY.sent) == (64 * 1024, MIB)
    problem = await sent(b" " * (endpoint.body_limit.sent + 1), limit=endpoint.body_limit)
    assert (problem["status"], problem["type"]) == (413, "urn:xyra:problem:too_large")
    assert str(endpoint.body_limit.sent) in problem["detail"]


@pytest.mark.parametrize("endpoint", WITH_BODY, ids=lambda endpoint: endpoint.name)
def test_each_list_and_object_of_a_request_is_counted_first(endpoint: Endpoint) -> None:
    assert endpoint.body is not None
    for model in endpoint.body.content.values():
        assert list(_uncounted(TypeAdapter(model).core_schema)) == []


def _uncounted(schema: Any, *, counted: bool = False) -> Iterator[str]:
    """The lists and free objects in a schema of pydantic's that have no `Length` around them."""
    if isinstance(schema, list | tuple):
        for part in schema:
            yield from _uncounted(part)
    if not isinstance(schema, dict):
        return
    if str(schema.get("type")) in {"list", "tuple", "set", "frozenset", "dict"} and not counted:
        yield str(schema)[:200]
    counts = isinstance((schema.get("metadata") or {}).get(LENGTH), Length)
    for name, part in schema.items():
        if name not in {"metadata", "serialization", "json_schema_input_schema"}:
            yield from _uncounted(part, counted=counts and name == "schema")


@pytest.mark.parametrize(
    ("model", "body", "pointer"),
    [
        (AgentRequest, {"external_id": "a", "name": "A", "capabilities": [1] * 30_000}, "/capabilities"),
        (ApiKeyRequest, {"name": "Key", "scopes": ["x"] * 15_000}, "/scopes"),
        (SignUpRequest, {f"{number}": 1 for number in range(8_000)}, ""),
        (SketchCalculateRequest, {"model": {}, "usage": [1] * 40_000}, "/usage"),
        (Pair, {"pairs": [{"pairs": [1] * 101}]}, "/pairs/0/pairs"),
    ],
)
async def test_what_is_too_long_is_one_error(model: type[Schema], body: Json, pointer: str) -> None:
    errors = (await sent(json.dumps(body).encode(), model))["errors"]
    assert [error["pointer"] for error in errors if error["pointer"].startswith(pointer)].count(pointer) == 1
    assert [error for error in errors if error["pointer"].startswith(f"{pointer}/")] == [] or pointer == ""
    assert len(errors) <= 3


async def test_up_to_twenty_unknown_fields_are_named() -> None:
    few = await sent(json.dumps({f"x{number}": 1 for number in range(MAXIMUM_ERRORS)}).encode())
    assert len(few["errors"]) == MAXIMUM_ERRORS
    many = await sent(json.dumps({f"x{number}": 1 for number in range(100)}).encode())
    assert [error["detail"] for error in many["errors"]] == ["has 100 fields, and only 1 are known here"]


async def test_at_most_twenty_errors_are_told_briefly() -> None:
    body = {"pairs": [{"name": 1, "n" * 10_000: 1, "number": -1}] * 100}
    problem = await sent(json.dumps(body).encode(), Pair, limit=BodyLimit(2 * MIB))
    assert len(problem["errors"]) == MAXIMUM_ERRORS
    assert {len(error["pointer"]) <= MAXIMUM_CHARACTERS for error in problem["errors"]} == {True}
    assert any(error["pointer"].endswith("…") for error in problem["errors"])
    assert len(json.dumps(problem)) < 10_000


async def test_mistakes_far_down_in_a_list_are_named_where_they_are() -> None:
    body = {"pairs": [{}] * 67 + [{"number": -1}] + [{}] * 10}
    problem = await sent(json.dumps(body).encode(), Pair)
    assert [error["pointer"] for error in problem["errors"]] == ["/pairs/67/number"]
    assert await sent(json.dumps({"pairs": [{}] * 100}).encode(), Pair) == {}


@pytest.mark.parametrize(
    ("item", "most"),
    [
        (b"1", MAXIMUM_VALUES),
        (b'""', MAXIMUM_VALUES),
        (b"[]", MAXIMUM_CONTAINERS - 2),
        (b"{}", MAXIMUM_CONTAINERS - 2),
        (b"1.5", MAXIMUM_DECIMALS),
        (b"1e5", MAXIMUM_DECIMALS),
    ],
    ids=repr,
)
async def test_values_are_counted(item: bytes, most: int) -> None:
    assert await sent(listed(item, most)) == {}
    for number in (most + 1, MIB // (len(item) + 1) - 20):
        problem = await sent(listed(item, number))
        assert (problem["status"], problem["type"]) == (413, "urn:xyra:problem:too_large")
        assert "send it in several requests" in problem["detail"]


async def test_marks_in_texts_are_no_values() -> None:
    text = json.dumps('{"a": [1, 2], "b\\": "' * 20_000).encode()
    assert text.count(b",") > 10_000
    assert await sent(content(text)) == {}
    assert await sent(content(b'"' + b"," * 900_000 + b'"')) == {}
    assert await sent(content(b'"' + b"[{" * 400_000 + b'"')) == {}
    problem = await sent(content(b'["\\\\",' + b"1," * MAXIMUM_VALUES + b"1]"))
    assert problem["status"] == 413


@pytest.mark.parametrize(
    "number",
    [
        b"0." + b"1" * (MAXIMUM_NUMBER - 1),
        b"1" * 60 + b"." + b"1" * 60,
        b"1" * (MAXIMUM_NUMBER + 1),
        b"-" + b"1" * 4_300,
        b"1" * 500_000,
        b"1" * (MAXIMUM_NUMBER + 1) + b"e-99",
    ],
    ids=len,
)
async def test_a_number_has_so_many_characters(number: bytes) -> None:
    problem = await sent(content(b'{"a":[' + number + b"]}"))
    (error,) = problem["errors"]
    assert (problem["status"], error["pointer"]) == (422, "/content/a/0")
    assert error["detail"] == f"has more than {MAXIMUM_NUMBER} characters: send it with fewer digits"


async def test_the_longest_number_is_taken_and_digits_in_texts_are_no_number() -> None:
    longest = (b"1" * MAXIMUM_NUMBER, b"-" + b"1" * (MAXIMUM_NUMBER - 1), b"0." + b"1" * (MAXIMUM_NUMBER - 2))
    assert await sent(content(b"[" + b",".join(longest) + b"]")) == {}
    assert await sent(content(b'["' + b"1" * 5_000 + b'", "\\"' + b"1" * 500 + b'", {"' + b"1" * 500 + b'": 7}]')) == {}


async def test_every_long_number_is_named_up_to_the_bound_of_errors() -> None:
    problem = await sent(listed(b"1" * 4_000, 250))
    assert [error["pointer"] for error in problem["errors"]] == [f"/content/{index}" for index in range(MAXIMUM_ERRORS)]


async def test_many_numbers_that_cannot_be_read_are_refused_with_the_first() -> None:
    problem = await sent(listed(b"NaN", 15_000))
    assert [error["pointer"] for error in problem["errors"]] == [f"/content/{index}" for index in range(20)]
    assert (await sent(listed(b"NaN", MAXIMUM_DECIMALS + 1)))["status"] == 413


async def test_so_deep_and_no_deeper() -> None:
    def nested(depth: int) -> bytes:
        return content(b"[" * depth + b"]" * depth)

    assert await sent(nested(MAXIMUM_DEPTH - 1)) == {}
    assert (await sent(nested(MAXIMUM_DEPTH)))["status"] == 400
    assert (await sent(nested(5_000)))["status"] == 400


UNPACKED = BodyLimit(8 * MIB, 16 * MIB)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(content(b'"packed"')), None),
        (gzip.compress(b" " * (16 * MIB - 2) + b"{}"), None),
        (gzip.compress(b" " * (16 * MIB + 1)), 413),
        (b"\x00" * (8 * MIB + 1), 413),
        (b"{}", 400),
        (gzip.compress(b"{}")[:-3], 400),
        (gzip.compress(b"{}") + b"more", 400),
    ],
    ids=["small", "largest", "too large unpacked", "too large as sent", "not gzip", "cut short", "with more behind"],
)
async def test_a_route_can_take_packed_bodies(body: bytes, status: int | None) -> None:
    problem = await sent(body, limit=UNPACKED, content_encoding="gzip")
    assert problem.get("status") == status


async def test_others_refuse_what_is_packed() -> None:
    refused = await sent(gzip.compress(b"{}"), content_encoding="gzip")
    assert (refused["status"], refused["detail"]) == (415, "Content-Encoding is gzip; accepted here: identity")
    other = await sent(b"{}", limit=UNPACKED, content_encoding="br")
    assert (other["status"], other["detail"]) == (415, "Content-Encoding is br; accepted here: identity, gzip")
    assert await sent(b"{}", content_encoding="identity") == {}


@pytest.mark.parametrize(
    "spoiled",
    [
        lambda: request(headers={"x-anything": "caf\udce9"}),
        lambda: request(headers={"x-correlation-id": "\udcff"}),
        lambda: request(headers={"\udcff": "x"}),
    ],
)
async def test_a_header_that_is_not_utf_8_is_malformed(spoiled: Callable[[], Any]) -> None:
    problem = await ServedEndpoint(_accepted, {}).problem(spoiled())
    assert (problem["status"], problem["type"]) == (400, "urn:xyra:problem:malformed")
    assert problem["detail"] == "The header has bytes that are not UTF-8"
