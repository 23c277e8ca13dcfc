"""Sources of the SDK's models: a `TypedDict` for each schema that an operation of the SDK needs."""

import keyword
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.sdk.operations import Operation
from tools.sdk.types import references_in, type_of

SHARED = "shared"
"""The module of what more than one resource needs."""
_HEADER = '"""{summary}\n\nWritten by `tools/sdk_source.py` from the API\'s description: change that, not this.\n"""\n'
_TYPING = "Any, Literal, NotRequired, TypedDict"


def header(summary: str) -> str:
    return _HEADER.format(summary=summary)


def model_sources(document: Mapping[str, Any], operations: Sequence[Operation]) -> dict[Path, str]:
    """The modules of `xyra/models`."""
    schemas: Mapping[str, Any] = document["components"]["schemas"]
    modules = _modules_of(schemas, operations)
    sources = {
        Path("models") / f"{module}.py": _module(module, names, schemas, modules)
        for module, names in _by_module(modules).items()
    }
    exports = "".join(f"from xyra.models.{modules[name]} import {name} as {name}\n" for name in sorted(modules))
    sources[Path("models/__init__.py")] = (
        header("What the API takes and answers.") + "\n" + "".join(sorted(exports.splitlines(keepends=True)))
    )
    return sources


def _modules_of(schemas: Mapping[str, Any], operations: Sequence[Operation]) -> dict[str, str]:
    """The module of each model: its only resource, else `shared`."""
    needed: dict[str, set[str]] = {}
    for operation in operations:
        waiting = set().union(*(references_in(one) for one in (operation.body, *operation.answers)))
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            seen.add(name)
            waiting |= references_in(schemas[name]) - seen
        for name in seen:
            needed.setdefault(name, set()).add(operation.resource)
    return {name: next(iter(users)) if len(users) == 1 else SHARED for name, users in sorted(needed.items())}


def _by_module(modules: Mapping[str, str]) -> dict[str, list[str]]:
    gathered: dict[str, list[str]] = {}
    for name, module in modules.items():
        gathered.setdefault(module, []).append(name)
    return gathered


def _module(module: str, names: Iterable[str], schemas: Mapping[str, Any], modules: Mapping[str, str]) -> str:
    ordered = sorted(names, key=lambda name: (not _is_alias(schemas[name]), name))
    models = "\n\n".join(_model(name, schemas[name]) for name in ordered)
    foreign = sorted(
        {name for own in names for name in references_in(schemas[own]) if modules[name] != module},
    )
    imports = f"from xyra.models.{SHARED} import {', '.join(foreign)}\n" if foreign else ""
    typing = [name for name in _TYPING.split(", ") if name in models]
    abstract = [name for name in ("Mapping", "Sequence") if f"{name}[" in models]
    title = "What several resources have in common." if module == SHARED else f"Models of `{module}`."
    return (
        header(title)
        + "\nfrom __future__ import annotations\n\n"
        + (f"from collections.abc import {', '.join(abstract)}\n" if abstract else "")
        + ("from decimal import Decimal\n" if "Decimal" in models else "")
        + f"from typing import {', '.join(typing)}\n\n"
        + imports
        + "\n\n"
        + models
    )


def _model(name: str, schema: Mapping[str, Any]) -> str:
    properties: Mapping[str, Any] = schema.get("properties", {})
    if _is_alias(schema):
        return f"{name} = {type_of(schema)}\n"
    required = set(schema.get("required", ()))
    fields = {
        field: type_of(value) if field in required else f"NotRequired[{type_of(value)}]"
        for field, value in properties.items()
    }
    if all(field.isidentifier() and not keyword.iskeyword(field) for field in fields):
        return _class(name, schema, fields)
    listed = ", ".join(f'"{field}": "{annotation}"' for field, annotation in fields.items())
    return f'{name} = TypedDict("{name}", {{{listed}}})\n'


def _is_alias(schema: Mapping[str, Any]) -> bool:
    """True for what is no object with fields of its own."""
    return schema.get("type") != "object" or (not schema.get("properties") and bool(schema.get("additionalProperties")))


def _class(name: str, schema: Mapping[str, Any], fields: Mapping[str, str]) -> str:
    lines = [f"class {name}(TypedDict):", *_docstring(schema.get("description"), "    ")]
    for field, annotation in fields.items():
        lines += [f"    {field}: {annotation}", *_docstring(schema["properties"][field].get("description"), "    ")]
    return "\n".join([*lines, "" if lines[1:] else "    pass"]) + "\n"


def _docstring(text: str | None, indent: str) -> list[str]:
    if not text:
        return []
    escaped = text.replace("\\", "\\\\").replace('"""', "'''")
    end = " " if escaped.endswith('"') else ""
    return [f'{indent}"""' + escaped.replace("\n", f"\n{indent}") + f'{end}"""']
