"""JSON that callers keep with a thing of theirs, for themselves. It is carried as its text: numbers in documents would
become doubles.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared import json
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.merge_patch import merge_patch

MAXIMUM_KEYS = 50
MAXIMUM_BYTES = 16 * 1024


def small_text(value: object) -> str:
    """As JSON. Raises `ValueError` where that has more than `MAXIMUM_BYTES`."""
    text = json.encode_verbatim(value)
    if len(text) > MAXIMUM_BYTES:
        raise ValueError(f"has more than {MAXIMUM_BYTES} bytes as JSON")
    return text.decode()


def text_of_object(value: object) -> str:
    """Raises `ValueError` for what is no object, too."""
    if not isinstance(value, dict):
        raise ValueError("is not an object")  # noqa: TRY004  pydantic takes ValueError
    return small_text(value)


def text_of_metadata(metadata: object) -> str:
    """Raises `ValueError` for more than `MAXIMUM_KEYS` keys, too."""
    if isinstance(metadata, dict) and len(metadata) > MAXIMUM_KEYS:
        raise ValueError(f"has more than {MAXIMUM_KEYS} keys")
    return text_of_object(metadata)


_KEPT: Mapping[str, tuple[Callable[[object], str], Any]] = {
    "metadata": (text_of_metadata, {}),
    "config": (text_of_object, {}),
    "result": (small_text, None),
}
"""The fields of things with such JSON: how it becomes text, and what is there when it was removed."""


def merged(thing: Entity, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of a JSON Merge Patch, those of such JSON as the text that they leave; the bounds are of that. Raises
    `ValidationError`.
    """
    fields = dict(changes)
    for name in _KEPT.keys() & changes.keys():
        text_of, nothing = _KEPT[name]
        kept = merge_patch(json.decode(getattr(thing, name)), changes[name])
        try:
            fields[name] = text_of(nothing if kept is None else kept)
        except ValueError as error:
            raise ValidationError.at(f"/{name}", str(error)) from error
    return fields
