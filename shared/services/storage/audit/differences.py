"""What a change of an entity comes to: the fields that differ, without what did not change and without secrets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared import json
from shared.domain.kernel.audit import Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint

SECRET = "(secret)"  # noqa: S105  what is shown in place of one
MAXIMUM_VALUE = 8_000
"""Bytes of one field's value; of a longer one, the trail keeps the hash."""
MAXIMUM_SIDE = 32_000
"""Bytes of all fields before a change, and of all after it."""

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """The fields that differ, as they were and as they are. None where there was or is nothing at all."""

    before: Fields | None
    after: Fields | None


def difference(rule: Audited, before: Entity | None, after: Entity | None) -> Difference | None:
    """None where nothing differs that the trail tells of.

    Of lists and objects only the parts that differ are kept, so a history shows its new entry.
    """
    old, new = _fields(rule, before), _fields(rule, after)
    if before is not None and after is not None:
        old, new = _differing(old, new)
        if not old and not new:
            return None
    return Difference(
        _shown(rule, old) if before is not None else None,
        _shown(rule, new) if after is not None else None,
    )


def _fields(rule: Audited, entity: Entity | None) -> Fields:
    if entity is None:
        return {}
    fields = entity.model_dump(mode="json", exclude={"id", *rule.ignored})
    return {name: value for name, value in fields.items() if value is not None}


def _differing(old: Fields, new: Fields) -> tuple[Fields, Fields]:
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    before, after = {}, {}
    for name in names:
        before[name], after[name] = _parts(old.get(name), new.get(name))
    return before, after


def _parts(old: Any, new: Any) -> tuple[Any, Any]:  # noqa: ANN401  JSON is any of its types
    if isinstance(old, dict) and isinstance(new, dict):
        return _differing(old, new)
    if isinstance(old, list) and isinstance(new, list):
        same = _common_start(old, new)
        old, new = old[same:], new[same:]
        same_end = _common_start(old[::-1], new[::-1])
        return old[: len(old) - same_end], new[: len(new) - same_end]
    return old, new


def _common_start(old: list[Any], new: list[Any]) -> int:
    count = 0
    while count < min(len(old), len(new)) and old[count] == new[count]:
        count += 1
    return count


def _shown(rule: Audited, fields: Fields) -> Fields:
    shown = {name: SECRET if name in rule.secret else _bounded(value, MAXIMUM_VALUE) for name, value in fields.items()}
    if _size(shown) <= MAXIMUM_SIDE:
        return shown
    for name in sorted(shown, key=lambda name: -_size(shown[name])):
        shown[name] = _bounded(shown[name], 0)
        if _size(shown) <= MAXIMUM_SIDE:
            break
    return shown


def _bounded(value: Any, maximum: int) -> Any:  # noqa: ANN401  JSON is any of its types
    """The value, or its hash where it is too long."""
    text = json.encode(value)
    is_short = len(text) <= max(maximum, len(json.encode(_hash_of(text))))
    return value if is_short else _hash_of(text)


def _hash_of(text: bytes) -> Mapping[str, Any]:
    return {"sha256": fingerprint(text), "bytes": len(text)}


def _size(value: Any) -> int:  # noqa: ANN401  JSON is any of its types
    return len(json.encode(value))
