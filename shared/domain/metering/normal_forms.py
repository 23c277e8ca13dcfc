"""Normal forms, in which values of an event's fields with a fixed meaning are compared.

"2.50" and 2.5 are the same quantity. Whatever compares events, filters them or tells values apart reads these fields
here, so that what is the same event is also metered alike.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from shared.domain.kernel.money import read_rounded
from shared.domain.kernel.times import read_time, to_text
from shared.domain.metering.event_types import LLM_CALL

Normalize = Callable[[object], object]
"""Turns a value into the one form of all values that mean the same."""


def normal_forms_of(event_type: str) -> Mapping[str, Normalize]:
    """By field of the data; all other values are compared as they are."""
    for prefix, normal_forms in _BY_PREFIX.items():
        if event_type.startswith(prefix):
            return normal_forms
    return _OF_LLM_CALLS if event_type == LLM_CALL else _OF_ACTIVITIES


def normal_form_at(event_type: str, path: str) -> Normalize:
    """Of the field at a path such as `data.quantity`."""
    return normal_forms_of(event_type).get(path.removeprefix("data."), _unchanged)


def _unchanged(value: object) -> object:
    return value


def _number(value: object) -> object:
    """The number that a text says; anything else unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return read_rounded(value)
    except ValueError:
        return value


def _instant(value: object) -> object:
    try:
        return to_text(read_time(value))
    except ValueError:
        return value


_OF_ACTIVITIES: Mapping[str, Normalize] = MappingProxyType({"quantity": _number})
"""And of workflows."""
_OF_LLM_CALLS: Mapping[str, Normalize] = MappingProxyType({"cost": _number})
_BY_PREFIX: Mapping[str, Mapping[str, Normalize]] = MappingProxyType(
    {
        "cost.": MappingProxyType({"amount": _number}),
        "outcome.": MappingProxyType({"value": _number, "interaction_time": _instant}),
    }
)
