"""The operations of the API's description that the SDK has methods for."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from tools.sdk.types import REFERENCE

Json = Mapping[str, Any]

PREFIX = "/api/v1/"
LEFT_OUT = frozenset(
    {"docs", "docs_script", "openapi_document", "start_single_sign_on", "finish_single_sign_on"},
)
"""Operations under the prefix that are for browsers and generators."""
WRITTEN_BY_HAND = frozenset(
    {"get_credit_balance", "use_credits", "reserve_credits", "capture_hold", "release_hold"},
)
"""Operations that `xyra/credits.py` has in a form that is easier to use."""
JSON = "application/json"
BYTES: Json = {"type": "string", "format": "binary"}
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Parameter:
    name: str
    schema: Json
    is_required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """One method of a resource."""

    id: str
    name: str
    """Of the method: the operation's, without the words that the resource has already."""
    resource: str
    method: str
    path: str
    summary: str
    path_parameters: tuple[Parameter, ...]
    query: tuple[Parameter, ...]
    body: Json | None
    is_form: bool
    is_body_required: bool
    answers: tuple[Json | None, ...]
    """The schemas of its answers, None for one without a body."""
    takes_key: bool
    """Whether an `Idempotency-Key` makes it safe to repeat."""
    takes_etag: bool
    entries: tuple[str, Json] | None
    """The field of a page's entries and the schema of one, where it answers with a list in pages."""


def operations_of(document: Json) -> list[Operation]:
    """Each operation that the SDK has, in the order of the description."""
    ids = {described["operationId"] for methods in document["paths"].values() for described in methods.values()}
    return [
        _operation(path, method, described, document["components"]["schemas"], ids)
        for path, methods in document["paths"].items()
        if path.startswith(PREFIX)
        for method, described in methods.items()
        if described["operationId"] not in LEFT_OUT
    ]


def _operation(path: str, method: str, described: Json, schemas: Json, ids: AbstractSet[str]) -> Operation:
    resource = path.removeprefix(PREFIX).split("/")[0].replace("-", "_")
    parameters = described.get("parameters", [])
    in_path = {one["name"] for one in parameters if one["in"] == "path"}
    headers = {parameter["name"] for parameter in parameters if parameter["in"] == "header"}
    body = described.get("requestBody", {})
    content = body.get("content", {})
    media_type = JSON if JSON in content else FORM
    return Operation(
        id=described["operationId"],
        name=_name(described["operationId"], resource, ids),
        resource=resource,
        method=method.upper(),
        path=path,
        summary=described["summary"],
        path_parameters=tuple(_parameters(parameters, "path")),
        query=tuple(one for one in _parameters(parameters, "query") if one.name not in in_path),
        body=content.get(media_type, {}).get("schema"),
        is_form=media_type == FORM and bool(content),
        is_body_required=body.get("required", False),
        answers=tuple(
            _answer(answer.get("content", {}))
            for status, answer in described["responses"].items()
            if status.startswith("2")
        ),
        takes_key="Idempotency-Key" in headers,
        takes_etag="If-Match" in headers,
        entries=_entries(described, schemas) if any(one["name"] == "cursor" for one in parameters) else None,
    )


def _answer(content: Json) -> Json | None:
    """What is no JSON is bytes."""
    if not content:
        return None
    schema: Json = content[JSON]["schema"] if JSON in content else BYTES
    return schema


def _entries(described: Json, schemas: Json) -> tuple[str, Json]:
    page = described["responses"]["200"]["content"][JSON]["schema"]["$ref"].removeprefix(REFERENCE)
    properties: Json = schemas[page]["properties"]
    (field,) = ("data",) if "data" in properties else (name for name, one in properties.items() if "items" in one)
    return field, properties[field]["items"]


def _parameters(parameters: list[Json], place: str) -> list[Parameter]:
    return [
        Parameter(
            parameter["name"], parameter["schema"], parameter.get("required", False), parameter.get("description", "")
        )
        for parameter in parameters
        if parameter["in"] == place
    ]


def _name(operation: str, resource: str, ids: AbstractSet[str]) -> str:
    """`create_agent` is `agents.create`. Where one thing and several have the same verb, several keep their noun."""
    plural = resource.split("_")
    singular = [*plural[:-1], plural[-1].removesuffix("s")]
    words = operation.split("_")
    for noun in (plural, singular):
        for start in range(1, len(words) - len(noun) + 1):
            if words[start : start + len(noun)] == noun:
                is_doubled = noun == plural != singular and operation.removesuffix("s") in ids
                return operation if is_doubled else "_".join(words[:start] + words[start + len(noun) :])
    return operation
