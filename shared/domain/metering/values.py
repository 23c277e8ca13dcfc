"""Values at paths of an event, such as `data.quantity`, read as numbers or as scalars."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import PlainValidator

from shared.domain.kernel.money import plain, read_decimal, read_rounded
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.metering.gauges import Event, UnmeterableError
from shared.domain.metering.normal_forms import normal_form_at
from shared.domain.metering.paths import names_in

QUANTITY_PATH = "data.quantity"
TOKEN_COUNTS = frozenset(
    f"data.{name}"
    for name in (
        "input_tokens",
        "cached_input_tokens",
        "uncached_input_tokens",
        "cache_write_tokens",
        "cache_write_1h_tokens",
        "output_tokens",
        "reasoning_tokens",
    )
)
UNITS = "data.units."
"""Begins the path of any other unit of an LLM call."""

_SMALL_INTEGER = 10**15
_MAXIMUM_SCALAR = 256
_INCOMPARABLE = object()
_ONE = Decimal(1)


def _scalar(value: object) -> str | bool | None:
    if isinstance(value, str) and len(value) > _MAXIMUM_SCALAR:
        raise ValueError(f"is longer than {_MAXIMUM_SCALAR} characters")
    if value is None or isinstance(value, bool | str):
        return value
    try:
        return plain(read_decimal(value))
    except ValueError:
        raise ValueError("is neither a text, a number, a truth value nor null") from None


Scalar = Annotated[str | bool | None, PlainValidator(_scalar, json_schema_input_type=str | bool | float | None)]
"""A value that a filter accepts. A number is stored as its plain text, by which it is compared."""


def quantity_of(event: Event) -> Decimal:
    """`data.quantity`, or 1: what usage without a billing model is metered by. Raises `UnmeterableError`."""
    return number_at(event.data, QUANTITY_PATH, event.type)


def number_at(data: Mapping[str, Any], path: str, event_type: str) -> Decimal:
    """The number at a path, at least 0. Without one, a quantity is 1 and a unit of an LLM call is 0.

    Raises `UnmeterableError`.
    """
    return _number(at_path(data, path), path, event_type, signed=False)


def number_of(event: Event, path: str, *, signed: bool = False) -> Decimal:
    """As `number_at`, or the amount in the organization's currency; with `signed`, also a negative one.

    Raises `UnmeterableError`.
    """
    amount = event.amounts.get(path)
    if amount is not None:  # computed, so the bounds of what may be entered do not apply
        return _of_sign(amount, path, signed=signed)
    value = at_path(event.data, path)
    if type(value) is int and 0 <= value < _SMALL_INTEGER:  # nearly all of them: spare the checks below
        return Decimal(value)
    return _number(value, path, event.type, signed=signed)


def scalar_of(event: Event, path: str) -> str:
    """The text by which values are told apart. Raises `UnmeterableError` for what is not a scalar."""
    value = comparable(normal_form_at(event.type, path)(at_path(event.data, path)))
    if value is None:
        raise UnmeterableError(f"{path} is missing")
    if not isinstance(value, str):
        raise UnmeterableError(f"{path} is neither a text, a number nor a truth value")
    if len(value) > _MAXIMUM_SCALAR:
        raise UnmeterableError(f"{path} is longer than {_MAXIMUM_SCALAR} characters")
    return value


def at_path(data: Mapping[str, Any], path: str) -> object:
    """The value at a path; None where there is none."""
    value: object = data
    for name in names_in(path):
        if type(value) is not dict:  # data is decoded JSON
            return None
        value = value.get(name)
    return value


def comparable(value: object) -> object:
    """A scalar as its plain text, so that 1, 1.0 and "1" are equal. Numbers are rounded to 12 places.

    What is not a scalar equals nothing that a filter can name.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return plain(read_rounded(value))
    except ValueError:
        return _INCOMPARABLE


def _number(value: object, path: str, event_type: str, *, signed: bool) -> Decimal:
    if value is None:
        if path == QUANTITY_PATH:
            return _ONE
        if event_type == LLM_CALL and (path in TOKEN_COUNTS or path.startswith(UNITS)):
            return Decimal(0)
        raise UnmeterableError(f"{path} is missing")
    try:
        number = read_rounded(value)
    except ValueError as error:
        raise UnmeterableError(f"{path} {error}") from error
    return _of_sign(number, path, signed=signed)


def _of_sign(number: Decimal, path: str, *, signed: bool) -> Decimal:
    if number < 0 and not signed:
        raise UnmeterableError(f"{path} is negative")
    return number
