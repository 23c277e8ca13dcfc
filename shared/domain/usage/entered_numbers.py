"""Numbers of an event as they are entered: without the noise of floats, and without nulls that stand for nothing."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shared.domain.kernel.errors import FieldError
from shared.domain.kernel.money import MAXIMUM_DIGITS, PLACES, looks_like_decimal, plain, read_rounded
from shared.domain.kernel.validation import pointer
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.metering.paths import names_in
from shared.domain.metering.values import TOKEN_COUNTS, UNITS, at_path
from shared.domain.pricing.charges.event_values import OUTCOME_TYPE

_NUMBERS = frozenset({"quantity", "amount", "cost", "value"})
_NULLABLE = frozenset({"quantity", "amount", "cost", "currency"})
_NULLABLE_OF_OUTCOMES = _NULLABLE | {"value", "interaction_time", "evidence"}
_LARGEST = 10**MAXIMUM_DIGITS
_SHORT = min(len("0.") + PLACES, MAXIMUM_DIGITS)
"""Characters of a text without an exponent: a number in it is neither too large nor has too many places."""


def with_entered_numbers(event_type: str, data: dict[str, Any], number_paths: frozenset[str]) -> dict[str, Any]:
    """The data with its numbers rounded half even to 12 places, where they have more.

    These are the numbers under names with a meaning, and those at `number_paths`, which meters read. A null under a
    name with a meaning is left out. All else stays as it was sent. An LLM call is in canonical form before.
    """
    if None in data.values():
        nullable = _NULLABLE_OF_OUTCOMES if event_type.startswith(OUTCOME_TYPE) else _NULLABLE
        data = {name: value for name, value in data.items() if value is not None or name not in nullable}
    if not _NUMBERS.isdisjoint(data):  # most LLM calls have none of them
        for name in _NUMBERS.intersection(data):
            value = data[name]
            if type(value) is not int:
                rounded = _rounded(value)
                if rounded is not value:
                    data = {**data, name: rounded}
    for path in number_paths:
        if not _is_surely_valid(at_path(data, path)):
            data = _with_rounded(data, names_in(path))
    return data


def errors_at_paths(data: Mapping[str, Any], number_paths: frozenset[str]) -> list[FieldError]:
    """The numbers that are too large for the meters that read them; pointers are relative to the event."""
    errors: list[FieldError] = []
    for path in number_paths:
        value = at_path(data, path)
        if not _is_surely_valid(value) and looks_like_decimal(value):
            try:
                read_rounded(value)
            except ValueError as error:
                errors.append(FieldError(pointer(("data", *names_in(path))), str(error)))
    return errors


def entered_paths(event_type: str, paths: frozenset[str]) -> frozenset[str]:
    """Those of the paths of numbers whose names have no meaning, so that only a meter reads them."""
    if event_type == LLM_CALL:  # its counts are checked as it is read
        paths = frozenset(path for path in paths if path not in TOKEN_COUNTS and not path.startswith(UNITS))
    return frozenset(path for path in paths if path.removeprefix("data.") not in _NUMBERS)


def _with_rounded(data: Any, names: tuple[str, ...]) -> Any:  # noqa: ANN401  JSON is any of its types
    """The data with what these names lead to rounded; the same object where nothing changes."""
    if not names:
        return _rounded(data)
    if type(data) is not dict or names[0] not in data:
        return data
    part = data[names[0]]
    rounded = _with_rounded(part, names[1:])
    return data if rounded is part else {**data, names[0]: rounded}


def _rounded(value: Any) -> Any:  # noqa: ANN401  as above
    """A decimal, or its text, rounded to 12 places; the same object where it has no more, or is no number."""
    if _is_surely_valid(value):
        return value
    is_text = type(value) is str
    if not is_text and type(value) is not Decimal:
        return value
    try:
        rounded = read_rounded(value)
    except ValueError:
        return value
    if rounded == Decimal(value):
        return value
    return plain(rounded) if is_text else rounded


def _is_surely_valid(value: object) -> bool:
    """Whether it is neither too large nor too precise, as nearly all values are, by a look at their length."""
    if type(value) is int:
        return bool(-_LARGEST < value < _LARGEST)
    return isinstance(value, str) and len(value) <= _SHORT and "e" not in value and "E" not in value
