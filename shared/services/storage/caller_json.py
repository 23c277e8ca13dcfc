"""JSON that callers store with an entity for themselves, such as its metadata.

It is stored as text, because numbers in documents would become doubles.
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
    """As JSON. Raises `ValueError` for more than `MAXIMUM_BYTES` bytes."""
    text = json.encode_verbatim(value)
    if len(text) > MAXIMUM_BYTES:
        raise ValueError(f"has more than {MAXIMUM_BYTES} bytes as JSON")
    return text.decode()


def text_of_object(value: object) -> str:
    """As JSON. Raises `ValueError` for anything but an object of at most `MAXIMUM_BYTES` bytes."""
    if not isinstance(value, dict):
        raise ValueError("is not an object")  # noqa: TRY004  pydantic takes ValueError
    return small_text(value)


def text_of_metadata(metadata: object) -> str:
    """As JSON. Raises `ValueError` for anything but a small object of at most `MAXIMUM_KEYS` keys."""
    if isinstance(metadata, dict) and len(metadata) > MAXIMUM_KEYS:
        raise ValueError(f"has more than {MAXIMUM_KEYS} keys")
    return text_of_object(metadata)


_FIELDS: Mapping[str, tuple[Callable[[object], str], Any]] = {
    "metadata": (text_of_metadata, {}),
    "config": (text_of_object, {}),
    "result": (small_text, None),
}
"""The fields that hold such JSON: how it becomes text, and what stands there when it is removed."""


def merged(entity: Entity, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an entity that a JSON Merge Patch changes.

    Such JSON comes as the text that the patch leaves. Raises `ValidationError` where that text is out of bounds.
    """
    fields = dict(changes)
    for name in _FIELDS.keys() & changes.keys():
        text_of, removed = _FIELDS[name]
        patched = merge_patch(json.decode(getattr(entity, name)), changes[name])
        try:
            fields[name] = text_of(removed if patched is None else patched)
        except ValueError as error:
            raise ValidationError.at(f"/{name}", str(error)) from error
    return fields
