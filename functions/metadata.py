"""What callers keep with a thing of theirs, for themselves."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from shared import json

MAXIMUM_KEYS = 50
MAXIMUM_BYTES = 16 * 1024


def _small_text(metadata: object) -> str:
    if not isinstance(metadata, dict):
        raise ValueError("is not an object")  # noqa: TRY004  pydantic takes ValueError
    if len(metadata) > MAXIMUM_KEYS:
        raise ValueError(f"has more than {MAXIMUM_KEYS} keys")
    text = json.encode_verbatim(metadata)
    if len(text) > MAXIMUM_BYTES:
        raise ValueError(f"has more than {MAXIMUM_BYTES} bytes as JSON")
    return text.decode()


Metadata = Annotated[
    str,
    BeforeValidator(_small_text, json_schema_input_type=dict[str, Any]),
    Field(json_schema_extra={"default": {}}),
]
"""An object of at most 50 keys, carried as its text."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=256)]
