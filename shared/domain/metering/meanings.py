"""The fields of an event's data that are compared by what they mean, however that is written: "2.50" is 2.5 there.

Whoever compares events, and every filter and distinct value, reads them here: what is the same event is metered the
same.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from shared.domain.kernel.money import read_decimal
from shared.domain.kernel.times import read_time, to_text

Meaning = Callable[[object], object]


def meanings_of(event_type: str) -> Mapping[str, Meaning]:
    """By field, what turns a value of it into the one form of all that mean the same; all else is compared as it
    is.
    """
    for prefix, meanings in _BY_PREFIX.items():
        if event_type.startswith(prefix):
            return meanings
    return _OF_LLM_CALLS if event_type == "llm_call" else _OF_ACTIVITIES


def meaning_at(event_type: str, path: str) -> Meaning:
    """The same by path, `data.quantity`; a value as it is where the field has none."""
    return meanings_of(event_type).get(path.removeprefix("data."), _as_it_is)


def _as_it_is(value: object) -> object:
    return value


def _number(value: object) -> object:
    """A text that says a number is that number."""
    if not isinstance(value, str):
        return value
    try:
        return read_decimal(value)
    except ValueError:
        return value


def _instant(value: object) -> object:
    try:
        return to_text(read_time(value))
    except ValueError:
        return value


_OF_ACTIVITIES: Mapping[str, Meaning] = MappingProxyType({"quantity": _number})
"""And of workflows."""
_OF_LLM_CALLS: Mapping[str, Meaning] = MappingProxyType({"cost": _number})
_BY_PREFIX: Mapping[str, Mapping[str, Meaning]] = MappingProxyType(
    {
        "cost.": MappingProxyType({"amount": _number}),
        "outcome.": MappingProxyType({"value": _number, "interaction_time": _instant}),
    }
)
