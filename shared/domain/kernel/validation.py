"""Refusals of pydantic models as JSON pointers into the input that was refused."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pydantic
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from shared.domain.kernel.errors import FieldError, ValidationError

FieldPath = tuple[str | int, ...]

MAXIMUM_ERRORS = 100
MAXIMUM_STEP = 300
"""Characters of a name in a pointer. A longer one is cut: each of many errors would repeat it."""
_KEY_MARK = "[key]"
_TAG_ERRORS = ("union_tag_invalid", "union_tag_not_found")


@dataclass(frozen=True, slots=True)
class Length:
    """How many items a list has. Counted in the input, so that a wrong item is not also a missing one."""

    minimum: int
    maximum: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401  pydantic says so
        return core_schema.no_info_before_validator_function(self._counted, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "minItems": self.minimum, "maxItems": self.maximum}

    def _counted(self, value: object) -> object:
        if isinstance(value, list | tuple) and not self.minimum <= len(value) <= self.maximum:
            raise ValueError(f"has to have {self.minimum} to {self.maximum} items, not {len(value)}")
        return value


def refusal(*places: tuple[FieldPath, str]) -> pydantic.ValidationError:
    """What a model's validator raises to name fields below itself: each place is a path from the model, with what is
    wrong.
    """
    return _refusal((place, "refused", detail, None) for place, detail in places)


def named_by_type(value: object, validate: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401  any model of the union
    """Wraps a union discriminated by `type` (as a `WrapValidator`), so that errors have places of the input: without
    the tag that pydantic puts into them, and at `type` where the type itself is unknown or missing.
    """
    try:
        return validate(value)
    except pydantic.ValidationError as error:
        raise _refusal(
            (_place_in_input(detail["type"], detail["loc"]), detail["type"], detail["msg"], detail["input"])
            for detail in error.errors(include_url=False)
        ) from error


def pointer(place: Iterable[str | int], prefix: str = "") -> str:
    """RFC 6901; below the prefix `?` the name of a query parameter."""
    parts = [str(part)[:MAXIMUM_STEP].replace("~", "~0").replace("/", "~1") for part in place]
    if prefix == "?":
        return prefix + "/".join(parts)
    return prefix + "".join(f"/{part}" for part in parts)


def validation_error(
    error: pydantic.ValidationError, prefix: str = "", placed: Callable[[str], str] = str
) -> ValidationError:
    """The same refusal for a caller; `prefix` is the pointer of what was validated, or `?` for query parameters, and
    `placed` says where that is in what was sent.
    """
    found = error.errors(include_url=False, include_input=False)
    errors = tuple(
        FieldError(placed(pointer(_without_mark(detail["loc"]), prefix)), _readable(detail["msg"]))
        for detail in found[:MAXIMUM_ERRORS]
    )
    if len(found) == 1:
        return ValidationError(f"{errors[0].pointer or 'The input'}: {errors[0].detail}", errors=errors)
    return ValidationError(f"{len(found)} places of the input are not valid", errors=errors)


def _refusal(details: Iterable[tuple[FieldPath, str, str, object]]) -> pydantic.ValidationError:
    return pydantic.ValidationError.from_exception_data(
        "refusal",
        [
            InitErrorDetails(type=PydanticCustomError(kind, _literal(message)), loc=place, input=value)
            for place, kind, message, value in details
        ],
    )


def _literal(message: str) -> Any:  # noqa: ANN401  the signature asks for a literal; without a context nothing is filled in
    return message


def _place_in_input(kind: str, place: FieldPath) -> FieldPath:
    if not place:
        return ("type",) if kind in _TAG_ERRORS else ()
    return place[1:]


def _without_mark(place: FieldPath) -> FieldPath:
    return tuple(step for step in place if step != _KEY_MARK)


def _readable(message: str) -> str:
    return message.removeprefix("Value error, ")
