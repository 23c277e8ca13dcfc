"""Validation errors of pydantic models as JSON pointers into the input."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError, core_schema

from shared.domain.kernel.errors import MAXIMUM_CHARACTERS, MAXIMUM_ERRORS, FieldError, ValidationError
from shared.domain.kernel.pauses import pause_if_over
from shared.domain.kernel.validation_messages import KNOWN_NAMES, REFUSED, message

FieldPath = tuple[str | int, ...]
"""The names and indexes that lead to a field of the input."""

MAXIMUM_UNKNOWN = 20
"""Unknown fields that are named one by one. An object with more of them is refused as a whole."""
_KEY_MARK = "[key]"
"""Ends pydantic's path to a key of a dict."""
_TAG_ERRORS = ("union_tag_invalid", "union_tag_not_found")


@dataclass(frozen=True, slots=True)
class Length:
    """The number of items of a list, or of fields of a free object.

    They are counted in the input before any is looked at: an item that is not valid is not missing as well, and a list
    that is too long costs nothing. Then the items are validated in parts, up to the first part that is not valid.
    """

    minimum: int
    maximum: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401  pydantic says so
        return core_schema.no_info_wrap_validator_function(self._validated, handler(source), metadata={LENGTH: self})

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        described = handler(schema)
        things = "Items" if described.get("type") == "array" else "Properties"
        minimum = {f"min{things}": self.minimum} if self.minimum else {}
        return {**described, **minimum, f"max{things}": self.maximum}

    def _validated(self, value: object, validate: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401  as the field's type
        if not isinstance(value, list | tuple | dict):
            return validate(value)
        if not self.minimum <= len(value) <= self.maximum:
            what = "fields" if isinstance(value, dict) else "items"
            raise ValueError(f"has to have {self.minimum} to {self.maximum} {what}, not {len(value)}")
        if isinstance(value, dict) or len(value) <= MAXIMUM_ERRORS:
            return validate(value)
        return _validated_in_parts(value, validate)


LENGTH = "length"
"""In the metadata of a schema: the `Length` that it holds."""


def _validated_in_parts(items: Sequence[object], validate: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401
    """The items as `validate` makes them. Raises the errors of the first part that has any."""
    valid: list[Any] = []
    for start in range(0, len(items), MAXIMUM_ERRORS):
        pause_if_over()
        try:
            part = validate(items[start : start + MAXIMUM_ERRORS])
        except pydantic.ValidationError as error:
            raise _carried((_moved(detail["loc"], start), detail, {}) for detail in _details(error)) from None
        valid.extend(part)
    return type(part)(valid)


def _moved(path: FieldPath, start: int) -> FieldPath:
    """The path of an item from the beginning of the list, not of its part."""
    return (path[0] + start, *path[1:]) if path and isinstance(path[0], int) else path


def refuse_many_unknown(value: object, known: Collection[str]) -> None:
    """Refuse an object with many more fields than are known, before any of them is looked at.

    Raises pydantic's `ValidationError`.
    """
    if isinstance(value, dict) and len(value) > len(known) + MAXIMUM_UNKNOWN:
        raise refusal(((), f"has {len(value)} fields, and only {len(known)} are known here"))


def refusal(*fields: tuple[FieldPath, str]) -> pydantic.ValidationError:
    """The error for a model's validator to raise about fields below the model.

    Each field is a path from the model, with what is wrong.
    """
    return _error((field, PydanticCustomError(REFUSED, _literal(detail))) for field, detail in fields)


def named_by_type(value: object, validate: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401  any model of the union
    """A `WrapValidator` of unions with the discriminator `type`: errors point into the input.

    It removes the tag that pydantic puts into paths, and points to `type` where the type is unknown or missing.
    """
    try:
        return validate(value)
    except pydantic.ValidationError as error:
        raise _carried(
            (_path_in_input(detail["type"], detail["loc"]), detail, {}) for detail in _details(error)
        ) from error


def with_known_names(error: pydantic.ValidationError, known: Collection[str]) -> pydantic.ValidationError:
    """A model's error; those about unknown fields carry the `known` ones."""
    details = _details(error)
    if not any(_is_unknown_name(detail) for detail in details):
        return error
    return _carried(
        (detail["loc"], detail, {KNOWN_NAMES: known} if _is_unknown_name(detail) else {}) for detail in details
    )


def pointer(path: Iterable[str | int], prefix: str = "") -> str:
    """A path as a JSON pointer (RFC 6901). With the prefix `?` it names a query parameter."""
    names = [str(name)[:MAXIMUM_CHARACTERS].replace("~", "~0").replace("/", "~1") for name in path]
    if prefix == "?":
        return prefix + "/".join(names)
    return prefix + "".join(f"/{name}" for name in names)


def validation_error(
    error: pydantic.ValidationError, prefix: str = "", placed: Callable[[str], str] = str
) -> ValidationError:
    """A pydantic error as the error for a caller, with the first fields that are wrong.

    `prefix` is the pointer of what was validated, or `?` for query parameters; `placed` maps a pointer to where the
    field is in what was sent.
    """
    details = _details(error)
    errors = tuple(
        FieldError(placed(pointer(_without_key_mark(detail["loc"]), prefix)), message(detail))
        for detail in details[:MAXIMUM_ERRORS]
    )
    if len(details) == 1:
        return ValidationError(f"{errors[0].pointer or 'The input'}: {errors[0].detail}", errors=errors)
    return ValidationError(f"{len(details)} fields of the input are not valid", errors=errors)


def _details(error: pydantic.ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False)


def _carried(details: Iterable[tuple[FieldPath, ErrorDetails, Mapping[str, object]]]) -> pydantic.ValidationError:
    """The same errors at other paths, and with more in their context."""
    return _error(
        (path, PydanticCustomError(detail["type"], _literal(detail["msg"]), {**detail.get("ctx", {}), **more}))
        for path, detail, more in details
    )


def _error(errors: Iterable[tuple[FieldPath, PydanticCustomError]]) -> pydantic.ValidationError:
    """Without the input, which may be secret."""
    return pydantic.ValidationError.from_exception_data(
        "refusal", [InitErrorDetails(type=error, loc=path, input=None) for path, error in errors]
    )


def _is_unknown_name(detail: ErrorDetails) -> bool:
    """Of a field of the model itself, not of one below it."""
    return detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1


def _literal(text: str) -> Any:  # noqa: ANN401  the signature asks for a literal
    return text


def _path_in_input(kind: str, path: FieldPath) -> FieldPath:
    if not path:
        return ("type",) if kind in _TAG_ERRORS else ()
    return path[1:]


def _without_key_mark(path: FieldPath) -> FieldPath:
    return tuple(name for name in path if name != _KEY_MARK)
