"""The description of the API is valid and complete. That answers match it, every test shows that uses `Client`."""

import json
import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator

import function_app
from shared.http import ENDPOINTS
from tests.doubles.clients.xyra_client import Answer, Xyra

Json = dict[str, Any]

assert function_app.app, "importing it declares the endpoints"


@pytest.mark.walk
async def test_it_is_valid_openapi_3_1(xyra: Xyra) -> None:
    document = await xyra.anonymous.get("openapi.json")
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(json.loads(json.dumps(document, default=float))).validate()


async def test_it_covers_all_routes(xyra: Xyra) -> None:
    document = await xyra.anonymous.get("openapi.json")
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(endpoint.method, f"/{endpoint.route}") for endpoint in ENDPOINTS}


def operations(document: Json) -> list[Json]:
    return [operation for item in document["paths"].values() for operation in item.values()]


async def test_each_example_is_a_body_that_is_taken(xyra: Xyra) -> None:
    document = json.loads((await xyra.anonymous.send("GET", "openapi.json")).body)
    checked = 0
    for operation in operations(document):
        for content in operation.get("requestBody", {"content": {}})["content"].values():
            if "example" in content:
                schema = content["schema"] | {"components": document["components"]}
                Draft202012Validator(schema).validate(content["example"])
                checked += 1
    assert checked == sum(endpoint.example is not None for endpoint in ENDPOINTS)


async def test_the_examples_of_model_agent_and_event_fit_each_other(xyra: Xyra) -> None:
    """Once the agent's example has the id of the model that was created."""
    examples = {endpoint.name: endpoint.example for endpoint in ENDPOINTS}
    organization = await xyra.organization()
    model = await xyra.operator.post("billing-models", examples["create_billing_model"])
    agent = examples["create_agent"]
    assert re.fullmatch(r"bm_[0-9a-z]{26}", agent["billing_model_id"])
    await organization.key.post("agents", agent | {"billing_model_id": model["id"]})
    await organization.key.post("events", examples["report_events"], expect=202)
    await xyra.idle()
    lines = (await organization.key.get("invoices/preview"))["lines"]
    assert [(line["quantity"], line["amount"]) for line in lines if line["charge"] == "commands"] == [("40", "0.40")]


async def test_what_needs_a_credential_says_so(xyra: Xyra) -> None:
    document = await xyra.anonymous.get("openapi.json")
    open_to_all = {each["operationId"] for each in operations(document) if each["security"] == []}
    assert open_to_all == {endpoint.name for endpoint in ENDPOINTS if endpoint.public}


async def test_an_answer_that_is_not_as_described_is_noticed(xyra: Xyra) -> None:
    good = await xyra.anonymous.send("GET", "/health")
    xyra.description.check(good)
    for body in (b"{}", b'{"status": "well"}', b'{"status": "ok", "more": 1}', b"[]"):
        with pytest.raises(ValidationError):
            xyra.description.check(replace(good, body=body))
    for status in (201, 404, 500):
        with pytest.raises(AssertionError, match="is not declared"):
            xyra.description.check(replace(good, status=status))
    with pytest.raises(AssertionError):
        xyra.description.check(Answer("GET", "/health", 200, {"Content-Type": "text/plain"}, good.body))


async def test_the_docs_are_a_page_and_a_script_from_here_alone(xyra: Xyra) -> None:
    answer = await xyra.anonymous.send("GET", "docs")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    page = unescape(answer.body.decode())
    assert page.startswith("<!doctype html>")
    assert "//" not in page
    policy = answer.headers["Content-Security-Policy"]
    own = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'"
    assert policy == f"{own}; frame-ancestors 'none'"
    (script,) = re.findall(r'src="(docs/scalar\.js)\?v=[0-9.]+"', page)
    loaded = await xyra.anonymous.send("GET", script)
    assert loaded.headers["Content-Encoding"] == "gzip"
    assert "immutable" in loaded.headers["Cache-Control"]
    assert b"@scalar/api-reference" in loaded.body
