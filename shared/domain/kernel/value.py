"""Bases of pydantic models: immutable values, and models whose fields have docstrings."""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any, ClassVar, Self

import pydantic
from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    model_validator,
)
from pydantic_core import CoreSchema

from shared.domain.kernel.strict_booleans import allows_booleans, separate_booleans
from shared.domain.kernel.validation import refuse_many_unknown, with_known_names

UNTOLD = object()
"""The context of a validation whose errors nobody is told. It is only asked whether there are any."""


class DescribedModel(BaseModel):
    """The docstring under a field is the field's description in JSON Schema.

    Sources are read only when a schema is made: pydantic's `use_attribute_docstrings` reads them at every import.
    Where unknown fields are refused, the error carries the known ones, to suggest the one that was meant; where there
    are many, none of them is looked at. Booleans are strict: 0 and 1 are none, and `true` is no number.
    """

    FROM_TEXT: ClassVar[bool] = False
    """Whether values come as text, as those of a query do: `1` may stand for `true` there."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401  pydantic says so
        schema = handler(source)
        if not cls.FROM_TEXT:
            separate_booleans(schema)
        return schema

    @model_validator(mode="wrap")
    @classmethod
    def _naming_known_fields(
        cls, value: object, handler: ModelWrapValidatorHandler[Self], info: pydantic.ValidationInfo
    ) -> Self:
        refuse_many_unknown(value, cls.__pydantic_fields__)  # `model_fields` looks them up anew
        try:
            return handler(value)
        except pydantic.ValidationError as error:
            if info.context is UNTOLD:
                raise
            raise with_known_names(error, _input_names(cls)) from None

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in _field_docstrings(cls).items():
            field = cls.model_fields[name]
            for shown_as in (name, field.alias, field.serialization_alias):
                if shown_as in properties:
                    properties[shown_as].setdefault("description", text)
        return schema


def of_own_values(schema: Any) -> Any:  # noqa: ANN401  schemas are nested dicts and lists
    """A copy of a schema without what only input needs: names that are told, booleans kept apart from numbers.

    Both are calls of Python for every model and integer. What is of ours has no such errors, and nobody would be told.
    """
    if isinstance(schema, list):
        return [of_own_values(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = allows_booleans(schema)
    match inner:
        case {"type": "function-wrap", "function": {"function": function}} if _is_naming(function):
            inner = {**inner["schema"], **{name: inner[name] for name in ("ref",) if name in inner}}
        case _:
            pass
    return {name: of_own_values(part) for name, part in inner.items()}


def _is_naming(function: object) -> bool:
    return getattr(function, "__func__", None) is DescribedModel._naming_known_fields.__func__  # noqa: SLF001


class Value(DescribedModel):
    """An immutable value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _input_names(cls: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in cls.model_fields.items()]


def _field_docstrings(cls: type[BaseModel]) -> dict[str, str]:
    """The docstrings under the fields of a class and its bases, by the field's name."""
    docstrings: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, DescribedModel):
            docstrings |= _docstrings_in(base.__module__).get(base.__name__, {})
    return {name: text for name, text in docstrings.items() if name in cls.model_fields}


@cache
def _docstrings_in(module: str) -> Mapping[str, Mapping[str, str]]:
    """By class and field. Each module is read once: finding the source of every class by itself takes seconds."""
    statements = ast.parse(inspect.getsource(sys.modules[module])).body
    return {each.name: _docstrings_under(each) for each in statements if isinstance(each, ast.ClassDef)}


def _docstrings_under(definition: ast.ClassDef) -> dict[str, str]:
    docstrings = {}
    for field, text in pairwise(definition.body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
            docstrings[field.target.id] = inspect.cleandoc(text.value.value)
    return docstrings
