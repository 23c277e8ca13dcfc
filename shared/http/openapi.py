"""The OpenAPI 3.1 document. The endpoint declarations are its only source."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, Literal

from openapi_pydantic import OpenAPI
from pydantic import TypeAdapter

from shared.domain.access.identity import Permission
from shared.http import ENDPOINTS, Endpoint, IfMatch, Problem

VERSION = "1.0.0"
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")

Key = tuple[str, int, str]
"""An endpoint, the status of an answer or 0 for its body, and the body's media type."""

_PROBLEM = ("", 0, "problem")


@cache
def document() -> bytes:
    """As JSON. Checked against the structure of OpenAPI 3.1 as it is made."""
    schemas, definitions = _schemas(ENDPOINTS)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault("/" + endpoint.route, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "Xyra",
            "version": VERSION,
            "summary": "Usage billing for AI agents",
            "license": {"name": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access token or an API key"},
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(endpoint.tag for endpoint in ENDPOINTS)],
    }
    OpenAPI.model_validate(described)
    return json.dumps(described).encode()


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[dict[Key, Any], dict[str, Any]]:
    inputs: list[tuple[Key, Literal["validation", "serialization"], TypeAdapter[Any]]] = [
        (_PROBLEM, "serialization", TypeAdapter(Problem))
    ]
    for endpoint in endpoints:
        for media_type, model in endpoint.body.content.items() if endpoint.body else ():
            inputs.append(((endpoint.name, 0, media_type), "validation", TypeAdapter(model)))
        for status, model in endpoint.answers.items():
            if model is not None:
                inputs.append(((endpoint.name, status, ""), "serialization", TypeAdapter(model)))
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    return {key: schema for (key, _), schema in found.items()}, definitions.get("$defs", {})


def _operation(endpoint: Endpoint, schemas: dict[Key, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": _permission(endpoint),
        "tags": [endpoint.tag],
        "parameters": list(_parameters(endpoint)),
        "responses": {
            **{str(status): _answer(endpoint, status, schemas) for status in endpoint.answers},
            "default": {
                "description": "A problem document (RFC 9457)",
                "content": {"application/problem+json": {"schema": schemas[_PROBLEM]}},
            },
        },
        "security": [] if endpoint.public else [{"bearer": []}, {"api_key": []}],
    }
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {
                media_type: {"schema": schemas[endpoint.name, 0, media_type], **_example(endpoint, media_type)}
                for media_type in endpoint.body.content
            },
        }
    return operation


def _permission(endpoint: Endpoint) -> str:
    if isinstance(endpoint.access, Permission):
        return f"Needs the permission `{endpoint.access.value}`."
    return "Needs no credential." if endpoint.public else "Needs a credential."


def _example(endpoint: Endpoint, media_type: str) -> dict[str, Any]:
    first = next(iter(endpoint.body.content)) if endpoint.body else None
    return {"example": endpoint.example} if endpoint.example is not None and media_type == first else {}


def _answer(endpoint: Endpoint, status: int, schemas: dict[Key, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if endpoint.answers[status] is not None:
        answer["content"] = {endpoint.media_type: {"schema": schemas[endpoint.name, status, ""]}}
    return answer


def _parameters(endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    for name in _PATH_PARAMETER.findall(endpoint.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": 256}}
    for name, schema in endpoint.query.model_json_schema()["properties"].items():
        yield {"name": name, "in": "query", "required": False, "schema": schema}
    if endpoint.idempotent:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "maxLength": 255},
        }
    if endpoint.if_match is not IfMatch.NONE:
        required = endpoint.if_match is IfMatch.REQUIRED
        yield {"name": "If-Match", "in": "header", "required": required, "schema": {"type": "string"}}
