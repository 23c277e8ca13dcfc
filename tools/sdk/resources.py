"""Sources of the SDK's resources: a class of methods for each, once for `Client` and once for `AsyncClient`."""

import keyword
from collections.abc import Sequence
from pathlib import Path

from tools.sdk.models import header
from tools.sdk.operations import WRITTEN_BY_HAND, Operation, Parameter
from tools.sdk.types import type_of

_MODELS = "models."


def resource_sources(operations: Sequence[Operation]) -> dict[Path, str]:
    """The modules of `xyra/resources`."""
    by_resource: dict[str, list[Operation]] = {}
    for operation in operations:
        own = by_resource.setdefault(operation.resource, [])
        if operation.id not in WRITTEN_BY_HAND:
            own.append(operation)
    sources = {Path("resources") / f"{name}.py": _module(name, own) for name, own in by_resource.items()}
    sources[Path("resources/__init__.py")] = _all(sorted(by_resource))
    return sources


def class_name(resource: str) -> str:
    return "".join(word.capitalize() for word in resource.split("_"))


def _all(resources: Sequence[str]) -> str:
    """The classes from which the clients inherit their resources."""
    imports = "".join(
        f"from xyra.resources.{name} import Async{class_name(name)}, {class_name(name)}\n"
        for name in resources
        if name != "credits"
    )
    text = header("All resources of the API.") + "\nfrom functools import cached_property\n\n" + imports
    text += "from xyra.resources.connection import AsyncConnection, Connection\n"
    for prefix in ("", "Async"):
        text += f'\n\nclass {prefix}Resources:\n    """What a client has of the API, but for credits."""\n\n'
        text += f"    connection: {prefix}Connection\n"
        for name in resources:
            if name != "credits":
                text += f"\n    @cached_property\n    def {name}(self) -> {prefix}{class_name(name)}:\n"
                text += f"        return {prefix}{class_name(name)}(self.connection)\n"
    return text.replace("xyra.resources.connection", "xyra.connection")


def _module(resource: str, operations: Sequence[Operation]) -> str:
    names = [operation.name for operation in operations]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise ValueError(f"{resource} has two methods {doubled}: rename an operation")
    both = "".join(_class(resource, operations, is_async=is_async) for is_async in (False, True))
    abstract = [name for name in ("Mapping", "Sequence") if f"{name}[" in both]
    typing = [name for name in ("Any", "Literal") if name in both.replace("AnyOf", "")]
    pages = [name for name in ("AsyncListing", "Listing") if f" {name}[" in both]
    return (
        header(f"Methods of `{resource}`.")
        + "\nfrom __future__ import annotations\n\n"
        + (f"from collections.abc import {', '.join(abstract)}\n" if abstract else "")
        + ("from decimal import Decimal\n" if "Decimal" in both else "")
        + (f"from typing import {', '.join(typing)}\n" if typing else "")
        + ("\nfrom xyra import models\n" if _MODELS in both else "\n")
        + "from xyra.connection import AsyncConnection, Connection, segment\n"
        + (f"from xyra.listing import {', '.join(pages)}\n" if pages else "")
        + both
    ).replace(", segment\n", ", segment\n" if "segment(" in both else "\n")


def _class(resource: str, operations: Sequence[Operation], *, is_async: bool) -> str:
    prefix = "Async" if is_async else ""
    methods = "\n".join(_method(operation, is_async=is_async) for operation in operations)
    return (
        f"\n\nclass {prefix}{class_name(resource)}:\n"
        f"    def __init__(self, connection: {prefix}Connection) -> None:\n"
        "        self._connection = connection\n\n" + methods
    )


def _method(operation: Operation, *, is_async: bool) -> str:
    query = [parameter for parameter in operation.query if parameter.name != "cursor" or operation.entries is None]
    positional = ["self", *(f"{_argument(parameter)}: str" for parameter in operation.path_parameters)]
    if operation.body is not None:
        default = "" if operation.is_body_required else " | None = None"
        positional.append(f"body: {type_of(operation.body, models=_MODELS)}{default}")
    named = [_query_argument(parameter) for parameter in query]
    if operation.takes_key:
        named.append("idempotency_key: str | None = None")
    if operation.takes_etag:
        named.append("if_match: str | None = None")
    arguments = ", ".join([*positional, *(["*", *named] if named else [])])
    call = ", ".join(_call(operation, query))
    doc = operation.summary.rstrip(".").replace('"', "'") + "."
    if operation.entries is not None:
        field, entry = operation.entries
        item = type_of(entry, models=_MODELS)
        call += "" if field == "data" else f', entries="{field}"'
        kind = "AsyncListing" if is_async else "Listing"
        return (
            f"    def {operation.name}({arguments}) -> {kind}[{item}]:\n"
            f'        """{doc}"""\n        return {kind}(self._connection, {call})\n'
        )
    answers = [type_of(one, models=_MODELS) if one else "None" for one in operation.answers]
    answer = " | ".join(dict.fromkeys(answers))
    asynchronous, awaited = ("async ", "await ") if is_async else ("", "")
    body = f"{awaited}self._connection.call({call})"
    returned = (
        f"        {body}\n" if answer == "None" else f"        answer: {answer} = {body}\n        return answer\n"
    )
    return f'    {asynchronous}def {operation.name}({arguments}) -> {answer}:\n        """{doc}"""\n{returned}'


def _argument(parameter: Parameter) -> str:
    name = parameter.name.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) or name == "id" else name


def _query_argument(parameter: Parameter) -> str:
    annotation = type_of(parameter.schema, models=_MODELS)
    if parameter.is_required:
        return f"{_argument(parameter)}: {annotation}"
    return f"{_argument(parameter)}: {annotation.removesuffix(' | None')} | None = None"


def _call(operation: Operation, query: Sequence[Parameter]) -> list[str]:
    path = operation.path
    for parameter in operation.path_parameters:
        path = path.replace(f"{{{parameter.name}}}", f"{{segment({_argument(parameter)})}}")
    given = [f'"{operation.method}"', f'f"{path}"' if operation.path_parameters else f'"{path}"']
    if query:
        given.append("query={" + ", ".join(f'"{one.name}": {_argument(one)}' for one in query) + "}")
    if operation.body is not None:
        given.append("form=body" if operation.is_form else "body=body")
    if operation.takes_key:
        given.append("idempotency_key=idempotency_key")
    elif operation.method == "POST":
        given.append("is_repeatable=False")
    if operation.takes_etag:
        given.append("if_match=if_match")
    return given
