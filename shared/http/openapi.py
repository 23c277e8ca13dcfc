"""The OpenAPI 3.1 document. The endpoint declarations are its only source."""

import importlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, Literal

from openapi_pydantic import OpenAPI
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from shared.domain.access.identity import Permission
from shared.domain.credits.errors import BudgetExceededError, InsufficientCreditsError
from shared.domain.kernel.errors import (
    LimitExceededError,
    OrganizationRequiredError,
    RejectedItemsError,
    XyraError,
)
from shared.domain.pricing.places import PlaceTakenError
from shared.http.declaration import ENDPOINTS, Endpoint, IfMatch
from shared.http.limiting import POLICY_HEADER, STANDING_HEADER
from shared.http.problems import (
    MEDIA_TYPE,
    Problem,
    ProblemOfBudget,
    ProblemOfChoice,
    ProblemOfCredits,
    ProblemOfItems,
    ProblemOfPlace,
    ProblemOfQuota,
)
from shared.http.serving import MAXIMUM_IDEMPOTENCY_KEY

VERSION = "1.0.0"
_SCHEMAS = "#/components/schemas/"

Json = dict[str, Any]

Key = tuple[str, int, str]
"""Endpoint, status of the answer (or one of the numbers below), content type."""

_REQUEST = 0
_OTHER_FORM = 1
"""Of answers."""
_ERROR = 2

_Input = tuple[Key, Literal["validation", "serialization"], TypeAdapter[Any]]

_PROBLEM: Key = ("", _ERROR, "problem")
_FURTHER_PROBLEMS: Mapping[type[XyraError], tuple[Key, type[Problem]]] = {
    RejectedItemsError: (("", _ERROR, "problem of items"), ProblemOfItems),
    LimitExceededError: (("", _ERROR, "problem of a quota"), ProblemOfQuota),
    OrganizationRequiredError: (("", _ERROR, "problem of choice"), ProblemOfChoice),
    InsufficientCreditsError: (("", _ERROR, "problem of credits"), ProblemOfCredits),
    BudgetExceededError: (("", _ERROR, "problem of a budget"), ProblemOfBudget),
    PlaceTakenError: (("", _ERROR, "problem of a place"), ProblemOfPlace),
}
"""Errors whose problem documents say more than others."""

_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes it safe to send the request again: the same key and request, from the same caller, give the "
    "first answer. An answer that shows a credential is not given twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAXIMUM_IDEMPOTENCY_KEY},
}
_IF_MATCH: Json = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the version that was read; the request is refused where there is a newer one.",
    "schema": {"type": "string"},
}
_RETRY_AFTER: Json = {
    "Retry-After": {"description": "Seconds until it is worth another try.", "schema": {"type": "integer"}}
}
_RATE_LIMIT: Json = {
    POLICY_HEADER: {
        "description": 'The limit with the fewest requests left: `"default";q=20;w=3600` allows 20 in 3,600 seconds.',
        "schema": {"type": "string"},
    },
    STANDING_HEADER: {
        "description": 'Of that limit, what is left: `"default";r=7;t=120` allows 7 more, and a further one in'
        " 120 seconds.",
        "schema": {"type": "string"},
    },
}
_HEADERS_OF_ERRORS: Mapping[HTTPStatus, Json] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    HTTPStatus.LOCKED: _RETRY_AFTER,
    HTTPStatus.TOO_MANY_REQUESTS: {**_RETRY_AFTER, **_RATE_LIMIT},
    HTTPStatus.SERVICE_UNAVAILABLE: _RETRY_AFTER,
}


_SAID_EVERYWHERE = {
    "id": "Its id.",
    "name": "Its name, for people.",
    "description": "What it is, for people.",
    "currency": "The currency of all amounts, ISO 4217.",
    "status": "The state that it is in.",
    "created_at": "When it was created.",
    "data": "The entries of this page.",
    "organization_id": "The organization that it belongs to.",
    "project_id": "The project that it is allocated to.",
    "department_id": "The department that it is allocated to.",
    "agent_id": "The agent that it is about.",
    "thread_id": "The thread that it belongs to.",
    "lines": "The lines, each with its arithmetic.",
    "unit": "What is counted.",
    "workflows": "How many workflows there are of each type.",
    "warnings": "What to look at before it is relied on.",
    "problem": "Why it was refused.",
}
"""Descriptions of fields that mean the same in every schema, where the field has none of its own."""


@cache
def document() -> bytes:
    """The document as JSON, checked against the structure of OpenAPI 3.1."""
    schemas, definitions = _schemas(ENDPOINTS)
    paths: dict[str, Json] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault("/" + endpoint.route, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "Xyra",
            "version": VERSION,
            "summary": "Usage billing for AI agents",
            "description": "Every path that has GET has HEAD, too. A path answers a method that it does not have with"
            " 405, and OPTIONS with 204; both name its methods in `Allow`.",
            "license": {"name": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access token or an API key"},
                "basic": {"type": "http", "scheme": "basic", "description": "Any name, with an API key as password"},
                "api_key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "An API key",
                },
            },
        },
        "tags": [_tag(area) for area in dict.fromkeys(endpoint.area for endpoint in ENDPOINTS)],
    }
    OpenAPI.model_validate(described)
    return json.dumps(described).encode()


def tag_of(area: str) -> str:
    return area.rpartition(".")[2]


def _tag(area: str) -> Json:
    """The tag of an area of `functions/`, described by the docstring of its package."""
    return {"name": tag_of(area), "description": inspect.getdoc(importlib.import_module(area)) or ""}


class _WithoutFieldTitles(GenerateJsonSchema):
    """Leaves out titles of fields: code generators would make types of them."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002  the base's signature
        return False


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[dict[Key, Json], dict[str, Json]]:
    inputs: list[_Input] = [
        (_PROBLEM, "serialization", TypeAdapter(Problem)),
        *((key, "serialization", TypeAdapter(model)) for key, model in _FURTHER_PROBLEMS.values()),
    ]
    for endpoint in endpoints:
        inputs += _inputs(endpoint)
    found, described = TypeAdapter.json_schemas(
        inputs, ref_template=_SCHEMAS + "{model}", schema_generator=_WithoutFieldTitles
    )
    names = {key: _schema_name(key, schema) for key, schema in described["$defs"].items()}
    if len(set(names.values())) < len(names):
        raise ValueError(f"two models have the same name: {sorted(names.values())}")
    definitions = {names[key]: _renamed(schema, names) for key, schema in described["$defs"].items()}
    for name, schema in definitions.items():
        schema["title"] = name
        for field, described_field in schema.get("properties", {}).items():
            if field in _SAID_EVERYWHERE:
                described_field.setdefault("description", _SAID_EVERYWHERE[field])
    return {key: _renamed(schema, names) for (key, _), schema in found.items()}, definitions


def _inputs(endpoint: Endpoint) -> Iterator[_Input]:
    """The types of an endpoint's body, answers and errors."""
    for media_type, model in endpoint.body.content.items() if endpoint.body else ():
        yield (endpoint.name, _REQUEST, media_type), "validation", TypeAdapter(model)
    for status, model in endpoint.answers.items():
        if model is not None:
            yield (endpoint.name, status, ""), "serialization", TypeAdapter(model)
    for media_type, model in endpoint.other_forms.items():
        yield (endpoint.name, _OTHER_FORM, media_type), "serialization", TypeAdapter(model)
    for media_type, model in endpoint.error_format.content.items() if endpoint.error_format else ():
        yield (endpoint.name, _ERROR, media_type), "serialization", TypeAdapter(model)


def _schema_name(key: str, schema: Json) -> str:
    """The model's name, with `...Input` for its form in requests.

    That form has a name of its own only where it differs from the one in answers.
    """
    name: str = schema["title"]
    return f"{name}Input" if key.endswith("-Input") else name


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401  JSON is any of its types
    """The schema with all references to these names."""
    if isinstance(schema, dict):
        return {name: _renamed(part, names) for name, part in schema.items()}
    if isinstance(schema, list):
        return [_renamed(part, names) for part in schema]
    if isinstance(schema, str) and schema.startswith(_SCHEMAS):
        return _SCHEMAS + names[schema.removeprefix(_SCHEMAS)]
    return schema


def _operation(endpoint: Endpoint, schemas: Mapping[Key, Json]) -> Json:
    operation: Json = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": _permission(endpoint),
        "tags": [tag_of(endpoint.area)],
        "parameters": list(_parameters(endpoint)),
        "responses": {
            **{str(status): _answer(endpoint, status, schemas) for status in endpoint.answers},
            **_errors(endpoint, schemas),
        },
        "security": list(_credentials(endpoint)),
    }
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": endpoint.body.required,
            "content": {
                media_type: {"schema": schemas[endpoint.name, _REQUEST, media_type], **_example(endpoint, media_type)}
                for media_type in endpoint.body.content
            },
        }
    return operation


def _permission(endpoint: Endpoint) -> str:
    if isinstance(endpoint.access, Permission):
        return f"Needs the permission `{endpoint.access.value}`."
    return (
        "Needs no credential." if endpoint.public else "Needs the access token of a signed-in user; takes no API key."
    )


def _example(endpoint: Endpoint, media_type: str) -> Json:
    first = next(iter(endpoint.body.content)) if endpoint.body else None
    return {"example": endpoint.example} if endpoint.example is not None and media_type == first else {}


def _answer(endpoint: Endpoint, status: int, schemas: Mapping[Key, Json]) -> Json:
    answer: Json = {"description": HTTPStatus(status).phrase}
    if endpoint.rate_limits:
        answer["headers"] = _RATE_LIMIT
    if endpoint.answers[status] is not None:
        answer["content"] = {
            endpoint.media_type: {"schema": schemas[endpoint.name, status, ""]},
            **{form: {"schema": schemas[endpoint.name, _OTHER_FORM, form]} for form in endpoint.other_forms},
        }
    return answer


def _error_content(endpoint: Endpoint, errors: Sequence[type[XyraError]], schemas: Mapping[Key, Json]) -> Json:
    if endpoint.error_format is None:
        further = (key for error in errors for kind, (key, _) in _FURTHER_PROBLEMS.items() if issubclass(error, kind))
        return {MEDIA_TYPE: {"schema": schemas[next(further, _PROBLEM)]}}
    return {form: {"schema": schemas[endpoint.name, _ERROR, form]} for form in endpoint.error_format.content}


def _credentials(endpoint: Endpoint) -> Iterator[Json]:
    if not endpoint.public:
        yield {"bearer": []}
    if isinstance(endpoint.access, Permission):
        yield {"api_key": []}
    if endpoint.takes_basic:
        yield {"basic": []}


def _errors(endpoint: Endpoint, schemas: Mapping[Key, Json]) -> dict[str, Json]:
    """The answer for each status, which names the codes that it can have."""
    by_status: dict[HTTPStatus, list[type[XyraError]]] = {}
    for error in endpoint.errors():
        by_status.setdefault(error.status, []).append(error)
    return {
        str(int(status)): {
            "description": "; ".join(dict.fromkeys(f"{error.title} (`{error.code}`)" for error in errors)),
            **({"headers": _HEADERS_OF_ERRORS[status]} if status in _HEADERS_OF_ERRORS else {}),
            "content": _error_content(endpoint, errors, schemas),
        }
        for status, errors in sorted(by_status.items(), key=lambda item: item[0])
    }


def _parameters(endpoint: Endpoint) -> Iterator[Json]:
    yield from _values(endpoint.path_values, "path")
    yield from _values(endpoint.query, "query")
    if endpoint.looks_at_key:
        yield {**_IDEMPOTENCY_KEY, "required": endpoint.needs_key}
    if endpoint.if_match is not IfMatch.NONE:
        yield {**_IF_MATCH, "required": endpoint.if_match is IfMatch.REQUIRED}


def _values(model: type[BaseModel], place: Literal["path", "query"]) -> Iterator[Json]:
    described = model.model_json_schema(schema_generator=_WithoutFieldTitles)
    for name, schema in described["properties"].items():
        required = name in described.get("required", ())
        yield {
            "name": name,
            "in": place,
            "required": required,
            "description": schema.pop("description", ""),
            "schema": schema,
        }
